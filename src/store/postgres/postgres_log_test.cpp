#include "store/postgres/postgres_log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <latch>
#include <map>
#include <ranges>
#include <thread>

#include "tests/support/postgres.hpp"

namespace resultsync::store {
namespace {

using postgres::Database;
using sql::Query;
using namespace std::chrono_literals;

Record record_of(const std::string& body) {
  return {.source = SourceId("rupa"),
          .received_at = {1'700'000'000'123'456},
          .stale = false,
          .headers = {},
          .body_sha256 = sha256(body),
          .body = body,
          .same_body_as = {}};
}

Result<Sequence> append(EventLog& log, Record record) {
  std::promise<Result<Sequence>> told;
  auto answer = told.get_future();
  log.append(std::move(record), [&told](Result<Sequence> result) { told.set_value(std::move(result)); });
  return answer.get();
}

bool eventually(const std::function<bool()>& happened) {
  for (int i = 0; i < 5000; ++i) {
    if (happened()) return true;
    std::this_thread::sleep_for(5ms);
  }
  return false;
}

class PostgresLogs : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_postgres()) GTEST_SKIP() << test::kNoPostgres;
    schema_.emplace();
  }
  std::unique_ptr<PostgresLog> open() { return open({.connect = schema_->options()}); }
  std::unique_ptr<PostgresLog> open(PostgresLogOptions options) {
    auto opened = PostgresLog::open(std::move(options), master_, clock_);
    EXPECT_TRUE(opened) << opened.error().text();
    return std::move(*opened);
  }
  std::unique_ptr<Database> database() { return std::move(*Database::open(schema_->options())); }

  // Every body of the line, with how often it stands there.
  static std::map<std::string, int> bodies_of(PostgresLog& log) {
    EXPECT_TRUE(log.place_now());
    std::map<std::string, int> bodies;
    Sequence at;
    while (at < log.end()) {
      const auto records = log.read(at, {});
      EXPECT_TRUE(records) << records.error().text();
      if (!records || records->empty()) break;
      for (const auto& stored : *records) {
        EXPECT_EQ(stored.sequence, at.next());
        at = stored.sequence;
        ++bodies[stored.record.body];
      }
    }
    return bodies;
  }

  std::optional<test::PostgresSchema> schema_;
  const runtime::MasterKey master_{runtime::random_key()};
  const runtime::SystemClock clock_;
};

TEST_F(PostgresLogs, several_instances_share_one_line_without_gaps) {
  constexpr int kInstances = 3;
  constexpr int kEach = 200;
  std::vector<std::unique_ptr<PostgresLog>> logs;
  for (int i = 0; i < kInstances; ++i) logs.push_back(open());
  std::vector<std::jthread> writers;
  for (int i = 0; i < kInstances; ++i) {
    writers.emplace_back([&, i] {
      std::vector<std::future<void>> answers;
      for (int n = 0; n < kEach; ++n) {
        auto answered = std::make_shared<std::promise<void>>();
        answers.push_back(answered->get_future());
        logs[static_cast<std::size_t>(i)]->append(record_of(std::to_string(i) + ":" + std::to_string(n)),
                                                  [answered](const Result<Sequence>& told) {
                                                    EXPECT_TRUE(told) << told.error().text();
                                                    answered->set_value();
                                                  });
      }
      for (auto& answer : answers) answer.wait();
    });
  }
  writers.clear();
  const auto expected = bodies_of(*logs[0]);
  EXPECT_EQ(expected.size(), std::size_t{kInstances * kEach});
  for (auto& log : logs) EXPECT_EQ(bodies_of(*log), expected);
  // What one instance appended stands in its order.
  std::map<std::string, int> last;
  const auto records = logs[1]->read({}, {.records_max = 10'000});
  ASSERT_TRUE(records);
  for (const auto& stored : *records) {
    const auto colon = stored.record.body.find(':');
    const int number = std::stoi(stored.record.body.substr(colon + 1));
    auto& before = last.try_emplace(stored.record.body.substr(0, colon), -1).first->second;
    EXPECT_EQ(number, before + 1);
    before = number;
  }
}

TEST_F(PostgresLogs, a_process_that_was_held_for_dead_goes_on_in_a_new_stream) {
  const auto log = open();
  const auto first = append(*log, record_of("before"));
  ASSERT_TRUE(first);
  database()->execute("UPDATE log_streams SET state = 4");
  const auto second = append(*log, record_of("after"));
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_NE(postgres::as_name(*first)->stream, postgres::as_name(*second)->stream);
  EXPECT_EQ(bodies_of(*log), (std::map<std::string, int>{{"before", 1}, {"after", 1}}));
  // A reference to what the old stream holds is still right.
  Record again = record_of("before");
  again.body.clear();
  again.same_body_as = *first;
  const auto third = append(*log, again);
  ASSERT_TRUE(third) << third.error().text();
  ASSERT_TRUE(log->place_now());
  EXPECT_EQ(log->at(*third)->record.body, "before");
  EXPECT_EQ(log->read({2}, {})->front().record.same_body_as.value, 1U) << "named by its place once it has one";
}

// How many rows the records are in, and how many there are.
std::pair<std::int64_t, std::int64_t> rows_and_records(Database& database) {
  Query query(database, "SELECT count(*), sum(records)::bigint FROM log_records");
  return query.next() ? std::pair{query.integer(0), query.integer(1)} : std::pair<std::int64_t, std::int64_t>{};
}

// Appends so many at the same time, and waits for all of them. How many were taken.
int append_together(EventLog& log, int count, const std::string& name) {
  std::atomic<int> taken = 0;
  std::latch told(count);
  for (int i = 0; i < count; ++i) {
    log.append(record_of(name + " " + std::to_string(i)), [&](const Result<Sequence>& outcome) {
      if (outcome) ++taken;
      told.count_down();
    });
  }
  told.wait();
  return taken;
}

TEST_F(PostgresLogs, records_that_come_together_are_rows_of_several) {
  const auto log = open();
  EXPECT_EQ(append_together(*log, 300, "together"), 300);
  const auto [rows, records] = rows_and_records(*database());
  EXPECT_EQ(records, 300);
  EXPECT_LT(rows, 100);
  EXPECT_EQ(bodies_of(*log).size(), 300U);
  ASSERT_TRUE(append(*log, record_of("alone")));
  EXPECT_EQ(rows_and_records(*database()), (std::pair{rows + 1, records + 1}));
}

// Who began before blocks were written can neither read nor place them.
TEST_F(PostgresLogs, blocks_are_written_once_the_last_one_that_cannot_read_them_is_gone) {
  static_cast<void>(open());
  const auto admin = database();
  const auto older_one_until = [&](const char* until) {
    admin->execute(std::string("INSERT INTO instances (instance, until) VALUES ('older', ") + until +
                   ") ON CONFLICT (instance) DO UPDATE SET until = excluded.until");
  };
  older_one_until("(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 600000");
  const auto log = open({.connect = schema_->options(), .look_every = 20ms, .alive_for = 1s});
  const auto first = append(*log, record_of("first"));
  EXPECT_EQ(append_together(*log, 100, "beside an older one"), 100);
  EXPECT_EQ(rows_and_records(*admin), (std::pair<std::int64_t, std::int64_t>{101, 101}));
  EXPECT_EQ(postgres::streams(*admin).back().state, postgres::StreamState::kOpen);
  older_one_until("0");
  int more = 0;
  EXPECT_TRUE(eventually([&] {
    more += append_together(*log, 100, "after " + std::to_string(more));
    const auto [rows, records] = rows_and_records(*admin);
    return rows < records;
  }));
  EXPECT_EQ(postgres::streams(*admin).back().state, postgres::StreamState::kOpenOfBlocks);
  EXPECT_EQ(bodies_of(*log).size(), std::size_t(101 + more));
  // What an older one does to streams passes those of blocks by (its statements, as they were).
  admin->execute("UPDATE log_streams SET state = 1 WHERE state = 0");
  admin->execute("UPDATE log_streams SET state = 2 WHERE state < 2");
  EXPECT_EQ(append_together(*log, 100, "after it all"), 100);
  EXPECT_EQ(bodies_of(*log).size(), std::size_t(201 + more));
}

// Each kill is followed by an acknowledgement before the next one: without a pause the log does nothing but give up.
TEST_F(PostgresLogs, nothing_acknowledged_is_lost_or_doubled_when_connections_are_killed) {
  constexpr int kKills = 12;
  PostgresLogOptions options{.connect = schema_->options(), .give_up_after = 60s};
  options.connect.name = options.connect.schema;  // of these connections alone
  const auto log = open(options);
  std::mutex mutex;
  std::set<std::string> acknowledged;
  std::atomic<int> acknowledgements = 0;
  std::atomic<int> kills = 0;
  std::jthread killer([&, admin = database()](const std::stop_token& stop) {
    while (kills < kKills && !stop.stop_requested()) {
      // In the middle of a commit, or right after it, so that its outcome may be on its way.
      Query query(*admin,
                  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ?1 AND "
                  "(query LIKE 'INSERT INTO log_records%' OR (state = 'active' AND query = 'COMMIT'))",
                  options.connect.name);
      if (!query.next()) continue;
      ++kills;
      const int before = acknowledgements;
      while (acknowledgements == before && !stop.stop_requested()) std::this_thread::sleep_for(1ms);
    }
  });
  int left = 0;
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  for (int i = 0; kills < kKills && std::chrono::steady_clock::now() < deadline; ++i) {
    const std::string body = "body " + std::to_string(i);
    {
      const std::lock_guard lock(mutex);
      ++left;
    }
    log->append(record_of(body), [&, body](const Result<Sequence>& told) {
      const std::lock_guard lock(mutex);
      if (told && acknowledged.insert(body).second) ++acknowledgements;
      --left;
    });
    // Some come together, in blocks, and some alone.
    if (i % 20 == 0) static_cast<void>(append(*log, record_of("waited for " + std::to_string(i))));  // or refused
    if (!log->reachable()) std::this_thread::sleep_for(1ms);
  }
  killer.request_stop();
  killer.join();
  EXPECT_EQ(kills, kKills);
  // The log finds its way back by itself: it refuses for as long as it takes to connect again.
  int tries = 0;
  EXPECT_TRUE(
      eventually([&] { return append(*log, record_of("after the kills, " + std::to_string(++tries))).has_value(); }));
  const std::lock_guard lock(mutex);
  EXPECT_EQ(left, 0) << "who appended before is told before";
  const auto bodies = bodies_of(*log);
  for (const auto& body : acknowledged) EXPECT_EQ(bodies.contains(body) ? bodies.at(body) : 0, 1) << body;
  for (const auto& [body, times] : bodies) EXPECT_EQ(times, 1) << body;
}

// A balancer that asks takes the instance out of its list before those who wait are refused.
TEST_F(PostgresLogs, who_waits_for_an_answer_is_not_reachable_before_it_gives_up) {
  const auto log = open({.connect = schema_->options(), .commit_within = 300ms, .give_up_after = 60s});
  EXPECT_TRUE(log->reachable());
  const auto admin = database();
  admin->begin(Database::Mode::kWrite);
  admin->execute("LOCK TABLE log_records IN ACCESS EXCLUSIVE MODE");
  std::promise<Result<Sequence>> told;
  log->append(record_of("kept"), [&](Result<Sequence> outcome) { told.set_value(std::move(outcome)); });
  EXPECT_TRUE(eventually([&] { return !log->reachable(); }));
  admin->rollback();
  EXPECT_TRUE(told.get_future().get());
  EXPECT_TRUE(eventually([&] { return log->reachable(); }));
  EXPECT_EQ(bodies_of(*log), (std::map<std::string, int>{{"kept", 1}}));
}

// Whether what was given up is there is open; its number is not given twice, and what comes after it is taken.
TEST_F(PostgresLogs, who_waited_for_too_long_is_refused_and_the_log_goes_on_in_a_new_stream) {
  const auto log = open({.connect = schema_->options(), .commit_within = 500ms, .give_up_after = 2s});
  const auto before = append(*log, record_of("before"));
  ASSERT_TRUE(before);
  const auto admin = database();
  admin->begin(Database::Mode::kWrite);
  admin->execute("LOCK TABLE log_records IN ACCESS EXCLUSIVE MODE");
  const auto given_up = append(*log, record_of("given up"));
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().code, kUnavailable);
  admin->rollback();
  EXPECT_TRUE(eventually([&] { return log->reachable(); }));
  const auto after = append(*log, record_of("after"));
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_NE(postgres::as_name(*after)->stream, postgres::as_name(*before)->stream);
  auto bodies = bodies_of(*log);
  EXPECT_LE(bodies["given up"], 1);
  bodies.erase("given up");
  EXPECT_EQ(bodies, (std::map<std::string, int>{{"after", 1}, {"before", 1}}));
}

// Its numbers were sealed with, and the server may have some of those bytes on its disk: another text under them would
// show what both are.
TEST_F(PostgresLogs, a_full_disk_is_said_and_what_comes_after_it_has_other_numbers) {
  const auto log = open({.connect = schema_->options(), .ask_every = 1ms});
  const auto before = append(*log, record_of("before"));
  ASSERT_TRUE(before);
  const auto admin = database();
  admin->execute(
      "CREATE FUNCTION is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53100'; "
      "END $$");
  for (const char* table : {"log_records", "log_streams"}) {
    admin->execute(std::string("CREATE TRIGGER full_") + table + " BEFORE INSERT ON " + table +
                   " FOR EACH ROW EXECUTE FUNCTION is_full()");
  }
  ASSERT_TRUE(admin->status()) << admin->status().error().text();
  for (int i = 0; i < 20; ++i) {
    const auto refused = append(*log, record_of("refused"));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "disk_low") << "though the database was looked after meanwhile";
    std::this_thread::sleep_for(5ms);
  }
  for (const char* table : {"log_records", "log_streams"})
    admin->execute(std::string("DROP TRIGGER full_") + table + " ON " + table);
  const auto after = append(*log, record_of("after"));
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_NE(postgres::as_name(*after)->stream, postgres::as_name(*before)->stream);
  EXPECT_EQ(bodies_of(*log), (std::map<std::string, int>{{"before", 1}, {"after", 1}}));
}

TEST_F(PostgresLogs, a_connection_is_looked_after_while_nothing_is_appended) {
  PostgresLogOptions options{.connect = schema_->options(), .ask_every = 20ms};
  options.connect.name = options.connect.schema;  // of these connections alone
  const auto log = open(options);
  const auto admin = database();
  const auto writer_other_than = [&](std::int64_t known) -> std::int64_t {
    Query query(*admin,
                "SELECT pid FROM pg_stat_activity WHERE application_name = ?1 AND query = 'SELECT 1' AND pid <> ?2",
                options.connect.name, known);
    return query.next() ? query.integer(0) : 0;
  };
  std::int64_t before = 0;
  ASSERT_TRUE(eventually([&] { return (before = writer_other_than(0)) != 0; }));
  ASSERT_TRUE(Query(*admin, "SELECT pg_terminate_backend(?1::integer)", before).next());
  EXPECT_TRUE(eventually([&] { return writer_other_than(before) != 0; }));
  EXPECT_TRUE(eventually([&] { return log->reachable(); }));
  EXPECT_TRUE(append(*log, record_of("x")));
}

TEST_F(PostgresLogs, streams_of_the_dead_are_ended_and_those_of_the_living_are_not) {
  const auto living = open();
  ASSERT_TRUE(append(*living, record_of("x")));
  const auto admin = database();
  admin->execute(
      "INSERT INTO log_streams (header, owner, begun_at, state) VALUES ('', 'gone', 0, 0), ('', 'gone, too', 0, 3)");
  postgres::end_abandoned_streams(*admin, "somebody else");
  using enum postgres::StreamState;
  std::map<std::string, postgres::StreamState> states;
  for (const auto& stream : postgres::streams(*admin)) states[stream.owner] = stream.state;
  EXPECT_EQ(states["gone"], kEnded);
  EXPECT_EQ(states["gone, too"], kEndedOfBlocks);
  EXPECT_EQ(std::ranges::count(states | std::views::values, kOpenOfBlocks), 1);
  EXPECT_TRUE(append(*living, record_of("y")));
}

TEST_F(PostgresLogs, another_master_key_is_refused_and_no_plain_text_is_in_the_tables) {
  const auto log = open();
  ASSERT_TRUE(append(*log, record_of("a patient's name")));
  const auto other =
      PostgresLog::open({.connect = schema_->options()}, runtime::MasterKey(runtime::random_key()), clock_);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, "wrong_master_key");
  const auto admin = database();
  Query query(*admin, "SELECT count(*) FROM log_records WHERE position('patient'::bytea IN frame) > 0");
  ASSERT_TRUE(query.next());
  EXPECT_EQ(query.integer(0), 0);
}

TEST(RecordName, a_name_is_told_from_a_sequence) {
  const postgres::RecordName name{.stream = postgres::kStreamMax, .number = postgres::kNumberMax};
  EXPECT_EQ(postgres::as_name(postgres::as_sequence(name)), name);
  EXPECT_FALSE(postgres::as_name(Sequence{1}));
  EXPECT_GT(static_cast<std::int64_t>(postgres::as_sequence(name).value), 0);
}

}  // namespace
}  // namespace resultsync::store
