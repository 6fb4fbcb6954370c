// /v1/endpoints: where webhooks go, and what becomes of them there.
#include "delivery/endpoints.hpp"

#include <algorithm>
#include <array>
#include <ranges>

#include "api/fields.hpp"
#include "api/service.hpp"
#include "delivery/ids.hpp"

namespace resultsync::api {
namespace {

using delivery::EndpointChange;

constexpr std::size_t kUrlBytesMax = 2'048;
constexpr std::int64_t kRateMax = 100'000;
constexpr std::int64_t kConcurrencyMax = 1'000;
constexpr std::int64_t kOverlapUsual = 86'400;
constexpr std::int64_t kOverlapMax = 7 * 86'400;

void optional_time(JsonWriter& json, std::string_view name, Timestamp time) {
  json.key(name);
  time == Timestamp{} ? json.null() : json.string(format_timestamp(time));
}

void write_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& items) {
  json.key(name).begin_array();
  for (const std::string& item : items) json.string(item);
  json.end_array();
}

std::string_view breaker_of(const store::EndpointRow& row, Timestamp now) {
  if (!row.failing) return "closed";
  return now < row.breaker_until ? "open" : "half_open";
}

void write_health(JsonWriter& json, const store::EndpointRow& row, Timestamp now) {
  json.key("health").begin_object().member("status", row.failing ? "failing" : "healthy");
  time_member(json, "since", row.health_since);
  json.member("breaker", breaker_of(row, now));
  optional_time(json, "probe_at", row.failing ? row.breaker_until : Timestamp{});
  json.end_object();
}

// Into an open object.
void write_endpoint(JsonWriter& json, const delivery::Endpoints& endpoints, const store::EndpointRow& row,
                    Timestamp now) {
  json.member("id", row.id);
  json.member("url", endpoints.url_of(row).value_or("")).member("description", row.description);
  json.member("state", name_of(row.state));
  id_member(json, "state_reason", row.state_reason);
  time_member(json, "state_since", row.state_since);
  write_health(json, row, now);
  write_list(json, "practitioners", row.filter.practitioners);
  write_list(json, "clinics", row.filter.clinics);
  write_list(json, "types", row.filter.types);
  write_list(json, "statuses", row.filter.statuses);
  json.member("payload", name_of(row.payload)).member("order", row.ordered ? "per-order" : "none").key("rate");
  row.rate == 0 ? json.null() : json.number(row.rate);
  json.member("concurrency", row.concurrency);
  id_member(json, "public_key", endpoints.public_key_of(row).value_or(""));
  optional_time(json, "previous_secret_until", row.previous_until > now ? row.previous_until : Timestamp{});
  time_member(json, "created_at", row.created_at);
}

void write_counts(JsonWriter& json, const store::EndpointCounts& counts) {
  json.key("deliveries").begin_object().member("open", counts.open).member("dead", counts.dead);
  optional_time(json, "oldest_open_at", counts.oldest_open);
  json.end_object();
}

Problem unknown_endpoint() {
  return not_found("unknown_endpoint", "There is no endpoint with this id.");
}

Problem problem_of(const Error& error) {
  if (error.code == "not_found") return unknown_endpoint();
  if (error.code == "bad_url") return invalid_members({{"url", error.text()}});
  if (error.code == "address_refused") return invalid_members({{"url", error.text()}});
  if (error.code == "too_many_endpoints" || error.code == "endpoint_not_enabled")
    return Problem{.status = 409, .code = error.code, .title = error.text()};
  if (error.code == "unknown_practitioner")
    return not_found("unknown_practitioner", "No practitioner is connected under this id.");
  return store_failed(error);
}

Reply endpoint_reply(Service& service, const Result<store::EndpointRow>& row) {
  if (!row) return problem_of(row.error());
  JsonWriter json;
  json.begin_object();
  write_endpoint(json, service.context.endpoints, *row, service.context.clock.now());
  json.end_object();
  return json_response(200, json);
}

// "result", "order", or "endpoint." and what follows it.
bool is_type(std::string_view type) {
  constexpr std::array kTypes{"result",
                              "order",
                              "critical.*",
                              "critical.opened",
                              "critical.escalated",
                              "critical.acknowledged",
                              "critical.closed",
                              "endpoint.*",
                              "endpoint.failing",
                              "endpoint.recovered",
                              "endpoint.disabled",
                              "endpoint.dead_letter"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

bool is_status(std::string_view status) {
  constexpr std::array kStatuses{"registered", "partial",   "preliminary",      "final",  "amended",
                                 "corrected",  "cancelled", "entered-in-error", "unknown"};
  return std::ranges::find(kStatuses, status) != kStatuses.end();
}

EndpointChange read_change(Fields& fields) {
  EndpointChange change;
  change.url = fields.text("url", kUrlBytesMax);
  change.description = fields.text("description");
  change.practitioners = fields.list("practitioners");
  change.clinics = fields.list("clinics");
  change.types = fields.list("types", 16);
  change.statuses = fields.list("statuses", 16);
  if (change.types && !std::ranges::all_of(*change.types, is_type))
    fields.wrong("types",
                 "each must be one of: result, order, critical.*, critical.opened, critical.escalated, "
                 "critical.acknowledged, critical.closed, endpoint.*, endpoint.failing, endpoint.recovered, "
                 "endpoint.disabled, endpoint.dead_letter");
  if (change.statuses && !std::ranges::all_of(*change.statuses, is_status))
    fields.wrong("statuses",
                 "each must be a status of results: registered, partial, preliminary, final, amended, "
                 "corrected, cancelled, entered-in-error, unknown");
  if (const auto payload = fields.choice("payload", {"thin", "full"}))
    change.payload = *payload == "full" ? store::PayloadForm::kFull : store::PayloadForm::kThin;
  if (const auto order = fields.choice("order", {"per-order", "none"})) change.ordered = *order == "per-order";
  change.rate = fields.whole_number("rate", 0, kRateMax);
  change.concurrency = fields.whole_number("concurrency", 1, kConcurrencyMax);
  return change;
}

}  // namespace

Reply create_endpoint(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"url", "description", "practitioners", "clinics", "types", "statuses",
                                          "payload", "order", "rate", "concurrency", "ed25519"});
  if (!fields) return fields.error();
  if (!fields->has("url")) fields->wrong("url", "is needed");
  delivery::Endpoints::NewEndpoint wanted{read_change(*fields), fields->boolean("ed25519").value_or(false),
                                          call.caller.reach};
  if (const auto wrong = fields->problem()) return *wrong;
  const Timestamp now = service.context.clock.now();
  const auto created = service.context.endpoints.create(wanted, now);
  if (!created) return problem_of(created.error());
  JsonWriter json;
  json.begin_object();
  write_endpoint(json, service.context.endpoints, created->row, now);
  json.member("secret", created->secrets.secret.reveal()).end_object();
  auto response = json_response(201, json);
  response.set_header("Location", "/v1/endpoints/" + created->row.id);
  return response;
}

Reply list_endpoints(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.views.snapshot();
  auto rows = snapshot->deliveries().endpoints(call.caller.reach);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (const auto after = call.parameters.text("after")) {
    const auto place = std::ranges::find(rows, *after, &store::EndpointRow::id);
    if (place == rows.end()) return bad_cursor();
    rows.erase(rows.begin(), place + 1);
  }
  std::erase_if(rows, [](const auto& row) { return row.state == store::EndpointState::kDeleted; });
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& row : rows | std::views::take(count)) {
    json.begin_object();
    write_endpoint(json, service.context.endpoints, row, service.context.clock.now());
    json.end_object();
  }
  json.end_array().key("next");
  rows.size() > count ? json.string(rows[count - 1].id) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply get_endpoint(Service& service, const Call& call) {
  const auto snapshot = service.context.views.snapshot();
  const auto row = snapshot->deliveries().endpoint(call.path.front(), call.caller.reach);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (!row) return unknown_endpoint();
  const auto counts = snapshot->deliveries().counts(row->key);
  JsonWriter json;
  json.begin_object();
  write_endpoint(json, service.context.endpoints, *row, service.context.clock.now());
  write_counts(json, counts);
  json.end_object();
  return json_response(200, json);
}

Reply change_endpoint(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"url", "description", "practitioners", "clinics", "types", "statuses",
                                          "payload", "order", "rate", "concurrency"});
  if (!fields) return fields.error();
  const auto change = read_change(*fields);
  if (const auto wrong = fields->problem()) return *wrong;
  return endpoint_reply(service, service.context.endpoints.change(call.path.front(), call.caller.reach, change));
}

Reply delete_endpoint(Service& service, const Call& call) {
  const auto removed =
      service.context.endpoints.remove(call.path.front(), call.caller.reach, service.context.clock.now());
  if (!removed) return problem_of(removed.error());
  http::Response response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

Reply rotate_endpoint_secret(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"overlap_seconds"});
  if (!fields) return fields.error();
  const auto overlap = fields->whole_number("overlap_seconds", 0, kOverlapMax).value_or(kOverlapUsual);
  if (const auto wrong = fields->problem()) return *wrong;
  const Timestamp now = service.context.clock.now();
  const auto secrets =
      service.context.endpoints.rotate(call.path.front(), call.caller.reach, std::chrono::seconds(overlap), now);
  if (!secrets) return problem_of(secrets.error());
  JsonWriter json;
  json.begin_object().member("secret", secrets->secret.reveal());
  id_member(json, "public_key", secrets->public_key);
  optional_time(json, "previous_secret_until",
                overlap == 0 ? Timestamp{} : Timestamp{now.microseconds + overlap * 1'000'000});
  json.end_object();
  return json_response(200, json);
}

Reply test_endpoint(Service& service, const Call& call) {
  const auto sent = service.context.endpoints.test(call.path.front(), call.caller.reach, service.context.clock.now());
  if (!sent) return problem_of(sent.error());
  JsonWriter json;
  json.begin_object().member("delivery_id", delivery::delivery_id(sent->key, sent->nonce)).end_object();
  return json_response(202, json);
}

Reply pause_endpoint(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"reason"});
  if (!fields) return fields.error();
  const auto reason = fields->text("reason").value_or("");
  if (const auto wrong = fields->problem()) return *wrong;
  return endpoint_reply(service, service.context.endpoints.pause(call.path.front(), call.caller.reach, reason,
                                                                 service.context.clock.now()));
}

Reply resume_endpoint(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"skip", "reason"});
  if (!fields) return fields.error();
  const bool skip = fields->boolean("skip").value_or(false);
  const auto reason = fields->text("reason");
  if (skip && !reason) fields->wrong("reason", "is needed to skip the backlog: it stands beside each delivery");
  if (const auto wrong = fields->problem()) return *wrong;
  return endpoint_reply(
      service, service.context.endpoints.resume(call.path.front(), call.caller.reach, skip ? reason : std::nullopt,
                                                service.context.clock.now()));
}

Reply disable_endpoint(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"reason"});
  if (!fields) return fields.error();
  const auto reason = fields->text("reason").value_or("");
  if (const auto wrong = fields->problem()) return *wrong;
  return endpoint_reply(service, service.context.endpoints.disable(call.path.front(), call.caller.reach, reason,
                                                                   service.context.clock.now()));
}

Reply replay_feed(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"practitioner", "since", "until", "rate", "dry_run"});
  if (!fields) return fields.error();
  const Timestamp now = service.context.clock.now();
  delivery::Endpoints::Replay wanted;
  wanted.endpoint = call.path.front();
  if (auto practitioner = fields->text("practitioner"))
    wanted.range.practitioner = AppPractitionerId(std::move(*practitioner));
  wanted.range.since = fields->time("since").value_or(Timestamp{});
  wanted.range.until = fields->time("until").value_or(now);
  wanted.range.rate = fields->whole_number("rate", 0, kRateMax).value_or(0);
  wanted.dry_run = fields->boolean("dry_run").value_or(false);
  if (const auto wrong = fields->problem()) return *wrong;
  const auto job = service.context.endpoints.replay(wanted, call.caller.reach, now);
  if (!job) return problem_of(job.error());
  return job_reply(*job, wanted.dry_run);
}

}  // namespace resultsync::api
