// /v1/events: what was received, and what became of it.
#include <algorithm>
#include <ranges>

#include "api/bodies.hpp"
#include "api/cursor.hpp"
#include "api/json_body.hpp"
#include "api/service.hpp"
#include "base/encoding.hpp"

namespace resultsync::api {
namespace {

void write_event_members(JsonWriter& json, const store::EventRow& event) {
  json.member("id", event.id.text()).member("source", event.source.text()).member("type", event.type);
  time_member(json, "created_at", event.created_at);
  time_member(json, "received_at", event.received_at);
  json.key("flags").begin_array();
  for (const std::string& flag : event.flags.names()) json.string(flag);
  json.end_array().member("outcome", store::name_of(event.outcome));
  id_member(json, "reason", std::string(orders::name_of(event.reason)));
  id_member(json, "order_id", event.order.text());
  json.member("body_sha256", event.body.hex());
}

void write_receipt(JsonWriter& json, std::string_view kind, Timestamp received_at, const Sha256& body, bool stale) {
  json.begin_object();
  time_member(json, "received_at", received_at);
  json.member("kind", kind).member("body_sha256", body.hex()).member("stale", stale).end_object();
}

// Every time that a body came under this id, the first time included (I2).
void write_receipts(JsonWriter& json, const store::EventRow& event, const std::vector<store::ReceiptRow>& receipts) {
  json.key("receipts").begin_array();
  write_receipt(json, "first", event.received_at, event.body, event.flags.has(orders::Flag::kStale));
  for (const store::ReceiptRow& receipt : receipts) {
    write_receipt(json, store::name_of(receipt.kind), receipt.received_at, receipt.body, receipt.stale);
  }
  json.end_array();
}

// The raw bytes of the body that is applied: as the JSON value they are, else in base64.
void write_body(JsonWriter& json, const Body& body) {
  if (!body.unavailable.empty()) {
    json.member("unavailable", body.unavailable);
  } else if (is_json(body.bytes)) {
    json.key("body").raw(body.bytes);
  } else {
    json.member("body_base64", encode_base64(body.bytes));
  }
}

Checked<std::optional<store::Outcome>> outcome_filter(const Parameters& parameters) {
  using enum store::Outcome;
  const auto named = parameters.text("outcome");
  if (!named) return std::optional<store::Outcome>{};
  std::string known;
  for (const store::Outcome outcome : {kSynced, kWaiting, kNoResults, kUnknownType, kUnreadable}) {
    if (store::name_of(outcome) == *named) return std::optional(outcome);
    known += (known.empty() ? "" : ", ") + std::string(store::name_of(outcome));
  }
  return std::unexpected(bad_parameter("outcome", "must be one of: " + known));
}

Checked<store::EventFilter> event_filter(const Service& service, const Call& call) {
  store::EventFilter filter;
  filter.newest_first = true;
  auto source = source_filter(service.context, call.parameters);
  if (!source) return std::unexpected(source.error());
  auto outcome = outcome_filter(call.parameters);
  if (!outcome) return std::unexpected(outcome.error());
  const auto conflict = call.parameters.flag("conflict");
  if (!conflict) return std::unexpected(conflict.error());
  filter.source = std::move(*source);
  filter.type = call.parameters.text("type");
  filter.outcome = *outcome;
  filter.conflicts_only = *conflict;
  return filter;
}

}  // namespace

Checked<store::EventRow> named_event(store::ViewsSnapshot& snapshot, const std::string& id,
                                     const std::optional<SourceId>& source, store::Reach reach) {
  auto events = snapshot.events_named(EventId(id), reach);
  if (const auto ok = snapshot.status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (source) std::erase_if(events, [&](const auto& event) { return event.source != *source; });
  if (events.empty()) return std::unexpected(not_found("unknown_event", "No event was received under this id."));
  if (events.size() == 1) return std::move(events.front());
  Problem problem{.status = 409,
                  .code = "ambiguous_id",
                  .title = "More than one source has sent an event with this id. Say which one with `source`."};
  for (const auto& event : events) problem.sources.push_back(event.source);
  return std::unexpected(std::move(problem));
}

Reply list_events(Service& service, const Call& call) {
  const auto filter = event_filter(service, call);
  if (!filter) return filter.error();
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  Sequence after;
  if (const auto cursor = call.parameters.text("after")) {
    const auto place = parse_event_cursor(*cursor);
    if (!place) return bad_cursor();
    after = *place;
  }
  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.views.snapshot();
  const auto events = snapshot->events(*filter, after, count + 1, call.caller.reach);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());

  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& event : events | std::views::take(count)) {
    call.objects.add("events", event.id.text());
    json.begin_object();
    write_event_members(json, event);
    json.end_object();
  }
  json.end_array().key("next");
  events.size() > count ? json.string(format_event_cursor(events[count - 1].record)) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply get_event(Service& service, const Call& call) {
  const auto source = source_filter(service.context, call.parameters);
  if (!source) return source.error();
  const auto with_body = call.parameters.flag("body");
  if (!with_body) return with_body.error();
  auto snapshot = service.context.views.snapshot();
  const auto event = named_event(*snapshot, call.path.front(), *source, call.caller.reach);
  if (!event) return event.error();
  const auto receipts = snapshot->receipts(event->record);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  snapshot.reset();

  JsonWriter json;
  json.begin_object();
  write_event_members(json, *event);
  write_receipts(json, *event, receipts);
  if (*with_body) write_body(json, *Bodies(received_log(service.context)).of(event->record));
  json.end_object();
  return json_response(200, json);
}

Reply get_event_body(Service& service, const Call& call) {
  const auto source = source_filter(service.context, call.parameters);
  if (!source) return source.error();
  auto snapshot = service.context.views.snapshot();
  const auto event = named_event(*snapshot, call.path.front(), *source, call.caller.reach);
  if (!event) return event.error();
  // Also what is in quarantine: the bodies of conflicting receipts (I2). They were never matched, and may speak of
  // another clinic's order: a limited key does not see them.
  std::optional<Sequence> record;
  if (event->body.hex() == call.path[1]) record = event->record;
  for (const auto& receipt : snapshot->receipts(event->record)) {
    if (!record && call.caller.reach.is_everything() && receipt.body.hex() == call.path[1]) record = receipt.record;
  }
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  snapshot.reset();
  if (!record) return not_found("unknown_body", "No body with this SHA-256 was received under the event's id.");

  auto read = received_log(service.context).at(*record);
  if (!read && read.error().code == "erased") {
    return Problem{.status = 410, .code = "erased", .title = "This body was erased by retention or on request."};
  }
  if (!read) return store_failed(read.error());
  http::Response response;
  response.content_type = "application/octet-stream";
  response.body = std::move(read->record.body);
  response.set_header("Content-Disposition", "attachment; filename=\"" + call.path[1] + ".bin\"");
  return response;
}

}  // namespace resultsync::api
