// Several instances of the sync step over one PostgreSQL: slots, leases and what happens between them (decision 0036).
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include "store/memory/memory_log.hpp"
#include "store/postgres/postgres_views.hpp"
#include "store/postgres/slots.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "sync/connections.hpp"
#include "sync/rebuild.hpp"
#include "sync/sync.hpp"
#include "tests/support/event_body.hpp"
#include "tests/support/postgres.hpp"
#include "tests/support/views.hpp"

namespace resultsync::sync {
namespace {

using std::chrono::milliseconds;
using store::postgres::PostgresSlots;
using test::EventBody;

const SourceId kRupa("rupa");
constexpr store::postgres::SlotOptions kQuick{.lease = milliseconds(5'000), .look_every = milliseconds(10)};

// One process that shares the work, with connections of its own.
class Instance {
 public:
  Instance(store::EventLog& log, const store::postgres::ConnectOptions& connect, const runtime::Clock& clock,
           SyncOptions options, const store::postgres::SlotOptions& slots)
      : views_(std::move(*store::open_postgres_views({.connect = connect, .readers = 2, .on_failure = {}}))),
        sync_(log, *views_, clock, metrics_, std::move(options),
              std::make_unique<PostgresSlots>(connect, clock, slots)) {}

  Sync& sync() { return sync_; }
  store::Views& views() { return *views_; }
  // Until it finds nothing more to do.
  void run() {
    while (step()) {
    }
  }
  bool step() {
    const auto stepped = sync_.step();
    EXPECT_TRUE(stepped.has_value()) << stepped.error().text();
    return stepped.value_or(false);
  }

 private:
  runtime::Metrics metrics_;
  std::unique_ptr<store::Views> views_;
  Sync sync_;
};

class SharedSync : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_postgres()) GTEST_SKIP() << test::kNoPostgres;
    schema_.emplace();
  }

  std::unique_ptr<Instance> start(std::size_t records_at_once = 64) { return start(records_at_once, clock_); }
  std::unique_ptr<Instance> start(std::size_t records_at_once, const runtime::Clock& clock,
                                  const store::postgres::SlotOptions& slots = kQuick) {
    SyncOptions options;
    options.batch.records_max = records_at_once;
    options.look_every = milliseconds(20);
    return std::make_unique<Instance>(log_, schema_->options(), clock, std::move(options), slots);
  }

  Sequence receive(const std::string& body, Sequence same_as = {}) {
    Sequence given;
    const std::string kept = same_as == Sequence{} ? body : "";
    log_.append({kRupa, clock_.now(), false, {}, sha256(body), kept, same_as},
                [&](Result<Sequence> committed) { given = *committed; });
    return given;
  }

  void connect(store::Views& views, const char* practitioner, const std::string& clinic) {
    const auto connected =
        sync::connect(views, {AppPractitionerId(practitioner), kRupa, ClinicId(clinic), {}}, clock_.now());
    EXPECT_TRUE(connected.has_value());
  }

  // Everybody's turn after another's, until all is applied and given.
  void run_all(const std::vector<Instance*>& instances) {
    for (bool busy = true; busy;) {
      busy = false;
      for (Instance* instance : instances) busy = instance->step() || busy;
      busy = busy || !is_done(instances.front()->views());
    }
  }
  bool is_done(store::Views& views) {
    const auto snapshot = views.snapshot();
    return snapshot->applied() == log_.end() && snapshot->unfinished_backfills().empty();
  }

  static std::int64_t owners(store::sql::Database& database) {  // of slots
    store::sql::Query query(database, "SELECT count(DISTINCT owner) FROM sync_leases WHERE owner <> ''");
    return query.next() ? query.integer(0) : 0;
  }

  static std::vector<store::FeedRow> feed(store::Views& views, const char* practitioner) {
    const auto snapshot = views.snapshot();
    const auto row = snapshot->practitioner(AppPractitionerId(practitioner), store::kEverything);
    return row ? snapshot->feed(row->key, 0, 100'000, store::kEverything) : std::vector<store::FeedRow>{};
  }
  // What they were told of each order, in its order; that of different orders may come in another one.
  static std::map<std::string, std::vector<std::string>> told(store::Views& views, const char* practitioner) {
    std::map<std::string, std::vector<std::string>> orders;
    std::int64_t position = 0;
    for (const auto& item : feed(views, practitioner)) {
      EXPECT_EQ(item.position, ++position);
      const auto& notice = item.entry.notice;
      orders[item.order.text()].push_back(notice.test.text() + " " + std::to_string(notice.version) + " " +
                                          std::to_string(notice.record.value));
    }
    return orders;
  }
  std::uint64_t differences_of_a_rebuild(store::Views& views) {
    const auto scratch = std::move(*store::open_memory_views());
    const auto report = verify_rebuild(log_, views, *scratch, {}, {});
    EXPECT_TRUE(report.has_value()) << report.error().text();
    if (!report) return 999;
    for (const std::string& line : report->first_differences) ADD_FAILURE() << line;
    return report->differences;
  }

  std::optional<test::PostgresSchema> schema_;
  runtime::SystemClock clock_;
  store::MemoryLog log_;
};

// Orders of several clinics, of which some events name none; ids that come again with the same body, with another one
// and for another order; references to bodies.
std::vector<std::string> some_events(unsigned seed, int count) {
  std::mt19937 dice(seed);
  const auto one_of = [&](int sides) { return static_cast<int>(dice() % static_cast<unsigned>(sides)); };
  std::vector<std::string> bodies;
  for (int i = 0; i < count; ++i) {
    const int order = one_of(60);
    const std::string clinic = "cli_" + std::to_string(order % 6);
    EventBody body("evt_" + std::to_string(one_of(12) == 0 && i > 0 ? one_of(i) : i));
    body.order("ord_" + std::to_string(order)).at("2026-01-01T10:" + std::to_string(10 + one_of(50)) + ":00Z");
    const std::string practitioner = "pra_" + std::to_string(order);
    one_of(4) == 0 ? body.by(practitioner) : body.by(practitioner, clinic);
    body.patient("pat_" + std::to_string(order % 7));
    body.test("t" + std::to_string(order) + std::to_string(one_of(2)),
              one_of(5) == 0 ? "" : "content " + std::to_string(one_of(4)));
    bodies.push_back(one_of(40) == 0 ? "not json " + std::to_string(i) : body.text());
  }
  return bodies;
}

TEST_F(SharedSync, slots_are_shared_out_as_instances_come_and_go) {
  auto first = store::open_postgres_views({.connect = schema_->options(), .readers = 1, .on_failure = {}});
  ASSERT_TRUE(first);
  PostgresSlots one(schema_->options(), clock_, {.lease = milliseconds(5'000), .look_every = milliseconds(0)});
  EXPECT_TRUE(one.hold()->is_everything());
  PostgresSlots two(schema_->options(), clock_, {.lease = milliseconds(5'000), .look_every = milliseconds(0)});
  EXPECT_TRUE(two.hold()->slots.empty()) << "nothing is free before the first gives its surplus back";
  EXPECT_EQ(one.hold()->slots.size(), 8U);
  EXPECT_EQ(two.hold()->slots.size(), 8U);
  EXPECT_TRUE(one.hold()->gives_slots);
  EXPECT_FALSE(two.hold()->gives_slots);
  const auto taken_before = two.hold()->takings;
  one.give_back();
  const auto all = two.hold();
  EXPECT_TRUE(all->is_everything());
  EXPECT_GT(all->takings, taken_before);
}

TEST_F(SharedSync, what_a_silent_instance_held_is_taken_when_its_lease_is_over) {
  const auto views = store::open_postgres_views({.connect = schema_->options(), .readers = 1, .on_failure = {}});
  ASSERT_TRUE(views);
  PostgresSlots silent(schema_->options(), clock_, {.lease = milliseconds(300), .look_every = milliseconds(0)});
  const auto held = silent.hold();
  ASSERT_TRUE(held->is_everything());
  PostgresSlots other(schema_->options(), clock_, {.lease = milliseconds(60'000), .look_every = milliseconds(0)});
  while (!other.hold()->is_everything()) std::this_thread::yield();

  // It wakes up and goes on: nothing of what it held is its own any more.
  const auto late = (*views)->begin(*held, store::Company::kAlone);
  EXPECT_TRUE(std::ranges::none_of(late->progress(), &store::SlotProgress::held));
  EXPECT_EQ(silent.dispatch({.first = {1}, .slots = {0}}).error().code, store::kNotHeld);
}

TEST_F(SharedSync, beside_others_only_what_concerns_ones_own_orders_is_done) {
  const auto views = store::open_postgres_views({.connect = schema_->options(), .readers = 1, .on_failure = {}});
  ASSERT_TRUE(views);
  PostgresSlots slots(schema_->options(), clock_);
  const auto held = slots.hold();
  const auto code_after = [&](const auto& what) {
    const auto transaction = (*views)->begin(*held, store::Company::kBesideOthers);
    what(*transaction);
    const auto committed = transaction->commit();
    return committed ? std::string() : std::string(committed.error().code);
  };
  using store::ViewsTransaction;
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.set_applied({1}); }), "");
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.add_practitioner(AppPractitionerId("anna")); }), "not_alone");
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.end_connection({1}, Timestamp{1}); }), "not_alone");
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.save_backfill({}); }), "not_alone");
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.network(); }), "not_alone");
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.deliveries(); }), "not_alone");
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.access(); }), "not_alone");
  EXPECT_EQ(code_after([](ViewsTransaction& t) { t.readers(); }), "not_alone");
  const orders::PractitionerClinic fact{PractitionerId("pra_1"), ClinicId("cli_1")};
  const auto learn = [&](ViewsTransaction& t) { t.learn_clinic(kRupa, fact, store::Witness::kEvent); };
  EXPECT_EQ(code_after(learn), "not_alone") << "others may have orders that wait for it";
  {
    const auto alone = (*views)->begin();
    EXPECT_TRUE(alone->learn_clinic(kRupa, fact, store::Witness::kEvent));
    ASSERT_TRUE(alone->commit());
  }
  EXPECT_EQ(code_after(learn), "") << "what is known already changes nothing";
}

TEST_F(SharedSync, two_apply_at_once_and_a_connection_waits_for_both) {
  auto one = start();
  auto two = start();
  for (int i = 0; i < 4; ++i) {
    one->run();
    two->run();
  }
  PostgresSlots mine(schema_->options(), clock_, kQuick);  // only to name nobody: a transaction of no slots
  store::HeldSlots nothing{.owner = "nobody", .slots = {}, .of = store::postgres::kSlots, .gives_slots = false};
  auto first = one->views().begin(nothing, store::Company::kBesideOthers);
  auto second = two->views().begin(nothing, store::Company::kBesideOthers);
  EXPECT_TRUE(first->read().status());
  EXPECT_TRUE(second->read().status()) << "it did not wait for the first";

  std::mutex mutex;
  std::condition_variable changed;
  bool is_connected = false;
  const auto third = start();
  std::jthread connecting([&] {
    connect(third->views(), "anna", "cli_1");
    const std::lock_guard lock(mutex);
    is_connected = true;
    changed.notify_all();
  });
  first.reset();
  std::unique_lock lock(mutex);
  EXPECT_FALSE(changed.wait_for(lock, milliseconds(200), [&] { return is_connected; })) << "the second writes still";
  second.reset();
  changed.wait(lock, [&] { return is_connected; });
}

// D5, S5: both read the position that was given last while the practitioner's row is somebody else's.
TEST_F(SharedSync, two_that_tell_one_practitioner_give_out_no_position_twice) {
  const auto one = start();
  const auto two = start();
  connect(one->views(), "anna", "cli_1");
  const auto connection = one->views().snapshot()->connections(kRupa, ClinicId("cli_1")).at(0);
  const auto watch = std::move(*store::postgres::Database::open(schema_->options()));
  const auto holder = std::move(*store::postgres::Database::open(schema_->options()));
  holder->begin(store::postgres::Database::Mode::kWrite);
  ASSERT_TRUE(store::sql::Query(*holder, "SELECT 1 FROM practitioners FOR UPDATE").next());
  const auto tell = [&](Instance& instance) {
    const store::HeldSlots nothing{.owner = "nobody", .slots = {}, .of = store::postgres::kSlots, .gives_slots = false};
    const auto transaction = instance.views().begin(nothing, store::Company::kBesideOthers);
    store::Entry entry;
    entry.order = store::OrderKey{1};
    entry.key = transaction->add_entry(entry);
    transaction->issue(connection, entry, true, false, clock_.now());
    const auto committed = transaction->commit();
    EXPECT_TRUE(committed) << committed.error().text();
  };
  std::jthread first([&] { tell(*one); });
  std::jthread second([&] { tell(*two); });
  const auto waiting = [&] {
    store::sql::Query query(*watch,
                            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid IN (SELECT "
                            "pid FROM pg_locks WHERE relation = 'practitioners'::regclass)");
    return query.next() ? query.integer(0) : 0;
  };
  for (int i = 0; i < 4000 && waiting() < 2; ++i) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(waiting(), 2);
  holder->rollback();
  first.join();
  second.join();
  std::vector<std::int64_t> positions;
  store::sql::Query query(*watch, "SELECT position FROM feed ORDER BY position");
  while (query.next()) positions.push_back(query.integer(0));
  EXPECT_EQ(positions, (std::vector<std::int64_t>{1, 2}));
}

class SharedSyncByChance : public SharedSync, public testing::WithParamInterface<unsigned> {};
INSTANTIATE_TEST_SUITE_P(Seeds, SharedSyncByChance, testing::Range(1U, 7U));

TEST_P(SharedSyncByChance, any_number_of_instances_tell_what_one_would) {
  std::mt19937 dice(GetParam());
  std::vector<std::unique_ptr<Instance>> instances;
  instances.push_back(start(7));
  for (const char* who : {"anna", "ben"}) {
    for (const char* clinic : {"cli_1", "cli_2", "cli_3"}) connect(instances[0]->views(), who, clinic);
  }
  const auto bodies = some_events(GetParam(), 400);
  std::vector<Sequence> received;
  for (const std::string& body : bodies) {
    received.push_back(receive(body));
    if (dice() % 9 == 0) {
      const auto again = dice() % received.size();
      received.push_back(receive(bodies[again], dice() % 2 == 0 ? received[again] : Sequence{}));
      received.pop_back();
    }
    // One comes, one goes, one works.
    if (dice() % 60 == 0 && instances.size() < 4) instances.push_back(start(1 + dice() % 20));
    if (dice() % 80 == 0 && instances.size() > 1)
      instances.erase(instances.begin() + static_cast<std::ptrdiff_t>(dice() % instances.size()));
    if (dice() % 100 == 0) connect(instances[0]->views(), "carla", "cli_" + std::to_string(dice() % 6));
    for (unsigned i = dice() % 3; i > 0; --i) instances[dice() % instances.size()]->step();
  }
  std::vector<Instance*> all;
  for (const auto& instance : instances) all.push_back(instance.get());
  run_all(all);
  store::Views& views = instances[0]->views();
  EXPECT_EQ(differences_of_a_rebuild(views), 0U);

  runtime::Metrics metrics;
  const auto lonely = std::move(*store::open_memory_views());
  for (const char* who : {"anna", "ben"}) {
    for (const char* clinic : {"cli_1", "cli_2", "cli_3"}) connect(*lonely, who, clinic);
  }
  Sync alone(log_, *lonely, clock_, metrics, {});
  while (*alone.step()) {
  }
  EXPECT_EQ(views.snapshot()->totals().events, lonely->snapshot()->totals().events);
  EXPECT_EQ(views.snapshot()->totals().duplicates, lonely->snapshot()->totals().duplicates);
  EXPECT_EQ(views.snapshot()->totals().conflicts, lonely->snapshot()->totals().conflicts);
  for (const char* who : {"anna", "ben"}) {
    const auto expected = told(*lonely, who);
    EXPECT_GT(expected.size(), 10U);
    EXPECT_EQ(told(views, who), expected);
  }
  std::set<std::int64_t> given;
  for (const auto& item : feed(views, "carla"))
    EXPECT_TRUE(given.insert(item.entry.key.value * 100 + item.connection.key.value % 100).second);
}

TEST_F(SharedSync, who_hung_while_others_applied_everything_begins_anew) {
  runtime::ManualClock its_clock(clock_.now());
  const auto other = start(1);  // a record at a time: many dispatches
  const auto third = start(1);  // so that there are dispatches also while one of them hangs
  const auto hanging = start(1, its_clock, {.lease = milliseconds(300), .look_every = milliseconds(10)});
  connect(other->views(), "anna", "cli_1");
  auto receive_some = [&, next = 0](int count) mutable {
    for (const int end = next + count; next < end; ++next) {
      const std::string n = std::to_string(next);
      receive(EventBody("evt_" + n).order("ord_" + n).by("pra_1", "cli_1").test("t_" + n, "content").text());
    }
  };
  store::Views& views = other->views();
  const auto shown = [&](auto is_wanted) {
    const auto snapshot = views.snapshot();
    return std::ranges::all_of(snapshot->progress(), is_wanted);
  };
  receive_some(40);
  const auto database = std::move(*store::postgres::Database::open(schema_->options()));
  while (owners(*database) < 3 || !is_done(views)) {
    other->step();
    third->step();
    its_clock.set(Timestamp{its_clock.now().microseconds + 20'000});
    hanging->step();
  }
  receive_some(1);
  hanging->step();                       // it knows how far it is
  for (const int records : {300, 20}) {  // whoever dispatches the latter finds the former applied, and tidies up
    receive_some(records);
    while (!shown([&](const store::SlotProgress& slot) { return slot.applied == log_.end(); })) {
      other->step();
      third->step();
    }
  }

  // For it no time has passed. It neither fails nor applies anything again.
  for (int i = 0; i < 4; ++i) hanging->step();
  receive_some(20);
  its_clock.set(clock_.now());
  run_all({other.get(), third.get(), hanging.get()});
  EXPECT_EQ(feed(views, "anna").size(), 381U);
  EXPECT_EQ(differences_of_a_rebuild(views), 0U);
}

TEST_F(SharedSync, slots_that_are_missing_for_good_are_told) {
  const auto dispatcher = start(1);
  ASSERT_FALSE(dispatcher->step());
  const auto other = start(1);
  const auto database = std::move(*store::postgres::Database::open(schema_->options()));
  while (owners(*database) < 2) {
    dispatcher->step();
    other->step();
  }
  for (int i = 0; i < 20; ++i) receive("not json " + std::to_string(i));
  dispatcher->run();
  database->execute("DELETE FROM sync_dispatch WHERE first < 10");
  std::string code;
  for (int i = 0; i < 10 && code.empty(); ++i) {
    const auto stepped = other->sync().step();
    if (!stepped) code = stepped.error().code;
  }
  EXPECT_EQ(code, "slots_gap");
}

TEST_F(SharedSync, instances_that_run_at_the_same_time_lose_and_repeat_nothing) {
  std::vector<std::unique_ptr<Instance>> instances;
  for (int i = 0; i < 3; ++i) instances.push_back(start());
  store::Views& views = instances[0]->views();
  for (const char* who : {"anna", "ben"}) {
    for (int clinic = 0; clinic < 6; ++clinic) connect(views, who, "cli_" + std::to_string(clinic));
  }
  for (int i = 0; i < 4; ++i) {  // until the slots are shared out
    for (const auto& instance : instances) instance->run();
  }
  std::mutex mutex;
  std::condition_variable changed;
  std::array<int, 3> turns{};
  for (std::size_t i = 0; i < instances.size(); ++i) {
    instances[i]->sync().on_applied([&, i] {
      const std::lock_guard lock(mutex);
      ++turns[i];
      changed.notify_all();
    });
    instances[i]->sync().start([](const Error& error) { ADD_FAILURE() << error.text(); });
  }
  const auto bodies = some_events(77, 3'000);
  std::mt19937 dice(77);
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const Sequence first = receive(bodies[i]);
    if (dice() % 5 == 0) receive(bodies[i], dice() % 2 == 0 ? first : Sequence{});
    for (const auto& instance : instances) instance->sync().wake();
    if (i == 1'000) connect(views, "carla", "cli_1");
    if (i != 2'000) continue;
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return turns[0] > 0 && turns[1] > 0 && turns[2] > 0; });
    }
    instances[2]->sync().stop();
  }
  {
    std::unique_lock lock(mutex);
    while (!changed.wait_for(lock, milliseconds(100), [&] { return is_done(views); })) {
    }
  }
  for (const auto& instance : instances) instance->sync().stop();
  EXPECT_EQ(differences_of_a_rebuild(views), 0U);
  const auto anna = told(views, "anna");
  EXPECT_GT(anna.size(), 50U);
  EXPECT_EQ(told(views, "ben"), anna);
  std::set<std::int64_t> given;
  for (const auto& item : feed(views, "carla")) EXPECT_TRUE(given.insert(item.entry.key.value).second);
}

}  // namespace
}  // namespace resultsync::sync
