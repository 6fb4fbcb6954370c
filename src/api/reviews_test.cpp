// Signatures and critical results, from the network's event to the webhook.
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>

#include "api/access_world.hpp"
#include "api/test_house.hpp"
#include "base/encoding.hpp"
#include "runtime/file.hpp"
#include "runtime/random.hpp"
#include "store/audit.hpp"
#include "store/reviews.hpp"
#include "store/unavailable.hpp"
#include "sync/critical.hpp"

namespace resultsync::api {
namespace {

using namespace std::chrono_literals;

// A lab's message with one report of potassium (and sodium), each as value, flag and status.
std::string lab(const std::string& potassium, const std::string& flag, const std::string& status = "F",
                const std::string& more = "", const std::string& day = "20260101") {
  std::string text = "MSH|^~\\&|APP|LAB|||" + day + "080000+0000||ORU^R01|" + day +
                     "|P|2.5.1\rPID|1||M1^^^H^MR||Doe^Jo\rOBR|1|P1|F1|24323-8^Panel^LN|||" + day +
                     "070000+0000|||||||||||||||" + day + "090000+0000|||" + status + "\r";
  if (!potassium.empty())
    text += "OBX|1|NM|2823-3^Potassium^LN||" + potassium + "|mmol/L|3.5-5.1|" + flag + "|||" + status + "\r";
  return text + more;
}
const std::string kSodium = "OBX|2|NM|2951-2^Sodium^LN||140|mmol/L|135-145|N|||F\r";

std::string by(const std::string& practitioner, const std::string& more = "") {
  return R"({"practitioner":")" + practitioner + '"' + more + '}';
}

class Reviews : public ::testing::Test {
 protected:
  Reviews() {
    house_.connect("anna");
    house_.connect("amy");
    house_.connect("ben", "cli_2");
  }
  void receive(const std::string& id, const std::string& result, const std::string& created_at,
               const std::string& test = "t1", const std::string& order = "ord_1",
               const std::string& clinic = "cli_1") {
    house_.receive(
        {.id = id, .created_at = created_at, .order = order, .test = test, .result = result, .clinic = clinic});
  }
  [[nodiscard]] http::ClientResponse sign(int version, const std::string& body, const std::string& test = "t1") const {
    return house_.call("POST", "/v1/results/" + test + "/versions/" + std::to_string(version) + "/reviews", body);
  }
  [[nodiscard]] http::ClientResponse acknowledge(int version, const std::string& body) const {
    return house_.call("POST", "/v1/results/t1/versions/" + std::to_string(version) + "/acknowledge", body);
  }
  [[nodiscard]] std::string state(const std::string& test = "t1") const {
    return Json(house_.get("/v1/results/" + test).body).text("/review/state");
  }
  // "1 open, 2 acknowledged": every case, oldest first.
  [[nodiscard]] std::string cases() const {
    const Json page(house_.get("/v1/critical?state=any").body);
    std::string text;
    for (std::size_t i = 0; i < page.size("/items"); ++i) {
      const std::string item = "/items/" + std::to_string(i);
      text += (text.empty() ? "" : ", ") + page.at(item + "/version") + " " + page.text(item + "/state");
    }
    return text;
  }
  House house_;
};

TEST_F(Reviews, a_signature_counts_until_something_else_is_current) {
  receive("e1", lab("5.0", "N", "P"), "2024-06-13T00:00:00Z");
  EXPECT_EQ(state(), "unreviewed");
  const auto answer = sign(1, by("anna", R"(,"action":"follow_up","note":"call\nher")"));
  ASSERT_EQ(answer.status, 201) << answer.body;
  const Json signed_now(answer.body);
  EXPECT_EQ(signed_now.text("/state"), "reviewed");
  EXPECT_EQ(signed_now.text("/review/note"), "call\nher");
  EXPECT_EQ(signed_now.text("/review/signed_with"), "admin");
  EXPECT_EQ(state(), "reviewed");

  receive("e2", lab("5.0", "N", "P"), "2024-06-14T00:00:00Z");  // equal content: nothing is new
  EXPECT_EQ(state(), "reviewed");
  receive("e3", lab("4.0", "N", "F"), "2024-06-15T00:00:00Z");
  EXPECT_EQ(state(), "changed");
  const Json now(house_.get("/v1/results/t1").body);
  EXPECT_EQ(now.at("/review/last/version"), "1");
  EXPECT_EQ(now.text("/review/last/action"), "follow_up");
  EXPECT_EQ(now.text("/versions/0/last_review/practitioner"), "anna");
  EXPECT_EQ(now.at("/versions/1/last_review"), "null");
  EXPECT_EQ(Json(house_.get("/v1/orders/ord_1").body).text("/tests/0/review/state"), "changed");

  ASSERT_EQ(sign(2, by("amy")).status, 201);
  EXPECT_EQ(state(), "reviewed");
  // An older event that comes late changes what is known of the past, and not what is current.
  receive("e0", lab("3.9", "N", "P"), "2024-06-12T00:00:00Z");
  EXPECT_EQ(state(), "reviewed");
  // Back to what version 1 said: it was signed, but then something else was.
  receive("e4", lab("5.0", "N", "P"), "2024-06-16T00:00:00Z");
  EXPECT_EQ(state(), "changed");

  const Json history(house_.get("/v1/results/t1/reviews").body);
  ASSERT_EQ(history.size("/items"), 2U);
  EXPECT_EQ(history.text("/state"), "changed");
  EXPECT_EQ(history.text("/items/0/practitioner"), "amy");
  EXPECT_EQ(history.text("/items/1/note"), "call\nher");
  const Json first(house_.get("/v1/results/t1/reviews?limit=1").body);
  const Json second(house_.get("/v1/results/t1/reviews?limit=1&after=" + first.text("/next")).body);
  EXPECT_EQ(second.text("/items/0/practitioner"), "anna");
  EXPECT_EQ(second.at("/next"), "null");
  EXPECT_EQ(code_of(house_.get("/v1/results/t1/reviews?after=p1.c.1")), "bad_cursor");
}

TEST_F(Reviews, an_outdated_version_is_signed_only_if_that_is_meant) {
  receive("e1", "A", "2024-06-13T00:00:00Z");
  receive("e2", "B", "2024-06-14T00:00:00Z");
  const auto refused = sign(1, by("anna"));
  EXPECT_EQ(refused.status, 409);
  EXPECT_EQ(code_of(refused), "outdated_version");
  EXPECT_EQ(Json(house_.get("/v1/results/t1/reviews").body).size("/items"), 0U);
  const auto meant = sign(1, by("anna", R"(,"allow_outdated":true)"));
  ASSERT_EQ(meant.status, 201) << meant.body;
  EXPECT_EQ(Json(meant.body).at("/review/was_current"), "false");
  EXPECT_EQ(state(), "unreviewed");
  EXPECT_EQ(sign(2, by("anna", R"(,"allow_outdated":true)")).status, 201);
  EXPECT_EQ(state(), "reviewed");
  ASSERT_EQ(sign(2, by("amy", R"(,"action":"reopened","note":"wrong button")")).status, 201);
  EXPECT_EQ(state(), "unreviewed");
}

TEST_F(Reviews, only_what_the_practitioner_sees_can_be_signed) {
  receive("e1", "A", "2024-06-13T00:00:00Z");
  EXPECT_EQ(code_of(sign(1, by("ben"))), "unknown_result");
  EXPECT_EQ(code_of(sign(1, by("nobody"))), "unknown_practitioner");
  EXPECT_EQ(code_of(sign(1, by("anna"), "t9")), "unknown_result");
  EXPECT_EQ(code_of(sign(2, by("anna"))), "unknown_version");
  EXPECT_EQ(house_.call("DELETE", "/v1/practitioners/anna").status, 204);
  EXPECT_EQ(code_of(sign(1, by("anna"))), "unknown_practitioner");
  EXPECT_EQ(sign(1, by("amy")).status, 201);
  EXPECT_EQ(Json(house_.get("/v1/results/t1/reviews").body).size("/items"), 1U);
}

TEST_F(Reviews, what_cannot_be_taken_is_told_member_by_member) {
  receive("e1", "A", "2024-06-13T00:00:00Z");
  for (const std::string& wrong :
       {std::string("{}"), std::string(""), by("anna", R"(,"action":"approved")"), by("anna", R"(,"note":7)"),
        by("anna", R"(,"note":"a\u0007")"), by("anna", R"(,"note":")" + std::string(4'001, 'x') + '"'),
        by("anna", R"(,"allow_outdated":"yes")"), by("anna", R"(,"version":1)"), by("anna", R"(,"practitioner":"ben")"),
        by(std::string(256, 'a'))}) {
    EXPECT_EQ(code_of(sign(1, wrong)), "invalid_members") << wrong;
  }
  EXPECT_EQ(code_of(sign(1, "[]")), "bad_json");
  EXPECT_EQ(code_of(sign(1, by("anna", R"(,"note":")" + std::string(70'000, 'x') + '"'))), "body_too_large");
  for (const char* version : {"0", "01", "-1", "x", "99999999999"}) {
    EXPECT_EQ(code_of(house_.call("POST", std::string("/v1/results/t1/versions/") + version + "/reviews", by("anna"))),
              "unknown_version");
  }
  // At the limit; and a note without a word is none.
  EXPECT_EQ(sign(1, by("anna", R"(,"note":")" + std::string(4'000, 'x') + '"')).status, 201);
  const auto blank = sign(1, by("anna", R"(,"note":" \n")"));
  EXPECT_EQ(Json(blank.body).at("/review/note"), "null");
}

TEST_F(Reviews, the_worklist_is_what_is_left_to_sign) {
  for (const char* n : {"1", "2", "3"})
    receive(std::string("e") + n, std::string("A") + n, "2024-06-13T00:00:00Z", std::string("t") + n,
            std::string("ord_") + n);
  receive("e4", "A4", "2024-06-13T00:00:00Z", "t4", "ord_4", "cli_2");
  ASSERT_EQ(sign(1, by("amy"), "t2").status, 201);
  const auto list = [&](const std::string& query) {
    const Json page(house_.get("/v1/results?" + query).body);
    std::string tests;
    for (std::size_t i = 0; i < page.size("/items"); ++i)
      tests += page.text("/items/" + std::to_string(i) + "/ordered_test_id");
    return tests;
  };
  EXPECT_EQ(list("reviewed=no"), "t1t3t4");
  EXPECT_EQ(list("reviewed=yes"), "t2");
  // Whoever of the clinic has signed it: it is done for all of them.
  EXPECT_EQ(list("reviewed=no&practitioner=anna"), "t1t3");
  EXPECT_EQ(list("reviewed=no&practitioner=ben"), "t4");
  EXPECT_EQ(list("reviewed=no&order=ord_2"), "");
  const Json first(house_.get("/v1/results?reviewed=no&limit=2").body);
  const Json second(house_.get("/v1/results?reviewed=no&limit=2&after=" + first.text("/next")).body);
  EXPECT_EQ(second.text("/items/0/ordered_test_id"), "t4");
  EXPECT_EQ(second.at("/next"), "null");
  EXPECT_EQ(code_of(house_.get("/v1/results?reviewed=maybe")), "bad_parameter");
}

TEST_F(Reviews, a_list_says_of_each_result_what_was_said_last_of_it) {
  constexpr std::size_t kResults = 70;  // more than are asked for with one question
  for (std::size_t i = 0; i < kResults; ++i) {
    const std::string n = std::to_string(i);
    receive("e" + n, i == 2 ? lab("6.9", "HH") : lab("4.0", "N"), "2024-06-13T00:00:00Z", "t" + n, "ord_" + n);
  }
  ASSERT_EQ(sign(1, by("anna"), "t0").status, 201);
  ASSERT_EQ(sign(1, by("amy"), "t0").status, 201);
  ASSERT_EQ(sign(1, by("anna"), "t69").status, 201);
  const Json page(house_.get("/v1/results?limit=100").body);
  ASSERT_EQ(page.size("/items"), kResults);
  for (std::size_t i = 0; i < kResults; ++i) {
    const std::string item = "/items/" + std::to_string(i);
    const std::string test = page.text(item + "/ordered_test_id");
    if (test == "t0" || test == "t69")
      EXPECT_EQ(page.text(item + "/review/last/practitioner"), test == "t0" ? "amy" : "anna");
    else
      EXPECT_EQ(page.at(item + "/review/last"), "null") << test;
    if (test == "t2")
      EXPECT_EQ(page.text(item + "/critical/state"), "open");
    else
      EXPECT_EQ(page.at(item + "/critical"), "null") << test;
  }
}

TEST_F(Reviews, each_is_on_record_and_its_note_nowhere) {
  receive("e1", lab("7.1", "HH"), "2024-06-13T00:00:00Z");
  ASSERT_EQ(acknowledge(1, by("anna", R"(,"note":"Zebedee fainted")")).status, 201);
  ASSERT_EQ(sign(1, by("anna", R"(,"action":"referred","note":"Zebedee to the ward")")).status, 201);
  bool signed_row = false;
  bool acknowledged_row = false;
  const auto snapshot = house_.views_->snapshot();
  for (const auto& row : house_.audit_log_->snapshot()->after(0, 1'000)) {
    EXPECT_EQ(store::canonical(row).find("Zebedee"), std::string::npos);
    const auto has = [&](const char* object) { return std::ranges::find(row.objects, object) != row.objects.end(); };
    if (row.outcome != "201" || !has("practitioner/anna") || !has("orders/ord_1")) continue;
    signed_row |= row.action == "POST /v1/results/{ordered_test}/versions/{version}/reviews" &&
                  has("action/referred") && has("results/t1") && has("versions/1");
    acknowledged_row |= row.action == "POST /v1/results/{ordered_test}/versions/{version}/acknowledge";
  }
  EXPECT_TRUE(signed_row);
  EXPECT_TRUE(acknowledged_row);
  for (const auto& row : snapshot->reviews().signatures(store::OrderKey{1}, OrderedTestId("t1"), {}, 10))
    EXPECT_EQ(row.note.find("Zebedee"), std::string::npos);
}

TEST_F(Reviews, a_write_that_is_sent_again_signs_once) {
  receive("e1", "A", "2024-06-13T00:00:00Z");
  http::ClientRequest request;
  request.method = "POST";
  request.url = "http://" + house_.server_->address() + "/v1/results/t1/versions/1/reviews";
  request.headers = {{"Authorization", std::string("Bearer ") + kTestKey}, {"Idempotency-Key", "r-1"}};
  request.body = by("anna");
  const auto first = http::send(request);
  const auto again = http::send(request);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(again->status, 201);
  EXPECT_EQ(again->body, first->body);
  EXPECT_EQ(Json(house_.get("/v1/results/t1/reviews").body).size("/items"), 1U);
  EXPECT_EQ(sign(1, by("anna")).status, 201);  // without a key each is a signature of its own
  EXPECT_EQ(Json(house_.get("/v1/results/t1/reviews").body).size("/items"), 2U);
}

TEST(ReviewsAccess, a_key_signs_in_the_name_of_those_it_reaches) {
  AccessWorld world;
  const std::string path = "/v1/results/ordts_1/versions/1/reviews";
  const auto as = [&](const std::string& key, const std::string& practitioner) {
    return world.house.call("POST", path, by(practitioner), world.bearer(key));
  };
  EXPECT_EQ(as("0000000000a1", "anna").status, 201);
  EXPECT_EQ(as("0000000000c1", "anna").status, 201);
  EXPECT_EQ(code_of(as("0000000000a1", "ben")), "unknown_practitioner");
  EXPECT_EQ(code_of(as("0000000000b1", "anna")), "unknown_practitioner");
  EXPECT_EQ(code_of(as("0000000000b1", "ben")), "unknown_result");
  // Reading is not signing.
  EXPECT_EQ(code_of(world.house.call("POST", path, by("anna"), world.scoped("read_results"))), "missing_scope");
}

// ---- critical results

TEST_F(Reviews, a_critical_version_waits_for_an_acknowledgement_of_its_clinic) {
  receive("e1", lab("5.2", "H"), "2024-06-13T00:00:00Z");
  EXPECT_EQ(cases(), "");
  EXPECT_EQ(code_of(acknowledge(1, by("anna"))), "not_critical");
  receive("e2", lab("7.1", "HH"), "2024-06-14T00:00:00Z");
  EXPECT_EQ(cases(), "2 open");
  const Json page(house_.get("/v1/critical?practitioner=anna").body);
  ASSERT_EQ(page.size("/items"), 1U);
  EXPECT_EQ(page.text("/items/0/ordered_test_id"), "t1");
  EXPECT_EQ(page.text("/items/0/clinic_id"), "cli_1");
  EXPECT_EQ(page.text("/items/0/url"), "/v1/results/t1/versions/2?source=rupa&order=ord_1");
  EXPECT_EQ(Json(house_.get("/v1/critical?practitioner=ben").body).size("/items"), 0U);
  EXPECT_EQ(Json(house_.get("/v1/results").body).text("/items/0/critical/state"), "open");

  EXPECT_EQ(code_of(acknowledge(2, by("ben"))), "unknown_result");
  EXPECT_EQ(code_of(acknowledge(9, by("anna"))), "unknown_version");
  const auto first = acknowledge(2, by("anna", R"(,"note":"called")"));
  ASSERT_EQ(first.status, 201) << first.body;
  EXPECT_EQ(cases(), "2 acknowledged");
  EXPECT_EQ(Json(house_.get("/v1/critical").body).size("/items"), 0U);
  // Twice by the same: as it was. By another of the clinic, or with something to add: kept too.
  EXPECT_EQ(acknowledge(2, by("anna")).status, 200);
  EXPECT_EQ(acknowledge(2, by("amy")).status, 200);
  const auto more = acknowledge(2, by("anna", R"(,"note":"and again")"));
  EXPECT_EQ(more.status, 200);
  const Json all(more.body);
  ASSERT_EQ(all.size("/acknowledgements"), 3U);
  EXPECT_EQ(all.text("/acknowledgements/0/note"), "called");
  EXPECT_EQ(all.text("/acknowledgements/1/practitioner"), "amy");
  EXPECT_EQ(state(), "unreviewed");  // to acknowledge is not to sign
  EXPECT_EQ(code_of(house_.get("/v1/critical?state=done")), "bad_parameter");
  EXPECT_EQ(code_of(house_.get("/v1/critical?after=p1.g.1")), "bad_cursor");
}

TEST_F(Reviews, whoever_signs_what_is_current_has_acknowledged_it) {
  receive("e1", lab("7.1", "HH"), "2024-06-13T00:00:00Z");
  ASSERT_EQ(sign(1, by("anna", R"(,"action":"reopened")")).status, 201);
  EXPECT_EQ(cases(), "1 open");
  ASSERT_EQ(sign(1, by("anna")).status, 201);
  EXPECT_EQ(cases(), "1 acknowledged");
  // The next critical version asks anew.
  receive("e2", lab("7.2", "HH"), "2024-06-14T00:00:00Z");
  EXPECT_EQ(cases(), "1 acknowledged, 2 open");
  ASSERT_EQ(sign(1, by("anna", R"(,"allow_outdated":true)")).status, 201);
  EXPECT_EQ(cases(), "1 acknowledged, 2 open");
}

// A watch with a clock of its own, and an endpoint that takes what it tells.
class Critical : public Reviews {
 protected:
  Critical() : time_(house_.clock_.now()) {}
  std::string endpoint(const std::string& more = "",
                       const std::string& authorization = std::string("Bearer ") + kTestKey) {
    const auto answer =
        house_.call("POST", "/v1/endpoints",
                    R"({"url":"http://127.0.0.1:18080/hook","types":["critical.*"])" + more + "}", authorization);
    EXPECT_EQ(answer.status, 201) << answer.body;
    return Json(answer.body).text("/id");
  }
  // Steps until nothing is left to do.
  void look(sync::CriticalWatch& watch) {
    for (int i = 0; i < 20; ++i) {
      const auto done = watch.step();
      ASSERT_TRUE(done.has_value()) << done.error().text();
      if (*done == 0) return;
    }
    FAIL() << "the watch finds no end";
  }
  void look() { look(watch_); }
  void later(std::chrono::microseconds by) { time_.set(Timestamp{time_.now().microseconds + by.count()}); }
  // What was told so far, oldest first: "critical.opened 1/0, critical.escalated 1/1": version and steps.
  std::string told(const std::string& endpoint) {
    const auto snapshot = house_.views_->snapshot();
    const auto row = snapshot->deliveries().endpoint(endpoint, {});
    if (!row) return "no endpoint";
    std::string text;
    auto views = snapshot->deliveries().deliveries(
        {.reach = {}, .endpoint = row->key, .state = {}, .order = {}, .practitioner = {}}, {}, 100);
    std::ranges::reverse(views);
    for (const auto& view : views) {
      const Json note(view.row.note);
      text += (text.empty() ? "" : ", ") + view.row.type + " " + note.at("/version") + "/" + note.at("/steps_told");
    }
    return text;
  }
  [[nodiscard]] std::string now_text() const { return format_timestamp(time_.now()); }

  runtime::ManualClock time_;
  sync::CriticalOptions options_{.escalate_after = {15min, 1h}};
  runtime::Metrics metrics_;
  sync::CriticalWatch watch_{*house_.views_, house_.log_, time_, metrics_, options_};
};

TEST_F(Critical, each_escalation_is_told_once_whoever_watches_and_however_often) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), now_text());
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0");
  later(14min);
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0");
  later(1min);
  sync::CriticalWatch other(*house_.views_, house_.log_, time_, metrics_, options_);
  look();
  look(other);
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1");
  EXPECT_EQ(Json(house_.get("/v1/critical").body).at("/items/0/steps_told"), "1");
  {
    sync::CriticalWatch restarted(*house_.views_, house_.log_, time_, metrics_, options_);
    look(restarted);
    later(45min);
    look(restarted);
  }
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1, critical.escalated 1/2");
  later(240h);
  look();
  EXPECT_EQ(Json(house_.get("/v1/critical").body).at("/items/0/next_step_at"), "null");
  EXPECT_NE(metrics_.exposition().find("resultsync_critical_open 1"), std::string::npos);
  // Late is better than never, and ends it.
  ASSERT_EQ(acknowledge(1, by("anna")).status, 201);
  look();
  EXPECT_EQ(told(hook),
            "critical.opened 1/0, critical.escalated 1/1, critical.escalated 1/2, critical.acknowledged 1/2");
}

TEST_F(Critical, a_long_absence_of_the_watch_skips_no_step) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), now_text());
  look();
  later(5h);
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1, critical.escalated 1/2");
}

TEST_F(Critical, what_is_acknowledged_in_time_is_not_escalated) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), now_text());
  look();
  ASSERT_EQ(acknowledge(1, by("amy")).status, 201);
  later(24h);
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.acknowledged 1/0");
}

TEST_F(Critical, a_newer_critical_version_takes_over_what_the_older_one_has_waited) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH", "P"), "2024-06-13T00:00:00Z");
  options_.escalate_younger_than = 24h * 36'500;
  sync::CriticalWatch watch(*house_.views_, house_.log_, time_, metrics_, options_);
  look(watch);
  later(15min);
  look(watch);
  receive("e2", lab("7.0", "HH", "F"), "2024-06-14T00:00:00Z");
  EXPECT_EQ(cases(), "1 superseded, 2 open");
  EXPECT_EQ(code_of(acknowledge(1, by("anna"))), "outdated_version");
  look(watch);
  later(45min);
  look(watch);
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1, critical.opened 2/1, critical.escalated 2/2");
}

TEST_F(Critical, a_correction_that_takes_it_back_ends_it_and_what_stands_stays) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH", "F", kSodium), now_text());
  look();
  // Sodium alone is sent again: nothing is said of potassium.
  later(1s);
  receive("e2", lab("", "", "C", "OBX|2|NM|2951-2^Sodium^LN||141|mmol/L|135-145|N|||C\r", "20260102"), now_text());
  look();
  EXPECT_EQ(cases(), "1 open");
  later(1s);
  receive("e3", lab("4.1", "N", "C", "", "20260103"), now_text());
  look();
  EXPECT_EQ(cases(), "1 no_longer_critical");
  EXPECT_EQ(code_of(acknowledge(1, by("anna"))), "not_critical");
  later(24h);
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.closed 1/0");
}

TEST_F(Critical, an_older_part_that_comes_late_is_critical_if_it_still_stands) {
  const std::string hook = endpoint();
  receive("e2", lab("", "", "F", kSodium, "20260102"), "2024-06-14T00:00:00Z");
  look();
  receive("e1", lab("7.1", "HH"), "2024-06-13T00:00:00Z");
  EXPECT_EQ(cases(), "2 open");
  look();
  EXPECT_EQ(cases(), "2 open");
  // And not if what came after it says otherwise.
  receive("f2", lab("4.1", "N", "C", "", "20260102"), "2024-06-14T00:00:00Z", "t2", "ord_2");
  receive("f1", lab("7.1", "HH"), "2024-06-13T00:00:00Z", "t2", "ord_2");
  look();
  EXPECT_EQ(cases(), "2 open, 2 no_longer_critical");
}

TEST_F(Critical, a_withdrawn_result_needs_nobody_and_neither_does_one_entered_in_error) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), now_text());
  look();
  later(1s);
  receive("e2", "", now_text());
  EXPECT_EQ(cases(), "1 withdrawn");
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.closed 1/0");
  receive("f1", lab("7.1", "HH", "W"), now_text(), "t2", "ord_2");
  EXPECT_EQ(cases(), "1 withdrawn");
  // Given back, it asks again.
  later(1s);
  receive("e3", lab("7.1", "HH"), now_text());
  EXPECT_EQ(cases(), "1 withdrawn, 1 open");
}

TEST_F(Critical, its_clock_runs_while_somebody_can_see_it) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), now_text(), "t1", "ord_1", "cli_9");
  look();
  later(3h);
  look();
  EXPECT_EQ(told(hook), "");
  EXPECT_EQ(cases(), "1 open");  // who sees everything sees it
  house_.connect("zoe", "cli_9");
  look();
  later(15min);
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1");
  EXPECT_EQ(house_.call("DELETE", "/v1/practitioners/zoe").status, 204);
  later(3h);
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1");
  EXPECT_EQ(Json(house_.get("/v1/critical").body).at("/items/0/seen_since"), "null");
  house_.connect("zed", "cli_9");
  look();
  later(1h);
  look();
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1, critical.escalated 1/2");
}

TEST_F(Critical, old_news_are_listed_and_alarm_nobody) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), "2024-06-13T00:00:00Z");
  look();
  later(24h);
  look();
  EXPECT_EQ(cases(), "1 open");
  ASSERT_EQ(acknowledge(1, by("anna")).status, 201);
  look();
  EXPECT_EQ(told(hook), "");
}

TEST_F(Critical, is_told_to_whoever_may_see_it) {
  const std::string everybody = endpoint();
  const std::string bens = endpoint(R"(,"practitioners":["ben"])");
  const std::string annas = endpoint(R"(,"practitioners":["anna"])");
  const std::string other_clinic = endpoint(R"(,"clinics":["cli_2"])");
  const auto results_only =
      house_.call("POST", "/v1/endpoints", R"({"url":"http://127.0.0.1:18080/hook","types":["order"]})");
  receive("e1", lab("7.1", "HH"), now_text());
  look();
  EXPECT_EQ(told(everybody), "critical.opened 1/0");
  EXPECT_EQ(told(annas), "critical.opened 1/0");
  EXPECT_EQ(told(bens), "");
  EXPECT_EQ(told(other_clinic), "");
  EXPECT_EQ(told(Json(results_only.body).text("/id")), "");

  // Visibility is asked again before it is sent (D1).
  EXPECT_EQ(house_.call("DELETE", "/v1/practitioners/anna").status, 204);
  const auto transaction = house_.views_->begin();
  auto& deliveries = transaction->deliveries();
  const Timestamp now = house_.clock_.now();
  const Timestamp lease{now.microseconds + 60'000'000};
  EXPECT_EQ(deliveries.claim(*deliveries.read().endpoint(annas, {}), now, lease, 10).size(), 0U);
  EXPECT_EQ(deliveries.claim(*deliveries.read().endpoint(everybody, {}), now, lease, 10).size(), 1U);
  const auto row = deliveries.read().endpoint(annas, {});
  const auto skipped = deliveries.read().deliveries(
      {.reach = {}, .endpoint = row->key, .state = store::DeliveryState::kSkipped, .order = {}, .practitioner = {}}, {},
      10);
  ASSERT_EQ(skipped.size(), 1U);
  EXPECT_EQ(skipped[0].row.reason, "not_visible");
}

TEST_F(Critical, what_is_told_names_ids_and_nothing_of_the_patient) {
  const std::string hook = endpoint();
  receive("e1", lab("77777.1", "HH"), now_text());  // as no time is written
  look();
  const auto snapshot = house_.views_->snapshot();
  const auto views = snapshot->deliveries().deliveries(
      {.reach = {}, .endpoint = {}, .state = {}, .order = {}, .practitioner = {}}, {}, 10);
  ASSERT_EQ(views.size(), 1U);
  EXPECT_EQ(views[0].order_id, "ord_1");
  const Json note(views[0].row.note);
  EXPECT_EQ(note.text("/order_id"), "ord_1");
  EXPECT_EQ(note.text("/link"), "/v1/results/t1/versions/1?source=rupa&order=ord_1");
  EXPECT_EQ(note.at("/steps"), "2");
  for (const char* never : {"77777.1", "HH", "Doe", "pat_1", "Potassium"})
    EXPECT_EQ(views[0].row.note.find(never), std::string::npos) << never;
}

TEST_F(Critical, an_escalation_is_told_when_it_is_due_and_not_at_the_next_look) {
  options_ = {.escalate_after = {20ms}, .escalate_younger_than = 24h, .look_every = 1h};
  sync::CriticalWatch watch(*house_.views_, house_.log_, house_.clock_, metrics_, options_);
  std::promise<void> escalated;
  int told_times = 0;
  watch.on_told([&] {  // what begins, then its escalation
    if (++told_times == 2) escalated.set_value();
  });
  endpoint();
  receive("e1", lab("7.1", "HH"), now_text());
  watch.start([](const Error&) {});
  EXPECT_EQ(escalated.get_future().wait_for(60s), std::future_status::ready);
  watch.stop();
}

// The bodies of the log cannot be read just now.
class AwayLog final : public store::EventLog {
 public:
  explicit AwayLog(store::EventLog& log) : log_(log) {}
  void append(store::Record record, Committed committed) override {
    log_.append(std::move(record), std::move(committed));
  }
  [[nodiscard]] Result<std::vector<store::StoredRecord>> read(Sequence after, store::ReadLimits limits) const override {
    return log_.read(after, limits);
  }
  [[nodiscard]] Result<store::StoredRecord> at(Sequence) const override {
    return fail(store::kUnavailable, "the database is away");
  }
  [[nodiscard]] std::vector<store::StoredRecord> some_of(std::span<const Sequence>, std::size_t) const override {
    return {};
  }
  [[nodiscard]] Sequence end() const override { return log_.end(); }
  [[nodiscard]] std::string id() const override { return log_.id(); }
  void on_commit(std::function<void(Sequence)> listener) override { log_.on_commit(std::move(listener)); }

 private:
  store::EventLog& log_;
};

TEST_F(Critical, what_cannot_be_judged_keeps_nobody_else_waiting) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), now_text());
  look();
  {
    const auto transaction = house_.views_->begin();
    auto row = *transaction->read().reviews().critical({.sight = {}, .source = {}, .state = {}}, {}, 1).begin();
    row.reconsider = true;
    row.next_at = {};
    for (int i = 0; i < 150; ++i) transaction->reviews().add_critical(row);
    ASSERT_TRUE(transaction->commit().has_value());
  }
  receive("f1", lab("7.1", "HH"), now_text(), "t2", "ord_2");
  AwayLog away(house_.log_);
  sync::CriticalWatch watch(*house_.views_, away, time_, metrics_, options_);
  look(watch);
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.opened 1/0");
}

TEST_F(Critical, an_alarm_that_is_due_waits_for_no_judgement) {
  const std::string hook = endpoint();
  receive("e1", lab("7.1", "HH"), now_text());
  look();
  receive("e2", lab("4.1", "N", "C"), "2024-06-13T00:00:00Z");  // older, and known late: was it taken back?
  AwayLog away(house_.log_);
  sync::CriticalWatch watch(*house_.views_, away, time_, metrics_, options_);
  later(14min);
  look(watch);
  EXPECT_EQ(told(hook), "critical.opened 1/0");
  later(1min);
  look(watch);
  EXPECT_EQ(told(hook), "critical.opened 1/0, critical.escalated 1/1");
}

TEST(CriticalFlags, what_a_laboratory_calls_critical_of_its_own_is_until_it_takes_that_back) {
  const sync::PanicFlags flags{{SourceId("rupa"), results::PanicFlags::parse({"LAB:PP"}).value()}};
  House house({.panic_flags = flags});
  house.connect("anna");
  const auto state = [&] { return Json(house.get("/v1/critical?state=any").body).at("/items/0/state"); };
  house.receive({.id = "e1", .created_at = "2024-06-13T00:00:00Z", .result = lab("7.1", "PP", "F", kSodium)});
  EXPECT_EQ(state(), "\"open\"");
  EXPECT_EQ(Json(house.get("/v1/results").body).at("/items/0/summary/critical"), "1");

  sync::CriticalWatch watch(*house.views_, house.log_, house.clock_, house.metrics_, {.panic_flags = flags});
  const std::string sodium_again =
      lab("", "", "C", "OBX|2|NM|2951-2^Sodium^LN||141|mmol/L|135-145|N|||C\r", "20260102");
  house.receive({.id = "e2", .created_at = "2024-06-14T00:00:00Z", .result = sodium_again});
  ASSERT_TRUE(watch.step().has_value());
  EXPECT_EQ(state(), "\"open\"") << "nothing is said of potassium";
  house.receive({.id = "e3", .created_at = "2024-06-15T00:00:00Z", .result = lab("4.1", "N", "C", "", "20260103")});
  ASSERT_TRUE(watch.step().has_value());
  EXPECT_EQ(state(), "\"no_longer_critical\"");
}

TEST(ReviewsAtRest, a_note_is_not_readable_in_the_store) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("reviews-" + encode_hex(runtime::random_bytes(6)));
  {
    House house({.directory = directory});
    house.connect("anna");
    house.receive({.result = lab("7.1", "HH")});
    EXPECT_EQ(
        house.call("POST", "/v1/results/ordts_1/versions/1/acknowledge", by("anna", R"(,"note":"Zebedee-one")")).status,
        201);
    EXPECT_EQ(
        house.call("POST", "/v1/results/ordts_1/versions/1/reviews", by("anna", R"(,"note":"Zebedee-two")")).status,
        201);
  }
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    const auto bytes = runtime::read_file(file.path());
    ASSERT_TRUE(bytes.has_value());
    EXPECT_EQ(bytes->find("Zebedee"), std::string::npos) << file.path();
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace resultsync::api
