#include "sync/documents.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "store/document_bytes.hpp"
#include "store/memory/memory_log.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "sync/connections.hpp"
#include "sync/rebuild.hpp"
#include "sync/sync.hpp"
#include "tests/support/event_body.hpp"
#include "tests/support/views.hpp"

namespace resultsync::sync {
namespace {

using State = orders::LinkedDocument::State;
using test::EventBody;

const SourceId kRupa("rupa");
constexpr const char* kHl7 = "MSH|^~\\&|LAB|X|Y|Z|2026||ORU^R01|1|P|2.5.1\r";

// A pipeline in one thread, whose network of documents is the test itself.
class Pipeline {
 public:
  explicit Pipeline(SyncOptions options = {})
      : folder_(std::filesystem::temp_directory_path() / ("documents-" + encode_hex(runtime::random_bytes(6)))) {
    views_ = test::has_postgres() ? test::open_views() : std::move(*store::open_sqlite_views(folder_.string()));
    sync_ = std::make_unique<Sync>(log_, *views_, clock_, metrics_, std::move(options));
    EXPECT_TRUE(sync::connect(*views_, {AppPractitionerId("anna"), kRupa, ClinicId("cli_1"), {}}, clock_.now()));
  }
  ~Pipeline() {
    sync_.reset();
    views_.reset();
    std::filesystem::remove_all(folder_);
  }

  Sequence receive(const EventBody& event) {
    Sequence given;
    log_.append({kRupa, clock_.now(), false, {}, sha256(event.text()), event.text(), {}},
                [&](Result<Sequence> committed) { given = *committed; });
    while (*sync_->step()) {
    }
    return given;
  }
  // What the fetcher does when a link was answered, or not within the limit.
  std::size_t settle(Sequence record, State state, const std::string& bytes = {}) {
    const auto transaction = views_->begin();
    for (store::DocumentUse use : transaction->read().network().uses_of(record)) {
      use.state = state;
      use.open = state != State::kFetched;
      if (state == State::kMissing) use.reason = "timeout";
      if (state == State::kFetched) {
        use.document = sha256(bytes);
        transaction->network().add_document({use.document, "application/hl7-v2", std::ssize(bytes), kRupa, clock_.now(),
                                             store::seal_document(vault_, bytes)});
      }
      transaction->network().save_use(use);
    }
    const auto items = documents_settled(*transaction, log_, record, {}, clock_.now());
    EXPECT_TRUE(transaction->commit());
    return items.value();
  }
  std::vector<store::DocumentUse> uses_of(Sequence record) { return views_->snapshot()->network().uses_of(record); }
  std::vector<store::MissingDocument> missing(const store::MissingFilter& filter, Sequence after = {},
                                              std::size_t events = 100) {
    return views_->snapshot()->network().missing_documents(filter, after, events);
  }
  store::Retried retry(const store::MissingFilter& filter) {
    clock_.set({clock_.now().microseconds + 60'000'000});
    const auto transaction = views_->begin();
    const auto retried = transaction->network().retry_missing(filter, clock_.now());
    EXPECT_TRUE(transaction->commit());
    return retried;
  }
  void save(const store::DocumentUse& use) {
    const auto transaction = views_->begin();
    transaction->network().save_use(use);
    EXPECT_TRUE(transaction->commit());
  }
  std::vector<store::FeedRow> feed() {
    const auto snapshot = views_->snapshot();
    return snapshot->feed(snapshot->practitioner(AppPractitionerId("anna"), {})->key, 0, 1000, {});
  }
  std::vector<int> versions_told() {
    std::vector<int> versions;
    for (const auto& row : feed()) {
      if (row.entry.notice.kind == orders::Notice::Kind::kResult) versions.push_back(row.entry.notice.version);
    }
    return versions;
  }
  std::uint64_t rebuild_differences() {
    const auto scratch = std::move(*store::open_memory_views());
    return verify_rebuild(log_, *views_, *scratch, {}, {})->differences;
  }

  std::filesystem::path folder_;
  store::MemoryLog log_;
  std::unique_ptr<store::Views> views_;
  runtime::ManualClock clock_{Timestamp::from_seconds(1'700'000'000)};
  runtime::Metrics metrics_;
  std::unique_ptr<Sync> sync_;
  runtime::MasterKey master_{runtime::random_key()};
  runtime::Vault vault_{master_, "documents"};
};

EventBody linked(const char* id, const char* at, const char* link) {
  return EventBody(id).at(at).test("ordts_1", link);
}

TEST(SyncDocuments, a_result_whose_document_is_a_link_is_told_when_the_document_is_there) {
  Pipeline house;
  const auto record = house.receive(linked("evt_1", "2026-01-01T00:00:00Z", "https://lab.example/a?sig=1"));
  ASSERT_EQ(house.feed().size(), 1U) << "the order itself is known at once";
  EXPECT_EQ(house.versions_told(), std::vector<int>{});
  EXPECT_EQ(house.rebuild_differences(), 0U) << "also while the document is pending";

  EXPECT_EQ(house.settle(record, State::kFetched, kHl7), 1U);
  EXPECT_EQ(house.versions_told(), std::vector{1});
  EXPECT_EQ(house.settle(record, State::kFetched, kHl7), 0U) << "once";
  EXPECT_EQ(house.rebuild_differences(), 0U) << "documents are inputs of a rebuild";
}

TEST(SyncDocuments, two_links_to_the_same_bytes_are_one_version_and_so_is_the_text_itself) {
  Pipeline house;
  const auto first = house.receive(linked("evt_1", "2026-01-01T00:00:00Z", "https://lab.example/a?sig=1"));
  const auto second = house.receive(linked("evt_2", "2026-01-02T00:00:00Z", "https://lab.example/b?sig=2"));
  house.settle(second, State::kFetched, kHl7);
  house.settle(first, State::kFetched, kHl7);
  house.receive(linked("evt_3", "2026-01-03T00:00:00Z", kHl7));
  EXPECT_EQ(house.versions_told(), std::vector{1}) << "S4: by the SHA-256 of the bytes, never by the address";
  EXPECT_EQ(house.rebuild_differences(), 0U);
}

TEST(SyncDocuments, after_the_limit_a_result_is_told_without_its_document_and_again_when_it_comes) {
  Pipeline house;
  const auto record = house.receive(linked("evt_1", "2026-01-01T00:00:00Z", "https://lab.example/a"));
  EXPECT_EQ(house.settle(record, State::kMissing), 1U);
  EXPECT_EQ(house.rebuild_differences(), 0U);
  EXPECT_EQ(house.settle(record, State::kFetched, kHl7), 1U);
  EXPECT_EQ(house.versions_told(), (std::vector{1, 2}));
  const auto order = house.feed().front().entry.order;
  const auto told = house.views_->snapshot()->network().told_missing(order);
  ASSERT_EQ(told.size(), 1U) << "version 2 lacks nothing";
  EXPECT_EQ(told.front().version, 1);
  EXPECT_EQ(told.front().member + " " + told.front().reason, "results_hl7 timeout");
  EXPECT_EQ(house.rebuild_differences(), 0U);
}

TEST(SyncDocuments, a_document_of_an_older_event_that_comes_late_regresses_nothing) {
  Pipeline house;
  const auto older = house.receive(linked("evt_1", "2026-01-01T00:00:00Z", "https://lab.example/a"));
  const auto newer = house.receive(linked("evt_2", "2026-01-02T00:00:00Z", "https://lab.example/b"));
  house.settle(newer, State::kFetched, std::string(kHl7) + "NTE|1\r");
  house.settle(older, State::kFetched, kHl7);
  const auto feed = house.feed();
  EXPECT_FALSE(feed.back().current) << "S2";
  EXPECT_EQ(feed.back().entry.notice.current_version, 1);
  EXPECT_EQ(house.rebuild_differences(), 0U);
}

TEST(SyncDocuments, after_the_log_nobody_reads_a_link) {
  Pipeline house;
  const auto record = house.receive(linked("evt_1", "2026-01-01T00:00:00Z", "https://lab.example/secret"));
  const ReadableLog readable(house.log_, *house.views_, house.vault_, {});
  EXPECT_TRUE(readable.at(record)->record.body.contains("document:pending"));
  const auto together = readable.some_of(std::vector{record}, 1'000'000);
  ASSERT_EQ(together.size(), 1U) << "what the log beneath gives together is given together";
  EXPECT_EQ(together[0].record.body, readable.at(record)->record.body);
  house.settle(record, State::kFetched, kHl7);
  const std::string body = readable.at(record)->record.body;
  EXPECT_FALSE(body.contains("secret"));
  EXPECT_TRUE(body.contains("MSH|^~")) << "HL7 that came by link reads like HL7 that was sent";
  EXPECT_TRUE(house.log_.at(record)->record.body.contains("secret")) << "the log beneath is what arrived (I3)";
}

TEST(SyncDocuments, a_document_is_sealed_and_opens_as_itself_only) {
  const runtime::MasterKey master(runtime::random_key());
  const runtime::Vault vault(master, "documents");
  const std::string sealed = store::seal_document(vault, kHl7);
  EXPECT_FALSE(sealed.contains("MSH"));
  EXPECT_EQ(store::open_document(vault, sha256(kHl7), sealed).value(), kHl7);
  EXPECT_FALSE(store::open_document(vault, sha256("other"), sealed));
}

TEST(ThinEvents, each_asks_once_for_its_order_to_be_read_and_no_result_waits_for_that) {
  SyncOptions options;
  options.thin = {kRupa};
  Pipeline house(std::move(options));
  const auto first = house.receive(EventBody("evt_1").at("2026-01-01T00:00:00Z").status("processing"));
  const auto uses = house.uses_of(first);
  ASSERT_EQ(uses.size(), 1U);
  EXPECT_EQ(uses[0].member, kWholeOrder);
  EXPECT_TRUE(uses[0].test.empty());
  EXPECT_FALSE(uses[0].is_content);
  EXPECT_TRUE(uses[0].open);
  EXPECT_EQ(house.feed().size(), 1U) << "what the event itself says is told at once";
  const auto second = house.receive(EventBody("evt_2").at("2026-01-02T00:00:00Z").status("partial_results"));
  EXPECT_EQ(house.uses_of(second).at(0).link, uses[0].link) << "one reading serves both";
  house.receive(EventBody("evt_2").at("2026-01-02T00:00:00Z").status("partial_results"));
  EXPECT_EQ(house.missing({}).size(), 2U) << "a duplicate asks for nothing";
}

store::MissingFilter in_state(const char* state) {
  return {state, {}, {}};
}
store::MissingFilter of_order(const char* order) {
  return {"", {}, OrderId(order)};
}

TEST(MissingDocuments, are_listed_with_why_in_pages_of_whole_events_and_taken_up_again) {
  Pipeline house;
  std::vector<Sequence> records;
  for (const char* id : {"1", "2", "3"}) {
    const std::string name(id);
    records.push_back(house.receive(EventBody("evt_" + name)
                                        .at("2026-01-0" + name + "T00:00:00Z")
                                        .test("t_" + name, "https://files.example.com/" + name)));
  }
  auto given_up = house.uses_of(records[0]).at(0);
  given_up.state = State::kMissing;
  given_up.open = false;
  given_up.reason = "http_4xx";
  given_up.tries = 40;
  house.save(given_up);
  auto missing = house.uses_of(records[1]).at(0);
  missing.state = State::kMissing;
  missing.reason = "timeout";
  missing.next_try_at = {missing.received_at.microseconds + 3'600'000'000};
  house.save(missing);

  EXPECT_EQ(house.missing({}).size(), 3U);
  EXPECT_EQ(house.missing(in_state("pending")).at(0).event.text(), "evt_3");
  EXPECT_EQ(house.missing(in_state("missing")).at(0).use.reason, "timeout");
  EXPECT_EQ(house.missing(in_state("given_up")).at(0).use.tries, 40);
  EXPECT_TRUE(house.missing(store::MissingFilter{"", SourceId("other"), {}}).empty());
  EXPECT_TRUE(house.missing(of_order("nothing")).empty());
  EXPECT_EQ(house.missing({}, {}, 2).size(), 2U);
  EXPECT_EQ(house.missing({}, records[1]).at(0).event.text(), "evt_3");

  EXPECT_EQ(house.retry(of_order("nothing")).taken_up, 0);
  const auto retried = house.retry({});
  EXPECT_EQ(retried.taken_up, 1);
  EXPECT_EQ(retried.hastened, 1);
  const auto again = house.uses_of(records[0]).at(0);
  EXPECT_TRUE(again.open);
  EXPECT_EQ(again.tries, 0);
  EXPECT_EQ(again.reason, "http_4xx") << "why it was given up is still to be seen";
  EXPECT_GT(again.received_at, given_up.received_at) << "it is tried as long as if it came now";
  EXPECT_LE(house.uses_of(records[1]).at(0).next_try_at, again.next_try_at);
  EXPECT_EQ(house.retry({}).taken_up, 0);
}

TEST(MissingDocuments, what_waits_for_a_consent_is_told_from_what_was_given_up_and_taken_up_by_its_clinic) {
  Pipeline house;
  const auto record = house.receive(linked("evt_1", "2026-01-01T00:00:00Z", "https://files.example.com/1"));
  auto waiting = house.uses_of(record).at(0);
  waiting.state = State::kMissing;
  waiting.open = false;
  waiting.reason = store::kNoConsent;
  house.save(waiting);
  EXPECT_EQ(house.missing(in_state("waiting")).size(), 1U);
  EXPECT_TRUE(house.missing(in_state("given_up")).empty());
  const auto totals = house.views_->snapshot()->network().document_totals();
  EXPECT_EQ(totals.waiting, 1);
  EXPECT_EQ(totals.given_up, 0);
  EXPECT_EQ(house.retry({.source = kRupa, .clinic = ClinicId("cli_other")}).taken_up, 0);
  EXPECT_EQ(house.retry({.source = SourceId("other"), .clinic = ClinicId("cli_1")}).taken_up, 0);
  EXPECT_EQ(house.retry({.source = kRupa, .clinic = ClinicId("cli_1")}).taken_up, 1);
  EXPECT_TRUE(house.uses_of(record).at(0).open);
}

}  // namespace
}  // namespace resultsync::sync
