// The definitions of the tables, as they stand in sqlite/migrations/: each a number, a way there and a way back.
// PostgreSQL's are derived from the same files (postgres/dialect.hpp), so that the two cannot drift apart.
#pragma once

#include <span>

namespace resultsync::store::sql {

struct Migration {
  const char* up;
  const char* down;
};

// Two sets of tables, each with numbers of its own: in SQLite they are two files.
enum class Tables { kViews, kAudit };

// Migration N stands at N - 1.
std::span<const Migration> migrations(Tables tables);

}  // namespace resultsync::store::sql
