// /v1/unmatched: events that cannot be given to anybody yet, and an operator's word on where they belong (S6).
#include <array>
#include <ranges>
#include <set>

#include "api/cursor.hpp"
#include "api/json_body.hpp"
#include "api/service.hpp"
#include "sync/connections.hpp"

namespace resultsync::api {
namespace {

void write_unmatched(JsonWriter& json, const store::EventRow& event, const store::OrderRecord* order) {
  json.begin_object()
      .member("event_id", event.id.text())
      .member("source", event.source.text())
      .member("type", event.type);
  json.member("reason", orders::name_of(event.reason));
  id_member(json, "order_id", event.order.text());
  id_member(json, "clinic_id", order != nullptr ? order->row.clinic.text() : std::string{});
  id_member(json, "vendor_practitioner_id",
            order != nullptr ? order->history.deciding_practitioner().text() : std::string{});
  time_member(json, "since", event.received_at);
  json.end_object();
}

constexpr std::array kMatchMembers{MemberRule{"clinic_id"}, MemberRule{"source", Presence::kOptional}};

struct MatchQuestion {
  ClinicId clinic;
  std::optional<SourceId> source;
};

Checked<MatchQuestion> read_question(const ApiContext& context, const Call& call) {
  auto members = read_members(call.body, kMatchMembers);
  if (!members) return std::unexpected(members.error());
  MatchQuestion question{ClinicId(std::move(members->at("clinic_id"))), {}};
  if (const auto named = members->find("source"); named != members->end()) {
    auto source = chosen_source(context, named->second);
    if (!source) return std::unexpected(source.error());
    question.source = std::move(*source);
  }
  return question;
}

}  // namespace

Reply list_unmatched(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  Sequence after;
  if (const auto cursor = call.parameters.text("after")) {
    const auto place = parse_unmatched_cursor(*cursor);
    if (!place) return bad_cursor();
    after = *place;
  }
  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.views.snapshot();
  const auto events = snapshot->waiting(after, count + 1);

  std::set<store::OrderKey> keys;
  for (const auto& event : events | std::views::take(count)) {
    if (event.order_key) keys.insert(event.order_key);
  }
  const auto orders = snapshot->orders(std::vector(keys.begin(), keys.end()));

  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& event : events | std::views::take(count)) {
    const auto order = orders.find(event.order_key);
    write_unmatched(json, event, order == orders.end() ? nullptr : &order->second);
  }
  json.end_array().key("next");
  events.size() > count ? json.string(format_unmatched_cursor(events[count - 1].record)) : json.null();
  json.end_object();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  return json_response(200, json);
}

Reply match_unmatched(Service& service, const Call& call) {
  const auto question = read_question(service.context, call);
  if (!question) return question.error();
  call.objects.add("clinics", question->clinic.text());
  auto snapshot = service.context.views.snapshot();
  const auto event = named_event(*snapshot, call.path.front(), question->source, call.caller.reach);
  snapshot.reset();
  if (!event) return event.error();

  const auto matched = sync::match(service.context.views, received_log(service.context), event->source, event->id,
                                   question->clinic, service.context.clock.now(), service.context.sync.apply_options());
  if (!matched && matched.error().code == "not_waiting") {
    return Problem{.status = 409, .code = "not_waiting", .title = "This event does not wait for a clinic."};
  }
  if (!matched && matched.error().code == "not_found")
    return not_found("unknown_event", "No event was received under this id.");
  if (!matched) return store_failed(matched.error());
  service.changed();

  JsonWriter json;
  json.begin_object()
      .member("order_id", matched->order.text())
      .member("clinic_id", matched->clinic.text())
      .member("items", std::uint64_t{matched->items})
      .member("nobody_connected", matched->nobody_connected)
      .end_object();
  return json_response(200, json);
}

}  // namespace resultsync::api
