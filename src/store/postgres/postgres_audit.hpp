// The audit log in PostgreSQL, shared by all instances of an installation: one chain, appended to on a connection of
// its own. Who appends holds the row of the chain's end, and nothing of the views (decision 0032).
#pragma once

#include <functional>
#include <memory>

#include "store/audit.hpp"
#include "store/postgres/database.hpp"

namespace resultsync::store {

struct PostgresAuditOptions {
  postgres::ConnectOptions connect;
  // Told of an error that trying again will not cure: the process must end (fail-stop).
  std::function<void(const Error&)> on_failure;
};

// Creates or migrates the tables. Errors: those of postgres::Database::open() and migrate().
Result<std::unique_ptr<AuditLog>> open_postgres_audit(PostgresAuditOptions options);

// The same without changing the tables: beside a server, or without one. Error: `older_format`, too.
Result<std::unique_ptr<AuditLog>> open_postgres_audit_beside(PostgresAuditOptions options);

}  // namespace resultsync::store
