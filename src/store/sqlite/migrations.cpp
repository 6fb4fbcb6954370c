#include "store/sqlite/migrations.hpp"

#include <fmt/format.h>

#include <array>

namespace resultsync::store::sqlite {
namespace {

struct Migration {
  const char* up;
  const char* down;
};

// The files themselves, embedded.
constexpr char kViewsUp[] = {
#embed "migrations/0001_views.up.sql"
    , 0};
constexpr char kViewsDown[] = {
#embed "migrations/0001_views.down.sql"
    , 0};
constexpr char kReachUp[] = {
#embed "migrations/0002_reach.up.sql"
    , 0};
constexpr char kReachDown[] = {
#embed "migrations/0002_reach.down.sql"
    , 0};
constexpr char kResultsUp[] = {
#embed "migrations/0003_results.up.sql"
    , 0};
constexpr char kResultsDown[] = {
#embed "migrations/0003_results.down.sql"
    , 0};
constexpr char kAccessUp[] = {
#embed "migrations/0004_access.up.sql"
    , 0};
constexpr char kAccessDown[] = {
#embed "migrations/0004_access.down.sql"
    , 0};
constexpr char kDeliveriesUp[] = {
#embed "migrations/0005_deliveries.up.sql"
    , 0};
constexpr char kDeliveriesDown[] = {
#embed "migrations/0005_deliveries.down.sql"
    , 0};
constexpr char kReadersUp[] = {
#embed "migrations/0006_readers.up.sql"
    , 0};
constexpr char kReadersDown[] = {
#embed "migrations/0006_readers.down.sql"
    , 0};
constexpr char kNetworkUp[] = {
#embed "migrations/0007_network.up.sql"
    , 0};
constexpr char kNetworkDown[] = {
#embed "migrations/0007_network.down.sql"
    , 0};

constexpr std::array kMigrations{Migration{kViewsUp, kViewsDown},           Migration{kReachUp, kReachDown},
                                 Migration{kResultsUp, kResultsDown},       Migration{kAccessUp, kAccessDown},
                                 Migration{kDeliveriesUp, kDeliveriesDown}, Migration{kReadersUp, kReadersDown},
                                 Migration{kNetworkUp, kNetworkDown}};

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
  return static_cast<int>(kMigrations.size());
}

Result<void> migrate(Database& database) {
  int format = format_of(database);
  if (auto status = database.status(); !status) return status;
  if (auto known = refuse_newer(format); !known) return known;
  for (; format < newest_format(); ++format) {
    database.execute(fmt::format("BEGIN IMMEDIATE; {} PRAGMA user_version = {}; COMMIT",
                                 kMigrations[static_cast<std::size_t>(format)].up, format + 1));
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
                               kMigrations[static_cast<std::size_t>(format - 1)].down, format - 1));
  return database.status();
}

}  // namespace resultsync::store::sqlite
