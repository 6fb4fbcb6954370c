#include "sync/sync.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "store/memory/memory_log.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "sync/connections.hpp"
#include "sync/rebuild.hpp"
#include "tests/support/event_body.hpp"
#include "tests/support/views.hpp"

namespace resultsync::sync {
namespace {

using test::EventBody;

const SourceId kRupa("rupa");

// A pipeline in one thread: a log and views in memory, and a clock that stands still unless it is moved.
class Pipeline {
 public:
  explicit Pipeline(SyncOptions options = {})
      : views_(test::open_views()), sync_(log_, *views_, clock_, metrics_, std::move(options)) {}

  Sequence receive(const std::string& body, const SourceId& source = kRupa) {
    Sequence given;
    log_.append({source, clock_.now(), false, {}, sha256(body), body, {}},
                [&](Result<Sequence> committed) { given = *committed; });
    return given;
  }
  Sequence receive(const EventBody& body) { return receive(body.text()); }
  // The same body again, as the intake appends it when it knows where the first one is.
  void receive_reference(const std::string& body, Sequence first) {
    log_.append({kRupa, clock_.now(), false, {}, sha256(body), "", first}, [](Result<Sequence>) {});
  }

  void run() {
    while (*sync_.step()) {
    }
  }
  void connect(const char* practitioner, const char* clinic, const char* vendor = "") {
    const auto connected = sync::connect(
        *views_, {AppPractitionerId(practitioner), kRupa, ClinicId(clinic), PractitionerId(vendor)}, clock_.now());
    ASSERT_TRUE(connected.has_value());
  }

  std::vector<store::FeedRow> feed(const char* practitioner) {
    const auto snapshot = views_->snapshot();
    const auto row = snapshot->practitioner(AppPractitionerId(practitioner), store::kEverything);
    return row ? snapshot->feed(row->key, 0, 100'000, store::kEverything) : std::vector<store::FeedRow>{};
  }
  std::string reason_of(const char* event) {
    const auto row = views_->snapshot()->event(kRupa, EventId(event));
    return row ? std::string(row->outcome == store::Outcome::kWaiting ? orders::name_of(row->reason)
                                                                      : store::name_of(row->outcome))
               : "none";
  }
  std::string dump() {
    std::string text;
    views_->snapshot()->dump([&](std::string_view line) {
      text += line;
      text += '\n';
      return true;
    });
    return text;
  }
  RebuildReport rebuild() {
    auto scratch = std::move(*store::open_memory_views());
    auto report = verify_rebuild(log_, *views_, *scratch, {}, {});
    EXPECT_TRUE(report.has_value()) << report.error().text();
    return report.value_or(RebuildReport{{}, 0, 999, {}});
  }

  store::MemoryLog& log() { return log_; }
  store::Views& views() { return *views_; }
  Sync& sync() { return sync_; }
  runtime::ManualClock& clock() { return clock_; }

 private:
  runtime::ManualClock clock_{Timestamp::from_seconds(1'800'000'000)};
  runtime::Metrics metrics_;
  store::MemoryLog log_;
  std::unique_ptr<store::Views> views_;
  Sync sync_;
};

SyncOptions records_at_once(std::size_t records) {
  SyncOptions options;
  options.batch.records_max = records;
  return options;
}

SyncOptions chunks_of(std::size_t orders) {
  SyncOptions options;
  options.backfill_chunk = orders;
  return options;
}

// Turns are over when they took three records and this time.
SyncOptions turns_of(std::chrono::milliseconds time) {
  SyncOptions options;
  options.turn = time;
  options.turn_records_min = 3;
  return options;
}

// One step while somebody else waits for the writer behind it: what the views have applied when their turn comes.
std::uint64_t applied_when_somebody_waits_behind_a_step(Pipeline& pipeline) {
  auto held = pipeline.views().begin();
  const auto wait_for = [&](std::size_t others) {
    while (held->others_waiting() < others) std::this_thread::yield();
  };
  std::jthread step([&] { EXPECT_TRUE(*pipeline.sync().step()); });
  wait_for(1);
  std::uint64_t applied = 0;
  std::jthread other([&] { applied = pipeline.views().begin()->read().applied().value; });
  wait_for(2);
  held.reset();
  step.join();
  other.join();
  return applied;
}

// One step of which every turn has somebody waiting behind it: each of two others holds theirs until both the other and
// the step wait.
bool step_while_others_always_wait(Pipeline& pipeline) {
  std::atomic<bool> over = false;
  const auto take_turns = [&] {
    while (!over) {
      const auto held = pipeline.views().begin();
      while (!over && held->others_waiting() < 2) std::this_thread::yield();
    }
  };
  auto held = pipeline.views().begin();
  std::jthread one(take_turns);
  std::jthread another(take_turns);
  while (held->others_waiting() < 2) std::this_thread::yield();
  held.reset();
  const bool did_something = *pipeline.sync().step();
  over = true;
  return did_something;
}

std::string shown(const std::vector<store::FeedRow>& feed) {
  std::string text;
  for (const auto& item : feed) {
    const auto& notice = item.entry.notice;
    text += (text.empty() ? "" : " ") + item.order.text();
    if (notice.kind == orders::Notice::Kind::kResult)
      text += "/" + notice.test.text() + "v" + std::to_string(notice.version);
    if (!item.current) text += "(late)";
    if (item.backfill) text += "(backfill)";
  }
  return text;
}

TEST(Sync, an_order_reaches_every_practitioner_of_its_clinic_and_nobody_else) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.connect("ben", "cli_1");
  pipeline.connect("carla", "cli_2");
  pipeline.receive(EventBody("evt_1").test("t1"));
  pipeline.receive(EventBody("evt_2").at("2026-01-02T10:00:00Z").test("t1", "A"));
  pipeline.run();
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_1 ord_1/t1v1");
  EXPECT_EQ(shown(pipeline.feed("ben")), "ord_1 ord_1/t1v1");
  EXPECT_EQ(shown(pipeline.feed("carla")), "");
  EXPECT_EQ(pipeline.reason_of("evt_2"), "synced");
}

TEST(Sync, a_duplicate_adds_a_receipt_and_no_item) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  const std::string body = EventBody("evt_1").test("t1", "A").text();
  const Sequence first = pipeline.receive(body);
  pipeline.receive(body);
  pipeline.receive_reference(body, first);
  pipeline.run();
  EXPECT_EQ(pipeline.feed("anna").size(), 1U);
  EXPECT_EQ(pipeline.views().snapshot()->receipts(first).size(), 2U);
  EXPECT_EQ(pipeline.views().snapshot()->totals().duplicates, 2);
}

TEST(Sync, the_same_id_with_another_body_is_kept_apart_and_marked) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  const Sequence first = pipeline.receive(EventBody("evt_1").test("t1", "A"));
  const std::string other = EventBody("evt_1").test("t1", "B").text();
  const Sequence second = pipeline.receive(other);
  pipeline.receive_reference(other, second);
  pipeline.run();
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_1/t1v1");
  const auto receipts = pipeline.views().snapshot()->receipts(first);
  ASSERT_EQ(receipts.size(), 2U);
  EXPECT_EQ(receipts[0].kind, store::ReceiptKind::kConflict);
  EXPECT_EQ(receipts[1].kind, store::ReceiptKind::kConflict)
      << "a reference to the quarantined body is no duplicate of the applied one";
  EXPECT_TRUE(pipeline.views().snapshot()->event(kRupa, EventId("evt_1"))->flags.has(orders::Flag::kConflict));
}

TEST(Sync, the_same_event_id_of_two_sources_is_two_events) {
  Pipeline pipeline;
  pipeline.receive(EventBody("evt_1").text(), kRupa);
  pipeline.receive(EventBody("evt_1").text(), SourceId("other"));
  pipeline.run();
  EXPECT_EQ(pipeline.views().snapshot()->events_named(EventId("evt_1"), store::kEverything).size(), 2U);
}

TEST(Sync, what_no_order_can_be_read_from_is_kept_with_its_outcome) {
  Pipeline pipeline;
  pipeline.receive("not json");
  pipeline.receive(EventBody("evt_1").type("order.shipped"));
  pipeline.receive(R"({"id":"evt_2","type":"order.new_result"})");
  pipeline.run();
  EXPECT_EQ(pipeline.reason_of(sha256("not json").hex().c_str()), "unreadable");
  EXPECT_EQ(pipeline.reason_of("evt_1"), "unknown_type");
  EXPECT_EQ(pipeline.reason_of("evt_2"), "unreadable");
}

TEST(Sync, a_type_that_is_known_to_carry_no_results_is_told_from_one_that_nobody_named) {
  SyncOptions options;
  options.result_types[kRupa] = {"order.new_result"};
  options.other_types[kRupa] = {"patient.updated"};
  Pipeline pipeline(options);
  pipeline.receive(EventBody("evt_1").type("patient.updated"));
  pipeline.receive(EventBody("evt_2").type("order.shipped"));
  pipeline.run();
  EXPECT_EQ(pipeline.reason_of("evt_1"), "no_results");
  EXPECT_EQ(pipeline.reason_of("evt_2"), "unknown_type");
}

TEST(Sync, what_was_parked_is_given_once_somebody_connects) {
  Pipeline pipeline;
  pipeline.receive(EventBody("evt_1").test("t1", "A"));
  pipeline.receive(EventBody("evt_2").at("2026-01-02T10:00:00Z").test("t1", "B"));
  pipeline.run();
  EXPECT_EQ(pipeline.reason_of("evt_1"), "nobody_connected");
  pipeline.connect("anna", "cli_1");
  pipeline.run();
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_1/t1v1(late)(backfill) ord_1/t1v2(backfill)");
  EXPECT_EQ(pipeline.reason_of("evt_1"), "synced");
  EXPECT_EQ(pipeline.reason_of("evt_2"), "synced");
}

TEST(Sync, a_later_connection_gets_the_clinics_current_results) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.receive(EventBody("evt_1").test("t1", "A").test("t2"));
  pipeline.receive(EventBody("evt_2").at("2026-01-02T10:00:00Z").test("t1", "B").test("t2", "X"));
  pipeline.receive(EventBody("evt_3").order("ord_2"));
  pipeline.run();
  pipeline.connect("ben", "cli_1");
  pipeline.run();
  EXPECT_EQ(shown(pipeline.feed("ben")), "ord_1/t1v2(backfill) ord_1/t2v1(backfill) ord_2(backfill)");
}

TEST(Sync, connecting_again_changes_nothing_and_a_new_connection_after_a_disconnect_starts_anew) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.receive(EventBody("evt_1").test("t1", "A"));
  pipeline.run();
  pipeline.connect("anna", "cli_1");
  pipeline.run();
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_1/t1v1");
  ASSERT_TRUE(disconnect(pipeline.views(), {AppPractitionerId("anna"), {}, {}}, pipeline.clock().now()).has_value());
  EXPECT_EQ(shown(pipeline.feed("anna")), "");
  pipeline.connect("anna", "cli_1");
  pipeline.run();
  const auto feed = pipeline.feed("anna");
  EXPECT_EQ(shown(feed), "ord_1/t1v1(backfill)");
  EXPECT_EQ(feed.front().position, 2) << "positions go on; none is given twice";
}

TEST(Sync, an_event_that_arrives_while_a_backfill_is_on_its_way_is_given_once) {
  Pipeline pipeline(chunks_of(1));
  for (const char* order : {"ord_1", "ord_2", "ord_3"}) {
    pipeline.receive(EventBody(std::string("evt_") + order).order(order).test("t1", "A"));
  }
  pipeline.run();
  pipeline.connect("anna", "cli_1");
  ASSERT_TRUE(*pipeline.sync().step());  // the first chunk: one order
  pipeline.receive(EventBody("evt_new").order("ord_3").at("2026-01-02T10:00:00Z").test("t1", "B"));
  pipeline.run();
  auto feed = pipeline.feed("anna");
  std::set<std::int64_t> entries;
  for (const auto& item : feed) EXPECT_TRUE(entries.insert(item.entry.key.value).second) << "given twice";
  EXPECT_EQ(shown(feed), "ord_1/t1v1(backfill) ord_3/t1v2 ord_2/t1v1(backfill) ord_3/t1v1(late)(backfill)");
}

TEST(Sync, an_order_without_a_clinic_waits_until_an_event_or_a_connection_tells_it) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.receive(EventBody("evt_1").by("pra_7").test("t1", "A"));
  pipeline.run();
  EXPECT_EQ(pipeline.reason_of("evt_1"), "unknown_clinic");
  pipeline.receive(EventBody("evt_2").order("ord_2").by("pra_7", "cli_1"));
  pipeline.run();
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_2 ord_1/t1v1");
  EXPECT_EQ(pipeline.reason_of("evt_1"), "synced");

  Pipeline other;
  other.receive(EventBody("evt_1").by("pra_7").test("t1", "A"));
  other.run();
  other.connect("anna", "cli_1", "pra_7");
  other.run();
  EXPECT_EQ(shown(other.feed("anna")), "ord_1/t1v1");
}

TEST(Sync, a_practitioner_of_two_clinics_is_ambiguous) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.receive(EventBody("evt_1").order("ord_1").by("pra_7", "cli_1"));
  pipeline.receive(EventBody("evt_2").order("ord_2").by("pra_7", "cli_2"));
  pipeline.receive(EventBody("evt_3").order("ord_3").by("pra_7"));
  pipeline.run();
  EXPECT_EQ(pipeline.reason_of("evt_3"), "ambiguous_clinic");
  const auto matched =
      match(pipeline.views(), pipeline.log(), kRupa, EventId("evt_3"), ClinicId("cli_1"), pipeline.clock().now());
  ASSERT_TRUE(matched.has_value());
  EXPECT_EQ(matched->items, 1U);
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_1 ord_3");
  EXPECT_EQ(pipeline.reason_of("evt_3"), "synced");
}

TEST(Sync, a_delivered_orders_clinic_does_not_change_without_an_operator) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.connect("carla", "cli_2");
  pipeline.receive(EventBody("evt_1").by("pra_1", "cli_1").test("t1", "A"));
  pipeline.run();
  pipeline.receive(EventBody("evt_2").at("2026-01-02T10:00:00Z").by("pra_2", "cli_2").test("t1", "B"));
  pipeline.run();
  EXPECT_EQ(pipeline.reason_of("evt_2"), "clinic_changed");
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_1/t1v1");
  EXPECT_EQ(shown(pipeline.feed("carla")), "");
  EXPECT_EQ(pipeline.rebuild().differences, 0U);

  ASSERT_TRUE(
      match(pipeline.views(), pipeline.log(), kRupa, EventId("evt_2"), ClinicId("cli_2"), pipeline.clock().now())
          .has_value());
  EXPECT_EQ(shown(pipeline.feed("anna")), "") << "the order is no longer of her clinic";
  EXPECT_EQ(shown(pipeline.feed("carla")), "ord_1/t1v1(late) ord_1/t1v2");
  EXPECT_EQ(pipeline.rebuild().differences, 0U);
}

TEST(Sync, matching_what_does_not_wait_is_refused) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.receive(EventBody("evt_1"));
  pipeline.run();
  const auto now = pipeline.clock().now();
  EXPECT_EQ(match(pipeline.views(), pipeline.log(), kRupa, EventId("evt_1"), ClinicId("cli_2"), now).error().code,
            "not_waiting");
  EXPECT_EQ(match(pipeline.views(), pipeline.log(), kRupa, EventId("evt_x"), ClinicId("cli_2"), now).error().code,
            "not_found");
}

TEST(SyncTurn, ends_early_when_somebody_waits_and_the_next_step_goes_on_behind_it) {
  Pipeline pipeline(turns_of(std::chrono::milliseconds(0)));
  pipeline.connect("anna", "cli_1");
  std::string all;
  for (int i = 0; i < 10; ++i) {
    const std::string order = "ord_" + std::to_string(i);
    pipeline.receive(EventBody("evt_" + order).order(order.c_str()).test("t1", "A"));
    all += (all.empty() ? "" : " ") + order + "/t1v1";
  }
  EXPECT_EQ(applied_when_somebody_waits_behind_a_step(pipeline), 3);
  EXPECT_EQ(pipeline.sync().applied().value, 3);
  EXPECT_EQ(applied_when_somebody_waits_behind_a_step(pipeline), 6);
  pipeline.run();
  EXPECT_EQ(pipeline.sync().applied().value, 10);
  EXPECT_EQ(shown(pipeline.feed("anna")), all) << "each once, in the order of the log";
}

TEST(SyncTurn, goes_on_while_it_is_young) {
  Pipeline pipeline(turns_of(std::chrono::milliseconds(20)));  // by a clock that stands still
  for (int i = 0; i < 10; ++i) pipeline.receive(EventBody("evt_" + std::to_string(i)));
  EXPECT_EQ(applied_when_somebody_waits_behind_a_step(pipeline), 10);
}

TEST(SyncTurn, goes_on_while_nobody_waits) {
  Pipeline pipeline(turns_of(std::chrono::milliseconds(0)));
  for (int i = 0; i < 10; ++i) pipeline.receive(EventBody("evt_" + std::to_string(i)));
  ASSERT_TRUE(*pipeline.sync().step());
  EXPECT_EQ(pipeline.sync().applied().value, 10);
}

TEST(SyncTurn, of_a_backfill_that_others_wait_for_ends_early_and_goes_on) {
  Pipeline pipeline(turns_of(std::chrono::milliseconds(0)));
  pipeline.connect("ben", "cli_1");  // so that nothing is parked
  for (int i = 0; i < 8; ++i)
    pipeline.receive(EventBody("evt_" + std::to_string(i)).order("ord_" + std::to_string(i)).test("t", "A"));
  pipeline.run();
  pipeline.connect("anna", "cli_1");
  const auto unfinished = [&] { return pipeline.views().snapshot()->unfinished_backfills(); };
  EXPECT_TRUE(step_while_others_always_wait(pipeline));
  ASSERT_EQ(unfinished().size(), 1U);
  EXPECT_EQ(unfinished().front().orders_done, 3);
  EXPECT_TRUE(step_while_others_always_wait(pipeline));
  ASSERT_EQ(unfinished().size(), 1U);
  EXPECT_EQ(unfinished().front().orders_done, 6);
  EXPECT_TRUE(step_while_others_always_wait(pipeline));
  EXPECT_TRUE(unfinished().empty());
  const auto given = pipeline.feed("anna");
  std::set<std::string> orders;
  for (const auto& item : given) orders.insert(item.order.text());
  EXPECT_EQ(orders.size(), 8U);
  EXPECT_EQ(given.size(), pipeline.feed("ben").size()) << "each once";
}

TEST(Sync, positions_are_gapless_per_practitioner) {
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  pipeline.connect("anna", "cli_2");
  for (int i = 0; i < 50; ++i) {
    pipeline.receive(
        EventBody("evt_" + std::to_string(i)).order("ord_" + std::to_string(i)).by("pra_1", i % 2 ? "cli_1" : "cli_2"));
    if (i % 7 == 0) pipeline.run();
  }
  pipeline.run();
  const auto feed = pipeline.feed("anna");
  ASSERT_EQ(feed.size(), 50U);
  for (std::size_t i = 0; i < feed.size(); ++i) EXPECT_EQ(feed[i].position, static_cast<std::int64_t>(i) + 1);
}

// More of each than one question asks for, in one turn and in another.
TEST(Sync, a_turn_may_tell_any_number_of_clinics_and_practitioners) {
  constexpr int kClinics = 150;
  Pipeline pipeline;
  for (int i = 0; i < kClinics; ++i) {
    const std::string clinic = "cli_" + std::to_string(i);
    pipeline.connect(("app_" + std::to_string(i)).c_str(), clinic.c_str());
  }
  for (int turn = 0; turn < 2; ++turn) {
    for (int i = 0; i < 2 * kClinics; ++i) {
      const std::string number = std::to_string(i % kClinics);
      const std::string order = "ord_" + std::to_string(turn) + "_" + std::to_string(i);
      pipeline.receive(EventBody("evt_" + order).order(order).by("pra_" + number, "cli_" + number));
    }
    pipeline.run();
  }
  for (int i = 0; i < kClinics; ++i) {
    const auto feed = pipeline.feed(("app_" + std::to_string(i)).c_str());
    ASSERT_EQ(feed.size(), 4U) << i;
    for (std::size_t at = 0; at < feed.size(); ++at)
      EXPECT_EQ(feed[at].position, static_cast<std::int64_t>(at) + 1) << i;
  }
}

TEST(Sync, clinics_of_two_sources_with_one_id_are_two_clinics) {
  const SourceId other("other");
  Pipeline pipeline;
  pipeline.connect("anna", "cli_1");
  ASSERT_TRUE(connect(pipeline.views(), {AppPractitionerId("ben"), other, ClinicId("cli_1"), PractitionerId("")},
                      pipeline.clock().now()));
  for (int i = 0; i < 6; ++i) {
    const std::string number = std::to_string(i);
    pipeline.receive(EventBody("evt_" + number).order("ord_" + number).text(), i % 2 == 0 ? kRupa : other);
  }
  pipeline.run();
  EXPECT_EQ(shown(pipeline.feed("anna")), "ord_0 ord_2 ord_4");
  EXPECT_EQ(shown(pipeline.feed("ben")), "ord_1 ord_3 ord_5");
}

TEST(Sync, views_of_another_log_or_ahead_of_it_are_refused) {
  Pipeline pipeline;
  pipeline.receive(EventBody("evt_1"));
  pipeline.run();
  store::MemoryLog::Options named;
  named.id = "another";
  store::MemoryLog another(named);
  runtime::Metrics metrics;
  EXPECT_EQ(Sync(another, pipeline.views(), pipeline.clock(), metrics, {}).check().error().code, "foreign_log");
  store::MemoryLog shorter;
  runtime::Metrics more_metrics;
  EXPECT_EQ(Sync(shorter, pipeline.views(), pipeline.clock(), more_metrics, {}).check().error().code, "views_ahead");
}

const std::string kPreliminary =
    "MSH|^~\\&|LAB|LAB|||20260101||ORU^R01|1|P|2.5.1\rPID|1||M1\rOBR|1|P1|F1|24323-8^Panel^LN|||20260101080000+0000||||"
    "||||||||"
    "||||||P\rOBX|1|NM|718-7^Hemoglobin^LN||14|g/dL|13-17||||P|||20260101080000+0000";
const std::string kFinal =
    "MSH|^~\\&|LAB|LAB|||20260102||ORU^R01|2|P|2.5.1\rPID|1||M1\rOBR|1|P1|F1|24323-8^Panel^LN|||20260102080000+0000||||"
    "||||||||"
    "||||||F\rOBX|1|NM|718-7^Hemoglobin^LN||15|g/"
    "dL|13-17||||F|||20260102080000+0000\rOBX|2|ED|PDF^Report^L||^application^pdf^"
    "Base64^JVBERi0xLjQK||||||F";

std::size_t found(store::ResultReads& results, store::Term code, store::Term identifier) {
  store::ResultSearch search;
  search.code = code;
  search.identifier = identifier;
  return results.search(search, store::kNewestTest, 10).size();
}

TEST(SyncResults, are_found_by_code_identifier_and_document_of_any_version) {
  Pipeline pipeline;
  pipeline.receive(EventBody("evt_1").test("t1", kPreliminary));
  pipeline.receive(EventBody("evt_2").at("2026-01-02T10:00:00Z").test("t1", kFinal));
  pipeline.receive(EventBody("evt_3").order("ord_2").test("t2", "no HL7"));
  pipeline.run();
  const auto snapshot = pipeline.views().snapshot();
  auto& results = snapshot->results();
  const auto all = results.changed({}, {}, 10);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].test.text() + " " + all[0].status + " " + std::to_string(all[0].version), "t1 final 2");
  EXPECT_EQ(all[1].test.text() + " " + all[1].status + " " + std::to_string(all[1].version), "t2 unknown 1");

  const IndexKey& key = pipeline.sync().apply_options().index.key;
  EXPECT_EQ(found(results, key.code("718-7"), {}), 1U);
  EXPECT_EQ(found(results, key.code("718-8"), {}), 0U);
  EXPECT_EQ(found(results, {}, key.identifier("F1")), 1U);
  EXPECT_EQ(found(results, {}, key.identifier("718-7")), 0U);
  const auto places = results.documents(sha256("%PDF-1.4\n"), {}, 10);
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].record, Sequence{2});
}

TEST(SyncResults, of_an_older_version_are_completed_also_what_it_adds_beside) {
  const std::filesystem::path directory = std::filesystem::path(::testing::TempDir()) / "sync_test_older_results";
  std::filesystem::remove_all(directory);
  {
    const auto views = store::open_sqlite_views(directory.string(), {}).value();
    const auto file =
        std::move(*store::sqlite::Database::open(directory / "views.db", store::sqlite::Database::Access::kReadWrite));
    store::MemoryLog log;
    runtime::ManualClock clock{Timestamp::from_seconds(1'800'000'000)};
    runtime::Metrics metrics;
    Sync sync(log, *views, clock, metrics, {});
    const auto run = [&] {
      while (*sync.step()) {
      }
    };
    const auto lacking = [&] {
      store::sql::Query query(*file, "SELECT count(*) FROM result_tests WHERE clinic_key = -1");
      return query.next() ? query.integer(0) : -1;
    };
    for (int i = 0; i < 3; ++i) {
      const std::string n = std::to_string(i);
      const std::string body =
          EventBody("e" + n).order("ord_" + n).by("pra_1", "cli_1").test("t" + n, kPreliminary).text();
      log.append({kRupa, clock.now(), false, {}, sha256(body), body, {}}, [](Result<Sequence>) {});
    }
    run();
    EXPECT_EQ(lacking(), 0);
    file->execute("UPDATE result_tests SET clinic_key = -1");
    ASSERT_EQ(lacking(), 3);
    run();
    EXPECT_EQ(lacking(), 3) << "it looked a moment ago";
    clock.set(Timestamp{clock.now().microseconds + 11LL * 60 * 1'000'000});
    run();
    EXPECT_EQ(lacking(), 0);
  }
  std::filesystem::remove_all(directory);
}

TEST(SyncResults, a_result_that_is_taken_back_is_withdrawn_and_back_again_is_what_it_was) {
  Pipeline pipeline;
  const auto status = [&] { return pipeline.views().snapshot()->results().changed({}, {}, 10).at(0).status; };
  pipeline.receive(EventBody("evt_1").test("t1", kFinal));
  pipeline.run();
  EXPECT_EQ(status(), "final");
  pipeline.receive(EventBody("evt_2").at("2026-01-02T10:00:00Z").test("t1"));
  pipeline.run();
  EXPECT_EQ(status(), "withdrawn");
  pipeline.receive(EventBody("evt_3").at("2026-01-03T10:00:00Z").test("t1", kFinal));
  pipeline.run();
  EXPECT_EQ(status(), "final");
}

TEST(Sync, a_batch_does_what_its_records_do_one_by_one) {
  Pipeline batch;
  Pipeline single(records_at_once(1));
  for (Pipeline* pipeline : {&batch, &single}) {
    pipeline->connect("anna", "cli_1");
    pipeline->connect("ben", "cli_1");
    // Several events of an order, of both sources, more than are read ahead at once; each tenth id comes with another
    // body, each seventh body twice.
    for (int i = 0; i < 150; ++i) {
      const std::string order = std::to_string(i % 11);
      const std::string event = std::to_string(i % 10 == 9 ? i - 5 : i);
      EventBody body("evt_" + event);
      body.order("ord_" + order)
          .by("pra_" + order, "cli_1")
          .at("2026-01-01T10:00:" + std::to_string(10 + i % 40) + "Z");
      body.test("t_" + order, i % 3 == 0 ? kPreliminary : kFinal + std::to_string(i % 5));
      const SourceId source(i % 2 == 0 ? "rupa" : "other");
      pipeline->receive(body.text(), source);
      if (i % 7 == 0) pipeline->receive(body.text(), source);
    }
    pipeline->run();
  }
  EXPECT_EQ(batch.dump(), single.dump());
  const auto told = [](Pipeline& pipeline) {
    std::vector<std::string> items;
    for (const auto& item : pipeline.feed("ben")) {
      const auto& notice = item.entry.notice;
      items.push_back(std::to_string(item.position) + " " + item.order.text() + " " + notice.test.text() + " " +
                      std::to_string(notice.version) + " " + std::to_string(notice.previous_version) + " " +
                      std::to_string(item.current) + " " + std::to_string(notice.record.value));
    }
    return items;
  };
  EXPECT_GT(told(single).size(), 20U);
  EXPECT_EQ(told(batch), told(single));
}

// A set of events of a few orders; each order keeps its clinic, some events do not name it.
std::vector<std::string> some_bodies() {
  std::vector<std::string> bodies;
  const int count = *rc::gen::inRange(1, 20);
  for (int i = 0; i < count; ++i) {
    const int order = *rc::gen::inRange(1, 4);
    EventBody body("evt_" + std::to_string(i));
    body.order("ord_" + std::to_string(order)).at("2026-01-01T10:00:0" + std::to_string(*rc::gen::inRange(0, 5)) + "Z");
    const std::string number = std::to_string(order);
    *rc::gen::inRange(0, 4) == 0 ? body.by("pra_" + number) : body.by("pra_" + number, "cli_" + number);
    body.status(*rc::gen::element<std::string>("In Progress", "Completed"));
    for (const char* test : {"t1", "t2"}) {
      if (*rc::gen::arbitrary<bool>())
        body.test(number + test, *rc::gen::element<std::string>("", "A", kPreliminary, kFinal));
    }
    bodies.push_back(body.text());
  }
  return bodies;
}

// The same bodies in another order, some of them several times.
std::vector<std::string> shuffled_with_duplicates(std::vector<std::string> bodies) {
  const auto originals = bodies;
  const int extra = *rc::gen::inRange(0, 10);
  for (int i = 0; i < extra; ++i) bodies.push_back(*rc::gen::elementOf(originals));
  for (std::size_t i = bodies.size(); i > 1; --i)
    std::swap(bodies[i - 1], bodies[*rc::gen::inRange<std::size_t>(0, i)]);
  return bodies;
}

RC_GTEST_PROP(Sync, any_permutation_and_duplication_gives_the_same_views_and_equals_a_rebuild, ()) {
  const auto bodies = some_bodies();
  Pipeline straight;
  Pipeline shuffled;
  for (auto* pipeline : {&straight, &shuffled}) {
    pipeline->connect("anna", "cli_1");
    pipeline->connect("ben", "cli_2");
  }
  for (const auto& body : bodies) straight.receive(body);
  straight.run();
  for (const auto& body : shuffled_with_duplicates(bodies)) {
    shuffled.receive(body);
    if (*rc::gen::inRange(0, 3) == 0) shuffled.run();
  }
  shuffled.run();
  RC_ASSERT(straight.dump() == shuffled.dump());
  RC_ASSERT(straight.rebuild().differences == 0U);
  RC_ASSERT(shuffled.rebuild().differences == 0U);
  RC_ASSERT(shuffled.rebuild().lines > 0U);
}

RC_GTEST_PROP(Sync, whenever_somebody_connects_they_end_up_with_every_current_result_once, ()) {
  Pipeline pipeline(chunks_of(1));
  const auto bodies = some_bodies();
  const auto connect_at = *rc::gen::inRange<std::size_t>(0, bodies.size() + 1);
  for (std::size_t i = 0; i <= bodies.size(); ++i) {
    if (i == connect_at) pipeline.connect("anna", "cli_1");
    if (i == bodies.size()) break;
    pipeline.receive(bodies[i]);
    if (*rc::gen::arbitrary<bool>()) (void)*pipeline.sync().step();
  }
  pipeline.run();
  std::set<std::int64_t> entries;
  std::map<std::string, int> last_current;
  for (const auto& item : pipeline.feed("anna")) {
    RC_ASSERT(item.connection.clinic.text() == "cli_1");
    RC_ASSERT(entries.insert(item.entry.key.value).second);
    if (item.entry.notice.kind == orders::Notice::Kind::kResult)
      last_current[item.entry.notice.test.text()] |= 1 << item.entry.notice.version;
  }
  const auto order = pipeline.views().snapshot()->order(kRupa, OrderId("ord_1"));
  if (!order || order->row.clinic.text() != "cli_1") return;
  for (const auto& test : order->history.tests) {
    if (test.current() != 0) RC_ASSERT((last_current[test.id.text()] & (1 << test.current())) != 0);
  }
}

TEST(Views, what_is_asked_for_together_is_what_each_is_alone) {
  Pipeline house;
  std::vector<Sequence> records{{}, {9'999}};
  for (int i = 0; i < 80; ++i) {
    const std::string n = std::to_string(i % 70);  // the last ten are duplicates
    const std::string order = "ord_" + std::to_string(i % 35);
    records.push_back(
        house.receive(EventBody("evt_" + n).order(order).by("pra_1", "cli_1").test("t_" + n, "content " + n)));
  }
  house.run();
  const auto views = house.views().snapshot();
  const auto events = views->events_of_records(records);
  std::set<store::OrderKey> keys{{0}, {9'999}};
  for (const Sequence record : records) {
    const auto alone = views->event_of_record(record);
    const auto found = events.find(record);
    ASSERT_EQ(alone.has_value(), found != events.end()) << record.value;
    if (!alone) continue;
    EXPECT_EQ(found->second.id, alone->id);
    EXPECT_EQ(found->second.record, alone->record);
    keys.insert(alone->order_key);
  }
  EXPECT_EQ(events.size(), 80U);
  const auto orders = views->orders(std::vector<store::OrderKey>(keys.begin(), keys.end()));
  EXPECT_EQ(orders.size(), 35U);
  for (const store::OrderKey key : keys) {
    const auto alone = views->order(key);
    const auto found = orders.find(key);
    ASSERT_EQ(alone.has_value(), found != orders.end()) << key.value;
    if (!alone) continue;
    EXPECT_EQ(found->second.row.id, alone->row.id);
    ASSERT_EQ(found->second.history.points.size(), alone->history.points.size());
    EXPECT_EQ(found->second.history.latest().record, alone->history.latest().record);
    ASSERT_EQ(found->second.history.tests.size(), alone->history.tests.size());
    for (std::size_t i = 0; i < alone->history.tests.size(); ++i) {
      const auto& together = found->second.history.tests[i];
      EXPECT_EQ(together.id, alone->history.tests[i].id);
      EXPECT_EQ(together.points.size(), alone->history.tests[i].points.size());
      EXPECT_EQ(together.versions.size(), alone->history.tests[i].versions.size());
    }
  }
  EXPECT_TRUE(views->orders({}).empty());
  EXPECT_TRUE(views->events_of_records({}).empty());
  EXPECT_TRUE(views->status());
}

}  // namespace
}  // namespace resultsync::sync
