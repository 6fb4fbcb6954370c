// Brings the views' tables to the format of this program. Each migration has a number and a way back
// (migrations/NNNN_name.{up,down}.sql); PRAGMA user_version holds the number of the last one applied.
#pragma once

#include "store/sqlite/database.hpp"

namespace resultsync::store::sqlite {

// Applies what is missing, each migration in one transaction. Errors: `newer_format`, and those of the database.
Result<void> migrate(Database& database);
// For readers: the format must be exactly this program's. Errors: `newer_format`, `older_format`.
Result<void> check_format(Database& database);
// Takes the last migration back (for going back to an older program). Used by tests and by `migrate --down`.
Result<void> migrate_down(Database& database);
int newest_format();

}  // namespace resultsync::store::sqlite
