// Brings a file's tables to the format of this program. Each migration has a number and a way back
// (migrations/*.{up,down}.sql); PRAGMA user_version holds the number of the last one applied.
#pragma once

#include "store/sql/migrations.hpp"
#include "store/sqlite/database.hpp"

namespace resultsync::store::sqlite {

using sql::Tables;

// Applies what is missing, each migration in one transaction. Errors: `newer_format`, and those of the database.
Result<void> migrate(Database& database, Tables tables);
// For readers: the format must be exactly this program's. Errors: `newer_format`, `older_format`.
Result<void> check_format(Database& database, Tables tables);
// Takes the last migration back, as for going back to an older program. Used by tests.
Result<void> migrate_down(Database& database, Tables tables);
int newest_format(Tables tables);

}  // namespace resultsync::store::sqlite
