// /v1/orders: what is known of orders now, and how it came to be so.
#include <algorithm>
#include <limits>
#include <map>
#include <ranges>

#include "api/bodies.hpp"
#include "api/cursor.hpp"
#include "api/feed_item.hpp"
#include "api/reviews.hpp"
#include "api/service.hpp"
#include "api/told.hpp"
#include "orders/decode.hpp"
#include "store/whole_order.hpp"

namespace resultsync::api {
namespace {

constexpr Sequence kEverything{std::numeric_limits<std::uint64_t>::max()};

using EventsOfRecords = std::map<Sequence, store::EventRow>;

void write_order_members(JsonWriter& json, const store::OrderRecord& order) {
  const auto& [row, history] = order;
  json.member("id", row.id.text()).member("source", row.source.text());
  id_member(json, "status", history.points.empty() ? std::string{} : history.latest().status);
  id_member(json, "clinic_id", row.clinic.text());
  id_member(json, "unmatched_reason", std::string(orders::name_of(row.reason)));
  id_member(json, "patient_id", history.points.empty() ? std::string{} : history.latest().patient.text());
  id_member(json, "vendor_practitioner_id", history.deciding_practitioner().text());
  time_member(json, "updated_at", row.updated_at);
}

void write_versions(JsonWriter& json, const orders::TestHistory& test, const EventsOfRecords& events) {
  json.key("versions").begin_array();
  for (const orders::Version& version : test.versions) {
    const auto first = events.find(version.record);
    json.begin_object().member("version", version.number).member("content_sha256", version.content.hex());
    id_member(json, "first_seen_event_id", first == events.end() ? std::string{} : first->second.id.text());
    json.member("current", version.number == test.current()).end_object();
  }
  json.end_array();
}

void write_tests(JsonWriter& json, const store::WholeOrder& whole, Bodies& bodies) {
  json.key("tests").begin_array();
  for (const orders::TestHistory& test : whole.order.history.tests) {
    if (test.points.empty()) continue;  // known by its versions only: its events are still being read
    json.begin_object().member("id", test.id.text());
    json.key("current_version");
    test.current() == 0 ? json.null() : json.number(test.current());
    const auto missing = missing_of(whole.told_missing, test.id, test.current());
    const auto body = body_as_told(bodies.of(test.points.back().record), missing);
    json.key("ordered_test").raw(orders::resources_of(body->bytes, test.id).ordered_test);
    if (!body->unavailable.empty()) json.member("unavailable", body->unavailable);
    write_missing(json, missing);
    json.key("result").begin_object();
    write_reading(json, test.id, *body, orders::contents_before(test, test.points.back().record, kEverything), bodies);
    json.end_object();
    if (const auto review = whole.reviews.find(test.id); review != whole.reviews.end())
      write_judged(json, judged(whole.said, {whole.order.row.key, test.id}, review->second));
    write_versions(json, test, whole.events);
    json.end_object();
  }
  json.end_array();
}

void write_history(JsonWriter& json, const orders::OrderHistory& history, const EventsOfRecords& events) {
  json.key("history").begin_array();
  for (const orders::OrderPoint& point : history.points) {
    json.begin_object().member("event_id", point.key.id.text());
    time_member(json, "created_at", point.key.created_at);
    const auto event = events.find(point.record);
    time_member(json, "received_at", event == events.end() ? orders::kNoTime : event->second.received_at);
    id_member(json, "status", point.status);
    id_member(json, "clinic_id", point.clinic.text());
    json.end_object();
  }
  json.end_array();
}

// S5: an order is a practitioner's if one of their connections has its clinic.
bool is_visible(const store::OrderRow& order, const store::PractitionerRow& practitioner) {
  return !order.clinic.empty() &&
         std::ranges::any_of(practitioner.connections, [&](const store::ConnectionRow& connection) {
           return connection.source == order.source && connection.clinic == order.clinic;
         });
}

Problem unknown_order() {
  return not_found("unknown_order", "There is no order with this id, or the practitioner may not see it.");
}

// The one order of this id that the call may see.
Checked<store::WholeOrder> find_order(store::ViewsSnapshot& snapshot, const Call& call,
                                      const std::optional<SourceId>& source) {
  std::optional<store::PractitionerRow> practitioner;
  if (const auto id = call.parameters.text("practitioner")) {
    auto row = connected_practitioner(snapshot, AppPractitionerId(*id), call.caller.reach);
    if (!row) return std::unexpected(row.error());
    practitioner = std::move(*row);
  }
  auto rows = snapshot.orders_named(OrderId(call.path.front()), call.caller.reach);
  std::erase_if(rows, [&](const store::OrderRow& row) {
    return (source && row.source != *source) || (practitioner && !is_visible(row, *practitioner));
  });
  if (const auto ok = snapshot.status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (rows.empty()) return std::unexpected(unknown_order());
  if (rows.size() > 1) {
    Problem problem{.status = 409,
                    .code = "ambiguous_id",
                    .title = "More than one source has an order with this id. Say which one with `source`."};
    for (const auto& row : rows) problem.sources.push_back(row.source);
    return std::unexpected(std::move(problem));
  }
  auto whole = snapshot.whole_order(rows.front().key);
  if (const auto ok = snapshot.status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (!whole || whole->order.history.points.empty()) return std::unexpected(unknown_order());
  return std::move(*whole);
}

struct OrdersQuestion {
  store::OrderFilter filter;
  store::OrderPlace after{Timestamp{std::numeric_limits<std::int64_t>::min()}, {}};
  std::size_t limit = 0;
};

Checked<OrdersQuestion> read_question(const Parameters& parameters) {
  OrdersQuestion question;
  const auto updated_since = parameters.time("updated_since");
  if (!updated_since) return std::unexpected(updated_since.error());
  const auto limit = parameters.whole_number("limit", kLimit);
  if (!limit) return std::unexpected(limit.error());
  if (const auto cursor = parameters.text("after")) {
    const auto place = parse_order_cursor(*cursor);
    if (!place) return std::unexpected(bad_cursor());
    question.after = *place;
  }
  question.filter.updated_since = *updated_since;
  if (auto patient = parameters.text("patient")) question.filter.patient = PatientId(std::move(*patient));
  question.limit = static_cast<std::size_t>(*limit);
  return question;
}

}  // namespace

Reply list_orders(Service& service, const Call& call) {
  auto question = read_question(call.parameters);
  if (!question) return question.error();
  const auto snapshot = service.context.views.snapshot();
  if (const auto id = call.parameters.text("practitioner")) {
    const auto practitioner = connected_practitioner(*snapshot, AppPractitionerId(*id), call.caller.reach);
    if (!practitioner) return practitioner.error();
    question->filter.practitioner = practitioner->key;
  }
  const auto rows = snapshot->orders(question->filter, question->after, question->limit + 1, call.caller.reach);

  std::vector<store::OrderKey> keys;
  for (const auto& row : rows | std::views::take(question->limit)) keys.push_back(row.key);
  const auto orders = snapshot->orders(keys);

  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& row : rows | std::views::take(question->limit)) {
    const auto order = orders.find(row.key);
    if (order == orders.end()) continue;
    call.objects.add("orders", row.id.text());
    json.begin_object();
    write_order_members(json, order->second);
    json.end_object();
  }
  json.end_array().key("next");
  if (rows.size() > question->limit) {
    const auto& last = rows[question->limit - 1];
    json.string(format_order_cursor({last.updated_at, last.key}));
  } else {
    json.null();
  }
  json.end_object();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  return json_response(200, json);
}

Reply get_order(Service& service, const Call& call) {
  const auto source = source_filter(service.context, call.parameters);
  if (!source) return source.error();
  auto snapshot = service.context.views.snapshot();
  const auto whole = find_order(*snapshot, call, *source);
  if (!whole) return whole.error();
  snapshot.reset();
  const store::OrderRecord& order = whole->order;

  Bodies bodies(service.context.log);
  const auto latest = bodies.of(order.history.latest().record);
  JsonWriter json;
  json.begin_object();
  write_order_members(json, order);
  json.member("clinic_set_by_operator", order.row.by_operator);
  json.key("order").raw(orders::resources_of(latest->bytes, {}).order);
  if (!latest->unavailable.empty()) json.member("unavailable", latest->unavailable);
  write_tests(json, *whole, bodies);
  write_history(json, order.history, whole->events);
  json.end_object();
  return json_response(200, json);
}

}  // namespace resultsync::api
