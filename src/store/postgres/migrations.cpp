#include "store/postgres/migrations.hpp"

#include <fmt/format.h>

#include <array>

#include "store/postgres/dialect.hpp"
#include "store/sql/migrations.hpp"

namespace resultsync::store::postgres {
namespace {

constexpr char kLogUp[] = {
#embed "migrations/0001_log.up.sql"
    , 0};
constexpr std::array kLogMigrations{kLogUp};

struct Formats {
  std::int64_t views = 0;
  std::int64_t log = 0;
};

Formats newest() {
  return {static_cast<std::int64_t>(sql::migrations().size()), static_cast<std::int64_t>(kLogMigrations.size())};
}

Formats formats_of(Database& database) {
  sql::Query query(database, "SELECT views, log FROM format");
  return query.next() ? Formats{query.integer(0), query.integer(1)} : Formats{};
}

Result<void> refuse_newer(Formats formats) {
  if (formats.views <= newest().views && formats.log <= newest().log) return {};
  return fail("newer_format",
              fmt::format("the database has format {}/{}, and this program knows formats up to {}/{}", formats.views,
                          formats.log, newest().views, newest().log),
              "run the newer resultsync that wrote it, or restore a backup made before the upgrade");
}

// Any name will do as a lock before there is a schema.
void lock_migrations(Database& database, const std::string& schema) {
  sql::Query(database, "SELECT pg_advisory_xact_lock(hashtextextended(?1 || '.migrations', 0))", schema).run();
}

// In a transaction of its own: false if nothing was missing.
Result<bool> apply_next(Database& database, const std::string& schema) {
  database.begin(Database::Mode::kWrite);
  lock_migrations(database, schema);
  const Formats formats = formats_of(database);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  if (auto known = refuse_newer(formats); !known) return forward_error(std::move(known));
  if (formats.log < newest().log) {
    database.execute(kLogMigrations[static_cast<std::size_t>(formats.log)]);
    database.execute("UPDATE format SET log = log + 1");
  } else if (formats.views < newest().views) {
    database.execute(table_definitions(sql::migrations()[static_cast<std::size_t>(formats.views)].up));
    database.execute("UPDATE format SET views = views + 1");
  } else {
    database.rollback();
    return false;
  }
  if (auto committed = database.commit(); !committed) return forward_error(std::move(committed));
  return true;
}

}  // namespace

Result<void> migrate(Database& database, const std::string& schema) {
  database.begin(Database::Mode::kWrite);
  lock_migrations(database, schema);
  bool there = false;
  {
    sql::Query query(
        database, "SELECT 1 FROM information_schema.tables WHERE table_schema = ?1 AND table_name = 'format'", schema);
    there = query.next();
  }
  if (!there) {
    database.execute(fmt::format("CREATE SCHEMA IF NOT EXISTS {}", schema));
    database.execute(
        "CREATE TABLE format (only_row BIGINT PRIMARY KEY CHECK (only_row = 1), views BIGINT NOT NULL, log BIGINT NOT "
        "NULL)");
    database.execute("INSERT INTO format VALUES (1, 0, 0)");
  }
  auto done = database.commit();
  while (done) {
    const auto applied = apply_next(database, schema);
    if (!applied) done = std::unexpected(applied.error());
    if (!applied || !*applied) break;
  }
  if (!done) database.rollback();
  return done;
}

Result<void> check_format(Database& database) {
  const Formats formats = formats_of(database);
  if (auto status = database.status(); !status) return status;
  if (auto known = refuse_newer(formats); !known) return known;
  if (formats.views == newest().views && formats.log == newest().log) return {};
  return fail("older_format", "the database has an older format than this program",
              "start a server of this version once: it migrates it");
}

Result<void> migrate_down(Database& database) {
  database.begin(Database::Mode::kWrite);
  const Formats formats = formats_of(database);
  if (formats.views > 0) {
    database.execute(table_definitions(sql::migrations()[static_cast<std::size_t>(formats.views - 1)].down));
    database.execute("UPDATE format SET views = views - 1");
  }
  auto done = database.commit();
  if (!done) database.rollback();
  return done;
}

}  // namespace resultsync::store::postgres
