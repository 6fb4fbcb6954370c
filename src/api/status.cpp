// /v1/status, health, metrics and the description of the API.
#include <algorithm>

#include "api/openapi.hpp"
#include "api/service.hpp"

namespace resultsync::api {
namespace {

void write_counts(JsonWriter& json, std::string_view name,
                  const std::vector<std::pair<std::string, std::int64_t>>& counts) {
  json.key(name).begin_object();
  for (const auto& [what, count] : counts) json.member(what, count);
  json.end_object();
}

void write_totals(JsonWriter& json, const std::optional<KeptTotals::Counted>& counted) {
  if (!counted) {
    json.key("totals_at").null().key("totals").null();
    write_counts(json, "events_by_outcome", {});
    write_counts(json, "waiting_by_reason", {});
    return;
  }
  const store::Totals& totals = counted->totals;
  time_member(json, "totals_at", counted->at);
  json.key("totals")
      .begin_object()
      .member("events", totals.events)
      .member("duplicates", totals.duplicates)
      .member("conflicts", totals.conflicts)
      .member("orders", totals.orders)
      .member("results", totals.results)
      .member("feed_items", totals.feed_items)
      .member("practitioners", totals.practitioners)
      .end_object();
  write_counts(json, "events_by_outcome", totals.outcomes);
  write_counts(json, "waiting_by_reason", totals.waiting);
}

void write_backfills(JsonWriter& json, store::ViewsSnapshot& snapshot) {
  json.key("backfills").begin_array();
  for (const store::Backfill& backfill : snapshot.unfinished_backfills()) {
    const auto connection = snapshot.connection(backfill.connection);
    if (!connection) continue;
    json.begin_object()
        .member("practitioner_id", connection->app_practitioner.text())
        .member("source", connection->source.text())
        .member("clinic_id", connection->clinic.text())
        .member("orders_done", backfill.orders_done)
        .member("orders_total", backfill.orders_total)
        .end_object();
  }
  json.end_array();
}

void write_progress(JsonWriter& json, Sequence end, Sequence applied) {
  json.key("log")
      .begin_object()
      .member("end", end.value)
      .member("applied", applied.value)
      .member("lag_records", end > applied ? end.value - applied.value : std::uint64_t{0})
      .end_object();
}

}  // namespace

Reply get_status(Service& service, const Call&) {
  const auto& context = service.context;
  const auto totals = service.totals.get();  // first: who counts needs a snapshot, and this one would have it
  if (!totals) return store_failed(totals.error());
  const auto snapshot = context.views.snapshot();
  JsonWriter json;
  json.begin_object().member("version", context.version);
  const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(context.clock.monotonic() - service.started);
  json.member("uptime_seconds", std::int64_t{uptime.count()});
  // The end is read after the snapshot was taken: what is applied is never ahead of it.
  write_progress(json, context.log.end(), snapshot->applied());
  write_totals(json, *totals);
  write_backfills(json, *snapshot);
  json.end_object();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  return json_response(200, json);
}

Reply livez(Service&, const Call&) {
  JsonWriter json;
  json.begin_object().member("status", "ok").end_object();
  return json_response(200, json);
}

Reply readyz(Service& service, const Call& call) {
  const auto verbose = call.parameters.flag("verbose");
  if (!verbose) return verbose.error();
  const auto checks = service.context.readiness ? service.context.readiness() : std::vector<ReadinessCheck>{};
  const bool ready = std::ranges::all_of(checks, &ReadinessCheck::ok);
  JsonWriter json;
  json.begin_object().member("status", ready ? "ok" : "unavailable");
  if (*verbose) {
    json.key("checks").begin_array();
    for (const ReadinessCheck& check : checks) {
      json.begin_object().member("name", check.name).member("ok", check.ok);
      if (!check.detail.empty()) json.member("detail", check.detail);
      json.end_object();
    }
    json.end_array();
  }
  json.end_object();
  auto response = json_response(ready ? 200 : 503, json);
  if (!ready) response.set_header("Retry-After", "1");
  return response;
}

Reply get_metrics(Service& service, const Call&) {
  http::Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = service.context.metrics.exposition();
  return response;
}

Reply get_openapi(Service&, const Call&) {
  http::Response response;
  response.body = openapi_json();
  return response;
}

}  // namespace resultsync::api
