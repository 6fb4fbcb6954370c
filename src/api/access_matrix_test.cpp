// Every route, for every kind of key, on what is its own and on what is another's: made from the table of routes, so
// that a route which is not spoken of here fails the test.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "api/access_world.hpp"
#include "api/route.hpp"

namespace resultsync::api {
namespace {

struct Request {
  std::string target;
  std::string body = {};
};

// What a route is asked for: `own` is anna's (or, for what only an operator asks, anything that is there), `foreign`
// ben's.
struct RouteObjects {
  std::string_view route;  // "GET /v1/orders/{id}"
  Request own;
  std::vector<Request> foreign = {};  // each is 404 for a key that is limited to anna
  // What `own` is answered if not 2xx: a problem that only who sees the thing is told.
  std::string_view own_problem = {};
  std::string_view limited_problem = {};  // the same for a key that is limited to anna, if it is another one
  int own_status = 0;                     // the same where the answer is no problem of ours
};

std::vector<RouteObjects> route_objects() {
  const auto body_of_event = [](const std::string& n) {
    const std::string body = body_of({.id = "evt_" + n,
                                      .order = "ord_" + n,
                                      .test = "ordts_" + n,
                                      .clinic = "cli_" + n,
                                      .practitioner = "pra_" + n,
                                      .patient = "pat_" + n});
    return "/v1/events/evt_" + n + "/bodies/" + sha256(body).hex();
  };
  const std::string key = std::string("/v1/keys/") + kSpareKey;
  return {
      {"PUT /v1/practitioners/{app_id}",
       {"/v1/practitioners/anna", R"({"clinic_id":"cli_1"})"},
       {{"/v1/practitioners/anna", R"({"clinic_id":"cli_2"})"}, {"/v1/practitioners/ben", R"({"clinic_id":"cli_2"})"}}},
      {"GET /v1/practitioners/{app_id}", {"/v1/practitioners/anna"}, {{"/v1/practitioners/ben"}}},
      {"DELETE /v1/practitioners/{app_id}",
       {"/v1/practitioners/anna"},
       {{"/v1/practitioners/ben"}, {"/v1/practitioners/anna?clinic_id=cli_2"}}},
      {"GET /v1/practitioners", {"/v1/practitioners"}},
      // The house of these tests has no API of a network: whoever may ask is told so.
      {"POST /v1/practitioners/{app_id}/connect-link",
       {"/v1/practitioners/anna/connect-link"},
       {},
       "no_api",
       "limited_key"},
      {"POST /v1/order-intents",
       {"/v1/order-intents", R"({"practitioner":"anna","return_url":"https://app.example.com","patient_id":"pat_1"})"},
       {{"/v1/order-intents", R"({"practitioner":"ben","return_url":"https://app.example.com","patient_id":"pat_2"})"}},
       "no_api"},
      {"POST /v1/reconciliations", {"/v1/reconciliations"}, {}, "no_api"},
      {"GET /v1/reconciliations", {"/v1/reconciliations"}},
      {"GET /v1/reconciliations/{id}", {"/v1/reconciliations/1"}, {}, "unknown_reconciliation"},
      {"GET /v1/network", {"/v1/network"}},
      {"GET /v1/documents", {"/v1/documents"}},
      {"POST /v1/documents/retry", {"/v1/documents/retry"}, {}, "no_api"},
      {"GET /v1/feed", {"/v1/feed?practitioner=anna"}, {{"/v1/feed?practitioner=ben"}}},
      // A cursor that is no place in the feed: only who sees the feed is told so.
      {"POST /v1/feed/ack",
       {"/v1/feed/ack", R"({"practitioner":"anna","through":"f1.0000000000000000.0000000000000000.1"})"},
       {{"/v1/feed/ack", R"({"practitioner":"ben","through":"f1.0000000000000000.0000000000000000.1"})"}},
       "cursor_gone"},
      {"GET /v1/feed/unacknowledged",
       {"/v1/feed/unacknowledged?practitioner=anna"},
       {{"/v1/feed/unacknowledged?practitioner=ben"}}},
      {"GET /v1/consumers", {"/v1/consumers?practitioner=anna"}, {{"/v1/consumers?practitioner=ben"}}},
      {"PUT /v1/consumers/{name}",
       {"/v1/consumers/new", R"({"practitioner":"anna"})"},
       {{"/v1/consumers/new", R"({"practitioner":"ben"})"}}},
      {"GET /v1/consumers/{name}",
       {"/v1/consumers/inbox?practitioner=anna"},
       {{"/v1/consumers/inbox?practitioner=ben"}}},
      {"DELETE /v1/consumers/{name}",
       {"/v1/consumers/inbox?practitioner=anna"},
       {{"/v1/consumers/inbox?practitioner=ben"}}},
      {"POST /v1/consumers/{name}/commit",
       {"/v1/consumers/inbox/commit", R"({"practitioner":"anna","cursor":"f1.0000000000000000.0000000000000000.1"})"},
       {{"/v1/consumers/inbox/commit", R"({"practitioner":"ben","cursor":"f1.0000000000000000.0000000000000000.1"})"}},
       "cursor_gone"},
      {"GET /v1/stream",
       {"/v1/stream?practitioner=anna&after=f1.0000000000000000.0000000000000000.1"},
       {{"/v1/stream?practitioner=ben&after=f1.0000000000000000.0000000000000000.1"}},
       "cursor_gone"},
      {"GET /v1/orders", {"/v1/orders"}, {{"/v1/orders?practitioner=ben"}}},
      {"GET /v1/orders/{id}", {"/v1/orders/ord_1"}, {{"/v1/orders/ord_2"}, {"/v1/orders/ord_3"}}},
      {"GET /v1/results", {"/v1/results"}, {{"/v1/results?practitioner=ben"}}},
      {"GET /v1/results/{ordered_test}", {"/v1/results/ordts_1"}, {{"/v1/results/ordts_2"}, {"/v1/results/ordts_3"}}},
      {"GET /v1/results/{ordered_test}/versions/{version}",
       {"/v1/results/ordts_1/versions/1"},
       {{"/v1/results/ordts_2/versions/1"}}},
      {"POST /v1/results/{ordered_test}/versions/{version}/reviews",
       {"/v1/results/ordts_1/versions/1/reviews", R"({"practitioner":"anna"})"},
       {{"/v1/results/ordts_2/versions/1/reviews", R"({"practitioner":"ben"})"},
        {"/v1/results/ordts_2/versions/1/reviews", R"({"practitioner":"anna"})"},
        {"/v1/results/ordts_1/versions/1/reviews", R"({"practitioner":"ben"})"}}},
      {"GET /v1/results/{ordered_test}/reviews",
       {"/v1/results/ordts_1/reviews"},
       {{"/v1/results/ordts_2/reviews"}, {"/v1/results/ordts_3/reviews"}}},
      // Nothing is critical here: only who sees the result is told so.
      {"POST /v1/results/{ordered_test}/versions/{version}/acknowledge",
       {"/v1/results/ordts_1/versions/1/acknowledge", R"({"practitioner":"anna"})"},
       {{"/v1/results/ordts_2/versions/1/acknowledge", R"({"practitioner":"ben"})"},
        {"/v1/results/ordts_1/versions/1/acknowledge", R"({"practitioner":"ben"})"}},
       "not_critical"},
      {"GET /v1/critical", {"/v1/critical"}, {{"/v1/critical?practitioner=ben"}}},
      // Only who sees an order of the patient is told that there is no API to ask.
      {"GET /v1/patients/{id}", {"/v1/patients/pat_1"}, {{"/v1/patients/pat_2"}}, "no_api"},
      {"GET /v1/patients/{id}/observations",
       {"/v1/patients/pat_1/observations"},
       {{"/v1/patients/pat_2/observations"}}},
      // Nobody has documents here; nobody_sees_what_is_another_clinics has some, and FHIR resources.
      {"GET /v1/documents/{sha256}", {"/v1/documents/" + std::string(64, '0')}, {}, "unknown_document"},
      {"GET /fhir/R4/metadata", {"/fhir/R4/metadata"}},
      {"GET /fhir/R4/{type}", {"/fhir/R4/Patient"}},
      {"POST /fhir/R4/{type}/_search", {"/fhir/R4/Patient/_search"}},
      {"GET /fhir/R4/{type}/{id}", {"/fhir/R4/Patient/none"}, {}, {}, {}, 404},
      {"GET /v1/events", {"/v1/events"}},
      {"GET /v1/events/{id}", {"/v1/events/evt_1?body=1"}, {{"/v1/events/evt_2"}, {"/v1/events/evt_3"}}},
      {"GET /v1/events/{id}/bodies/{sha256}", {body_of_event("1")}, {{body_of_event("2")}, {body_of_event("3")}}},
      {"GET /v1/unmatched", {"/v1/unmatched"}},
      {"POST /v1/unmatched/{event_id}/match", {"/v1/unmatched/evt_3/match", R"({"clinic_id":"cli_1"})"}},
      {"POST /v1/keys", {"/v1/keys", R"({"name":"new","scopes":["read_results"]})"}},
      {"GET /v1/keys", {"/v1/keys"}},
      {"GET /v1/keys/{id}", {key}},
      {"DELETE /v1/keys/{id}", {key}},
      {"POST /v1/keys/{id}/rotate", {key + "/rotate"}},
      {"GET /v1/audit", {"/v1/audit"}},
      {"GET /v1/audit/checkpoint", {"/v1/audit/checkpoint"}},
      {"GET /v1/status", {"/v1/status"}},
      {"POST /v1/endpoints", {"/v1/endpoints", R"({"url":"http://127.0.0.1:18080/hook"})"}},
      {"GET /v1/endpoints", {"/v1/endpoints"}},
      {"GET /v1/endpoints/{id}", {"/v1/endpoints/{endpoint}"}, {{"/v1/endpoints/{endpoint}"}}},
      {"PATCH /v1/endpoints/{id}",
       {"/v1/endpoints/{endpoint}", R"({"description":"d"})"},
       {{"/v1/endpoints/{endpoint}", R"({"description":"d"})"}}},
      {"DELETE /v1/endpoints/{id}", {"/v1/endpoints/{endpoint}"}, {{"/v1/endpoints/{endpoint}"}}},
      {"POST /v1/endpoints/{id}/secret/rotate",
       {"/v1/endpoints/{endpoint}/secret/rotate", "{}"},
       {{"/v1/endpoints/{endpoint}/secret/rotate", "{}"}}},
      {"POST /v1/endpoints/{id}/test", {"/v1/endpoints/{endpoint}/test"}, {{"/v1/endpoints/{endpoint}/test"}}},
      {"POST /v1/endpoints/{id}/pause",
       {"/v1/endpoints/{endpoint}/pause", "{}"},
       {{"/v1/endpoints/{endpoint}/pause", "{}"}}},
      {"POST /v1/endpoints/{id}/resume",
       {"/v1/endpoints/{endpoint}/resume", "{}"},
       {{"/v1/endpoints/{endpoint}/resume", "{}"}}},
      {"POST /v1/endpoints/{id}/disable",
       {"/v1/endpoints/{endpoint}/disable", "{}"},
       {{"/v1/endpoints/{endpoint}/disable", "{}"}}},
      {"POST /v1/endpoints/{id}/replay",
       {"/v1/endpoints/{endpoint}/replay", "{}"},
       {{"/v1/endpoints/{endpoint}/replay", "{}"}}},
      {"GET /v1/deliveries", {"/v1/deliveries"}},
      {"GET /v1/deliveries/{id}", {"/v1/deliveries/{delivery}"}, {{"/v1/deliveries/{delivery}"}}},
      {"POST /v1/deliveries/{id}/retry",
       {"/v1/deliveries/{delivery}/retry"},
       {{"/v1/deliveries/{delivery}/retry"}},
       "not_dead"},
      {"POST /v1/deliveries/retry", {"/v1/deliveries/retry", "{}"}},
      {"GET /v1/jobs", {"/v1/jobs"}},
      {"GET /v1/jobs/{id}", {"/v1/jobs/{job}"}, {{"/v1/jobs/{job}"}}},
      {"POST /v1/jobs/{id}/cancel", {"/v1/jobs/{job}/cancel"}, {{"/v1/jobs/{job}/cancel"}}},
      {"GET /livez", {"/livez"}},
      {"GET /readyz", {"/readyz"}},
      {"GET /metrics", {"/metrics"}},
      {"GET /openapi.json", {"/openapi.json"}},
  };
}

std::string name_of(const Route& route) {
  return std::string(route.method) + " " + std::string(route.pattern);
}

// What goes wrong there is told as an OperationOutcome.
bool is_fhir(const Route& route) {
  return route.pattern.starts_with("/fhir/");
}

const RouteObjects* objects_of(const std::vector<RouteObjects>& all, const Route& route) {
  const auto found = std::ranges::find(all, name_of(route), &RouteObjects::route);
  return found == all.end() ? nullptr : &*found;
}

// A world with everything that `own` requests ask for.
std::unique_ptr<AccessWorld> new_world() {
  auto world = std::make_unique<AccessWorld>();
  for (const char* body : {R"({"practitioner":"anna"})", R"({"practitioner":"ben"})"})
    EXPECT_LT(world->house.call("PUT", "/v1/consumers/inbox", body).status, 300);
  EXPECT_TRUE(world->house.audit_log_->add_checkpoint({1, world->house.clock_.now(), Sha256{}, "key", "signature"})
                  .has_value());
  return world;
}

// Worlds are made anew for what changes them.
class Worlds {
 public:
  AccessWorld& for_route(const Route& route) {
    const bool changes = route.method != "GET";
    if (!world_ || changes || changed_) world_ = new_world();
    changed_ = changes;
    return *world_;
  }

 private:
  std::unique_ptr<AccessWorld> world_;
  bool changed_ = false;
};

void expect_served(const RouteObjects& objects, std::string_view problem, const http::ClientResponse& answer) {
  if (objects.own_status != 0) {
    EXPECT_EQ(answer.status, objects.own_status) << answer.body;
  } else if (problem.empty()) {
    EXPECT_LT(answer.status, 300) << answer.body;
  } else {
    EXPECT_EQ(code_of(answer), problem);
  }
}

std::string root() {
  return std::string("Bearer ") + kTestKey;
}

http::ClientResponse ask(const AccessWorld& world, const Route& route, const Request& request,
                         const std::string& authorization, const std::string& maker) {
  return world.house.call(std::string(route.method), world.resolved(request.target, maker), request.body,
                          authorization);
}

TEST(AccessMatrix, every_route_is_spoken_of) {
  const auto all = route_objects();
  for (const Route& route : routes()) {
    EXPECT_NE(objects_of(all, route), nullptr)
        << "add {\"" << name_of(route) << "\", {own target, body}, {foreign targets}} to route_objects() in "
        << "src/api/access_matrix_test.cpp: `own` must answer 2xx to anna's key (cli_1, ord_1, evt_1, pat_1), each "
        << "`foreign` 404; extend src/api/access_world.hpp if it asks for something that is not there";
  }
  for (const RouteObjects& objects : all) {
    EXPECT_TRUE(std::ranges::any_of(routes(), [&](const Route& route) { return name_of(route) == objects.route; }))
        << objects.route << " is no route any more: take it out of route_objects()";
  }
}

TEST(AccessMatrix, who_is_nobody_gets_401_everywhere_and_learns_nothing) {
  const auto all = route_objects();
  const auto world = new_world();
  const std::string made_up = "Bearer " + new_key().text.reveal();
  for (const Route& route : routes()) {
    const RouteObjects* objects = objects_of(all, route);
    if (objects == nullptr || route.scope == Scope::kOpen) continue;
    for (const std::string& authorization :
         {std::string(), made_up, std::string("Bearer rs_"), world->bearer("0000000000ee"),
          world->bearer("0000000000ff"), world->bearer(kSpareKey) + "x",
          world->bearer(kSpareKey).substr(0, world->bearer(kSpareKey).size() - 1) + "!"}) {
      const auto answer = ask(*world, route, objects->own, authorization, root());
      EXPECT_EQ(answer.status, 401) << name_of(route);
      if (is_fhir(route)) continue;
      EXPECT_EQ(code_of(answer), "unauthorized") << name_of(route);
    }
  }
}

TEST(AccessMatrix, a_key_may_do_what_its_scope_says_and_nothing_else) {
  const auto all = route_objects();
  Worlds worlds;
  for (const Route& route : routes()) {
    const RouteObjects* objects = objects_of(all, route);
    if (objects == nullptr || route.scope == Scope::kOpen) continue;
    for (const std::string scope :
         {"read_results", "review_results", "read_events", "manage_endpoints", "manage_connections", "admin"}) {
      SCOPED_TRACE(name_of(route) + " with " + scope);
      const AccessWorld& world = worlds.for_route(route);
      const bool may = scope == "admin" || scope == name_of(route.scope);
      const auto answer = ask(world, route, objects->own, world.scoped(scope), may ? world.scoped(scope) : root());
      if (may) {
        expect_served(*objects, objects->own_problem, answer);
        continue;
      }
      EXPECT_EQ(answer.status, 403) << answer.body;
      if (is_fhir(route)) continue;
      EXPECT_EQ(code_of(answer), "missing_scope");
      EXPECT_EQ(Json(answer.body).text("/scope"), name_of(route.scope));
    }
  }
}

// Nothing of ben's, and nothing that is nobody's.
void expect_only_annas(const http::ClientResponse& answer) {
  for (const char* foreign : {"\"ben\"", "cli_2", "ord_2", "ordts_2", "evt_2", "pat_2", "pra_2", "cli_3", "ord_3",
                              "ordts_3", "evt_3", "pat_3", "pra_3"}) {
    EXPECT_EQ(answer.body.find(foreign), std::string::npos) << foreign << " in " << answer.body;
  }
}

TEST(AccessMatrix, a_limited_key_sees_its_own_and_404_for_what_is_anothers) {
  const auto all = route_objects();
  Worlds worlds;
  for (const Route& route : routes()) {
    const RouteObjects* objects = objects_of(all, route);
    if (objects == nullptr || route.scope == Scope::kOpen) continue;
    // Limited to anna, and to her clinic.
    for (const std::string key : {"0000000000a1", "0000000000c1"}) {
      SCOPED_TRACE(name_of(route) + " with " + key);
      const AccessWorld& world = worlds.for_route(route);
      for (const Request& foreign : objects->foreign) {
        const auto answer = ask(world, route, foreign, world.bearer(key), world.bearer("0000000000b1"));
        EXPECT_EQ(answer.status, 404) << foreign.target << ": " << answer.body;
        expect_only_annas(answer);
      }
      const auto answer = ask(world, route, objects->own, world.bearer(key), world.bearer(key));
      if (route.scope == Scope::kAdmin) {
        EXPECT_EQ(answer.status, 403);
      } else {
        expect_served(*objects, objects->limited_problem.empty() ? objects->own_problem : objects->limited_problem,
                      answer);
      }
      expect_only_annas(answer);
    }
    // Limited to ben, to a clinic of the same id at another network, and to somebody who is not connected.
    for (const std::string key : {"0000000000b1", "0000000000d1", "0000000000e1"}) {
      SCOPED_TRACE(name_of(route) + " with " + key);
      const AccessWorld& world = worlds.for_route(route);
      const auto answer = ask(world, route, objects->own, world.bearer(key), world.bearer("0000000000a1"));
      for (const char* annas : {"cli_1", "ord_1", "evt_1", "pat_1", "pra_1"})
        EXPECT_EQ(answer.body.find(annas), std::string::npos) << annas << " in " << answer.body;
      if (!objects->foreign.empty() && objects->own.target != "/v1/orders" && objects->own.target != "/v1/results" &&
          objects->own.target != "/v1/critical")
        EXPECT_EQ(answer.status, 404);
    }
  }
}

}  // namespace
}  // namespace resultsync::api
