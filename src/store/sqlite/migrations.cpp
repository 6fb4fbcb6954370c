#include "store/sqlite/migrations.hpp"

#include <fmt/format.h>

#include "store/sql/migrations.hpp"

namespace resultsync::store::sqlite {
namespace {

int format_of(Database& database) {
  sql::Query query(database, "PRAGMA user_version");
  return query.next() ? static_cast<int>(query.integer(0)) : 0;
}

Result<void> refuse_newer(int format) {
  if (format <= newest_format()) return {};
  return fail("newer_format",
              fmt::format("the views have format {}, and this program knows formats up to {}", format, newest_format()),
              "run the newer resultsync that wrote them, or restore a backup made before the upgrade");
}

}  // namespace

int newest_format() {
  return static_cast<int>(sql::migrations().size());
}

Result<void> migrate(Database& database) {
  int format = format_of(database);
  if (auto status = database.status(); !status) return status;
  if (auto known = refuse_newer(format); !known) return known;
  for (; format < newest_format(); ++format) {
    database.execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT",
                                 sql::migrations()[static_cast<std::size_t>(format)].up, format + 1));
    if (auto status = database.status(); !status) return status;
  }
  return {};
}

Result<void> check_format(Database& database) {
  const int format = format_of(database);
  if (auto status = database.status(); !status) return status;
  if (auto known = refuse_newer(format); !known) return known;
  if (format == newest_format()) return {};
  return fail("older_format",
              fmt::format("the views have format {}, older than this program's {}", format, newest_format()),
              "start the server once: it migrates them");
}

Result<void> migrate_down(Database& database) {
  const int format = format_of(database);
  if (format == 0) return database.status();
  database.execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT",
                               sql::migrations()[static_cast<std::size_t>(format - 1)].down, format - 1));
  return database.status();
}

}  // namespace resultsync::store::sqlite
