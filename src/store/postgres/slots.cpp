#include "store/postgres/slots.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/encoding.hpp"
#include "runtime/log.hpp"
#include "runtime/random.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;

constexpr std::int64_t kDayMilliseconds = 86'400'000;
constexpr std::size_t kDispatchesKept = 64;  // below what everybody has applied: for whoever looks at a moment ago

std::int64_t number(Sequence sequence) {
  return static_cast<std::int64_t>(sequence.value);
}

#define NOW "(extract(epoch FROM clock_timestamp()) * 1000)::bigint"

// The server's, in milliseconds since 1970. With the transaction's other statements it is one moment.
std::int64_t server_time(Database& database) {
  Query query(database, "SELECT " NOW);
  return query.next() ? query.integer(0) : 0;
}

std::vector<std::int64_t> slots_in(Query& query) {
  std::vector<std::int64_t> slots;
  while (query.next()) slots.push_back(query.integer(0));
  return slots;
}

// Those whose lease is over, up to a number; never one that a transaction of its owner holds just now.
std::vector<std::int64_t> take(Database& database, const std::string& member, std::int64_t until, std::int64_t over_at,
                               std::size_t most) {
  Query query(database,
              "UPDATE sync_leases SET owner = ?1, fence = fence + 1, until = ?2 WHERE slot IN (SELECT slot FROM "
              "sync_leases WHERE until <= ?3 AND slot < ?5 ORDER BY slot LIMIT ?4 FOR UPDATE SKIP LOCKED) RETURNING "
              "slot",
              member, until, over_at, static_cast<std::int64_t>(most), kDispatcher);
  return slots_in(query);
}

bool take_dispatcher(Database& database, const std::string& member, std::int64_t until, std::int64_t now) {
  Query query(database,
              "UPDATE sync_leases SET owner = ?1, fence = fence + 1, until = ?2 WHERE slot IN (SELECT slot FROM "
              "sync_leases WHERE until <= ?3 AND slot = ?4 FOR UPDATE SKIP LOCKED) RETURNING slot",
              member, until, now, kDispatcher);
  return query.next();
}

}  // namespace

PostgresSlots::PostgresSlots(ConnectOptions connect, const runtime::Clock& clock, SlotOptions options)
    : connect_(std::move(connect)), options_(options), clock_(clock), member_(encode_hex(runtime::random_bytes(8))) {
  held_ = {.owner = member_, .slots = {}, .of = kSlots, .gives_slots = false};
}

PostgresSlots::~PostgresSlots() {
  give_back();
}

Result<Database*> PostgresSlots::connection() {
  if (database_ && database_->still_there()) {
    database_->clear_error();
    return database_.get();
  }
  auto opened = Database::open(connect_);
  if (!opened) return forward_error(std::move(opened));
  database_ = std::move(*opened);
  return database_.get();
}

Result<HeldSlots> PostgresSlots::hold() {
  if (looked_at_ && clock_.monotonic() - *looked_at_ < options_.look_every) return held_;
  const auto database = connection();
  if (!database) return std::unexpected(database.error());
  auto held = look(**database);
  if (!held) {
    (*database)->rollback();
    return held;
  }
  if (!(*held == held_)) {
    runtime::log::info("sync.slots", {{"held", std::uint64_t{held->slots.size()}},
                                      {"of", std::uint64_t{held->of}},
                                      {"dispatcher", held->gives_slots}});
  }
  held_ = std::move(*held);
  looked_at_ = clock_.monotonic();
  takes_part_ = true;
  return held_;
}

Result<HeldSlots> PostgresSlots::look(Database& database) {
  database.begin(Database::Mode::kWrite);
  const std::int64_t now = server_time(database);
  const std::int64_t until = now + options_.lease.count();
  Query(database, "INSERT INTO sync_members VALUES (?1, ?2) ON CONFLICT (member) DO UPDATE SET until = excluded.until",
        member_, until)
      .run();
  std::vector<std::int64_t> mine;
  {
    Query renewed(database, "UPDATE sync_leases SET until = ?2 WHERE owner = ?1 RETURNING slot", member_, until);
    mine = slots_in(renewed);
  }
  bool gives_slots = std::erase(mine, kDispatcher) > 0;
  std::ranges::sort(mine);
  std::int64_t members = 1;
  {
    Query query(database, "SELECT count(*) FROM sync_members WHERE until > ?1", now);
    if (query.next()) members = std::max<std::int64_t>(query.integer(0), 1);
  }
  const std::size_t share = (kSlots + static_cast<std::size_t>(members) - 1) / static_cast<std::size_t>(members);
  for (; mine.size() > share; mine.pop_back()) {
    Query(database, "UPDATE sync_leases SET owner = '', until = ?3 WHERE slot = ?1 AND owner = ?2", mine.back(),
          member_, now)
        .run();
  }
  const auto taken = [&](const std::vector<std::int64_t>& slots) {
    std::ranges::copy(slots, std::back_inserter(mine));
    return !slots.empty();
  };
  bool took = mine.size() < share && taken(take(database, member_, until, now, share - mine.size()));
  // What nobody took for the time of a lease is left by members that are counted and do not work.
  took = taken(take(database, member_, until, now - options_.lease.count(), kSlots)) || took;
  if (!gives_slots && take_dispatcher(database, member_, until, now)) gives_slots = took = true;
  Query(database, "DELETE FROM sync_members WHERE until < ?1", now - kDayMilliseconds).run();
  if (auto committed = database.commit(); !committed) return forward_error(std::move(committed));
  HeldSlots held{.owner = member_,
                 .slots = {},
                 .of = kSlots,
                 .gives_slots = gives_slots,
                 .takings = held_.takings + (took ? 1 : 0)};
  std::ranges::sort(mine);
  for (const std::int64_t slot : mine) held.slots.push_back(static_cast<Slot>(slot));
  return held;
}

void PostgresSlots::give_back() {
  held_.slots.clear();
  held_.gives_slots = false;
  looked_at_.reset();
  if (!std::exchange(takes_part_, false)) return;
  const auto database = connection();
  if (!database) return;
  (*database)->begin(Database::Mode::kWrite);
  Query(**database, "UPDATE sync_leases SET owner = '', until = ?2 WHERE owner = ?1", member_, server_time(**database))
      .run();
  Query(**database, "DELETE FROM sync_members WHERE member = ?1", member_).run();
  Query(**database, "SELECT pg_notify(current_schema(), 'sync')").next();
  if (auto committed = (*database)->commit(); !committed) (*database)->rollback();
}

Result<std::vector<Dispatch>> PostgresSlots::dispatched(Sequence after, std::size_t records) {
  const auto database = connection();
  if (!database) return std::unexpected(database.error());
  auto found = dispatches(**database, after, records);
  if (auto status = (*database)->status(); !status) return forward_error(std::move(status));
  return found;
}

std::vector<Dispatch> dispatches(Database& database, Sequence after, std::size_t records) {
  std::vector<Dispatch> all;
  std::size_t found = 0;
  Query query(database,
              "SELECT first, slots FROM sync_dispatch WHERE first + octet_length(slots) > ?1 AND first >= coalesce("
              "(SELECT max(first) FROM sync_dispatch WHERE first <= ?1), 0) ORDER BY first LIMIT 4096",
              number(after) + 1);
  while (found < records && query.next()) {
    Dispatch& dispatch = all.emplace_back();
    dispatch.first = Sequence{static_cast<std::uint64_t>(query.integer(0))};
    for (const char slot : query.blob(1)) dispatch.slots.push_back(static_cast<Slot>(slot));
    found += dispatch.slots.size();
  }
  return all;
}

Result<void> PostgresSlots::dispatch(const Dispatch& dispatch) {
  const auto connected = connection();
  if (!connected) return std::unexpected(connected.error());
  Database& database = **connected;
  database.begin(Database::Mode::kWrite);
  bool held = false;
  {
    Query query(database, "SELECT slot FROM sync_leases WHERE slot = ?1 AND owner = ?2 FOR NO KEY UPDATE", kDispatcher,
                member_);
    held = query.next();
  }
  if (!held) {
    auto status = database.status();
    database.rollback();
    if (!status) return status;
    return fail(kNotHeld, "another instance gives records their slots now");
  }
  const std::string slots(dispatch.slots.begin(), dispatch.slots.end());
  Query(database, "INSERT INTO sync_dispatch VALUES (?1, ?2)", number(dispatch.first), sql::Blob{slots}).run();
  Query(database,
        "DELETE FROM sync_dispatch WHERE first < (SELECT first FROM sync_dispatch WHERE first <= (SELECT min(applied) "
        "FROM slots) ORDER BY first DESC OFFSET ?1 LIMIT 1)",
        kDispatchesKept)
      .run();
  Query(database, "SELECT pg_notify(current_schema(), 'sync')").next();
  auto committed = database.commit();
  if (!committed) database.rollback();
  return committed;
}

void complete_slots(Database& database) {
  Query(database,
        "INSERT INTO slots SELECT n, (SELECT min(applied) FROM slots) FROM generate_series(0, ?1) AS n ON CONFLICT DO "
        "NOTHING",
        static_cast<std::int64_t>(kSlots) - 1)
      .run();
}

LockedSlots lock_slots(Database& database, const std::string& owner) {
  LockedSlots locked;
  std::vector<std::int64_t> mine;
  {
    Query query(database, "SELECT slot FROM sync_leases WHERE owner = ?1 ORDER BY slot FOR NO KEY UPDATE", owner);
    mine = slots_in(query);
  }
  Query query(database, "SELECT slot, applied FROM slots ORDER BY slot");
  while (query.next()) {
    locked.progress.push_back({static_cast<Slot>(query.integer(0)),
                               Sequence{static_cast<std::uint64_t>(query.integer(1))},
                               std::ranges::find(mine, query.integer(0)) != mine.end()});
  }
  locked.gives_slots = std::ranges::find(mine, kDispatcher) != mine.end();
  return locked;
}

}  // namespace resultsync::store::postgres
