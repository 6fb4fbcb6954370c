#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <limits>
#include <set>
#include <thread>

#include "api/feed_item.hpp"
#include "api/feed_page.hpp"
#include "api/test_house.hpp"
#include "sync/connections.hpp"

namespace resultsync::api {
namespace {

using namespace std::chrono_literals;

std::string item(std::size_t i, std::string_view member) {
  return "/items/" + std::to_string(i) + "/" + std::string(member);
}

// A folder of its own that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "resultsync-api-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(Feed, a_result_and_its_correction) {
  House house;
  EXPECT_EQ(
      house.call("PUT", "/v1/practitioners/anna", R"({"clinic_id":"cli_1","vendor_practitioner_id":"pra_7"})").status,
      201);
  house.receive({.id = "evt_1", .created_at = "2024-01-01T00:00:00Z", .result = "A"});
  house.receive({.id = "evt_3", .created_at = "2024-01-03T00:00:00Z", .result = "B"});
  house.receive({.id = "evt_2", .created_at = "2024-01-02T00:00:00Z", .result = "C"});
  const Json page(house.get("/v1/feed?practitioner=anna").body);
  ASSERT_EQ(page.size("/items"), 3U);

  EXPECT_EQ(page.text(item(0, "type")), "result");
  EXPECT_EQ(page.text(item(0, "event_id")), "evt_1");
  EXPECT_EQ(page.text(item(0, "source")), "rupa");
  EXPECT_EQ(page.at(item(0, "current")), "true");
  EXPECT_EQ(page.at(item(0, "backfill")), "false");
  EXPECT_EQ(page.at(item(0, "practitioner")), R"({"id":"anna","vendor_practitioner_id":"pra_7"})");
  EXPECT_EQ(page.text(item(0, "clinic_id")), "cli_1");
  EXPECT_EQ(page.text(item(0, "patient_id")), "pat_1");
  EXPECT_EQ(page.text(item(0, "order_id")), "ord_1");
  EXPECT_EQ(page.text(item(0, "order/attributes/status")), "In Progress");
  EXPECT_EQ(page.text(item(0, "ordered_test_id")), "ordts_1");
  EXPECT_EQ(page.text(item(0, "ordered_test/attributes/results_hl7")), "A");
  EXPECT_EQ(page.at(item(0, "result")),
            R"({"version":1,"current_version":1,"previous_version":null,"link":)"
            R"("/v1/results/ordts_1/versions/1?source=rupa&order=ord_1","reading":"not_hl7"})");
  EXPECT_EQ(page.at(item(0, "changes")), R"([{"member":"results_hl7","from":null,"to":"A"}])");
  EXPECT_EQ(page.text(item(0, "created_at")), "2024-01-01T00:00:00Z");
  EXPECT_NE(page.at(item(0, "received_at")), "absent");
  EXPECT_NE(page.at(item(0, "issued_at")), "absent");
  EXPECT_EQ(page.at(item(0, "unavailable")), "absent");

  EXPECT_EQ(page.at(item(1, "result")),
            R"({"version":2,"current_version":2,"previous_version":1,"link":)"
            R"("/v1/results/ordts_1/versions/2?source=rupa&order=ord_1","reading":"not_hl7"})");
  EXPECT_EQ(page.at(item(1, "changes")), R"([{"member":"results_hl7","from":"A","to":"B"}])");
  EXPECT_EQ(page.at(item(2, "current")), "false") << "S2: a late older event does not regress what is current";
  EXPECT_EQ(page.at(item(2, "result")),
            R"({"version":3,"current_version":2,"previous_version":1,"link":)"
            R"("/v1/results/ordts_1/versions/3?source=rupa&order=ord_1","reading":"not_hl7"})");
  EXPECT_EQ(page.text("/next"), page.text(item(2, "cursor")));
}

TEST(Feed, a_result_in_hl7_is_read_and_its_correction_told_analyte_by_analyte) {
  const auto hl7 = [](const std::string& potassium) {
    return "MSH|^~\\&|LAB|NORTH|APP|CLINIC|20240501120000-0500||ORU^R01^ORU_R01|1|P|2.5.1\r"
           "PID|1||PAT-1^^^NORTH^MR||Example^Ada||19800115|F\r"
           "OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000\r"
           "OBX|1|NM|2951-2^Sodium^LN||140|mmol/L|135-145|N|||F\r" +
           potassium + "\r";
  };
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .result = hl7("OBX|2|NM|2823-3^Potassium^LN||6.6|mmol/L|3.5-5.1|H|||F")});
  house.receive({.id = "evt_2",
                 .created_at = "2024-06-14T20:28:50Z",
                 .result = hl7("OBX|2|NM|2823-3^Potassium^LN||4.6|mmol/L|3.5-5.1|N|||C")});

  const Json page(house.get("/v1/feed?practitioner=anna").body);
  ASSERT_EQ(page.size("/items"), 2U);
  EXPECT_EQ(page.text(item(0, "result/reading")), "hl7");
  EXPECT_EQ(page.size(item(0, "result/reports/0/observations")), 2U);
  EXPECT_EQ(page.at(item(0, "result/account/obx_in")), "2");
  EXPECT_EQ(page.at(item(0, "result/account/observations")), "2");
  EXPECT_EQ(page.size(item(0, "result/diff/reports/0/diff/analytes")), 2U) << "at first everything is added";
  EXPECT_EQ(page.size(item(1, "result/diff/reports/0/diff/analytes")), 1U);
  EXPECT_EQ(page.at(item(1, "result/diff/reports/0/diff/analytes/0/changes/0")),
            R"({"kind":"value","before":"6.6","after":"4.6"})");

  house.receive({.id = "evt_3", .created_at = "2024-06-15T20:28:50Z", .result = "https://files.example.com/r"});
  house.receive({.id = "evt_4",
                 .created_at = "2024-06-16T20:28:50Z",
                 .result = hl7("OBX|2|NM|2823-3^Potassium^LN||4.5|mmol/L|3.5-5.1|N|||C")});
  const Json later(house.get("/v1/feed?practitioner=anna").body);
  ASSERT_EQ(later.size("/items"), 3U) << "what an address leads to is told once it is there";
  EXPECT_EQ(later.text(item(2, "event_id")), "evt_4");
  EXPECT_EQ(later.at(item(2, "result/diff/reports/0/diff/analytes/0/changes/0")),
            R"({"kind":"value","before":"4.6","after":"4.5"})");
}

TEST(Feed, what_a_partial_resend_leaves_out_stands_and_is_not_new_when_it_comes_back) {
  const auto hl7 = [](const std::string& lines) {
    return "MSH|^~\\&|LAB|NORTH|APP|CLINIC|20240501120000-0500||ORU^R01^ORU_R01|1|P|2.5.1\r"
           "OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000\r" +
           lines;
  };
  const std::string potassium = "OBX|2|NM|2823-3^Potassium^LN||6.6|mmol/L|||||F\r";
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .result = hl7("OBX|1|NM|2951-2^Sodium^LN||140|mmol/L|||||F\r" + potassium)});
  house.receive({.id = "evt_2", .created_at = "2024-06-15T00:00:00Z", .result = hl7(potassium)});
  house.receive({.id = "evt_3",
                 .created_at = "2024-06-16T00:00:00Z",
                 .result = hl7("OBX|1|NM|2951-2^Sodium^LN||141|mmol/L|||||C\r")});
  const auto expect_correction = [](const Json& json, const std::string& diff) {
    EXPECT_EQ(json.size(diff + "/analytes"), 1U);
    EXPECT_EQ(json.at(diff + "/analytes/0/changes/0"), R"({"kind":"value","before":"140","after":"141"})");
  };
  const Json page(house.get("/v1/feed?practitioner=anna").body);
  ASSERT_EQ(page.size("/items"), 3U);
  EXPECT_EQ(page.at(item(1, "result/diff/reports/0/not_sent_again")), R"(["Sodium"])");
  expect_correction(page, item(2, "result/diff/reports/0/diff"));
  expect_correction(Json(house.get("/v1/orders/ord_1?practitioner=anna").body), "/tests/0/result/diff/reports/0/diff");
}

TEST(Feed, an_order_without_results_is_told_as_an_order) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .created_at = "2024-01-01T00:00:00Z", .result = ""});
  house.receive({.id = "evt_2", .created_at = "2024-01-02T00:00:00Z", .result = "", .status = "Completed"});
  const Json page(house.get("/v1/feed?practitioner=anna").body);
  ASSERT_EQ(page.size("/items"), 2U);
  EXPECT_EQ(page.text(item(1, "type")), "order");
  EXPECT_EQ(page.at(item(1, "result")), "absent");
  EXPECT_EQ(page.at(item(1, "ordered_test_id")), "absent");
  EXPECT_EQ(page.at(item(1, "changes")), R"([{"member":"status","from":"In Progress","to":"Completed"}])");
}

TEST(Feed, large_values_stand_in_changes_by_their_digest) {
  House house;
  house.connect("anna");
  house.receive({.result = std::string(kShownValueBytesMax - 2, 'x')});  // with its quotes just at the limit
  house.receive(
      {.id = "evt_2", .order = "ord_2", .test = "ordts_2", .result = std::string(kShownValueBytesMax - 1, 'x')});
  const Json page(house.get("/v1/feed?practitioner=anna").body);
  EXPECT_EQ(page.text(item(0, "changes/0/to")).size(), kShownValueBytesMax - 2);
  EXPECT_EQ(page.at(item(1, "changes/0/to/bytes")), std::to_string(kShownValueBytesMax + 1));
  EXPECT_EQ(page.text(item(1, "changes/0/to/sha256")),
            sha256("\"" + std::string(kShownValueBytesMax - 1, 'x') + "\"").hex());
  EXPECT_EQ(page.text(item(1, "ordered_test/attributes/results_hl7")).size(), kShownValueBytesMax - 1);
}

TEST(Feed, resumes_exactly_where_a_cursor_stands) {
  House house;
  house.connect("anna");
  for (int i = 0; i < 5; ++i) house.receive({.id = "evt_" + std::to_string(i), .order = "ord_" + std::to_string(i)});
  const Json all(house.get("/v1/feed?practitioner=anna").body);
  ASSERT_EQ(all.size("/items"), 5U);
  for (std::size_t i = 0; i < 5; ++i) {
    const Json rest(house.get("/v1/feed?practitioner=anna&after=" + all.text(item(i, "cursor"))).body);
    ASSERT_EQ(rest.size("/items"), 4 - i);
    if (i < 4) EXPECT_EQ(rest.text(item(0, "event_id")), "evt_" + std::to_string(i + 1));
  }
  const Json end(house.get("/v1/feed?practitioner=anna&after=" + all.text("/next")).body);
  EXPECT_EQ(end.text("/next"), all.text("/next")) << "an empty page gives the same place";
  EXPECT_EQ(Json(house.get("/v1/feed?practitioner=anna&limit=2").body).text("/next"), all.text(item(1, "cursor")));
}

TEST(Feed, cursors_that_are_no_place_in_it_are_told_so) {
  House house;
  house.connect("anna");
  house.connect("ben");
  house.receive({});
  const std::string anna = Json(house.get("/v1/feed?practitioner=anna").body).text("/next");
  const std::string start = anna.substr(0, anna.rfind('.') + 1);
  const auto feed = [&](const std::string& after) { return house.get("/v1/feed?practitioner=anna&after=" + after); };
  EXPECT_EQ(feed(anna).status, 200);
  EXPECT_EQ(feed(start + "0").status, 200);
  EXPECT_EQ(code_of(feed(start + "2")), "cursor_gone") << "ahead of the last item";
  const auto foreign = house.get("/v1/feed?practitioner=ben&after=" + anna);
  EXPECT_EQ(foreign.status, 410);
  EXPECT_EQ(code_of(foreign), "cursor_gone");
  EXPECT_NE(Json(foreign.body).text("/restart"), "");
  std::string older = anna;
  older[3] = older[3] == '0' ? '1' : '0';
  EXPECT_EQ(code_of(feed(older)), "cursor_gone") << "of another epoch";
  for (const char* malformed : {"", "x", "f1", "p1.e.1", "f1.a.b.1"})
    EXPECT_EQ(code_of(feed(malformed)), "bad_cursor") << malformed;
}

TEST(Feed, refuses_what_it_cannot_take) {
  House house;
  house.connect("anna");
  const auto code = [&](const std::string& query) { return code_of(house.get("/v1/feed" + query)); };
  EXPECT_EQ(code(""), "bad_parameter");
  EXPECT_EQ(code("?practitioner="), "bad_parameter");
  EXPECT_EQ(code("?practitioner=nobody"), "unknown_practitioner");
  EXPECT_EQ(code("?practitioner=anna&limit=0"), "bad_parameter");
  EXPECT_EQ(code("?practitioner=anna&limit=1001"), "bad_parameter");
  EXPECT_EQ(code("?practitioner=anna&wait=61"), "bad_parameter");
  EXPECT_EQ(code("?practitioner=anna&practitioner=ben"), "bad_parameter");
  EXPECT_EQ(house.get("/v1/feed?practitioner=anna&limit=1000").status, 200);
}

TEST(Feed, a_long_poll_is_woken_by_news_of_its_practitioner) {
  House house;
  house.connect("anna");
  house.connect("ben", "cli_2");
  auto poll = std::async(std::launch::async, [&] { return house.get("/v1/feed?practitioner=anna&wait=30"); });
  ASSERT_EQ(poll.wait_for(200ms), std::future_status::timeout);
  house.receive({.id = "evt_1", .clinic = "cli_2", .practitioner = "pra_2"});
  EXPECT_EQ(poll.wait_for(200ms), std::future_status::timeout) << "another practitioner's news";
  house.receive({.id = "evt_2", .order = "ord_2"});
  ASSERT_EQ(poll.wait_for(5s), std::future_status::ready);
  EXPECT_EQ(Json(poll.get().body).text(item(0, "event_id")), "evt_2");
}

TEST(Feed, a_long_poll_ends_with_its_time) {
  House house;
  house.connect("anna");
  const auto started = std::chrono::steady_clock::now();
  const Json page(house.get("/v1/feed?practitioner=anna&wait=1").body);
  EXPECT_GE(std::chrono::steady_clock::now() - started, 1s);
  EXPECT_EQ(page.size("/items"), 0U);
  EXPECT_EQ(house.get("/v1/feed?practitioner=anna&after=" + page.text("/next")).status, 200);
}

TEST(Feed, a_long_poll_of_one_who_is_disconnected_ends) {
  House house;
  house.connect("anna");
  auto poll = std::async(std::launch::async, [&] { return house.get("/v1/feed?practitioner=anna&wait=30"); });
  ASSERT_EQ(poll.wait_for(200ms), std::future_status::timeout);
  EXPECT_EQ(house.call("DELETE", "/v1/practitioners/anna").status, 204);
  ASSERT_EQ(poll.wait_for(5s), std::future_status::ready);
  EXPECT_EQ(code_of(poll.get()), "unknown_practitioner");
}

TEST(Feed, a_long_poll_whose_key_was_revoked_is_shown_nothing_more) {
  House house;
  house.connect("anna");
  const Json key(house.call("POST", "/v1/keys", R"({"name":"reader","scopes":["read_results"]})").body);
  auto poll = std::async(std::launch::async, [&] {
    return house.call("GET", "/v1/feed?practitioner=anna&wait=30", {}, "Bearer " + key.text("/key"));
  });
  const auto patience = std::chrono::steady_clock::now() + 10s;
  while (!house.get("/metrics").body.contains("resultsync_api_feed_waiters 1\n")) {
    ASSERT_LT(std::chrono::steady_clock::now(), patience);
    std::this_thread::yield();
  }
  ASSERT_EQ(house.call("DELETE", "/v1/keys/" + key.text("/id")).status, 204);
  house.receive({.id = "evt_1"});
  ASSERT_EQ(poll.wait_for(5s), std::future_status::ready);
  const auto answer = poll.get();
  EXPECT_EQ(answer.status, 401) << "revoked before the item came: " << answer.body;
  EXPECT_EQ(code_of(answer), "unauthorized");
}

TEST(Feed, long_polls_are_bounded_hold_no_thread_and_end_with_the_service) {
  HouseOptions options;
  options.waiters_max = 20;
  options.workers = 1;
  House house(options);
  house.connect("anna");
  std::vector<std::future<http::ClientResponse>> polls;
  for (int i = 0; i < 20; ++i) {
    polls.push_back(std::async(std::launch::async, [&] { return house.get("/v1/feed?practitioner=anna&wait=30"); }));
  }
  const auto waiting = [&] {
    return house.get("/metrics").body.find("resultsync_api_feed_waiters 20\n") != std::string::npos;
  };
  const auto patience = std::chrono::steady_clock::now() + 10s;
  while (!waiting() && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  ASSERT_TRUE(waiting());
  EXPECT_EQ(house.get("/v1/status").status, 200) << "twenty wait, and the only worker is free";
  const auto refused = house.get("/v1/feed?practitioner=anna&wait=30");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(code_of(refused), "too_many_waiters");
  EXPECT_TRUE(refused.headers.only("Retry-After").has_value());
  house.api_->stop();
  for (auto& poll : polls) {
    ASSERT_EQ(poll.wait_for(5s), std::future_status::ready);
    const auto answer = poll.get();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(Json(answer.body).size("/items"), 0U);
  }
  EXPECT_EQ(Json(house.get("/v1/feed?practitioner=anna&wait=30").body).size("/items"), 0U) << "nobody waits any more";
}

// A log of which one record can no longer be read.
class LogWithAHole : public store::EventLog {
 public:
  explicit LogWithAHole(store::EventLog& log, Sequence hole) : log_(log), hole_(hole) {}
  void append(store::Record record, Committed committed) override {
    log_.append(std::move(record), std::move(committed));
  }
  [[nodiscard]] Result<std::vector<store::StoredRecord>> read(Sequence after, store::ReadLimits limits) const override {
    return log_.read(after, limits);
  }
  [[nodiscard]] Result<store::StoredRecord> at(Sequence sequence) const override {
    if (sequence == hole_) return fail("erased", "this record was erased");
    return log_.at(sequence);
  }
  [[nodiscard]] std::vector<store::StoredRecord> some_of(std::span<const Sequence>, std::size_t) const override {
    return {};
  }
  [[nodiscard]] Sequence end() const override { return log_.end(); }
  [[nodiscard]] std::string id() const override { return log_.id(); }
  void on_commit(std::function<void(Sequence)> listener) override { log_.on_commit(std::move(listener)); }

 private:
  store::EventLog& log_;
  Sequence hole_;
};

TEST(Feed, a_body_that_cannot_be_read_does_not_take_the_page_with_it) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .created_at = "2024-01-01T00:00:00Z", .result = "A"});
  house.receive({.id = "evt_2", .created_at = "2024-01-02T00:00:00Z", .result = "B"});
  LogWithAHole log(house.log_, Sequence{1});
  Api api({.views = *house.views_,
           .audit_log = *house.audit_log_,
           .log = log,
           .sync = house.sync_,
           .endpoints = house.endpoints_,
           .clock = house.clock_,
           .metrics = house.metrics_,
           .admin_key = Secret<std::string>(kTestKey),
           .sources = {SourceId("rupa")},
           .version = "1"});
  std::promise<std::string> body;
  http::Request request;
  request.method = "GET";
  request.target = "/v1/feed?practitioner=anna";
  request.headers.add("Authorization", std::string("Bearer ") + kTestKey);
  api.handle(std::move(request), http::Responder([&](http::Response response) { body.set_value(response.body); }));
  const Json page(body.get_future().get());
  ASSERT_EQ(page.size("/items"), 2U);
  EXPECT_EQ(page.text(item(0, "unavailable")), "erased");
  EXPECT_EQ(page.at(item(0, "order")), "null");
  EXPECT_EQ(page.at(item(0, "ordered_test")), "null");
  EXPECT_EQ(page.at(item(0, "patient_id")), "null");
  EXPECT_EQ(page.at(item(0, "result/version")), "1");
  EXPECT_EQ(page.at(item(1, "changes")), "null") << "there is nothing to compare with";
  EXPECT_EQ(page.text(item(1, "ordered_test/attributes/results_hl7")), "B");
}

// The document of an earlier event may come after the item was told: that item says what it said.
TEST(FeedItem, a_result_that_was_told_as_the_first_stays_the_first) {
  const OrderedTestId id("ordts_1");
  orders::OrderHistory history;
  history.tests.push_back({id, {}, {}});
  history.tests[0].points.push_back({{}, Sequence{1}, sha256("earlier, and known late"), true});
  history.tests[0].points.push_back({{}, Sequence{2}, sha256("told"), true});
  store::FeedRow row;
  row.entry.notice.kind = orders::Notice::Kind::kResult;
  row.entry.notice.test = id;
  row.entry.notice.record = Sequence{2};
  EXPECT_FALSE(stands_after_contents(row));
  EXPECT_TRUE(contents_before(row, &history).empty());
  row.entry.notice.previous = Sequence{1};
  EXPECT_TRUE(stands_after_contents(row));
  EXPECT_EQ(contents_before(row, &history), (std::vector<Sequence>{Sequence{1}}));
  row.entry.notice.kind = orders::Notice::Kind::kOrder;
  EXPECT_FALSE(stands_after_contents(row)) << "an order is compared with the record before it, and with no contents";
}

class LogThatIsAsked final : public LogWithAHole {
 public:
  explicit LogThatIsAsked(store::EventLog& log) : LogWithAHole(log, Sequence{}) {}
  [[nodiscard]] std::vector<store::StoredRecord> some_of(std::span<const Sequence> records,
                                                         std::size_t) const override {
    asked.assign(records.begin(), records.end());
    return {};
  }
  mutable std::vector<Sequence> asked;
};

TEST(FeedPage, asks_ahead_for_what_its_items_are_written_with_and_for_nothing_else) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .created_at = "2024-01-01T00:00:00Z", .result = "A"});
  house.receive({.id = "evt_2", .created_at = "2024-01-03T00:00:00Z", .result = "B"});
  house.receive({.id = "evt_3", .created_at = "2024-01-02T00:00:00Z", .result = "C"});  // late: not current
  const auto snapshot = house.views_->snapshot();
  const auto anna = snapshot->practitioner(AppPractitionerId("anna"), store::kEverything);
  ASSERT_TRUE(anna);
  const FeedPage page = FeedPage::load(*snapshot, *anna, 1, 10, store::kEverything);
  ASSERT_EQ(page.rows().size(), 2U);
  const LogThatIsAsked log(house.log_);
  using Records = std::vector<Sequence>;
  Bodies all(log);
  page.look_ahead(all);
  EXPECT_EQ(log.asked, (Records{Sequence{1}, Sequence{2}, Sequence{3}}));
  Bodies late(log);
  page.look_ahead(late, [](const store::FeedRow& row) { return !row.current; });
  EXPECT_EQ(log.asked, (Records{Sequence{1}, Sequence{3}}));
  Bodies none(log);
  page.look_ahead(none, [](const store::FeedRow&) { return false; });
  EXPECT_TRUE(log.asked.empty());
}

// An engine may read the rows of a page together, and then has to go on where too few of them are shown.
TEST(FeedRows, are_the_same_in_pages_of_any_size_where_some_are_not_shown) {
  House house;
  house.connect("anna", "cli_1");
  house.connect("anna", "cli_2");
  house.connect("ben", "cli_2");
  const auto is_shown = [](int i) { return i < 5 || (i > 20 && i % 3 != 0); };
  for (int i = 0; i < 40; ++i) {
    const std::string number = std::to_string(i);
    house.append(body_of({.id = "evt_" + number,
                          .order = "ord_" + number,
                          .test = "ordts_" + number,
                          .clinic = is_shown(i) ? "cli_1" : "cli_2"}));
  }
  house.step_all();
  ASSERT_EQ(house.call("DELETE", "/v1/practitioners/anna?clinic_id=cli_2").status, 204);
  const auto snapshot = house.views_->snapshot();
  const auto anna = snapshot->practitioner(AppPractitionerId("anna"), store::kEverything);
  ASSERT_TRUE(anna);
  ASSERT_EQ(anna->last_position, 40);
  std::vector<std::int64_t> shown;
  for (int i = 0; i < 40; ++i) {
    if (is_shown(i)) shown.push_back(i + 1);
  }
  for (std::int64_t after = 0; after <= 41; ++after) {
    const auto rest = std::ranges::upper_bound(shown, after);
    for (std::size_t limit = 0; limit <= 41; ++limit) {
      const auto count = std::min(limit, static_cast<std::size_t>(shown.end() - rest));
      std::vector<std::int64_t> positions;
      for (const store::FeedRow& row : snapshot->feed(anna->key, after, limit, store::kEverything)) {
        positions.push_back(row.position);
        EXPECT_EQ(row.order.text(), "ord_" + std::to_string(row.position - 1));
        EXPECT_EQ(row.connection.clinic.text(), "cli_1");
      }
      ASSERT_EQ(positions, std::vector(rest, rest + static_cast<std::ptrdiff_t>(count)))
          << "after " << after << ", at most " << limit;
    }
  }
  EXPECT_TRUE(snapshot->feed(anna->key, std::numeric_limits<std::int64_t>::max(), 10, store::kEverything).empty());
  ASSERT_TRUE(snapshot->status()) << snapshot->status().error().text();
}

TEST(Feed, ten_thousand_items_in_pages) {
  House house;
  house.connect("anna");
  for (int i = 0; i < 10'000; ++i)
    house.append(body_of({.id = "evt_" + std::to_string(i), .order = "ord_" + std::to_string(i)}));
  house.step_all();
  std::string after;
  int seen = 0;
  while (true) {
    const Json page(house.get("/v1/feed?practitioner=anna&limit=1000" + after).body);
    const std::size_t size = page.size("/items");
    if (size == 0) break;
    simdjson::dom::array items = page.root()["items"];
    for (const auto one : items) ASSERT_EQ(std::string_view(one["event_id"]), "evt_" + std::to_string(seen++));
    after = "&after=" + page.text("/next");
  }
  EXPECT_EQ(seen, 10'000);
}

// D5, on SQLite files: readers go from cursor to cursor with long polls while events are synced and practitioners are
// connected. Each sees every item once, and the same order as one who reads it all at the end.
TEST(Feed, readers_see_every_item_once_and_in_order_beside_writers) {
  const Folder folder;
  HouseOptions options;
  options.directory = folder.path();
  House house(options);
  constexpr int kEvents = 300;
  const std::vector<std::string> names{"p0", "p1", "p2", "p3"};
  for (int i = 0; i < 20; ++i) {
    house.append(body_of({.id = "early_" + std::to_string(i),
                          .order = "ord_e" + std::to_string(i),
                          .clinic = "cli_" + std::to_string(i % 2)}));
  }
  house.step_all();
  for (const auto& name : names) house.call("PUT", "/v1/practitioners/" + name, R"({"clinic_id":"cli_0"})");
  house.sync_.start([](const Error& error) { ADD_FAILURE() << error.text(); });

  std::atomic<bool> writing{true};
  const auto read_on = [&](const std::string& name) {
    std::vector<std::string> cursors;
    std::string after;
    while (true) {
      const bool last_round = !writing;
      const auto answer =
          house.get("/v1/feed?practitioner=" + name + "&limit=7&wait=" + (last_round ? "0" : "1") + after);
      EXPECT_EQ(answer.status, 200) << answer.body;
      if (answer.status != 200) return cursors;
      const Json page(answer.body);
      for (std::size_t i = 0; i < page.size("/items"); ++i) cursors.push_back(page.text(item(i, "cursor")));
      if (last_round && page.size("/items") == 0) return cursors;
      after = "&after=" + page.text("/next");
    }
  };
  std::vector<std::future<std::vector<std::string>>> readers;
  for (const auto& name : names) readers.push_back(std::async(std::launch::async, read_on, name));

  auto connecting = std::async(std::launch::async, [&] {
    for (const auto& name : names) house.call("PUT", "/v1/practitioners/" + name, R"({"clinic_id":"cli_1"})");
  });
  for (int i = 0; i < kEvents; ++i) {
    house.append(body_of({.id = "evt_" + std::to_string(i),
                          .order = "ord_" + std::to_string(i % 50),
                          .result = std::to_string(i),
                          .clinic = "cli_" + std::to_string(i % 2),
                          .practitioner = "pra_" + std::to_string(i % 2)}));
    house.sync_.wake();
    if (i % 10 == 0) std::this_thread::yield();
  }
  connecting.get();
  const auto patience = std::chrono::steady_clock::now() + 60s;
  const auto settled = [&] {
    const auto snapshot = house.views_->snapshot();
    return house.sync_.applied() == house.log_.end() && snapshot->unfinished_backfills().empty();
  };
  while (!settled() && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
  ASSERT_TRUE(settled());
  writing = false;

  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto seen = readers[i].get();
    const Json all(house.get("/v1/feed?practitioner=" + names[i] + "&limit=1000").body);
    ASSERT_EQ(seen.size(), all.size("/items")) << names[i];
    std::multiset<std::string> of_first_clinic;
    for (std::size_t k = 0; k < seen.size(); ++k) {
      ASSERT_EQ(seen[k], all.text(item(k, "cursor"))) << names[i] << " item " << k;
      if (all.text(item(k, "clinic_id")) == "cli_0") of_first_clinic.insert(all.text(item(k, "event_id")));
    }
    // Connected to it before the first of them: all came live, or with the backfill of the ten that were there.
    EXPECT_EQ(of_first_clinic.size(), kEvents / 2 + 10U) << names[i];
    EXPECT_EQ(of_first_clinic.size(), std::set<std::string>(of_first_clinic.begin(), of_first_clinic.end()).size())
        << "each once";
  }
}

}  // namespace
}  // namespace resultsync::api
