// The definitions of the views' tables, as they stand in sqlite/migrations/: each a number, a way there and a way back.
// PostgreSQL's are derived from the same files (postgres/dialect.hpp), so that the two cannot drift apart.
#pragma once

#include <span>

namespace resultsync::store::sql {

struct Migration {
  const char* up;
  const char* down;
};

// Migration N stands at N - 1.
std::span<const Migration> migrations();

}  // namespace resultsync::store::sql
