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
constexpr char kBlocksUp[] = {
#embed "migrations/0002_blocks.up.sql"
    , 0};
constexpr std::array<const char*, 2> kLogMigrations{kLogUp, kBlocksUp};

// The migration of the views that PostgreSQL words in its own way: what several processes share, one has no need of.
constexpr std::int64_t kSlots = 9;
constexpr char kSlotsUp[] = {
#embed "migrations/views_0009_slots.up.sql"
    , 0};
constexpr char kSlotsDown[] = {
#embed "migrations/views_0009_slots.down.sql"
    , 0};

// Behind the migration that it has in common with SQLite: what instances of an older version, beside this one, need.
constexpr std::int64_t kClinics = 11;
constexpr char kBesideClinicsUp[] = {
#embed "migrations/views_0011_clinics_beside.up.sql"
    , 0};
constexpr char kBesideClinicsDown[] = {
#embed "migrations/views_0011_clinics_beside.down.sql"
    , 0};

struct Formats {
  std::int64_t views = 0;
  std::int64_t log = 0;
  std::int64_t audit = 0;

  [[nodiscard]] bool none_above(const Formats& other) const {
    return views <= other.views && log <= other.log && audit <= other.audit;
  }
  bool operator==(const Formats&) const = default;
};

std::span<const sql::Migration> of_views() {
  return sql::migrations(sql::Tables::kViews);
}
std::span<const sql::Migration> of_audit() {
  return sql::migrations(sql::Tables::kAudit);
}

std::string views_up(std::int64_t format) {
  if (format == kSlots) return kSlotsUp;
  const std::string common = table_definitions(of_views()[static_cast<std::size_t>(format - 1)].up);
  return format == kClinics ? common + kBesideClinicsUp : common;
}
std::string views_down(std::int64_t format) {
  if (format == kSlots) return kSlotsDown;
  const std::string common = table_definitions(of_views()[static_cast<std::size_t>(format - 1)].down);
  return format == kClinics ? kBesideClinicsDown + common : common;
}

Formats newest() {
  return {static_cast<std::int64_t>(of_views().size()), static_cast<std::int64_t>(kLogMigrations.size()),
          static_cast<std::int64_t>(of_audit().size())};
}

Formats formats_of(Database& database) {
  sql::Query query(database, "SELECT views, log, audit FROM format");
  return query.next() ? Formats{query.integer(0), query.integer(1), query.integer(2)} : Formats{};
}

Result<void> refuse_newer(Formats formats) {
  if (formats.none_above(newest())) return {};
  return fail("newer_format",
              fmt::format("the database has format {}/{}/{}, and this program knows formats up to {}/{}/{}",
                          formats.views, formats.log, formats.audit, newest().views, newest().log, newest().audit),
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
  if (formats == newest()) {
    database.rollback();
    return false;
  }
  // Whoever writes to the views has locked rows of some tables when a migration wants to lock all of others, and the
  // other way round: so it takes its turn among them.
  sql::Query(database, kLockWriter).next();
  if (formats.log < newest().log) {
    database.execute(kLogMigrations[static_cast<std::size_t>(formats.log)]);
    database.execute("UPDATE format SET log = log + 1");
  } else if (formats.views < newest().views) {
    database.execute(views_up(formats.views + 1));
    database.execute("UPDATE format SET views = views + 1");
  } else {
    database.execute(table_definitions(of_audit()[static_cast<std::size_t>(formats.audit)].up));
    database.execute("UPDATE format SET audit = audit + 1");
  }
  if (auto committed = database.commit(); !committed) return forward_error(std::move(committed));
  return true;
}

}  // namespace

Result<void> migrate(Database& database, const std::string& schema) {
  database.begin(Database::Mode::kWrite);
  lock_migrations(database, schema);
  bool there = false;
  bool knows_audit = false;
  {
    sql::Query query(database,
                     "SELECT column_name::text FROM information_schema.columns WHERE table_schema = ?1 AND table_name "
                     "= 'format'",
                     schema);
    for (; query.next(); there = true) knows_audit = knows_audit || query.text(0) == "audit";
  }
  if (!there) {
    database.execute(fmt::format("CREATE SCHEMA IF NOT EXISTS {}", schema));
    database.execute(
        "CREATE TABLE format (only_row BIGINT PRIMARY KEY CHECK (only_row = 1), views BIGINT NOT NULL, log BIGINT NOT "
        "NULL)");
    database.execute("INSERT INTO format VALUES (1, 0, 0)");
  }
  if (!knows_audit) database.execute("ALTER TABLE format ADD COLUMN audit BIGINT NOT NULL DEFAULT 0");
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
  if (formats == newest()) return {};
  return fail("older_format", "the database has an older format than this program",
              "start a server of this version once: it migrates it");
}

Result<void> migrate_down(Database& database, sql::Tables tables) {
  database.begin(Database::Mode::kWrite);
  const Formats formats = formats_of(database);
  const bool of_audit_log = tables == sql::Tables::kAudit;
  if (const auto last = of_audit_log ? formats.audit : formats.views; last > 0) {
    database.execute(of_audit_log ? table_definitions(of_audit()[static_cast<std::size_t>(last - 1)].down)
                                  : views_down(last));
    database.execute(of_audit_log ? "UPDATE format SET audit = audit - 1" : "UPDATE format SET views = views - 1");
  }
  auto done = database.commit();
  if (!done) database.rollback();
  return done;
}

}  // namespace resultsync::store::postgres
