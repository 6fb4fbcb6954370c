// The network's side: connect links, order intents, reconciliations, and what is known of consents and documents.
#include <algorithm>
#include <array>
#include <charconv>

#include "api/json_body.hpp"
#include "api/service.hpp"
#include "network/network.hpp"
#include "orders/json_body.hpp"

namespace resultsync::api {
namespace {

Problem no_api(const Error& error) {
  return {.status = 409, .code = "no_api", .title = error.message + "."};
}

Problem limited_key() {
  return {.status = 403,
          .code = "limited_key",
          .title = "Only a key without limits may do this: nobody knows yet which clinic will be connected."};
}

// What a person does about it.
std::string_view advice_on(store::ConsentState state) {
  switch (state) {
    case store::ConsentState::kConnected:
      return "";
    case store::ConsentState::kNeedsConsent:
      return "The practitioner must consent again: send them a new connect link.";
    case store::ConsentState::kRevoked:
      return "The connection was ended here. A new connect link begins anew.";
    case store::ConsentState::kFailing:
      return "The network cannot be asked just now; it is tried again by itself.";
  }
  return "";
}

void write_run(JsonWriter& json, const store::NetworkRun& run) {
  json.begin_object()
      .member("id", std::to_string(run.key.value))
      .member("source", run.source.text())
      .member("clinic_id", run.clinic.text())
      .member("kind", run.kind)
      .member("state", run.state);
  json.key("reason");
  run.reason.empty() ? json.null() : json.string(run.reason);
  json.member("orders_total", run.orders_total).member("orders_read", run.orders_read).member("gaps", run.gaps);
  time_member(json, "started_at", run.started_at);
  json.key("finished_at");
  run.finished_at.microseconds == 0 ? json.null() : json.string(format_timestamp(run.finished_at));
  json.end_object();
}

void write_runs(JsonWriter& json, const std::vector<store::NetworkRun>& runs) {
  json.begin_object().key("items").begin_array();
  for (const auto& run : runs) write_run(json, run);
  json.end_array().end_object();
}

constexpr std::array kSourceOnly{MemberRule{"source", Presence::kOptional}};
constexpr std::array kReconcileMembers{MemberRule{"source", Presence::kOptional},
                                       MemberRule{"since", Presence::kOptional}};

std::string_view or_empty_object(const std::string& body) {
  return body.empty() ? std::string_view("{}") : std::string_view(body);
}

// The network's document for an order intent, of ours. Whatever is of the wrong kind is named.
struct IntentRequest {
  AppPractitionerId practitioner;
  std::optional<std::string> source;
  std::string body;
};
Checked<IntentRequest> read_intent(const std::string& text) {
  using orders::member;
  using orders::text_of;
  const orders::JsonBody body(text);
  const auto& root = body.root();
  if (!root || !root->is_object())
    return std::unexpected(Problem{.status = 400, .code = "bad_json", .title = "The body is no JSON object."});
  std::vector<MemberError> errors;
  IntentRequest request;
  request.practitioner = AppPractitionerId(text_of(member(root, "practitioner")));
  if (const auto reason = unfit_as_id(request.practitioner.text()); !reason.empty())
    errors.push_back({"practitioner", std::string(reason)});
  if (const auto source = member(root, "source")) request.source = text_of(source);
  const std::string return_url = text_of(member(root, "return_url"));
  if (!return_url.starts_with("https://") && !return_url.starts_with("http://"))
    errors.push_back({"return_url", "must be an address"});
  const std::string patient_id = text_of(member(root, "patient_id"));
  const auto patient = member(root, "patient");
  if (patient_id.empty() == !patient) errors.push_back({"patient", "either patient_id or patient must be given"});
  if (patient && !patient->is_object()) errors.push_back({"patient", "must be an object"});
  JsonWriter json;
  json.begin_object().key("data").begin_object().member("type", "order_intent").key("attributes").begin_object();
  json.member("return_url", return_url);
  if (const auto metadata = member(root, "metadata"))
    json.key("metadata").raw(std::string(simdjson::minify(*metadata)));
  if (patient) json.key("patient_data").raw(std::string(simdjson::minify(*patient)));
  json.end_object().key("relationships").begin_object();
  const auto link = [&](std::string_view type, std::string_view id) {
    json.begin_object().member("type", type).member("id", id).end_object();
  };
  if (!patient_id.empty()) {
    json.key("patient").begin_object().key("data");
    link("patient", patient_id);
    json.end_object();
  }
  json.key("lab_tests").begin_object().key("data").begin_array();
  orders::for_each(member(root, "lab_tests"), [&](simdjson::dom::element one) {
    const std::string id = orders::id_text(one);
    if (id.empty()) return errors.push_back({"lab_tests", "must be ids"});
    link("lab_test", id);
  });
  json.end_array().end_object().end_object().end_object().end_object();
  if (!errors.empty()) return std::unexpected(invalid_members(std::move(errors)));
  request.body = json.take();
  return request;
}

}  // namespace

Problem network_problem(const Error& error) {
  if (error.code == "no_api") return no_api(error);
  if (error.code == "needs_consent" || error.code == "revoked" || error.code == store::kNoConsent)
    return {.status = 409,
            .code = "needs_consent",
            .title = "The practitioner must consent (again): send them a connect link."};
  if (error.code == "forbidden" || error.code == "refused" || error.code == "not_found")
    return {
        .status = 422, .code = "network_refused", .title = "The network refused what was asked (" + error.cause + ")."};
  return {.status = 502,
          .code = "network_unavailable",
          .title = "The network could not be asked now. Try again later.",
          .retry_after_seconds = 30};
}

Reply post_connect_link(Service& service, const Call& call) {
  if (const auto reason = unfit_as_id(call.path.front()); !reason.empty())
    return bad_parameter("app_id", std::string(reason));
  if (!call.caller.reach.is_everything()) return limited_key();
  auto members = read_members(or_empty_object(call.body), kSourceOnly);
  if (!members) return members.error();
  const auto source =
      chosen_source(service.context, members->contains("source") ? std::optional(members->at("source")) : std::nullopt);
  if (!source) return source.error();
  if (service.context.network == nullptr) return no_api(Error{"no_api", "No source has an API in the configuration"});
  const auto link = service.context.network->connect().make_link(*source, AppPractitionerId(call.path.front()));
  if (!link) return link.error().code == "no_api" ? Reply(no_api(link.error())) : Reply(store_failed(link.error()));
  JsonWriter json;
  json.begin_object().member("url", link->url);
  time_member(json, "expires_at", link->expires_at);
  json.end_object();
  return json_response(201, json);
}

Reply post_order_intent(Service& service, const Call& call) {
  auto request = read_intent(call.body);
  if (!request) return request.error();
  const auto source = chosen_source(service.context, request->source);
  if (!source) return source.error();
  {
    const auto snapshot = service.context.views.snapshot();
    const auto practitioner = connected_practitioner(*snapshot, request->practitioner, call.caller.reach);
    if (!practitioner) return practitioner.error();
  }
  if (service.context.network == nullptr) return no_api(Error{"no_api", "No source has an API in the configuration"});
  const auto intent = service.context.network->order_intent(*source, request->practitioner, std::move(request->body));
  if (!intent) return network_problem(intent.error());
  JsonWriter json;
  json.begin_object().member("id", intent->id).member("checkout_url", intent->checkout_url).end_object();
  return json_response(201, json);
}

Reply post_reconciliation(Service& service, const Call& call) {
  auto members = read_members(or_empty_object(call.body), kReconcileMembers);
  if (!members) return members.error();
  network::Network::ReconcileRequest request;
  if (members->contains("source")) {
    auto source = chosen_source(service.context, members->at("source"));
    if (!source) return source.error();
    request.source = std::move(*source);
  }
  if (members->contains("since")) {
    const auto since = parse_timestamp(members->at("since"));
    if (!since) return invalid_members({{"since", "must be a time as in RFC 3339"}});
    request.since = since->time;
  }
  if (service.context.network == nullptr) return no_api(Error{"no_api", "No source has an API in the configuration"});
  const auto runs = service.context.network->reconcile(request, "manual");
  if (!runs) return store_failed(runs.error());
  JsonWriter json;
  write_runs(json, *runs);
  return json_response(202, json);
}

Reply list_reconciliations(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  const auto snapshot = service.context.views.snapshot();
  const auto runs = snapshot->network().runs(static_cast<std::size_t>(*limit));
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  JsonWriter json;
  write_runs(json, runs);
  return json_response(200, json);
}

Reply get_reconciliation(Service& service, const Call& call) {
  const std::string& text = call.path.front();
  std::int64_t key = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), key);
  std::optional<store::NetworkRun> run;
  if (error == std::errc() && end == text.data() + text.size()) {
    const auto snapshot = service.context.views.snapshot();
    run = snapshot->network().run(store::RunKey{key});
    if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  }
  if (!run) return not_found("unknown_reconciliation", "There is no reconciliation with this id.");
  JsonWriter json;
  write_run(json, *run);
  return json_response(200, json);
}

Reply get_network(Service& service, const Call&) {
  const auto snapshot = service.context.views.snapshot();
  JsonWriter json;
  json.begin_object().key("consents").begin_array();
  for (const store::Authorization& row : snapshot->network().authorizations()) {
    json.begin_object().member("practitioner", row.app_practitioner.text()).member("source", row.source.text());
    json.member("clinic_id", row.clinic.text()).member("state", store::name_of(row.state));
    id_member(json, "reason", row.reason);
    id_member(json, "advice", std::string(advice_on(row.state)));
    time_member(json, "token_expires_at", row.expires_at);
    json.end_object();
  }
  const auto documents = snapshot->network().document_totals();
  json.end_array().key("documents").begin_object();
  json.member("stored", documents.documents).member("bytes", documents.bytes).member("pending", documents.pending);
  json.member("missing", documents.missing).member("waiting", documents.waiting);
  json.member("given_up", documents.given_up).end_object();
  json.key("silent_clinics").begin_array();
  if (service.context.network != nullptr) {
    for (const auto& clinic : service.context.network->silent_clinics()) {
      json.begin_object().member("source", clinic.source.text()).member("clinic_id", clinic.clinic.text());
      time_member(json, "last_event_at", clinic.last_event_at);
      json.member("usual_gap_seconds", std::int64_t{clinic.usual_gap.count()}).end_object();
    }
  }
  json.end_array().end_object();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  return json_response(200, json);
}

void write_consent(JsonWriter& json, store::ViewsSnapshot& snapshot, const store::ConnectionRow& connection) {
  const auto row = snapshot.network().authorization(connection.source, connection.app_practitioner);
  json.key("consent");
  if (!row || row->clinic != connection.clinic) {
    json.null();
  } else {
    // A refresh in hand is a state worth seeing.
    const bool refreshing = !row->lease_owner.empty() && row->state == store::ConsentState::kConnected;
    json.begin_object().member("state", refreshing ? "refreshing" : store::name_of(row->state));
    id_member(json, "reason", row->reason);
    id_member(json, "advice", std::string(advice_on(row->state)));
    json.end_object();
  }
  const auto run = snapshot.network().last_run(connection.source, connection.clinic);
  json.key("reading");
  run ? write_run(json, *run) : void(json.null());
}

std::optional<Problem> end_consents(Service& service, const AppPractitionerId& practitioner,
                                    const std::optional<SourceId>& source) {
  if (service.context.network == nullptr) return std::nullopt;
  const auto ended = service.context.network->disconnect(practitioner, source);
  if (!ended) return store_failed(ended.error());
  return std::nullopt;
}

}  // namespace resultsync::api
