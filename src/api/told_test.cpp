#include "api/told.hpp"

#include <gtest/gtest.h>

#include "api/test_house.hpp"
#include "api/webhook_items.hpp"
#include "store/document_bytes.hpp"

namespace resultsync::api {
namespace {

using State = orders::LinkedDocument::State;

constexpr const char* kHl7 =
    "MSH|^~\\&|APP|LAB|||20260101080000+0000||ORU^R01|1|P|2.5.1\rPID|1||M1^^^H^MR||Doe^Jo\r"
    "OBR|1|P1|F1|24323-8^Panel^LN|||20260101070000+0000|||||||||||||||20260101090000+0000|||F\r"
    "OBX|1|NM|718-7^Hemoglobin^LN||14|g/dL|13-17||||F\r";
constexpr const char* kMissing = "document:missing";

// A result by link, told without its document; then the document comes.
class Told : public ::testing::Test {
 protected:
  void SetUp() override {
    house_.connect("anna");
    house_.receive({.id = "evt_1", .test = "t1", .result = "https://lab.example/secret?sig=1"});
    record_ = house_.log_.end();
  }
  // What the fetcher does when a link was answered, or not within the limit.
  void settle(State state) {
    const auto transaction = house_.views_->begin();
    for (store::DocumentUse use : transaction->read().network().uses_of(record_)) {
      use.state = state;
      use.open = state == State::kMissing;
      use.reason = state == State::kMissing ? "timeout" : "";
      if (state == State::kFetched) {
        use.document = sha256(kHl7);
        transaction->network().add_document({use.document, "application/hl7-v2", 1, use.source, house_.clock_.now(),
                                             store::seal_document(house_.vault_, kHl7)});
      }
      transaction->network().save_use(use);
    }
    ASSERT_TRUE(sync::documents_settled(*transaction, house_.log_, record_, {}, house_.clock_.now()));
    ASSERT_TRUE(transaction->commit());
  }
  [[nodiscard]] Json get(const std::string& target) const { return Json(house_.get(target).body); }
  static void expect_without(const Json& json, const std::string& at) {
    EXPECT_EQ(json.at(at + "/documents_missing"), R"([{"member":"results_hl7","reason":"timeout"}])");
    EXPECT_EQ(json.text(at + "/ordered_test/attributes/results_hl7"), kMissing);
  }
  static void expect_whole(const Json& json, const std::string& at) {
    EXPECT_EQ(json.at(at + "/documents_missing"), "absent");
    EXPECT_EQ(json.text(at + "/ordered_test/attributes/results_hl7"), kHl7);
  }

  House house_{{.by_link = true}};
  Sequence record_;
};

TEST_F(Told, a_result_without_its_document_says_so_and_why) {
  settle(State::kMissing);
  const std::string feed = house_.get("/v1/feed?practitioner=anna").body;
  EXPECT_FALSE(feed.contains("lab.example")) << "P4";
  expect_without(Json(feed), "/items/1");
  expect_without(get("/v1/orders/ord_1"), "/tests/0");
  expect_without(get("/v1/results/t1"), "/result");
  expect_without(get("/v1/results/t1/versions/1"), "");
}

TEST_F(Told, an_old_item_is_shown_as_it_was_told_also_after_the_document_came) {
  settle(State::kMissing);
  const std::string before = house_.get("/v1/feed?practitioner=anna&limit=2").body;
  settle(State::kFetched);
  EXPECT_EQ(house_.get("/v1/feed?practitioner=anna&limit=2").body, before) << "byte for byte";

  const Json feed = get("/v1/feed?practitioner=anna");
  ASSERT_EQ(feed.size("/items"), 3U) << "the order, the result without its document, the result";
  expect_without(feed, "/items/1");
  expect_whole(feed, "/items/2");
  EXPECT_EQ(feed.at("/items/2/result/version"), "2");
  EXPECT_EQ(feed.text("/items/2/result/reading"), "hl7");

  expect_whole(get("/v1/orders/ord_1"), "/tests/0");
  expect_whole(get("/v1/results/t1"), "/result");
  EXPECT_EQ(get("/v1/results/t1").size("/versions"), 2U);
  expect_without(get("/v1/results/t1/versions/1"), "");
  EXPECT_EQ(get("/v1/results/t1/versions/1").text("/status"), "unknown");
  expect_whole(get("/v1/results/t1/versions/2"), "");
}

TEST_F(Told, a_webhook_that_goes_out_late_carries_the_result_as_it_was_told) {
  settle(State::kMissing);
  settle(State::kFetched);
  std::vector<store::FeedRow> rows;
  {
    const auto snapshot = house_.views_->snapshot();
    const auto anna = snapshot->practitioner(AppPractitionerId("anna"), store::kEverything);
    rows = snapshot->feed(anna->key, 0, 10, store::kEverything);
  }
  WebhookItems items(*house_.views_, house_.readable_);
  expect_without(Json(items.full(rows.at(1))), "");
  EXPECT_EQ(items.statuses(rows.at(1)), std::vector<std::string>{"unknown"});
  expect_whole(Json(items.full(rows.at(2))), "");
  EXPECT_EQ(items.statuses(rows.at(2)), std::vector<std::string>{"final"});
}

TEST_F(Told, what_changed_against_a_version_without_its_document_is_told_from_what_was_told) {
  settle(State::kMissing);
  house_.receive({.id = "evt_2", .created_at = "2024-06-14T00:00:00Z", .test = "t1", .result = "text"});
  settle(State::kFetched);
  const std::string item = get("/v1/feed?practitioner=anna").at("/items/2/changes");
  EXPECT_TRUE(item.contains(kMissing)) << item;
}

TEST(ToldBody, only_what_is_named_is_replaced) {
  const auto body = std::make_shared<Body>(
      Body{R"({"included":[{"id":"t1","type":"ordered_test","attributes":{"results_hl7":"A","results_pdf":"B"}},)"
           R"({"id":"t2","type":"ordered_test","attributes":{"results_hl7":"https://x.example/a"}}]})",
           {}});
  EXPECT_EQ(body_as_told(body, {{OrderedTestId("t1"), 1, "results_pdf", "timeout"}})->bytes,
            R"({"included":[{"id":"t1","type":"ordered_test","attributes":{"results_hl7":"A",)"
            R"("results_pdf":"document:missing"}},)"
            R"({"id":"t2","type":"ordered_test","attributes":{"results_hl7":"https://x.example/a"}}]})");
  EXPECT_EQ(body_as_told(body, {}), body) << "nothing is copied where nothing is missing";
  const auto erased = std::make_shared<Body>(Body{"", "erased"});
  EXPECT_EQ(body_as_told(erased, {{OrderedTestId("t1"), 1, "results_pdf", "timeout"}}), erased);
}

}  // namespace
}  // namespace resultsync::api
