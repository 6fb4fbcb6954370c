// Brings the tables in PostgreSQL to the format of this program: those of the views and of the audit log by
// the same migrations as SQLite's (sql/migrations.hpp), and the event log's by those in migrations/. The table `format`
// holds the number of the last one applied of each.
//
// Each migration is one transaction under one lock, so that several instances may start at once, and one that is killed
// leaves nothing half done. Older instances may be running: a migration only adds, and whatever it adds has a default.
#pragma once

#include "store/postgres/database.hpp"
#include "store/sql/migrations.hpp"

namespace resultsync::store::postgres {

// Creates the schema and applies what is missing. Errors: `newer_format`, and those of the database.
Result<void> migrate(Database& database, const std::string& schema);
// For readers: the format must be exactly this program's. Errors: `newer_format`, `older_format`, `not_found`.
Result<void> check_format(Database& database);
// Takes the last migration of these tables back, as for going back to an older program.
Result<void> migrate_down(Database& database, sql::Tables tables);

// A lock of this installation (its schema), held to the end of the transaction.
inline constexpr const char* kLockWriter =
    "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.writer', 0))";
// The same lock, together with others who hold it so; whoever holds it alone is alone.
inline constexpr const char* kShareWriter =
    "SELECT pg_advisory_xact_lock_shared(hashtextextended(current_schema() || '.writer', 0))";
inline constexpr const char* kLockLine =
    "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '.line', 0))";

}  // namespace resultsync::store::postgres
