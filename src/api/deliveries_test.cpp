// Webhooks from the feed to a receiver: the real store, the real sync step, the real client, over loopback.
#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>

#include "api/test_house.hpp"
#include "api/webhook_items.hpp"
#include "delivery/delivery.hpp"
#include "delivery/ids.hpp"
#include "vendors/verify.hpp"

namespace resultsync::api {
namespace {

using namespace std::chrono_literals;

// Answers as it is told, path by path; keeps what it was sent.
class Receiver {
 public:
  struct Received {
    std::string path;
    http::Headers headers;
    std::string body;
    [[nodiscard]] std::string id() const { return std::string(headers.only("webhook-id").value_or("")); }
    [[nodiscard]] Json json() const { return Json(body); }
  };
  Receiver() {
    server_ = http::Server::start({}, [this](http::Request request, http::Responder respond) {
                take(std::move(request), std::move(respond));
              }).value();
  }
  ~Receiver() {
    release();
    server_->stop(1s);
  }
  [[nodiscard]] std::string url(const std::string& path) const { return "http://" + server_->address() + path; }

  // The next answers at this path; when they are used up, 200.
  void answer(const std::string& path, std::vector<int> statuses, std::vector<http::Header> headers = {}) {
    const std::lock_guard lock(mutex_);
    for (const int status : statuses) scripts_[path].push_back({status, headers});
  }
  // From here on requests at this path are answered only after release().
  void hold(const std::string& path) {
    const std::lock_guard lock(mutex_);
    held_paths_.insert(path);
  }
  void release() {
    std::vector<http::Responder> held;
    {
      const std::lock_guard lock(mutex_);
      held_paths_.clear();
      held.swap(held_);
    }
    for (auto& respond : held) respond({.status = 200, .body = "ok"});
  }
  [[nodiscard]] std::vector<Received> at(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    std::vector<Received> found;
    for (const auto& received : received_) {
      if (received.path == path) found.push_back(received);
    }
    return found;
  }

 private:
  struct Script {
    int status;
    std::vector<http::Header> headers;
  };
  void take(http::Request request, http::Responder respond) {
    const std::lock_guard lock(mutex_);
    received_.push_back({request.path, request.headers, request.body});
    if (held_paths_.contains(request.path)) {
      held_.push_back(std::move(respond));
      return;
    }
    http::Response response{.body = "ok"};
    auto& script = scripts_[request.path];
    if (!script.empty()) {
      response.status = script.front().status;
      response.headers = script.front().headers;
      script.pop_front();
    }
    respond(std::move(response));
  }

  mutable std::mutex mutex_;
  std::vector<Received> received_;
  std::map<std::string, std::deque<Script>> scripts_;
  std::set<std::string> held_paths_;
  std::vector<http::Responder> held_;
  std::unique_ptr<http::Server> server_;
};

class Deliveries : public ::testing::Test {
 protected:
  void SetUp() override {
    open();
    house.connect("anna", "cli_1");
  }
  void TearDown() override { worker->stop(); }

  void open(delivery::Schedule schedule = delivery::Schedule::parse({"0s", "1ms", "1ms"}).value()) {
    delivery::DeliveryOptions options;
    options.schedule = schedule;
    options.request_timeout = 2s;
    options.lease = 10s;
    options.receipts_file = receipts_file;
    options.answers_wait = options.failures_wait = answers_wait;
    options.breaker = {.failures = 3, .cooldown = 1ms, .cooldown_max = 1ms};
    options.destinations = {.allow_http = true, .policy = http::AddressPolicy::with_allowed({"127.0.0.0/8"}).value()};
    worker =
        delivery::Delivery::open(*house.views_, house.vault_, items, house.clock_, house.metrics_, options).value();
  }

  // An endpoint at `path`; its id.
  std::string endpoint(const std::string& path, const std::string& more = "") {
    const auto answer = house.call("POST", "/v1/endpoints", R"({"url":")" + receiver.url(path) + "\"" + more + "}");
    EXPECT_EQ(answer.status, 201) << answer.body;
    secrets[path] = Json(answer.body).text("/secret");
    worker->endpoints_changed();
    return Json(answer.body).text("/id");
  }
  // Works until nothing of the endpoint is open and nothing is in flight.
  void settle() {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < deadline) {
      worker->endpoints_changed();
      ASSERT_TRUE(worker->step_when_woken().has_value());
      if (worker->in_flight() == 0 && open_deliveries() == 0) return;
      std::this_thread::yield();
    }
    FAIL() << "not settled: " << house.get("/v1/deliveries").body;
  }
  void work_until(const std::function<bool()>& reached) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!reached()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << house.get("/v1/deliveries").body;
      worker->endpoints_changed();
      ASSERT_TRUE(worker->step_when_woken().has_value());
      std::this_thread::yield();
    }
  }
  std::int64_t open_deliveries() {
    const auto snapshot = house.views_->snapshot();
    std::int64_t open = 0;
    for (const auto& row : snapshot->deliveries().endpoints({})) {
      if (row.state != store::EndpointState::kPaused) open += snapshot->deliveries().counts(row.key).open;
    }
    return open;
  }
  Json listed(const std::string& query = "") { return Json(house.get("/v1/deliveries" + query).body); }
  bool verifies(const std::string& path, const Receiver::Received& received) {
    const auto scheme = vendors::signature_preset("standard-webhooks").value();
    const std::vector<Secret<std::string>> own{Secret<std::string>(secrets[path])};
    return vendors::verify(scheme, vendors::SigningKeys::read(scheme, own).value(), received.headers, received.body,
                           house.clock_.now())
        .has_value();
  }
  void result(const std::string& event, const std::string& value, const std::string& order = "ord_1") {
    static int minute = 0;
    ++minute;
    house.receive({.id = event,
                   .created_at = "2026-01-01T" + std::to_string(10 + minute / 60) + ":" +
                                 (minute % 60 < 10 ? "0" : "") + std::to_string(minute % 60) + ":00Z",
                   .order = order,
                   .result = value});
  }

  House house;
  Receiver receiver;
  WebhookItems items{*house.views_, house.log_};
  std::unique_ptr<delivery::Delivery> worker;
  std::string receipts_file;
  std::chrono::milliseconds answers_wait{0};
  std::map<std::string, std::string> secrets;
};

TEST_F(Deliveries, an_item_reaches_every_endpoint_that_wants_it_signed_with_its_own_secret) {
  endpoint("/all");
  endpoint("/anna", R"(,"practitioners":["anna"])");
  endpoint("/ben", R"(,"practitioners":["ben"])");
  endpoint("/orders", R"(,"types":["order"])");
  endpoint("/elsewhere", R"(,"clinics":["cli_2"])");
  result("evt_1", "A");
  settle();
  ASSERT_EQ(receiver.at("/all").size(), 1U);
  ASSERT_EQ(receiver.at("/anna").size(), 1U);
  EXPECT_TRUE(verifies("/all", receiver.at("/all")[0]));
  EXPECT_TRUE(verifies("/anna", receiver.at("/anna")[0]));
  EXPECT_FALSE(verifies("/anna", receiver.at("/all")[0]));
  for (const char* path : {"/ben", "/orders", "/elsewhere"}) EXPECT_TRUE(receiver.at(path).empty()) << path;

  const auto sent = receiver.at("/all")[0].json();
  EXPECT_EQ(sent.text("/type"), "result");
  EXPECT_EQ(sent.text("/data/practitioner_id"), "anna");
  EXPECT_EQ(sent.text("/data/ordered_test_id"), "ordts_1");
  EXPECT_EQ(sent.at("/data/version"), "1");
  EXPECT_EQ(sent.text("/data/link"), "/v1/orders/ord_1?source=rupa");
  EXPECT_EQ(sent.at("/data/item"), "absent") << "thin: no content";
  const std::string version = sent.text("/data/result_link");
  EXPECT_EQ(version, "/v1/results/ordts_1/versions/1?source=rupa&order=ord_1");
  EXPECT_EQ(house.get(version).status, 200);
  EXPECT_EQ(Json(house.get("/v1/feed?practitioner=anna").body).text("/items/0/result/link"), version);
  EXPECT_EQ(Json(house.get("/v1/feed?practitioner=anna").body).text("/items/0/cursor"), sent.text("/data/cursor"));
}

TEST_F(Deliveries, an_endpoint_that_names_statuses_is_sent_results_of_those_and_the_others_are_skipped) {
  const auto report = [](const std::string& status) {
    return "MSH|^~\\&|L|L|||20260101080000+0000||ORU^R01|1|P|2.5.1\rPID|1||M1\rOBR|1|||GLU^Glucose" +
           std::string(21, '|') + status + "\rOBX|1|NM|GLU^Glucose||5|mmol/L|||||" + status;
  };
  const auto finals = endpoint("/finals", R"(,"statuses":["final"])");
  endpoint("/corrections", R"(,"statuses":["corrected"])");
  result("evt_1", report("F"));
  result("evt_2", report("C"));
  settle();
  ASSERT_EQ(receiver.at("/finals").size(), 1U);
  EXPECT_EQ(receiver.at("/finals")[0].json().at("/data/version"), "1");
  ASSERT_EQ(receiver.at("/corrections").size(), 1U);
  EXPECT_EQ(receiver.at("/corrections")[0].json().at("/data/version"), "2");
  const auto skipped = listed("?state=skipped&endpoint=" + finals);
  ASSERT_EQ(skipped.size("/items"), 1U) << "it does not vanish (D1)";
  EXPECT_EQ(skipped.text("/items/0/reason"), "status_not_wanted");
}

TEST_F(Deliveries, an_endpoint_with_a_key_pair_is_verified_with_its_public_key_alone) {
  const auto id = endpoint("/pair", R"(,"ed25519":true)");
  endpoint("/other", R"(,"ed25519":true)");
  result("evt_1", "A");
  settle();
  const auto sent = receiver.at("/pair").at(0);
  EXPECT_TRUE(sent.headers.only("webhook-signature")->contains("v1,"));
  EXPECT_TRUE(sent.headers.only("webhook-signature")->contains("v1a,"));
  secrets["/pair"] = Json(house.get("/v1/endpoints/" + id).body).text("/public_key");
  EXPECT_TRUE(secrets["/pair"].starts_with("whpk_"));
  EXPECT_TRUE(verifies("/pair", sent));
  EXPECT_FALSE(verifies("/pair", receiver.at("/other").at(0)));
}

TEST_F(Deliveries, a_full_payload_is_the_feed_item_itself) {
  endpoint("/full", R"(,"payload":"full")");
  result("evt_1", "A");
  settle();
  ASSERT_EQ(receiver.at("/full").size(), 1U);
  EXPECT_EQ(receiver.at("/full")[0].json().at("/data/item"),
            Json(house.get("/v1/feed?practitioner=anna").body).at("/items/0"));
}

TEST_F(Deliveries, every_attempt_has_the_same_id_and_its_own_signature_until_the_schedule_ends) {
  endpoint("/down");
  receiver.answer("/down", {500, 302, 503});
  result("evt_1", "A");
  settle();
  const auto attempts = receiver.at("/down");
  ASSERT_EQ(attempts.size(), 3U) << "three delays, three attempts";
  for (const auto& attempt : attempts) {
    EXPECT_EQ(attempt.id(), attempts[0].id());
    EXPECT_TRUE(verifies("/down", attempt));
  }
  EXPECT_EQ(listed().text("/items/0/state"), "dead");
  EXPECT_EQ(listed().text("/items/0/reason"), "attempts_exhausted");
  const Json one(house.get("/v1/deliveries/" + attempts[0].id()).body);
  EXPECT_EQ(one.size("/history"), 3U);
  EXPECT_EQ(one.at("/history/1/status"), "302") << "a redirect is a failure, and is not followed";
  EXPECT_EQ(one.text("/history/1/response"), "ok");
}

TEST_F(Deliveries, a_correction_waits_for_the_first_attempt_and_not_for_the_retries) {
  open(delivery::Schedule::parse({"0s", "1d", "1d"}).value());
  endpoint("/slow");
  receiver.answer("/slow", {500});
  receiver.hold("/slow");
  result("evt_1", "A");
  result("evt_2", "B");
  result("evt_3", "C");
  work_until([&] { return receiver.at("/slow").size() == 1; });
  for (int i = 0; i < 50; ++i) {
    worker->endpoints_changed();
    ASSERT_TRUE(worker->step_when_woken().has_value());
  }
  EXPECT_EQ(receiver.at("/slow").size(), 1U) << "version 2 is not started before version 1's first attempt has ended";
  EXPECT_EQ(listed("?state=held").size("/items"), 2U);
  EXPECT_EQ(listed("?state=held").text("/items/0/reason"), "predecessor");
  receiver.release();
  work_until([&] { return receiver.at("/slow").size() == 3; });
  const auto sent = receiver.at("/slow");
  EXPECT_EQ(sent[0].json().at("/data/version") + sent[1].json().at("/data/version"), "12");
}

TEST_F(Deliveries, an_answer_is_written_when_somebody_waits_for_it_or_has_waited_for_long_enough) {
  answers_wait = 1h;
  open();
  endpoint("/one", R"(,"concurrency":1)");
  result("evt_1", "A", "ord_1");
  result("evt_2", "A", "ord_2");
  work_until([&] { return receiver.at("/one").size() == 2; });  // the second one waited for the first one's answer
  EXPECT_EQ(listed("?state=delivered").size("/items"), 1U);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(worker->step_when_woken().has_value());
  EXPECT_EQ(listed("?state=in_flight").size("/items"), 1U) << "nobody waits for the last one's answer";
  worker->start([](const Error& error) { FAIL() << error.text(); });
  worker->stop();
  EXPECT_EQ(listed("?state=delivered").size("/items"), 2U) << "whoever stops writes what it knows";
}

TEST_F(Deliveries, a_retry_that_was_overtaken_says_that_it_is_superseded) {
  endpoint("/flaky");
  receiver.answer("/flaky", {500, 200, 200});
  result("evt_1", "A");
  result("evt_2", "B");
  settle();
  const auto sent = receiver.at("/flaky");
  ASSERT_EQ(sent.size(), 3U);
  std::map<std::string, std::vector<std::string>> superseded;
  for (const auto& one : sent) superseded[one.json().at("/data/version")].push_back(one.json().at("/data/superseded"));
  EXPECT_EQ(superseded["1"].front(), "false");
  EXPECT_EQ(superseded["1"].back(), "true");
  EXPECT_EQ(superseded["2"], std::vector<std::string>{"false"});
}

TEST_F(Deliveries, what_is_no_longer_visible_is_skipped_with_a_reason) {
  const auto id = endpoint("/late");
  EXPECT_EQ(house.call("POST", "/v1/endpoints/" + id + "/pause", R"({"reason":"maintenance"})").status, 200);
  result("evt_1", "A");
  EXPECT_EQ(house.call("DELETE", "/v1/practitioners/anna").status, 204);
  EXPECT_EQ(house.call("POST", "/v1/endpoints/" + id + "/resume").status, 200);
  settle();
  EXPECT_TRUE(receiver.at("/late").empty()) << "the connection ended: S5 is asked again before every attempt";
  EXPECT_EQ(listed().text("/items/0/state"), "skipped");
  EXPECT_EQ(listed().text("/items/0/reason"), "not_visible");
}

TEST_F(Deliveries, a_paused_endpoint_gathers_and_its_backlog_is_sent_or_skipped) {
  const auto sends = endpoint("/sends");
  const auto skips = endpoint("/skips");
  for (const auto& id : {sends, skips}) house.call("POST", "/v1/endpoints/" + id + "/pause");
  result("evt_1", "A", "ord_1");
  result("evt_2", "A", "ord_2");
  settle();
  EXPECT_EQ(listed("?state=held").size("/items"), 4U);
  EXPECT_EQ(listed("?state=held").text("/items/0/reason"), "endpoint_paused");
  EXPECT_EQ(house.call("POST", "/v1/endpoints/" + skips + "/resume", R"({"skip":true})").status, 422)
      << "skipping needs a reason";
  house.call("POST", "/v1/endpoints/" + skips + "/resume", R"({"skip":true,"reason":"rebuilt by hand"})");
  house.call("POST", "/v1/endpoints/" + sends + "/resume");
  settle();
  EXPECT_EQ(receiver.at("/sends").size(), 2U);
  EXPECT_TRUE(receiver.at("/skips").empty());
  EXPECT_EQ(listed("?state=skipped&endpoint=" + skips).text("/items/0/reason"), "rebuilt by hand");
  result("evt_3", "A", "ord_3");
  settle();
  EXPECT_EQ(receiver.at("/skips").size(), 1U) << "what comes after the backlog is sent";
}

TEST_F(Deliveries, gone_disables_the_endpoint_and_its_dead_letters_can_be_sent_again) {
  const auto id = endpoint("/gone", R"(,"concurrency":1)");
  receiver.answer("/gone", {410});
  for (int i = 0; i < 5; ++i) result("evt_" + std::to_string(i), "A", "ord_" + std::to_string(i));
  settle();
  EXPECT_EQ(receiver.at("/gone").size(), 1U);
  EXPECT_EQ(Json(house.get("/v1/endpoints/" + id).body).text("/state"), "disabled");
  EXPECT_EQ(Json(house.get("/v1/endpoints/" + id).body).text("/state_reason"), "gone");
  EXPECT_EQ(listed("?state=dead").size("/items"), 5U) << "none vanished (D1)";
  result("evt_9", "A", "ord_9");
  EXPECT_EQ(listed().size("/items"), 5U) << "a disabled endpoint takes nothing";
  EXPECT_EQ(code_of(house.call("POST", "/v1/deliveries/retry", R"({"endpoint":")" + id + R"("})")),
            "endpoint_not_enabled");

  house.call("POST", "/v1/endpoints/" + id + "/resume");
  const auto dry = house.call("POST", "/v1/deliveries/retry", R"({"dry_run":true})");
  EXPECT_EQ(Json(dry.body).at("/total"), "5");
  const auto job = house.call("POST", "/v1/deliveries/retry", R"({"endpoint":")" + id + R"("})");
  ASSERT_EQ(job.status, 202) << job.body;
  work_until([&] { return receiver.at("/gone").size() == 6; });
  settle();
  const Json ended(house.get("/v1/jobs/" + Json(job.body).text("/id")).body);
  EXPECT_EQ(ended.text("/state"), "finished");
  EXPECT_EQ(ended.at("/done"), "5");
  EXPECT_EQ(listed("?state=delivered").size("/items"), 5U);
}

TEST_F(Deliveries, what_was_in_flight_when_the_process_ended_is_sent_again_under_the_same_id) {
  endpoint("/crash");
  receiver.hold("/crash");
  result("evt_1", "A");
  work_until([&] { return receiver.at("/crash").size() == 1; });
  // The worker is not told to stop: it is forgotten, as by kill -9, and another one takes the store over.
  auto forgotten = std::move(worker);
  open();
  receiver.release();
  settle();
  const auto sent = receiver.at("/crash");
  ASSERT_EQ(sent.size(), 2U);
  EXPECT_EQ(sent[0].id(), sent[1].id());
  const Json one(house.get("/v1/deliveries/" + sent[0].id()).body);
  EXPECT_EQ(one.text("/history/0/outcome"), "interrupted");
  EXPECT_EQ(one.text("/history/1/outcome"), "delivered");
  // D3: what the first one has to say comes too late.
  while (forgotten->in_flight() > 0) ASSERT_TRUE(forgotten->step().has_value());
  EXPECT_EQ(Json(house.get("/v1/deliveries/" + sent[0].id()).body).at("/attempts"), "2");
  worker->stop();
}

TEST_F(Deliveries, a_stale_worker_finishes_nothing) {
  endpoint("/nowhere");
  result("evt_1", "A");
  const auto now = house.clock_.now();
  store::Finish late;
  {
    const auto transaction = house.views_->begin();
    auto& write = transaction->deliveries();
    const auto endpoint = write.read().endpoints({}).front();
    const auto claimed = write.claim(endpoint, now, now, 10);
    ASSERT_EQ(claimed.size(), 1U);
    EXPECT_TRUE(write.claim(endpoint, now, now, 10).empty()) << "one worker per delivery";
    late.row = claimed.front().row;
    ASSERT_EQ(write.release_leases(Timestamp{now.microseconds + 1}, now), 1U);
    const auto again = write.claim(endpoint, now, now, 10);
    ASSERT_EQ(again.size(), 1U);
    EXPECT_GT(again.front().row.fence, late.row.fence);
    EXPECT_FALSE(write.finish(late, now).written) << "its token is old";
    EXPECT_FALSE(write.skip(late.row, "late", now));
    ASSERT_TRUE(transaction->commit().has_value());
  }
  EXPECT_EQ(listed().text("/items/0/state"), "in_flight");
}

TEST_F(Deliveries, alerts_come_on_transitions_only) {
  endpoint("/ops", R"(,"types":["endpoint.*"])");
  const auto id = endpoint("/ill", R"(,"concurrency":1)");
  receiver.answer("/ill", {500, 500, 500, 500, 500, 500, 500, 500});
  for (int i = 0; i < 4; ++i) result("evt_" + std::to_string(i), "A", "ord_" + std::to_string(i));
  settle();
  std::vector<std::string> types;
  for (const auto& alert : receiver.at("/ops")) {
    types.push_back(alert.json().text("/type"));
    EXPECT_EQ(alert.json().text("/data/endpoint_id"), id);
  }
  std::ranges::sort(types);
  EXPECT_EQ(types, (std::vector<std::string>{"endpoint.dead_letter", "endpoint.failing", "endpoint.recovered"}));
}

TEST_F(Deliveries, an_endpoint_that_was_well_for_long_is_not_disabled_when_it_begins_to_fail) {
  open(delivery::Schedule::parse({"0s", "1ms", "1ms", "1ms", "1ms"}).value());
  const auto id = endpoint("/blip", R"(,"concurrency":1)");
  {
    const auto transaction = house.views_->begin();
    auto row = *transaction->deliveries().read().endpoint(id, {});
    row.health_since = Timestamp{house.clock_.now().microseconds - std::chrono::microseconds(24h * 365).count()};
    transaction->deliveries().save_endpoint(row);
    ASSERT_TRUE(transaction->commit().has_value());
  }
  receiver.answer("/blip", {500, 500, 500});  // as many as open the breaker
  for (int i = 0; i < 4; ++i) result("evt_" + std::to_string(i), "A", "ord_" + std::to_string(i));
  settle();  // each step keeps house, also the one in which the breaker opens
  EXPECT_EQ(Json(house.get("/v1/endpoints/" + id).body).text("/state"), "enabled");
  EXPECT_EQ(listed("?state=dead&endpoint=" + id).size("/items"), 0U);
}

TEST_F(Deliveries, during_a_rotation_both_secrets_verify) {
  const auto id = endpoint("/rotated");
  const std::string old = secrets["/rotated"];
  const auto rotated = house.call("POST", "/v1/endpoints/" + id + "/secret/rotate", R"({"overlap_seconds":600})");
  ASSERT_EQ(rotated.status, 200) << rotated.body;
  result("evt_1", "A");
  settle();
  EXPECT_TRUE(verifies("/rotated", receiver.at("/rotated")[0])) << "the old secret";
  secrets["/rotated"] = Json(rotated.body).text("/secret");
  EXPECT_TRUE(verifies("/rotated", receiver.at("/rotated")[0])) << "the new secret";

  house.call("POST", "/v1/endpoints/" + id + "/secret/rotate", R"({"overlap_seconds":0})");
  result("evt_2", "A", "ord_2");
  settle();
  EXPECT_FALSE(verifies("/rotated", receiver.at("/rotated")[1])) << "without overlap the one before is void";
  EXPECT_FALSE(house.get("/v1/endpoints/" + id).body.contains("whsec_")) << "a secret is shown once";
}

TEST_F(Deliveries, a_range_of_the_feed_is_replayed_to_an_endpoint_that_is_new) {
  for (int i = 0; i < 3; ++i) result("evt_" + std::to_string(i), "A", "ord_" + std::to_string(i));
  const auto id = endpoint("/new");
  settle();
  EXPECT_TRUE(receiver.at("/new").empty());
  const auto dry = house.call("POST", "/v1/endpoints/" + id + "/replay", R"({"dry_run":true})");
  EXPECT_EQ(dry.status, 200);
  EXPECT_EQ(Json(dry.body).at("/total"), "3");
  const auto none =
      house.call("POST", "/v1/endpoints/" + id + "/replay", R"({"dry_run":true,"until":"2020-01-01T00:00:00Z"})");
  EXPECT_EQ(Json(none.body).at("/total"), "0");
  EXPECT_EQ(house.call("POST", "/v1/endpoints/" + id + "/replay", R"({"practitioner":"anna"})").status, 202);
  work_until([&] { return receiver.at("/new").size() == 3; });
  settle();
  EXPECT_EQ(receiver.at("/new")[0].json().at("/data/replay"), "true");
}

TEST_F(Deliveries, a_job_keeps_to_its_rate_can_be_cancelled_and_survives_a_restart) {
  for (int i = 0; i < 6; ++i) result("evt_" + std::to_string(i), "A", "ord_" + std::to_string(i));
  const auto id = endpoint("/slowly");
  const auto job = house.call("POST", "/v1/endpoints/" + id + "/replay", R"({"rate":2})");
  const std::string path = "/v1/jobs/" + Json(job.body).text("/id");
  work_until([&] { return receiver.at("/slowly").size() == 1; });
  worker->stop();
  open();
  work_until([&] { return receiver.at("/slowly").size() >= 2; });
  EXPECT_LT(receiver.at("/slowly").size(), 6U);
  EXPECT_EQ(Json(house.call("POST", path + "/cancel").body).text("/state"), "cancelled");
  EXPECT_EQ(code_of(house.call("POST", path + "/cancel")), "not_running");
  settle();
  EXPECT_LT(receiver.at("/slowly").size(), 6U) << "cancelled: the rest is not sent";
}

TEST_F(Deliveries, an_endpoint_is_refused_where_webhooks_must_not_go) {
  for (const char* url : {"http://10.0.0.1/", "http://169.254.169.254/latest", "http://[::1]/", "http://127.0.0.1:22/",
                          "ftp://example.com/", "nonsense", "http://user:secret@example.com/", "http://0x7f.1/"}) {
    const auto answer = house.call("POST", "/v1/endpoints", std::string(R"({"url":")") + url + "\"}");
    EXPECT_EQ(answer.status, 422) << url << " " << answer.body;
  }
}

TEST_F(Deliveries, what_is_wrong_with_an_endpoint_is_told_member_by_member) {
  const auto answer = house.call("POST", "/v1/endpoints",
                                 R"({"types":["nonsense"],"statuses":["x"],"payload":"fat","rate":-1,"concurrency":0,
                                     "order":"random","practitioners":"anna","clinics":[""],"colour":"red"})");
  EXPECT_EQ(answer.status, 422);
  for (const char* member :
       {"url", "types", "statuses", "payload", "rate", "concurrency", "order", "practitioners", "clinics", "colour"}) {
    EXPECT_TRUE(answer.body.contains(std::string(R"("member":")") + member + "\"")) << member << answer.body;
  }
}

TEST_F(Deliveries, a_test_goes_the_way_that_every_other_webhook_goes) {
  const auto id = endpoint("/tested");
  const auto answer = house.call("POST", "/v1/endpoints/" + id + "/test");
  ASSERT_EQ(answer.status, 202) << answer.body;
  settle();
  ASSERT_EQ(receiver.at("/tested").size(), 1U);
  EXPECT_EQ(receiver.at("/tested")[0].id(), Json(answer.body).text("/delivery_id"));
  EXPECT_TRUE(verifies("/tested", receiver.at("/tested")[0]));
  EXPECT_EQ(receiver.at("/tested")[0].json().text("/type"), "endpoint.test");
}

// A process that is killed between an answer and the commit that would have written it.
TEST_F(Deliveries, what_was_acknowledged_before_a_crash_is_not_sent_again) {
  receipts_file = ::testing::TempDir() + "deliveries_test.receipts";
  std::filesystem::remove(receipts_file);
  open();
  const auto id = endpoint("/acknowledged");
  receiver.answer("/acknowledged", {200, 500});
  result("evt_1", "A", "ord_1");
  result("evt_2", "A", "ord_2");
  work_until([&] { return worker->in_flight() > 0; });
  const auto noted = [&] { return delivery::Receipts::open(receipts_file, 1).value()->left().size(); };
  const auto deadline = std::chrono::steady_clock::now() + 10s;
  while (noted() == 0 || receiver.at("/acknowledged").size() < 2) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::this_thread::yield();
  }
  worker.reset();
  ASSERT_EQ(listed("?state=in_flight").size("/items"), 2U) << "nothing was written";

  open();
  settle();
  EXPECT_EQ(receiver.at("/acknowledged").size(), 3U) << "only what was refused is sent again";
  EXPECT_EQ(listed("?state=delivered").size("/items"), 2U);
  const auto first = receiver.at("/acknowledged")[0].id();
  const Json delivery(house.get("/v1/deliveries/" + first).body);
  EXPECT_EQ(delivery.size("/history"), 1U);
  EXPECT_EQ(delivery.text("/history/0/outcome"), "delivered");
  EXPECT_EQ(delivery.at("/history/0/status"), "200");

  // Again and in vain: a note of a claim that is over says nothing.
  worker.reset();
  ASSERT_EQ(house.call("POST", "/v1/endpoints/" + id + "/test").status, 202);
  open();
  settle();
  EXPECT_EQ(receiver.at("/acknowledged").size(), 4U);
}

TEST_F(Deliveries, a_lease_must_outlast_its_request) {
  delivery::DeliveryOptions options;
  options.request_timeout = 10s;
  options.lease = 10s + delivery::kLeaseMargin - 1ms;
  EXPECT_EQ(delivery::check_options(options).error().code, "bad_lease");
  options.lease += 1ms;
  EXPECT_TRUE(delivery::check_options(options).has_value());
}

TEST_F(Deliveries, deliveries_are_paged_newest_first) {
  endpoint("/paged");
  for (int i = 0; i < 5; ++i) result("evt_" + std::to_string(i), "A", "ord_" + std::to_string(i));
  settle();
  std::vector<std::string> orders;
  std::string after;
  while (true) {
    const auto page = listed("?limit=2" + (after.empty() ? "" : "&after=" + after));
    for (std::size_t i = 0; i < page.size("/items"); ++i)
      orders.push_back(page.text("/items/" + std::to_string(i) + "/order_id"));
    if (page.at("/next") == "null") break;
    after = page.text("/next");
  }
  EXPECT_EQ(orders, (std::vector<std::string>{"ord_4", "ord_3", "ord_2", "ord_1", "ord_0"}));
  EXPECT_EQ(listed("?order=ord_2").size("/items"), 1U);
  EXPECT_EQ(listed("?practitioner=nobody").size("/items"), 0U);
  EXPECT_EQ(code_of(house.get("/v1/deliveries?after=nonsense")), "bad_cursor");
  EXPECT_EQ(code_of(house.get("/v1/deliveries?state=nonsense")), "bad_parameter");
  EXPECT_EQ(code_of(house.get("/v1/deliveries?endpoint=ep_none")), "unknown_endpoint");
}

}  // namespace
}  // namespace resultsync::api
