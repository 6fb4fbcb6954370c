// What every EventLog does, whatever is behind it.
#include "store/event_log.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <future>
#include <latch>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "store/log/segment_log.hpp"
#include "store/memory/memory_log.hpp"
#include "store/postgres/postgres_log.hpp"
#include "tests/support/postgres.hpp"

namespace resultsync::store {
namespace {

class Engine {
 public:
  virtual ~Engine() = default;
  virtual EventLog& log() = 0;
  // As if the process ended and began again, where there is anything to come back to.
  virtual bool reopen() = 0;
  // Where the record stands that append() told this name of.
  virtual Sequence place_of(Sequence told) { return told; }
};

class MemoryEngine final : public Engine {
 public:
  EventLog& log() override { return log_; }
  bool reopen() override { return false; }

 private:
  MemoryLog log_;
};

class SegmentEngine final : public Engine {
 public:
  explicit SegmentEngine(std::uint64_t segment_bytes)
      : segment_bytes_(segment_bytes),
        data_dir_(
            (std::filesystem::temp_directory_path() / ("event_log_" + encode_hex(runtime::random_bytes(6)))).string()) {
    open();
  }
  ~SegmentEngine() override {
    log_.reset();
    std::filesystem::remove_all(data_dir_);
  }
  EventLog& log() override { return *log_; }
  bool reopen() override {
    open();
    return true;
  }

 private:
  void open() {
    log_.reset();
    SegmentLogOptions options;
    options.data_dir = data_dir_;
    options.segment_bytes = segment_bytes_;
    options.free_bytes_min = 0;
    auto opened = SegmentLog::open(options, master_, clock_);
    ASSERT_TRUE(opened) << opened.error().text();
    log_ = std::move(*opened);
  }

  const std::uint64_t segment_bytes_;
  const std::string data_dir_;
  const runtime::MasterKey master_{runtime::random_key()};
  const runtime::SystemClock clock_;
  std::unique_ptr<SegmentLog> log_;
};

class PostgresEngine final : public Engine {
 public:
  PostgresEngine() { open(); }
  ~PostgresEngine() override { log_.reset(); }
  EventLog& log() override { return *log_; }
  bool reopen() override {
    open();
    return true;
  }
  Sequence place_of(Sequence told) override {
    EXPECT_TRUE(log_->place_now());
    const auto placed = log_->place_of(told);
    EXPECT_TRUE(placed) << placed.error().text();
    return placed.value_or(Sequence{});
  }

 private:
  void open() {
    log_.reset();
    auto opened = PostgresLog::open({.connect = schema_.options()}, master_, clock_);
    ASSERT_TRUE(opened) << opened.error().text();
    log_ = std::move(*opened);
  }

  test::PostgresSchema schema_;
  const runtime::MasterKey master_{runtime::random_key()};
  const runtime::SystemClock clock_;
  std::unique_ptr<PostgresLog> log_;
};

Record record_of(const std::string& body) {
  return {.source = SourceId("rupa"),
          .received_at = {1'700'000'000'123'456},
          .stale = false,
          .headers = {{"content-type", "application/json"}, {"webhook-signature", "t=1,v1=00ff"}},
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

class EventLogConformance : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (GetParam() == "postgres" && !test::has_postgres()) GTEST_SKIP() << test::kNoPostgres;
    if (GetParam() == "postgres") engine_ = std::make_unique<PostgresEngine>();
    if (GetParam() == "memory") engine_ = std::make_unique<MemoryEngine>();
    if (GetParam() == "segments") engine_ = std::make_unique<SegmentEngine>(64 * 1024 * 1024);
    if (GetParam() == "tiny_segments") engine_ = std::make_unique<SegmentEngine>(8 * 1024);
  }
  EventLog& log() { return engine_->log(); }
  // Appends, waits, and gives the place that the record has from then on.
  Result<Sequence> append_one(Record record) {
    auto told = append(log(), std::move(record));
    if (told) *told = engine_->place_of(*told);
    return told;
  }
  std::unique_ptr<Engine> engine_;
};

INSTANTIATE_TEST_SUITE_P(Engines, EventLogConformance,
                         testing::Values("memory", "segments", "tiny_segments", "postgres"),
                         [](const auto& engine) { return engine.param; });

TEST_P(EventLogConformance, an_empty_log_ends_at_0_and_reads_nothing) {
  EXPECT_EQ(log().end().value, 0U);
  const auto records = log().read({}, {});
  ASSERT_TRUE(records);
  EXPECT_TRUE(records->empty());
  EXPECT_FALSE(log().id().empty());
}

TEST_P(EventLogConformance, sequences_count_up_from_1_without_gaps) {
  for (std::uint64_t i = 1; i <= 100; ++i) {
    const auto sequence = append_one(record_of("body " + std::to_string(i)));
    ASSERT_TRUE(sequence) << sequence.error().text();
    EXPECT_EQ(sequence->value, i);
  }
  EXPECT_EQ(log().end().value, 100U);
}

TEST_P(EventLogConformance, a_record_comes_back_as_it_was_given) {
  Record odd = record_of(std::string("\0\xff\r\n not json", 14));
  odd.stale = true;
  odd.received_at = {-1};
  odd.headers.push_back({"", std::string("\0 ", 2)});
  Record bare{.source = SourceId(""),
              .received_at = {},
              .headers = {},
              .body_sha256 = sha256(""),
              .body = "",
              .same_body_as = {}};
  ASSERT_TRUE(append_one(odd));
  ASSERT_TRUE(append_one(bare));
  const auto records = log().read({}, {});
  ASSERT_TRUE(records) << records.error().text();
  ASSERT_EQ(records->size(), 2U);
  EXPECT_EQ((*records)[0].record, odd);
  EXPECT_EQ((*records)[1].record, bare);
}

TEST_P(EventLogConformance, reading_goes_on_after_any_position) {
  constexpr std::uint64_t kRecords = 200;
  for (std::uint64_t i = 1; i <= kRecords; ++i) ASSERT_TRUE(append_one(record_of(std::to_string(i))));
  for (std::uint64_t after = 0; after <= kRecords + 1; ++after) {
    const auto records = log().read({after}, {.records_max = 1000});
    ASSERT_TRUE(records) << records.error().text();
    ASSERT_EQ(records->size(), after < kRecords ? kRecords - after : 0) << "after " << after;
    for (std::size_t i = 0; i < records->size(); ++i) {
      EXPECT_EQ((*records)[i].sequence.value, after + 1 + i);
      EXPECT_EQ((*records)[i].record.body, std::to_string(after + 1 + i));
    }
  }
}

TEST_P(EventLogConformance, reading_keeps_its_limits_and_still_gives_the_first) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(append_one(record_of(std::string(1000, 'x'))));
  EXPECT_EQ(log().read({}, {.records_max = 3})->size(), 3U);
  EXPECT_EQ(log().read({}, {.records_max = 0})->size(), 0U);
  EXPECT_EQ(log().read({}, {.records_max = 10, .body_bytes_max = 3000})->size(), 3U);
  EXPECT_EQ(log().read({}, {.records_max = 10, .body_bytes_max = 2999})->size(), 2U);
  EXPECT_EQ(log().read({}, {.records_max = 10, .body_bytes_max = 1})->size(), 1U);
}

TEST_P(EventLogConformance, at_finds_each_record_and_no_other) {
  for (int i = 1; i <= 50; ++i) ASSERT_TRUE(append_one(record_of(std::to_string(i))));
  for (std::uint64_t i = 50; i >= 1; --i) EXPECT_EQ(log().at({i})->record.body, std::to_string(i));
  EXPECT_EQ(log().at({0}).error().code, "not_found");
  EXPECT_EQ(log().at({51}).error().code, "not_found");
}

TEST_P(EventLogConformance, a_reference_is_read_as_it_is_and_filled_in_by_at) {
  ASSERT_TRUE(append_one(record_of("the body")));
  Record again = record_of("the body");
  again.body.clear();
  again.same_body_as = {1};
  ASSERT_TRUE(append_one(again));
  EXPECT_EQ(log().read({1}, {})->front().record, again);
  const auto filled = log().at({2});
  ASSERT_TRUE(filled) << filled.error().text();
  EXPECT_EQ(filled->record.body, "the body");
  EXPECT_EQ(filled->record.same_body_as.value, 1U);
}

TEST_P(EventLogConformance, records_that_are_asked_for_together_are_what_each_is_alone) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(append_one(record_of("body " + std::to_string(i))));
  const auto first = log().at({1});
  ASSERT_TRUE(first);
  Record reference = first->record;
  reference.body.clear();
  reference.same_body_as = {1};
  ASSERT_TRUE(append_one(reference));
  ASSERT_TRUE(append_one(record_of(runtime::random_bytes(300'000))));

  std::vector<Sequence> asked;
  for (std::uint64_t place = 0; place < 30; ++place) asked.push_back({place});  // some that are not there, too
  for (const std::size_t bytes_max : {std::size_t{0}, std::size_t{40}, std::size_t{1'000'000}}) {
    std::size_t bytes = 0;
    std::set<std::uint64_t> given;
    for (const StoredRecord& one : log().some_of(asked, bytes_max)) {
      bytes += one.record.body.size();
      EXPECT_TRUE(given.insert(one.sequence.value).second);
      const auto alone = log().at(one.sequence);
      ASSERT_TRUE(alone);
      EXPECT_EQ(one.record.body, alone->record.body);
      EXPECT_EQ(one.record.headers, alone->record.headers);
    }
    EXPECT_LE(bytes, bytes_max);
    if (GetParam() != "postgres" && GetParam() != "memory") continue;  // who need not ask far gives nothing
    if (bytes_max == 1'000'000) EXPECT_EQ(given.size(), 21U) << "all but the reference";
  }
  EXPECT_TRUE(log().some_of({}, 1'000).empty());
}

// A log may keep such together, in whatever way: nobody can tell.
TEST_P(EventLogConformance, records_that_come_at_the_same_time_are_each_what_they_were) {
  std::mt19937 dice(7);
  std::vector<std::string> bodies;
  for (int i = 0; i < 400; ++i) {
    const std::size_t bytes = i % 50 == 7 ? 40'000 + dice() % 100'000 : dice() % 4 == 0 ? dice() % 20 : dice() % 5'000;
    bodies.push_back(std::to_string(i) + ":" + runtime::random_bytes(bytes / 2) + std::string(bytes / 2, 'x'));
  }
  std::vector<Sequence> names(bodies.size());
  std::atomic<std::size_t> failures = 0;
  std::latch all_told(static_cast<std::ptrdiff_t>(bodies.size()));
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    log().append(record_of(bodies[i]), [&, i](Result<Sequence> told) {
      told ? static_cast<void>(names[i] = *told) : static_cast<void>(++failures);
      all_told.count_down();
    });
  }
  all_told.wait();
  ASSERT_EQ(failures, 0U);
  std::map<std::uint64_t, std::string> by_place;
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    EXPECT_EQ(log().at(names[i])->record.body, bodies[i]) << i;
    by_place[engine_->place_of(names[i]).value] = bodies[i];
  }
  ASSERT_EQ(by_place.size(), bodies.size());
  ASSERT_EQ(by_place.rbegin()->first, bodies.size()) << "without gaps";
  for (const bool again : {false, true}) {
    if (again && !engine_->reopen()) break;
    for (const auto& [place, body] : by_place) EXPECT_EQ(engine_->log().at({place})->record.body, body) << place;
    for (std::uint64_t at = 0; at < bodies.size();) {
      const ReadLimits limits{.records_max = 1 + dice() % 40, .body_bytes_max = 1 + dice() % 60'000};
      const auto records = engine_->log().read({at}, limits);
      ASSERT_TRUE(records) << records.error().text();
      ASSERT_FALSE(records->empty());
      ASSERT_LE(records->size(), limits.records_max);
      for (const auto& stored : *records) {
        ASSERT_EQ(stored.sequence.value, ++at);
        EXPECT_EQ(stored.record.body, by_place[at]) << at;
      }
    }
    for (int round = 0; round < 20; ++round) {
      std::set<std::uint64_t> places;
      for (std::size_t i = 1 + dice() % 60; i > 0; --i) places.insert(1 + dice() % (bodies.size() + 20));
      std::vector<Sequence> asked;
      for (const std::uint64_t place : places) asked.push_back({place});
      std::ranges::shuffle(asked, dice);
      const std::size_t bytes_max = round % 2 == 0 ? std::size_t{1} << 30 : 100'000;
      const auto found = engine_->log().some_of(asked, bytes_max);
      std::size_t bytes = 0;
      for (const auto& stored : found) {
        EXPECT_EQ(places.erase(stored.sequence.value), 1U);
        EXPECT_EQ(stored.record.body, by_place[stored.sequence.value]);
        bytes += stored.record.body.size();
      }
      EXPECT_LE(bytes, bytes_max);
      if (GetParam() == "postgres" && round % 2 == 0) {
        for (const std::uint64_t place : places) EXPECT_GT(place, bodies.size()) << "all that are there were given";
      }
    }
  }
}

TEST_P(EventLogConformance, a_reference_to_what_is_not_committed_is_refused) {
  Record early = record_of("x");
  early.body.clear();
  early.same_body_as = {1};
  EXPECT_EQ(append_one(early).error().code, "bad_reference");
  EXPECT_EQ(log().end().value, 0U);
}

TEST_P(EventLogConformance, a_reference_to_another_body_is_found_out) {
  ASSERT_TRUE(append_one(record_of("one")));
  Record wrong = record_of("two");
  wrong.body.clear();
  wrong.same_body_as = {1};
  ASSERT_TRUE(append_one(wrong));
  EXPECT_EQ(log().at({2}).error().code, "corrupt_record");
}

TEST_P(EventLogConformance, bodies_of_every_size_are_kept) {
  std::vector<std::string> bodies;
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 4095U, 4096U, 32U * 1024U, 40U * 1024U, 300U * 1024U}) {
    bodies.push_back(std::string(size, 'a'));
    bodies.push_back(runtime::random_bytes(size));
  }
  for (const auto& body : bodies) ASSERT_TRUE(append_one(record_of(body)));
  engine_->reopen();
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const auto found = engine_->log().at({i + 1});
    if (!found && GetParam() == "memory") continue;
    ASSERT_TRUE(found) << found.error().text();
    EXPECT_EQ(found->record.body, bodies[i]) << "of " << bodies[i].size() << " bytes";
  }
}

TEST_P(EventLogConformance, callbacks_come_in_order_and_the_listener_hears_of_every_record) {
  constexpr std::uint64_t kRecords = 1000;
  std::mutex mutex;
  std::vector<std::uint64_t> told;  // guarded by mutex, as is all that follows
  std::uint64_t heard = 0;
  bool only_growing = true;
  std::promise<void> all_told;
  std::promise<void> all_heard;
  log().on_commit([&](Sequence through) {
    const std::lock_guard lock(mutex);
    only_growing = only_growing && through.value > heard;
    heard = through.value;
    if (heard == kRecords) all_heard.set_value();
  });
  for (std::uint64_t i = 0; i < kRecords; ++i) {
    log().append(record_of("x"), [&](Result<Sequence> result) {
      const std::lock_guard lock(mutex);
      told.push_back(result ? result->value : 0);
      if (told.size() == kRecords) all_told.set_value();
    });
  }
  all_told.get_future().wait();
  all_heard.get_future().wait();
  const std::lock_guard lock(mutex);  // the listener has let go of it
  EXPECT_TRUE(only_growing);
  EXPECT_EQ(heard, kRecords);
  for (std::uint64_t i = 0; i < kRecords; ++i) EXPECT_EQ(told[i], told[0] + i);
}

TEST_P(EventLogConformance, what_was_committed_can_be_read_in_the_callback) {
  std::promise<bool> readable;
  log().append(record_of("now"), [&](Result<Sequence> result) {
    const auto found = log().at(*result);
    readable.set_value(found && found->record.body == "now");
  });
  EXPECT_TRUE(readable.get_future().get());
}

TEST_P(EventLogConformance, many_threads_append_while_others_read) {
  constexpr int kWriters = 4;
  constexpr int kEach = 250;
  std::atomic<int> failures = 0;
  std::atomic<bool> done = false;
  std::vector<std::jthread> writers;
  for (int w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] {
      for (int i = 0; i < kEach; ++i) {
        const std::string body = std::to_string(w) + ":" + std::to_string(i);
        const auto sequence = append(log(), record_of(body));
        if (!sequence || log().at(*sequence)->record.body != body) ++failures;
      }
    });
  }
  std::jthread reader([&] {
    Sequence at;
    while (!done || at < log().end()) {
      const auto records = log().read(at, {.records_max = 7});
      if (!records) {
        ++failures;
        return;
      }
      for (const auto& record : *records) {
        if (record.sequence != at.next() || sha256(record.record.body) != record.record.body_sha256) ++failures;
        at = record.sequence;
      }
    }
  });
  writers.clear();
  engine_->place_of(*append(log(), record_of("the last one")));
  done = true;
  reader.join();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(log().end().value, std::uint64_t{kWriters * kEach + 1});
}

TEST_P(EventLogConformance, a_reopened_log_has_its_id_and_records_and_goes_on) {
  const std::string id = log().id();
  std::uint64_t expected = 0;
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < round % 4; ++i) {
      ++expected;
      ASSERT_EQ(append_one(record_of("body " + std::to_string(expected)))->value, expected);
    }
    if (!engine_->reopen()) GTEST_SKIP() << "this engine keeps nothing";
    EXPECT_EQ(log().id(), id);
    ASSERT_EQ(log().end().value, expected);
    const auto records = log().read({}, {});
    ASSERT_TRUE(records) << records.error().text();
    ASSERT_EQ(records->size(), expected);
    for (std::size_t i = 0; i < expected; ++i) EXPECT_EQ((*records)[i].record.body, "body " + std::to_string(i + 1));
  }
}

}  // namespace
}  // namespace resultsync::store
