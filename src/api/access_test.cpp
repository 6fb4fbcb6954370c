// API keys, what is kept of requests, and the manners that all routes share.
#include <gtest/gtest.h>

#include <filesystem>
#include <ranges>
#include <thread>

#include "api/access_world.hpp"
#include "api/idempotency.hpp"
#include "base/encoding.hpp"
#include "runtime/file.hpp"
#include "runtime/random.hpp"
#include "store/audit_verify.hpp"

namespace resultsync::api {
namespace {

using Headers = std::vector<http::Header>;

http::ClientResponse send(const House& house, const std::string& method, const std::string& target, Headers headers,
                          const std::string& body = {}) {
  http::ClientRequest request;
  request.method = method;
  request.url = "http://" + house.server_->address() + target;
  request.headers = std::move(headers);
  if (std::ranges::find(request.headers, "Authorization", &http::Header::name) == request.headers.end())
    request.headers.push_back({"Authorization", std::string("Bearer ") + kTestKey});
  request.body = body;
  auto response = http::send(request);
  EXPECT_TRUE(response.has_value());
  return response ? std::move(*response) : http::ClientResponse{};
}

struct Made {
  std::string id;
  std::string bearer;
};
Made make_key(const House& house, const std::string& body) {
  const auto answer = house.call("POST", "/v1/keys", body);
  EXPECT_EQ(answer.status, 201) << answer.body;
  const Json json(answer.body);
  return {json.text("/id"), "Bearer " + json.text("/key")};
}
constexpr const char* kReader = R"({"name":"reader","scopes":["read_results"]})";

std::vector<store::AuditRow> audit_rows(const House& house) {
  return house.audit_log_->snapshot()->after(0, 10'000);
}

TEST(Keys, a_key_is_shown_once_and_only_its_digest_is_kept) {
  const House house;
  const auto answer =
      house.call("POST", "/v1/keys",
                 R"({"name":"n","scopes":["read_results","read_events"],)"
                 R"("practitioners":["anna"],"clinics":["cli_1",{"source":"other","clinic_id":"cli_9"}],)"
                 R"("expires_at":"2999-01-01T00:00:00Z"})");
  ASSERT_EQ(answer.status, 201) << answer.body;
  const Json made(answer.body);
  const std::string text = made.text("/key");
  const std::string id = made.text("/id");
  EXPECT_TRUE(text.starts_with("rs_" + id + "_"));
  EXPECT_TRUE(looks_like_a_key(text));
  EXPECT_EQ(answer.headers.only("Location").value_or(""), "/v1/keys/" + id);
  const auto shown = house.get("/v1/keys/" + id);
  EXPECT_EQ(shown.body.find(text), std::string::npos);
  EXPECT_EQ(shown.body.find("\"key\""), std::string::npos);
  const Json key(shown.body);
  EXPECT_EQ(key.at("/scopes"), R"(["read_results","read_events"])");
  EXPECT_EQ(
      key.at("/limits"),
      R"({"practitioners":["anna"],"clinics":[{"source":"other","clinic_id":"cli_9"},{"source":"rupa","clinic_id":"cli_1"}]})");
  EXPECT_EQ(key.text("/state"), "active");
  EXPECT_EQ(key.text("/expires_at"), "2999-01-01T00:00:00Z");
  EXPECT_EQ(house.views_->snapshot()->access().key(id)->secret, sha256(text));
}

TEST(Keys, what_a_key_cannot_be_is_told_member_by_member) {
  const House house;
  const auto wrong = [&](const std::string& body) { return house.call("POST", "/v1/keys", body); };
  EXPECT_EQ(code_of(wrong("")), "bad_json");
  EXPECT_EQ(code_of(wrong("[]")), "bad_json");
  for (const char* body :
       {R"({})", R"({"name":"n"})", R"({"name":"","scopes":["admin"]})", R"({"name":"n","scopes":[]})",
        R"({"name":"n","scopes":["all"]})", R"({"name":"n","scopes":["open"]})",
        R"({"name":"n","scopes":["read_results"],"practitioners":[]})",
        R"({"name":"n","scopes":["read_results"],"practitioners":[1]})",
        R"({"name":"n","scopes":["read_results"],"clinics":[{"source":"nowhere","clinic_id":"c"}]})",
        R"({"name":"n","scopes":["read_results"],"clinics":[{"source":"rupa"}]})",
        R"({"name":"n","scopes":["read_results"],"expires_at":"2020-01-01T00:00:00Z"})",
        R"({"name":"n","scopes":["read_results"],"expires_at":"soon"})",
        R"({"name":"n","scopes":["read_results"],"limits":{}})", R"({"name":"n","name":"m","scopes":["read_results"]})",
        R"({"name":"n","scopes":["admin"],"practitioners":["anna"]})"}) {
    const auto answer = wrong(body);
    EXPECT_EQ(answer.status, 422) << body << " " << answer.body;
    EXPECT_EQ(code_of(answer), "invalid_members") << body;
  }
  EXPECT_EQ(Json(house.get("/v1/keys").body).size("/items"), 0U);
}

TEST(Keys, revoking_takes_effect_with_its_answer) {
  const House house;
  const Made key = make_key(house, kReader);
  EXPECT_EQ(house.call("GET", "/v1/orders", {}, key.bearer).status, 200);
  EXPECT_EQ(house.call("DELETE", "/v1/keys/" + key.id).status, 204);
  EXPECT_EQ(house.call("GET", "/v1/orders", {}, key.bearer).status, 401);
  EXPECT_EQ(house.call("DELETE", "/v1/keys/" + key.id).status, 204) << "again changes nothing";
  EXPECT_EQ(Json(house.get("/v1/keys/" + key.id).body).text("/state"), "revoked");
  EXPECT_EQ(code_of(house.call("POST", "/v1/keys/" + key.id + "/rotate")), "key_ended");
  EXPECT_EQ(code_of(house.call("DELETE", "/v1/keys/nothing")), "unknown_key");
}

TEST(Keys, what_another_instance_revoked_is_refused_within_a_second) {
  AccessWorld world({.rate = {.per_second = 1'000'000, .burst = 1'000'000}});
  EXPECT_EQ(world.house.call("GET", "/v1/orders", {}, world.bearer(kSpareKey)).status, 200);
  {
    const auto transaction = world.house.views_->begin();
    transaction->access().revoke_key(kSpareKey, world.house.clock_.now());
    ASSERT_TRUE(transaction->commit().has_value());
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(1'500);
  int status = 200;
  while (status == 200 && std::chrono::steady_clock::now() < deadline)
    status = world.house.call("GET", "/v1/orders", {}, world.bearer(kSpareKey)).status;
  EXPECT_EQ(status, 401);
}

TEST(Keys, during_a_rotation_both_secrets_are_good_and_after_it_one) {
  const House house;
  const Made first = make_key(house, kReader);
  const auto rotate = [&](const std::string& body) {
    const auto answer = house.call("POST", "/v1/keys/" + first.id + "/rotate", body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return "Bearer " + Json(answer.body).text("/key");
  };
  const auto status = [&](const std::string& bearer) { return house.call("GET", "/v1/orders", {}, bearer).status; };
  const std::string second = rotate("");
  EXPECT_NE(first.bearer, second);
  EXPECT_EQ(status(first.bearer), 200);
  EXPECT_EQ(status(second), 200);
  const std::string third = rotate(R"({"overlap_seconds":0})");
  EXPECT_EQ(status(first.bearer), 401) << "from before the one before";
  EXPECT_EQ(status(second), 401) << "no overlap";
  EXPECT_EQ(status(third), 200);
  for (const char* body :
       {R"({"overlap_seconds":-1})", R"({"overlap_seconds":2592001})", R"({"overlap_seconds":"1"})", R"({"x":1})"})
    EXPECT_EQ(code_of(house.call("POST", "/v1/keys/" + first.id + "/rotate", body)), "invalid_members") << body;
}

TEST(Keys, who_names_what_they_saw_does_not_undo_what_somebody_else_did) {
  const House house;
  const Made key = make_key(house, kReader);
  const std::string target = "/v1/keys/" + key.id;
  const std::string seen(house.get(target).headers.only("ETag").value_or(""));
  EXPECT_EQ(send(house, "POST", target + "/rotate", {{"If-Match", seen}}).status, 200);
  EXPECT_EQ(code_of(send(house, "POST", target + "/rotate", {{"If-Match", seen}})), "precondition_failed");
  EXPECT_EQ(code_of(send(house, "DELETE", target, {{"If-Match", seen}})), "precondition_failed");
  EXPECT_EQ(send(house, "DELETE", target, {{"If-Match", "*"}}).status, 204);
}

TEST(Keys, last_use_is_noted) {
  const House house;
  const Made key = make_key(house, kReader);
  EXPECT_EQ(Json(house.get("/v1/keys/" + key.id).body).at("/last_used_at"), "null");
  EXPECT_EQ(house.call("GET", "/v1/orders", {}, key.bearer).status, 200);
  EXPECT_NE(Json(house.get("/v1/keys/" + key.id).body).at("/last_used_at"), "null");
}

TEST(Keys, pages_of_keys) {
  const House house;
  for (int i = 0; i < 5; ++i) make_key(house, kReader);
  const Json first(house.get("/v1/keys?limit=3").body);
  EXPECT_EQ(first.size("/items"), 3U);
  const Json second(house.get("/v1/keys?limit=3&after=" + first.text("/next")).body);
  EXPECT_EQ(second.size("/items"), 2U);
  EXPECT_EQ(second.at("/next"), "null");
  EXPECT_EQ(code_of(house.get("/v1/keys?after=p1.e.1")), "bad_cursor");
}

TEST(Reach, a_limited_key_gives_nobody_more_than_it_sees) {
  AccessWorld world;
  const auto put = [&](const std::string& key, const std::string& id, const std::string& body) {
    return world.house.call("PUT", "/v1/practitioners/" + id, body, world.bearer(key));
  };
  EXPECT_EQ(code_of(put("0000000000a1", "anna", R"({"clinic_id":"cli_3"})")), "unknown_clinic");
  EXPECT_EQ(code_of(put("0000000000a1", "carla", R"({"clinic_id":"cli_1"})")), "unknown_clinic")
      << "only anna is named";
  EXPECT_EQ(put("0000000000c1", "carla", R"({"clinic_id":"cli_1"})").status, 201) << "the clinic is the key's";
  EXPECT_EQ(code_of(put("0000000000c1", "carla", R"({"clinic_id":"cli_1","vendor_practitioner_id":"pra_2"})")),
            "invalid_members")
      << "where a practitioner of the network works decides whose orders are";
  // Ben is connected to the key's clinic too, now: it sees him, with that connection alone, and of his feed what is of
  // it.
  world.house.connect("ben", "cli_1");
  const auto ben = world.house.call("GET", "/v1/practitioners/ben", {}, world.bearer("0000000000c1"));
  EXPECT_EQ(Json(ben.body).size("/connections"), 1U);
  const auto feed = world.house.call("GET", "/v1/feed?practitioner=ben", {}, world.bearer("0000000000c1"));
  EXPECT_EQ(feed.status, 200);
  EXPECT_EQ(Json(feed.body).size("/items"), 1U);
  EXPECT_EQ(feed.body.find("ord_2"), std::string::npos);
  EXPECT_EQ(world.house.call("DELETE", "/v1/practitioners/ben", {}, world.bearer("0000000000c1")).status, 204);
  EXPECT_EQ(Json(world.house.get("/v1/practitioners/ben").body).text("/connections/0/clinic_id"), "cli_2")
      << "what is not the key's stays";
}

TEST(Reach, the_limit_follows_the_connections) {
  AccessWorld world;
  const auto order = [&] {
    return world.house.call("GET", "/v1/orders/ord_2", {}, world.bearer("0000000000a1")).status;
  };
  EXPECT_EQ(order(), 404);
  world.house.connect("anna", "cli_2");
  EXPECT_EQ(order(), 200);
  EXPECT_EQ(world.house.call("DELETE", "/v1/practitioners/anna?clinic_id=cli_2").status, 204);
  EXPECT_EQ(order(), 404);
}

TEST(Reach, a_body_in_quarantine_and_an_event_of_another_clinic_stay_with_the_operator) {
  AccessWorld world;
  // The same id with ben's order in it, and an event that says anna's order is of ben's clinic.
  const SentEvent conflict{.id = "evt_1", .order = "ord_2", .clinic = "cli_2", .patient = "pat_2"};
  world.house.receive(conflict);
  world.house.receive({.id = "evt_4", .created_at = "2025-01-01T00:00:00Z", .order = "ord_1", .clinic = "cli_2"});
  const std::string body = "/v1/events/evt_1/bodies/" + sha256(body_of(conflict)).hex();
  EXPECT_EQ(world.house.get(body).status, 200);
  EXPECT_EQ(code_of(world.house.call("GET", body, {}, world.bearer("0000000000a1"))), "unknown_body");
  ASSERT_EQ(Json(world.house.get("/v1/events/evt_4").body).text("/reason"), "clinic_changed");
  EXPECT_EQ(world.house.call("GET", "/v1/events/evt_4", {}, world.bearer("0000000000a1")).status, 404);
  EXPECT_EQ(world.house.call("GET", "/v1/events", {}, world.bearer("0000000000a1")).body.find("evt_4"),
            std::string::npos);
}

TEST(AuditLog, every_answer_is_on_record_before_it_is_sent) {
  AccessWorld world;
  const std::size_t before = audit_rows(world.house).size();
  const auto answer = send(world.house, "GET", "/v1/orders/ord_1",
                           {{"Authorization", world.bearer("0000000000a1")}, {"X-Purpose", "treatment"}});
  ASSERT_EQ(answer.status, 200);
  const auto rows = audit_rows(world.house);
  ASSERT_EQ(rows.size(), before + 1);
  const store::AuditRow& row = rows.back();
  EXPECT_EQ(row.actor, "0000000000a1");
  EXPECT_EQ(row.action, "GET /v1/orders/{id}");
  EXPECT_EQ(row.objects, std::vector<std::string>{"orders/ord_1"});
  EXPECT_EQ(row.purpose, "treatment");
  EXPECT_EQ(row.peer, "127.0.0.1");
  EXPECT_EQ(row.outcome, "200");
  EXPECT_EQ(row.request_id, answer.headers.only("X-Request-Id").value_or(""));
}

// P5, from the table: no route can forget it.
TEST(AuditLog, every_route_that_is_not_open_leaves_a_row) {
  AccessWorld world;
  for (const Route& route : routes()) {
    const std::string name = std::string(route.method) + " " + std::string(route.pattern);
    std::string target(route.pattern);
    while (target.contains('{')) target.replace(target.find('{'), target.find('}') - target.find('{') + 1, "x");
    const std::size_t before = audit_rows(world.house).size();
    const auto answer = world.house.call(std::string(route.method), target, "{}");
    std::vector<std::string> outcomes;
    for (const auto& row : audit_rows(world.house) | std::views::drop(before)) {
      EXPECT_EQ(row.action, name);
      EXPECT_EQ(row.request_id, answer.headers.only("X-Request-Id").value_or(""));
      outcomes.push_back(row.outcome.substr(0, 3));
    }
    std::vector<std::string> expected;
    const bool is_search = route.pattern.ends_with("/_search");  // by POST, so that nothing personal stands in a URL
    if (route.scope != Scope::kOpen && route.method != "GET" && !is_search) expected.push_back("beg");
    if (route.scope != Scope::kOpen) expected.push_back(std::to_string(answer.status));
    EXPECT_EQ(outcomes, expected) << name;
  }
}

TEST(AuditLog, what_a_page_shows_is_named) {
  AccessWorld world;
  EXPECT_EQ(world.house.get("/v1/feed?practitioner=anna").status, 200);
  EXPECT_EQ(audit_rows(world.house).back().objects, (std::vector<std::string>{"practitioner/anna", "orders/ord_1"}));
  EXPECT_EQ(world.house.get("/v1/orders").status, 200);
  EXPECT_EQ(audit_rows(world.house).back().objects,
            (std::vector<std::string>{"orders/ord_1", "orders/ord_2", "orders/ord_3"}));
}

// What was asked for by a filter is whatever the caller typed, a patient's name perhaps, until something is found by
// it.
TEST(AuditLog, a_filter_that_finds_nothing_stands_as_its_digest) {
  AccessWorld world;
  EXPECT_EQ(world.house.get("/v1/results?patient=Zebulon%20Quark").status, 200);
  const auto objects = audit_rows(world.house).back().objects;
  ASSERT_EQ(objects.size(), 1U);
  EXPECT_TRUE(objects.front().starts_with("patient/sha256:")) << objects.front();
}

TEST(AuditLog, a_missing_scope_is_on_record_and_refused_keys_are_counted) {
  AccessWorld world({.audit = {.failures_interval = std::chrono::seconds(0)}});
  world.house.call("GET", "/v1/status", {}, world.scoped("read_results"));
  EXPECT_EQ(audit_rows(world.house).back().outcome, "403 missing_scope");
  const std::size_t before = audit_rows(world.house).size();
  for (int i = 0; i < 20; ++i) world.house.call("GET", "/v1/status", {}, "Bearer nonsense");
  EXPECT_EQ(world.house.get("/v1/status").status, 200);
  std::int64_t attempts = 0;
  std::size_t rows = 0;
  for (const auto& row : audit_rows(world.house) | std::views::drop(before)) {
    if (row.action != "authenticate") continue;
    ++rows;
    EXPECT_EQ(row.peer, "127.0.0.1");
    attempts += std::stoll(row.objects.front().substr(std::string("attempts=").size()));
  }
  EXPECT_EQ(attempts, 20);
  EXPECT_LE(rows, 20U);
}

TEST(AuditLog, who_reads_does_not_wait_for_who_writes_to_the_views) {
  const auto folder = std::filesystem::temp_directory_path() / ("audit-" + encode_hex(runtime::random_bytes(6)));
  House house({.directory = test::has_postgres() ? "" : folder.string()});
  house.connect("anna");
  house.receive({});
  auto held = house.views_->begin();  // as sync does under a backlog, here for longer than any read may take
  for (const char* path : {"/v1/feed?practitioner=anna", "/v1/orders/ord_1", "/v1/keys", "/v1/audit"})
    EXPECT_EQ(house.get(path).status, 200) << path;
  EXPECT_EQ(audit_rows(house).back().action, "GET /v1/audit");
  held.reset();
  house.close();
  std::filesystem::remove_all(folder);
}

// An audit log whose disk fails.
class BrokenAuditLog final : public store::AuditLog {
 public:
  Result<void> append(std::span<const store::AuditRow>) override { return fail("io_error", "it cannot be written"); }
  Result<void> add_checkpoint(const store::AuditCheckpoint&) override { return append(std::span<store::AuditRow>()); }
  std::unique_ptr<store::AuditSnapshot> snapshot() override { return empty_->snapshot(); }

 private:
  std::unique_ptr<store::AuditLog> empty_ = std::move(*store::open_memory_audit());
};

TEST(AuditLog, nothing_is_shown_or_done_whose_row_cannot_be_written) {
  House house;
  house.receive({});
  BrokenAuditLog broken;
  Api api({.views = *house.views_,
           .audit_log = broken,
           .log = house.log_,
           .sync = house.sync_,
           .endpoints = house.endpoints_,
           .clock = house.clock_,
           .metrics = house.metrics_,
           .admin_key = Secret<std::string>(kTestKey),
           .sources = {SourceId("rupa")},
           .default_source = SourceId("rupa"),
           .version = "1"});
  const auto ask = [&](const char* method, const char* target, const char* body) {
    std::promise<http::Response> answered;
    http::Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.headers.add("Authorization", std::string("Bearer ") + kTestKey);
    if (*body != '\0') request.headers.add("Idempotency-Key", "k1");
    api.handle(std::move(request),
               http::Responder([&](http::Response response) { answered.set_value(std::move(response)); }));
    return answered.get_future().get();
  };
  const auto read = ask("GET", "/v1/orders/ord_1", "");
  EXPECT_EQ(read.status, 500);
  EXPECT_FALSE(read.body.contains("ord_1"));
  EXPECT_EQ(ask("PUT", "/v1/practitioners/anna", R"({"clinic_id":"cli_1"})").status, 500);
  EXPECT_EQ(house.get("/v1/practitioners/anna").status, 404) << "nothing was done";
  EXPECT_EQ(house.views_->snapshot()->access().idempotency("admin", sha256("k1")), std::nullopt)
      << "so it may be sent again at once";
}

TEST(AuditLog, a_purpose_is_a_code) {
  const House house;
  for (const std::string& wrong : {std::string("because of Mrs Miller"), std::string(65, 'a'), std::string("a/b")})
    EXPECT_EQ(send(house, "GET", "/v1/orders", {{"X-Purpose", wrong}}).status, 400) << wrong;
  EXPECT_EQ(send(house, "GET", "/v1/orders", {{"X-Purpose", std::string(64, 'a')}}).status, 200);
}

TEST(AuditLog, the_chain_of_a_used_house_is_whole_and_signed) {
  AccessWorld world({.audit = {.rows_per_checkpoint = 5}});
  for (int i = 0; i < 30; ++i) EXPECT_EQ(world.house.get("/v1/orders").status, 200);
  world.house.close();  // signs what is left
  const auto snapshot = world.house.audit_log_->snapshot();
  const auto report = store::verify_audit(*snapshot, {}, {});
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->sound());
  EXPECT_GE(report->rows, 30);
  EXPECT_GE(report->checkpoints, 2);
  EXPECT_EQ(snapshot->last_checkpoint()->seq, report->head.seq);
}

TEST(AuditLog, is_read_newest_first_or_as_the_whole_chain) {
  AccessWorld world;
  for (int i = 0; i < 4; ++i) world.house.call("GET", "/v1/orders", {}, world.bearer("0000000000a1"));
  const Json newest(world.house.get("/v1/audit?actor=0000000000a1&limit=3").body);
  EXPECT_EQ(newest.size("/items"), 3U);
  const Json rest(world.house.get("/v1/audit?actor=0000000000a1&limit=3&after=" + newest.text("/next")).body);
  EXPECT_EQ(rest.size("/items"), 1U);
  const Json chain(world.house.get("/v1/audit?order=oldest&limit=2").body);
  EXPECT_EQ(chain.at("/items/0/seq"), "1");
  EXPECT_EQ(chain.at("/items/1/seq"), "2");
  // The line without its hash, behind the hash before it, gives its hash.
  std::string line = chain.at("/items/0");
  line = line.substr(0, line.find(R"(,"hash")")) + "}";
  EXPECT_EQ(chain.text("/items/0/hash"), sha256(std::string(64, '0') + "\n" + line).hex());
  EXPECT_EQ(world.house.get("/v1/audit?order=oldest&actor=admin").status, 400);
  EXPECT_EQ(world.house.get("/v1/audit?order=random").status, 400);
}

TEST(Idempotency, a_write_that_is_sent_again_is_answered_as_before_and_done_once) {
  const House house;
  const auto first = send(house, "POST", "/v1/keys", {{"Idempotency-Key", "k-1"}}, kReader);
  const auto again = send(house, "POST", "/v1/keys", {{"Idempotency-Key", "k-1"}}, kReader);
  EXPECT_EQ(first.status, 201);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(again.headers.only("Location"), first.headers.only("Location"));
  EXPECT_EQ(again.headers.only("Idempotency-Replayed").value_or(""), "true");
  EXPECT_NE(again.headers.only("X-Request-Id"), first.headers.only("X-Request-Id"));
  EXPECT_EQ(Json(house.get("/v1/keys").body).size("/items"), 1U);
  EXPECT_EQ(
      code_of(send(house, "POST", "/v1/keys", {{"Idempotency-Key", "k-1"}}, R"({"name":"x","scopes":["admin"]})")),
      "idempotency_key_reused");
  EXPECT_EQ(send(house, "POST", "/v1/keys", {{"Idempotency-Key", "k-2"}}, kReader).status, 201);
  EXPECT_EQ(Json(house.get("/v1/keys").body).size("/items"), 2U);
}

TEST(Idempotency, callers_do_not_see_one_anothers_answers) {
  AccessWorld world;
  const Headers root{{"Idempotency-Key", "same"}};
  const Headers other{{"Idempotency-Key", "same"}, {"Authorization", world.scoped("admin")}};
  const auto mine = send(world.house, "POST", "/v1/keys", root, kReader);
  const auto theirs = send(world.house, "POST", "/v1/keys", other, kReader);
  EXPECT_EQ(theirs.status, 201);
  EXPECT_NE(mine.body, theirs.body);
}

TEST(Idempotency, what_is_being_done_is_not_done_beside_it) {
  const House house;
  {
    const auto transaction = house.views_->begin();
    const std::string asked = std::string("POST /v1/keys\n") + kReader;
    transaction->access().save_idempotency({"admin", sha256("k"), sha256(asked), house.clock_.now(), 0, {}});
    // One whose process ended in the middle, a minute ago.
    transaction->access().save_idempotency(
        {"admin", sha256("old"), sha256(asked), {house.clock_.now().microseconds - kInProgressMicroseconds}, 0, {}});
    ASSERT_TRUE(transaction->commit().has_value());
  }
  const auto answer = send(house, "POST", "/v1/keys", {{"Idempotency-Key", "k"}}, kReader);
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(code_of(answer), "in_progress");
  EXPECT_EQ(answer.headers.only("Retry-After").value_or(""), "1");
  EXPECT_EQ(send(house, "POST", "/v1/keys", {{"Idempotency-Key", "old"}}, kReader).status, 201);
}

TEST(Idempotency, a_kept_answer_shows_its_secret_to_nobody_who_has_the_store) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("access-" + encode_hex(runtime::random_bytes(6)));
  std::string secret;
  {
    House house({.directory = directory});
    const auto answer = send(house, "POST", "/v1/keys", {{"Idempotency-Key", "an-idempotency-key-of-a-test"}}, kReader);
    secret = Json(answer.body).text("/key");
    ASSERT_EQ(send(house, "POST", "/v1/keys", {{"Idempotency-Key", "an-idempotency-key-of-a-test"}}, kReader).body,
              answer.body);
  }
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    const auto bytes = runtime::read_file(file.path());
    ASSERT_TRUE(bytes.has_value());
    EXPECT_EQ(bytes->find(secret.substr(16)), std::string::npos) << file.path();
    EXPECT_EQ(bytes->find("an-idempotency-key-of-a-test"), std::string::npos) << file.path();
  }
  std::filesystem::remove_all(directory);
}

TEST(Idempotency, a_search_by_post_leaves_alone_what_a_write_has_kept) {
  const House house;
  const Headers headers{{"Idempotency-Key", "k"}, {"Content-Type", "application/x-www-form-urlencoded"}};
  const auto first = send(house, "POST", "/v1/keys", headers, kReader);
  ASSERT_EQ(first.status, 201);
  EXPECT_EQ(send(house, "POST", "/fhir/R4/Patient/_search", headers, "family=doe").status, 200);
  EXPECT_EQ(send(house, "POST", "/v1/keys", headers, kReader).body, first.body);
  EXPECT_EQ(send(house, "POST", "/fhir/R4/Patient/_search", {{"Idempotency-Key", "s"}}).status, 200);
  EXPECT_FALSE(house.views_->snapshot()->access().idempotency("admin", sha256("s")).has_value())
      << "an answer full of health data is not kept";
}

TEST(Idempotency, keys_are_bounded) {
  const House house;
  EXPECT_EQ(send(house, "POST", "/v1/keys", {{"Idempotency-Key", std::string(255, 'k')}}, kReader).status, 201);
  for (const std::string& wrong : {std::string(256, 'k'), std::string("a b")})
    EXPECT_EQ(send(house, "POST", "/v1/keys", {{"Idempotency-Key", wrong}}, kReader).status, 400);
  EXPECT_EQ(send(house, "POST", "/v1/keys", {{"Idempotency-Key", "a"}, {"Idempotency-Key", "b"}}, kReader).status, 400);
}

TEST(Rates, a_key_that_asks_too_often_is_told_when_to_ask_again) {
  const House house({.rate = {.per_second = 1, .burst = 5}});
  const Made key = make_key(house, kReader);
  const Made other = make_key(house, kReader);
  int granted = 0;
  http::ClientResponse answer;
  for (int i = 0; i < 12; ++i) {
    answer = house.call("GET", "/v1/orders", {}, key.bearer);
    granted += answer.status == 200 ? 1 : 0;
  }
  EXPECT_GE(granted, 5);
  EXPECT_LE(granted, 8) << "the burst, and what came back meanwhile";
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(code_of(answer), "too_many_requests");
  EXPECT_GE(std::stoi(std::string(answer.headers.only("Retry-After").value_or("0"))), 1);
  EXPECT_EQ(answer.headers.only("RateLimit-Policy").value_or(""), R"("key";q=5;w=5)");
  EXPECT_TRUE(answer.headers.only("RateLimit").value_or("").starts_with(R"("key";r=0;t=)"));
  EXPECT_EQ(house.call("GET", "/v1/orders", {}, other.bearer).status, 200) << "each key has its own";
  for (int i = 0; i < 12; ++i) EXPECT_EQ(house.get("/v1/orders").status, 200) << "the root key has none";
}

TEST(Conditions, who_has_the_same_already_is_told_so) {
  AccessWorld world;
  const auto first = world.house.get("/v1/orders/ord_1");
  const std::string tag(first.headers.only("ETag").value_or(""));
  ASSERT_FALSE(tag.empty());
  const auto again = send(world.house, "GET", "/v1/orders/ord_1", {{"If-None-Match", tag}});
  EXPECT_EQ(again.status, 304);
  EXPECT_TRUE(again.body.empty());
  EXPECT_EQ(again.headers.only("ETag").value_or(""), tag);
  EXPECT_EQ(again.headers.only("Cache-Control").value_or(""), "no-store");
  world.house.receive(
      {.id = "evt_9", .created_at = "2025-01-01T00:00:00Z", .order = "ord_1", .test = "ordts_1", .result = "B"});
  EXPECT_EQ(send(world.house, "GET", "/v1/orders/ord_1", {{"If-None-Match", tag}}).status, 200);
}

}  // namespace
}  // namespace resultsync::api
