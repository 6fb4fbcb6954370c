// /v1/deliveries: each feed item at each endpoint, with every attempt; and /v1/jobs: what is done to many of them.
#include <ranges>

#include "api/fields.hpp"
#include "api/service.hpp"
#include "delivery/endpoints.hpp"
#include "delivery/ids.hpp"

namespace resultsync::api {
namespace {

constexpr std::int64_t kRateMax = 100'000;

void number_or_null(JsonWriter& json, std::string_view name, std::int64_t number) {
  json.key(name);
  number == 0 ? json.null() : json.number(number);
}

void optional_time(JsonWriter& json, std::string_view name, const std::optional<Timestamp>& time) {
  json.key(name);
  time && *time != Timestamp{} ? json.string(format_timestamp(*time)) : json.null();
}

// Into an open object.
void write_delivery(JsonWriter& json, const store::DeliveryView& view) {
  const store::DeliveryRow& row = view.row;
  json.member("id", delivery::delivery_id(row.key, row.nonce))
      .member("endpoint_id", view.endpoint_id)
      .member("type", row.type)
      .member("state", name_of(row.state));
  id_member(json, "reason", row.reason);
  id_member(json, "practitioner_id", view.app_practitioner);
  id_member(json, "source", view.source);
  id_member(json, "order_id", view.order_id);
  id_member(json, "ordered_test_id", view.test_id);
  number_or_null(json, "version", view.version);
  json.member("replay", row.replay).member("attempts", row.attempts);
  number_or_null(json, "last_status", row.last_status);
  const bool waits = row.state == store::DeliveryState::kPending;
  optional_time(json, "next_attempt_at", waits ? std::optional(row.next_at) : std::nullopt);
  time_member(json, "created_at", row.created_at);
  optional_time(json, "ended_at", row.ended_at);
}

void write_attempt(JsonWriter& json, const delivery::Endpoints& endpoints, const store::AttemptRow& attempt) {
  json.begin_object().member("number", attempt.number);
  time_member(json, "started_at", attempt.started_at);
  json.member("milliseconds", static_cast<double>(attempt.duration_us) / 1'000).member("outcome", attempt.outcome);
  number_or_null(json, "status", attempt.status);
  id_member(json, "response", endpoints.answer_of(attempt));
  json.end_object();
}

Problem unknown_delivery() {
  return not_found("unknown_delivery", "There is no delivery with this id.");
}
Problem unknown_job() {
  return not_found("unknown_job", "There is no job with this id.");
}

Problem problem_of(const Error& error, const Problem& unknown) {
  if (error.code == "not_found") return unknown;
  if (error.code == "not_dead" || error.code == "endpoint_not_enabled" || error.code == "not_running")
    return Problem{.status = 409, .code = error.code, .title = error.text()};
  return store_failed(error);
}

// Into an open object.
void write_job(JsonWriter& json, const store::Job& job) {
  json.member("kind", name_of(job.kind)).member("state", name_of(job.state)).key("rate");
  job.rate == 0 ? json.null() : json.number(job.rate);
  json.member("done", job.done).member("total", job.total);
  time_member(json, "created_at", job.created_at);
  optional_time(json, "ended_at", job.ended_at);
}

Checked<store::DeliveryFilter> delivery_filter(const Call& call, store::ViewsSnapshot& snapshot) {
  store::DeliveryFilter filter;
  filter.reach = call.caller.reach;
  if (const auto state = call.parameters.text("state")) {
    filter.state = store::delivery_state_named(*state);
    if (!filter.state)
      return std::unexpected(
          bad_parameter("state", "must be one of: pending, held, in_flight, delivered, dead, skipped"));
  }
  if (auto order = call.parameters.text("order")) filter.order = OrderId(std::move(*order));
  if (auto id = call.parameters.text("practitioner")) filter.practitioner = AppPractitionerId(std::move(*id));
  if (const auto id = call.parameters.text("endpoint")) {
    const auto endpoint = snapshot.deliveries().endpoint(*id, call.caller.reach);
    if (const auto ok = snapshot.status(); !ok) return std::unexpected(store_failed(ok.error()));
    if (!endpoint) return std::unexpected(not_found("unknown_endpoint", "There is no endpoint with this id."));
    filter.endpoint = endpoint->key;
  }
  return filter;
}

}  // namespace

http::Response job_reply(const store::Job& job, bool dry_run) {
  JsonWriter json;
  json.begin_object().key("id");
  dry_run ? json.null() : json.string(delivery::job_id(job.key));
  write_job(json, job);
  json.member("dry_run", dry_run).end_object();
  auto response = json_response(dry_run ? 200 : 202, json);
  if (!dry_run) response.set_header("Location", "/v1/jobs/" + delivery::job_id(job.key));
  return response;
}

Reply list_deliveries(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  store::DeliveryKey before;
  if (const auto cursor = call.parameters.text("after")) {
    const auto place = delivery::parse_delivery_id(*cursor);
    if (!place) return bad_cursor();
    before = place->key;
  }
  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.views.snapshot();
  const auto filter = delivery_filter(call, *snapshot);
  if (!filter) return filter.error();
  const auto views = snapshot->deliveries().deliveries(*filter, before, count + 1);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());

  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& view : views | std::views::take(count)) {
    json.begin_object();
    write_delivery(json, view);
    json.end_object();
  }
  json.end_array().key("next");
  views.size() > count ? json.string(delivery::delivery_id(views[count - 1].row.key, views[count - 1].row.nonce))
                       : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply get_delivery(Service& service, const Call& call) {
  const auto name = delivery::parse_delivery_id(call.path.front());
  if (!name) return unknown_delivery();
  const auto snapshot = service.context.views.snapshot();
  const auto view = snapshot->deliveries().delivery(name->key, name->nonce, call.caller.reach);
  const auto attempts = snapshot->deliveries().attempts(name->key);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (!view) return unknown_delivery();
  JsonWriter json;
  json.begin_object();
  write_delivery(json, *view);
  json.key("history").begin_array();
  for (const auto& attempt : attempts) write_attempt(json, service.context.endpoints, attempt);
  json.end_array().end_object();
  return json_response(200, json);
}

Reply retry_delivery(Service& service, const Call& call) {
  const auto retried = service.context.endpoints.retry(call.path.front(), call.caller.reach);
  if (!retried) return problem_of(retried.error(), unknown_delivery());
  return get_delivery(service, call);
}

Reply retry_deliveries(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"endpoint", "since", "until", "rate", "dry_run"});
  if (!fields) return fields.error();
  const Timestamp now = service.context.clock.now();
  delivery::Endpoints::RetryAll wanted;
  wanted.endpoint = fields->text("endpoint");
  wanted.since = fields->time("since").value_or(Timestamp{});
  wanted.until = fields->time("until").value_or(now);
  wanted.rate = fields->whole_number("rate", 0, kRateMax).value_or(0);
  wanted.dry_run = fields->boolean("dry_run").value_or(false);
  if (const auto wrong = fields->problem()) return *wrong;
  const auto job = service.context.endpoints.retry_all(wanted, call.caller.reach, now);
  if (!job) return problem_of(job.error(), not_found("unknown_endpoint", "There is no endpoint with this id."));
  return job_reply(*job, wanted.dry_run);
}

Reply list_jobs(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  store::JobKey before;
  if (const auto cursor = call.parameters.text("after")) {
    const auto place = delivery::parse_job_id(*cursor);
    if (!place) return bad_cursor();
    before = *place;
  }
  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.views.snapshot();
  const auto jobs = snapshot->deliveries().jobs(call.caller.reach, before, count + 1);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& job : jobs | std::views::take(count)) {
    json.begin_object().member("id", delivery::job_id(job.key));
    write_job(json, job);
    json.end_object();
  }
  json.end_array().key("next");
  jobs.size() > count ? json.string(delivery::job_id(jobs[count - 1].key)) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply get_job(Service& service, const Call& call) {
  const auto key = delivery::parse_job_id(call.path.front());
  if (!key) return unknown_job();
  const auto snapshot = service.context.views.snapshot();
  const auto job = snapshot->deliveries().job(*key, call.caller.reach);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (!job) return unknown_job();
  JsonWriter json;
  json.begin_object().member("id", delivery::job_id(job->key));
  write_job(json, *job);
  json.end_object();
  return json_response(200, json);
}

Reply cancel_job(Service& service, const Call& call) {
  const auto job = service.context.endpoints.cancel(call.path.front(), call.caller.reach, service.context.clock.now());
  if (!job) return problem_of(job.error(), unknown_job());
  return get_job(service, call);
}

}  // namespace resultsync::api
