// The audit log in SQLite (WAL, synchronous=FULL): a file of its own beside the views, so that no writer of theirs
// holds up a row.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "store/audit.hpp"

namespace resultsync::store {

struct SqliteAuditOptions {
  // Told once if a commit failed: the process must end, and nothing may be shown any more (fail-stop).
  std::function<void(const Error&)> on_failure;
};

// Opens or creates `<directory>/audit.db`, migrates it, and makes durable what an earlier process left. The rows of a
// views.db from before the audit log had a file of its own are moved over first. Errors: `newer_format`,
// `corrupt_views`, `not_found`, `permission_denied`, `disk_full`, `io_error`; `conflict`: views.db holds a chain that
// the one in audit.db does not go on from.
Result<std::unique_ptr<AuditLog>> open_sqlite_audit(const std::string& directory, SqliteAuditOptions options = {});

// Read-only, beside a running server or without one: nothing may be appended. Errors: `older_format`, and those above.
Result<std::unique_ptr<AuditLog>> open_sqlite_audit_read_only(const std::string& directory);

// For a row or two beside the server that runs, or without one: neither creates nor migrates anything. The same errors.
Result<std::unique_ptr<AuditLog>> open_sqlite_audit_beside(const std::string& directory);

// In memory: a model for tests.
Result<std::unique_ptr<AuditLog>> open_memory_audit();

}  // namespace resultsync::store
