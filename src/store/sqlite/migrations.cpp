#include "store/sqlite/migrations.hpp"

#include <fmt/format.h>

namespace resultsync::store::sqlite {
namespace {

const char* name_of(Tables tables) {
  return tables == Tables::kAudit ? "the audit log has" : "the views have";
}

int format_of(Database& database) {
  sql::Query query(database, "PRAGMA user_version");
  return query.next() ? static_cast<int>(query.integer(0)) : 0;
}

Result<void> refuse_newer(int format, Tables tables) {
  if (format <= newest_format(tables)) return {};
  return fail("newer_format",
              fmt::format("{} format {}, and this program knows formats up to {}", name_of(tables), format,
                          newest_format(tables)),
              "run the newer resultsync that wrote it, or restore a backup made before the upgrade");
}

}  // namespace

int newest_format(Tables tables) {
  return static_cast<int>(sql::migrations(tables).size());
}

Result<void> migrate(Database& database, Tables tables) {
  int format = format_of(database);
  if (auto status = database.status(); !status) return status;
  if (auto known = refuse_newer(format, tables); !known) return known;
  for (; format < newest_format(tables); ++format) {
    database.execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT",
                                 sql::migrations(tables)[static_cast<std::size_t>(format)].up, format + 1));
    if (auto status = database.status(); !status) return status;
  }
  return {};
}

Result<void> check_format(Database& database, Tables tables) {
  const int format = format_of(database);
  if (auto status = database.status(); !status) return status;
  if (auto known = refuse_newer(format, tables); !known) return known;
  if (format == newest_format(tables)) return {};
  return fail("older_format",
              fmt::format("{} format {}, older than this program's {}", name_of(tables), format, newest_format(tables)),
              "start the server once: it migrates what is there");
}

Result<void> migrate_down(Database& database, Tables tables) {
  const int format = format_of(database);
  if (format == 0) return database.status();
  database.execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT",
                               sql::migrations(tables)[static_cast<std::size_t>(format - 1)].down, format - 1));
  return database.status();
}

}  // namespace resultsync::store::sqlite
