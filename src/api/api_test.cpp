#include "api/api.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "api/json_body.hpp"
#include "api/openapi.hpp"
#include "api/route.hpp"
#include "api/test_house.hpp"
#include "base/encoding.hpp"

namespace resultsync::api {
namespace {

using namespace std::chrono_literals;

std::string concrete(std::string_view pattern) {
  std::string path;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{') {
      path += "x";
      i = pattern.find('}', i);
    } else {
      path += pattern[i];
    }
  }
  return path;
}

TEST(Api, every_route_but_the_open_ones_needs_the_key) {
  const House house;
  for (const Route& route : routes()) {
    const std::string path = concrete(route.pattern);
    const std::string method(route.method);
    for (const std::string& key :
         {std::string(), std::string("Bearer"), std::string("Bearer "), std::string("Bearer wrong"),
          std::string("Basic ") + kTestKey, std::string("Bearer ") + kTestKey + "x", std::string(kTestKey),
          std::string("Bearer ") + std::string(kTestKey).substr(1)}) {
      const auto answer = house.call(method, path, {}, key);
      EXPECT_EQ(answer.status == 401, route.scope != Scope::kOpen) << method << " " << path << " with '" << key << "'";
      if (route.scope != Scope::kAdmin) continue;
      EXPECT_TRUE(answer.headers.only("WWW-Authenticate").value_or("").starts_with("Bearer"));
      EXPECT_EQ(code_of(answer), "unauthorized");
    }
    EXPECT_NE(house.call(method, path).status, 401) << method << " " << path;
    EXPECT_NE(house.call(method, path, {}, std::string("bEARER ") + kTestKey).status, 401)
        << "the scheme's case does not matter";
    const bool reads_its_query = route.query.size() == 1 && route.query.front() == kAnyQuery;
    if (reads_its_query) continue;  // FHIR's clients say themselves whether they want that
    EXPECT_EQ(house.call(method, path + "?nonsense=1").status, 400) << "unknown parameters are refused: " << path;
  }
}

TEST(Api, an_empty_key_lets_nobody_in) {
  House house;
  Api keyless({.views = *house.views_,
               .audit_log = *house.audit_log_,
               .log = house.log_,
               .sync = house.sync_,
               .endpoints = house.endpoints_,
               .clock = house.clock_,
               .metrics = house.metrics_,
               .admin_key = Secret<std::string>(),
               .sources = {SourceId("rupa")},
               .version = "1"});
  std::promise<int> status;
  http::Request request;
  request.method = "GET";
  request.target = request.path = "/v1/status";
  request.headers.add("Authorization", "Bearer ");
  keyless.handle(std::move(request),
                 http::Responder([&](http::Response response) { status.set_value(response.status); }));
  EXPECT_EQ(status.get_future().get(), 401);
}

TEST(Api, every_answer_carries_the_same_guards) {
  const House house;
  for (const char* path :
       {"/livez", "/readyz", "/v1/status", "/nowhere", "/v1/feed", "/v1/orders/none", "/openapi.json"}) {
    const auto answer = house.get(path);
    EXPECT_EQ(answer.headers.only("Cache-Control"), "no-store") << path;
    EXPECT_EQ(answer.headers.only("X-Content-Type-Options"), "nosniff") << path;
    const auto id = answer.headers.only("X-Request-Id");
    ASSERT_TRUE(id.has_value()) << path;
    if (answer.status >= 400) EXPECT_EQ(Json(answer.body).text("/request_id"), *id);
    EXPECT_NE(house.get(path).headers.only("X-Request-Id"), id) << "one id a request";
  }
}

TEST(Api, unknown_paths_and_methods) {
  const House house;
  EXPECT_EQ(code_of(house.get("/")), "unknown_route");
  EXPECT_EQ(code_of(house.get("/v1/feeds")), "unknown_route");
  const auto answer = house.call("POST", "/v1/status");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.headers.only("Allow"), "GET, HEAD");
}

TEST(Api, a_practitioner_is_connected_shown_and_disconnected) {
  House house;
  house.receive({});
  const std::string body = R"({"clinic_id":"cli_1","vendor_practitioner_id":"pra_9"})";
  const auto created = house.call("PUT", "/v1/practitioners/anna", body);
  EXPECT_EQ(created.status, 201);
  const Json shown(created.body);
  EXPECT_EQ(shown.text("/id"), "anna");
  EXPECT_EQ(shown.text("/connections/0/source"), "rupa") << "the default source";
  EXPECT_EQ(shown.text("/connections/0/clinic_id"), "cli_1");
  EXPECT_EQ(shown.text("/connections/0/vendor_practitioner_id"), "pra_9");
  EXPECT_EQ(shown.at("/connections/0/backfill/orders_total"), "1");
  EXPECT_EQ(shown.at("/connections/0/backfill/finished"), "false");

  EXPECT_EQ(house.call("PUT", "/v1/practitioners/anna", body).status, 200);
  EXPECT_EQ(house.call("PUT", "/v1/practitioners/anna", R"({"clinic_id":"cli_2","source":"other"})").status, 201);
  house.step_all();
  const Json both(house.get("/v1/practitioners/anna").body);
  EXPECT_EQ(both.size("/connections"), 2U);
  EXPECT_EQ(both.at("/connections/0/backfill/finished"), "true");

  EXPECT_EQ(house.call("DELETE", "/v1/practitioners/anna?clinic_id=cli_1&source=other").status, 404);
  const auto ended = house.call("DELETE", "/v1/practitioners/anna?clinic_id=cli_1&source=rupa");
  EXPECT_EQ(ended.status, 204);
  EXPECT_EQ(ended.body, "");
  EXPECT_EQ(Json(house.get("/v1/practitioners/anna").body).size("/connections"), 1U);
  EXPECT_EQ(house.call("DELETE", "/v1/practitioners/anna").status, 204);
  EXPECT_EQ(code_of(house.call("DELETE", "/v1/practitioners/anna")), "unknown_connection");
  EXPECT_EQ(code_of(house.get("/v1/practitioners/anna")), "unknown_practitioner");
  EXPECT_EQ(code_of(house.get("/v1/feed?practitioner=anna")), "unknown_practitioner");
}

TEST(Api, a_connection_is_validated_member_by_member) {
  const House house;
  const auto put = [&](const std::string& body) { return house.call("PUT", "/v1/practitioners/anna", body); };
  const auto member = [&](const std::string& body) {
    const auto answer = put(body);
    EXPECT_EQ(answer.status, 422) << answer.body;
    return Json(answer.body).text("/errors/0/member");
  };
  EXPECT_EQ(member("{}"), "clinic_id");
  EXPECT_EQ(member(R"({"clinic_id":7})"), "clinic_id");
  EXPECT_EQ(member(R"({"clinic_id":""})"), "clinic_id");
  EXPECT_EQ(member(R"({"clinic_id":")" + std::string(256, 'x') + R"("})"), "clinic_id");
  EXPECT_EQ(member(R"({"clinic_id":"c","source":"nowhere"})"), "source");
  EXPECT_EQ(member(R"({"clinic_id":"c","clinicId":"c"})"), "clinicId");
  EXPECT_EQ(put("not json").status, 400);
  EXPECT_EQ(put(std::string(kBodyBytesMax + 1, ' ')).status, 413);
  EXPECT_EQ(house.call("PUT", "/v1/practitioners/" + std::string(256, 'x'), R"({"clinic_id":"c"})").status, 400);
  EXPECT_EQ(code_of(house.get("/v1/practitioners/anna")), "unknown_practitioner") << "nothing was done";
}

TEST(Api, without_a_default_a_source_must_be_named_where_there_are_two) {
  HouseOptions options;
  options.default_source = {};
  const House house(options);
  EXPECT_EQ(house.call("PUT", "/v1/practitioners/anna", R"({"clinic_id":"c"})").status, 422);
  EXPECT_EQ(house.call("PUT", "/v1/practitioners/anna", R"({"clinic_id":"c","source":"other"})").status, 201);
}

TEST(Api, practitioner_ids_may_be_any_text) {
  House house;
  house.receive({});
  for (const char* id : {"a%2Fb", "a%20b", "%C3%A9%F0%9F%98%80", "%252F", "..", "a%3Fb%26c%3D%23", "%2B+"}) {
    house.connect(id);
    EXPECT_EQ(house.get(std::string("/v1/practitioners/") + id).status, 200) << id;
  }
  EXPECT_EQ(Json(house.get("/v1/practitioners/a%2Fb").body).text("/id"), "a/b");
  EXPECT_EQ(Json(house.get("/v1/practitioners/%252F").body).text("/id"), "%2F") << "decoded once";
  EXPECT_EQ(Json(house.get("/v1/feed?practitioner=a%2Fb").body).text("/items/0/practitioner/id"), "a/b");
  EXPECT_EQ(house.call("DELETE", "/v1/practitioners/a%2Fb").status, 204);
  EXPECT_EQ(house.get("/v1/practitioners/a%20b").status, 200);
}

TEST(Api, practitioners_come_in_pages) {
  House house;
  for (const char* id : {"c", "a", "e", "b", "d"}) house.connect(id);
  std::string seen;
  std::string after;
  for (int page = 0; page < 3; ++page) {
    const Json answer(house.get("/v1/practitioners?limit=2" + after).body);
    for (std::size_t i = 0; i < answer.size("/items"); ++i) seen += answer.text("/items/" + std::to_string(i) + "/id");
    if (page < 2) {
      after = "&after=" + answer.text("/next");
    } else {
      EXPECT_EQ(answer.at("/next"), "null");
    }
  }
  EXPECT_EQ(seen, "abcde");
  EXPECT_EQ(code_of(house.get("/v1/practitioners?after=p1.e.5")), "bad_cursor");
}

TEST(Api, events_are_listed_newest_first_and_filtered) {
  House house;
  house.receive({});
  house.receive({.id = "evt_2", .clinic = "", .practitioner = "pra_2", .type = "order.new_result"}, "other");
  house.receive({.id = "evt_3", .type = "order.created"});
  house.append("no json at all");
  house.append(body_of({.status = "Another"}));
  house.append(body_of({}));
  house.step_all();

  const auto ids = [&](const std::string& query) {
    const Json answer(house.get("/v1/events" + query).body);
    std::string all;
    for (std::size_t i = 0; i < answer.size("/items"); ++i) {
      const std::string id = answer.text("/items/" + std::to_string(i) + "/id");
      all += (id.size() == 64 ? "sha" : id) + " ";
    }
    return all;
  };
  EXPECT_EQ(ids(""), "sha evt_3 evt_2 evt_1 ");
  EXPECT_EQ(ids("?source=other"), "evt_2 ");
  EXPECT_EQ(ids("?type=order.created"), "evt_3 ");
  EXPECT_EQ(ids("?outcome=unknown_type"), "evt_3 ");
  EXPECT_EQ(ids("?outcome=unreadable"), "sha ");
  EXPECT_EQ(ids("?conflict=1"), "evt_1 ");
  EXPECT_EQ(house.get("/v1/events?source=nowhere").status, 400);
  EXPECT_EQ(house.get("/v1/events?outcome=odd").status, 400);
  const Json page(house.get("/v1/events?limit=1").body);
  EXPECT_EQ(ids("?limit=2&after=" + page.text("/next")), "evt_3 evt_2 ");
  EXPECT_EQ(code_of(house.get("/v1/events?after=f1.x")), "bad_cursor");
}

TEST(Api, an_event_shows_its_receipts_and_bodies) {
  House house;
  const std::string body = body_of({});
  const std::string other = body_of({.status = "Another"});
  for (const auto& sent : {body, body, other}) house.append(sent);
  house.append("\xFF\x01 no json");
  house.step_all();

  const Json event(house.get("/v1/events/evt_1").body);
  EXPECT_EQ(event.text("/body_sha256"), sha256(body).hex());
  EXPECT_EQ(event.at("/flags"), R"(["conflict"])");
  EXPECT_EQ(event.text("/receipts/0/kind"), "first");
  EXPECT_EQ(event.text("/receipts/1/kind"), "duplicate");
  EXPECT_EQ(event.text("/receipts/2/kind"), "conflict");
  EXPECT_EQ(event.text("/receipts/2/body_sha256"), sha256(other).hex());
  EXPECT_EQ(event.at("/body"), "absent");
  EXPECT_EQ(Json(house.get("/v1/events/evt_1?body=1").body).at("/body"), body);
  const std::string odd = sha256("\xFF\x01 no json").hex();
  EXPECT_EQ(Json(house.get("/v1/events/" + odd + "?body=1").body).text("/body_base64"),
            encode_base64("\xFF\x01 no json"));

  const auto quarantined = house.get("/v1/events/evt_1/bodies/" + sha256(other).hex());
  EXPECT_EQ(quarantined.body, other);
  EXPECT_EQ(quarantined.headers.only("Content-Type"), "application/octet-stream");
  EXPECT_TRUE(quarantined.headers.only("Content-Disposition").value_or("").starts_with("attachment"));
  EXPECT_EQ(house.get("/v1/events/evt_1/bodies/" + sha256(body).hex()).body, body);
  EXPECT_EQ(code_of(house.get("/v1/events/evt_1/bodies/" + odd)), "unknown_body")
      << "another event's body is not this one's";
  EXPECT_EQ(code_of(house.get("/v1/events/none")), "unknown_event");
}

TEST(Api, an_id_that_two_sources_use_must_be_narrowed) {
  House house;
  house.receive({});
  house.receive({.status = "Other"}, "other");
  for (const char* path : {"/v1/events/evt_1", "/v1/orders/ord_1"}) {
    const auto answer = house.get(path);
    EXPECT_EQ(answer.status, 409) << path;
    EXPECT_EQ(Json(answer.body).at("/sources"), R"(["other","rupa"])");
    EXPECT_EQ(Json(house.get(std::string(path) + "?source=other").body).text("/source"), "other");
  }
}

TEST(Api, an_order_shows_versions_and_history) {
  House house;
  house.connect("anna");
  house.connect("ben", "cli_2");
  house.receive({.id = "evt_1", .created_at = "2024-01-01T00:00:00Z", .result = "A"});
  house.receive({.id = "evt_3", .created_at = "2024-01-03T00:00:00Z", .result = "B", .status = "Completed"});
  house.receive({.id = "evt_2", .created_at = "2024-01-02T00:00:00Z", .result = "C"});

  const Json order(house.get("/v1/orders/ord_1?practitioner=anna").body);
  EXPECT_EQ(order.text("/status"), "Completed");
  EXPECT_EQ(order.text("/clinic_id"), "cli_1");
  EXPECT_EQ(order.text("/patient_id"), "pat_1");
  EXPECT_EQ(order.at("/unmatched_reason"), "null");
  EXPECT_EQ(order.text("/order/attributes/status"), "Completed");
  EXPECT_EQ(order.at("/tests/0/current_version"), "2");
  EXPECT_EQ(order.text("/tests/0/ordered_test/attributes/results_hl7"), "B");
  EXPECT_EQ(order.size("/tests/0/versions"), 3U);
  EXPECT_EQ(order.text("/tests/0/versions/1/first_seen_event_id"), "evt_3");
  EXPECT_EQ(order.at("/tests/0/versions/1/current"), "true");
  EXPECT_EQ(order.at("/tests/0/versions/2/current"), "false");
  EXPECT_EQ(order.text("/history/1/event_id"), "evt_2") << "in the order of their time, not of their arrival";
  EXPECT_EQ(order.text("/history/2/created_at"), "2024-01-03T00:00:00Z");

  EXPECT_EQ(code_of(house.get("/v1/orders/ord_1?practitioner=ben")), "unknown_order") << "S5";
  EXPECT_EQ(code_of(house.get("/v1/orders/ord_1?practitioner=nobody")), "unknown_practitioner");
  EXPECT_EQ(code_of(house.get("/v1/orders/ord_9")), "unknown_order");
}

TEST(Api, orders_are_listed_by_practitioner_patient_and_time) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .order = "ord_1"});
  house.receive({.id = "evt_2", .order = "ord_2", .patient = "pat_2"});
  house.receive({.id = "evt_3", .order = "ord_3", .clinic = "cli_2", .practitioner = "pra_2"});
  const auto ids = [&](const std::string& query) {
    const Json answer(house.get("/v1/orders" + query).body);
    std::string all;
    for (std::size_t i = 0; i < answer.size("/items"); ++i)
      all += answer.text("/items/" + std::to_string(i) + "/id") + " ";
    return all;
  };
  EXPECT_EQ(ids(""), "ord_1 ord_2 ord_3 ");
  EXPECT_EQ(ids("?practitioner=anna"), "ord_1 ord_2 ");
  EXPECT_EQ(ids("?practitioner=anna&patient=pat_2"), "ord_2 ");
  EXPECT_EQ(ids("?updated_since=2100-01-01T00:00:00Z"), "");
  EXPECT_EQ(ids("?updated_since=2020-01-01T00:00:00Z&patient=pat_2"), "ord_2 ");
  const Json page(house.get("/v1/orders?limit=2").body);
  EXPECT_EQ(ids("?after=" + page.text("/next")), "ord_3 ");
  EXPECT_EQ(code_of(house.get("/v1/orders?practitioner=nobody")), "unknown_practitioner");
  EXPECT_EQ(house.get("/v1/orders?updated_since=monday").status, 400);
  EXPECT_EQ(code_of(house.get("/v1/orders?after=p1.o.1")), "bad_cursor");
}

TEST(Api, what_is_unmatched_is_shown_and_matched_once) {
  House house;
  house.connect("anna");
  house.receive({.id = "evt_1", .clinic = ""});
  house.receive({.id = "evt_2", .order = "ord_2", .clinic = "cli_2", .practitioner = "pra_2"});
  const Json waiting(house.get("/v1/unmatched").body);
  ASSERT_EQ(waiting.size("/items"), 2U);
  EXPECT_EQ(waiting.text("/items/0/event_id"), "evt_1");
  EXPECT_EQ(waiting.text("/items/0/reason"), "unknown_clinic");
  EXPECT_EQ(waiting.at("/items/0/clinic_id"), "null");
  EXPECT_EQ(waiting.text("/items/1/reason"), "nobody_connected");
  EXPECT_EQ(waiting.text("/items/1/clinic_id"), "cli_2");
  const Json page(house.get("/v1/unmatched?limit=1").body);
  EXPECT_EQ(Json(house.get("/v1/unmatched?after=" + page.text("/next")).body).text("/items/0/event_id"), "evt_2");

  const auto match = [&](const std::string& id, const std::string& body) {
    return house.call("POST", "/v1/unmatched/" + id + "/match", body);
  };
  EXPECT_EQ(match("evt_1", "{}").status, 422);
  EXPECT_EQ(match("evt_1", R"({"clinic_id":"cli_1","source":"odd"})").status, 422);
  EXPECT_EQ(code_of(match("evt_9", R"({"clinic_id":"cli_1"})")), "unknown_event");
  EXPECT_EQ(code_of(match("evt_1", R"({"clinic_id":"cli_1","source":"other"})")), "unknown_event");
  const Json matched(match("evt_1", R"({"clinic_id":"cli_1"})").body);
  EXPECT_EQ(matched.text("/order_id"), "ord_1");
  EXPECT_EQ(matched.at("/items"), "1");
  EXPECT_EQ(matched.at("/nobody_connected"), "false");
  EXPECT_EQ(code_of(match("evt_1", R"({"clinic_id":"cli_1"})")), "not_waiting");
  EXPECT_EQ(Json(house.get("/v1/feed?practitioner=anna").body).text("/items/0/event_id"), "evt_1");
}

TEST(Api, status_says_what_there_is_and_how_far_it_is) {
  House house;
  house.receive({});
  house.append(body_of({}));
  const Json status(house.get("/v1/status").body);
  EXPECT_EQ(status.text("/version"), "0.0.0-test");
  EXPECT_EQ(status.at("/log/end"), "2");
  EXPECT_EQ(status.at("/log/applied"), "1");
  EXPECT_EQ(status.at("/log/lag_records"), "1");
  EXPECT_EQ(status.at("/totals/orders"), "1");
  EXPECT_EQ(status.at("/waiting_by_reason/nobody_connected"), "1");
  house.call("PUT", "/v1/practitioners/anna", R"({"clinic_id":"cli_1"})");
  EXPECT_EQ(Json(house.get("/v1/status").body).text("/backfills/0/practitioner_id"), "anna");
  house.step_all();
  EXPECT_EQ(Json(house.get("/v1/status").body).size("/backfills"), 0U);
}

TEST(Api, health_and_metrics_need_no_key) {
  std::atomic<bool> ready{true};
  HouseOptions options;
  options.readiness = [&] { return std::vector<ReadinessCheck>{{"log", true}, {"views", ready.load(), "opening"}}; };
  const House house(options);
  const auto open = [&](const std::string& path) { return house.call("GET", path, {}, {}); };
  EXPECT_EQ(open("/livez").body, R"({"status":"ok"})");
  EXPECT_EQ(open("/readyz").body, R"({"status":"ok"})");
  ready = false;
  EXPECT_EQ(open("/readyz").status, 503);
  const auto verbose = open("/readyz?verbose");
  EXPECT_EQ(Json(verbose.body).text("/checks/1/detail"), "opening");
  EXPECT_EQ(Json(verbose.body).at("/checks/0/ok"), "true");
  const auto metrics = open("/metrics");
  EXPECT_TRUE(metrics.headers.only("Content-Type").value_or("").starts_with("text/plain; version=0.0.4"));
  EXPECT_NE(metrics.body.find(R"(resultsync_api_requests_total{method="GET",route="/livez",status="2xx"} 1)"),
            std::string::npos);
  EXPECT_EQ(open("/openapi.json").body, openapi_json());
}

// Health data and ids of people stay out of what is counted (P4).
TEST(Api, metrics_name_patterns_and_never_paths) {
  House house;
  house.receive({});
  house.connect("canary-person");
  (void)house.get("/v1/feed?practitioner=canary-person");
  (void)house.get("/v1/canary-person");
  EXPECT_EQ(house.get("/metrics").body.find("canary"), std::string::npos);
}

TEST(Api, a_full_pool_is_answered_503) {
  HouseOptions options;
  options.workers = 1;
  options.queue_max = 1;
  House house(options);
  auto held = house.views_->snapshot();  // the only reader of views in memory: whoever needs one waits
  std::vector<std::future<int>> statuses;
  for (int i = 0; i < 8; ++i) {
    statuses.push_back(std::async(std::launch::async, [&] { return house.get("/v1/status").status; }));
  }
  std::size_t refused = 0;
  for (auto& status : statuses)
    refused += status.wait_for(500ms) == std::future_status::ready && status.get() == 503 ? 1 : 0;
  EXPECT_GE(refused, 6U);
  EXPECT_EQ(house.get("/livez").status, 200) << "health does not wait for the store";
  held.reset();
}

}  // namespace
}  // namespace resultsync::api
