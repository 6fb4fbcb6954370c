// The views in SQLite (WAL, synchronous=FULL): one writer, many readers.
#pragma once

#include <memory>
#include <string>

#include "store/views.hpp"

namespace resultsync::store {

struct SqliteOptions {
  std::size_t readers = 4;
  // Told once if a commit or a checkpoint failed: the process must end, and nothing may be acknowledged any more
  // (fail-stop).
  std::function<void(const Error&)> on_failure;
};

// Opens or creates `<directory>/views.db`, migrates it, and makes durable whatever an earlier process left in its
// write-ahead log before it returns. Errors: `newer_format`, `corrupt_views`, `not_found`, `permission_denied`,
// `disk_full`, `io_error`.
Result<std::unique_ptr<Views>> open_sqlite_views(const std::string& directory, SqliteOptions options = {});

// Read-only, beside a running server or without one: begin() must not be called.
Result<std::unique_ptr<Views>> open_sqlite_views_read_only(const std::string& directory);

// In memory: a model for tests and simulation. One reader.
Result<std::unique_ptr<Views>> open_memory_views();

}  // namespace resultsync::store
