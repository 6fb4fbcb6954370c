#include "network/snapshot.hpp"

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "base/json_writer.hpp"
#include "vendors/fullscript.hpp"

namespace resultsync::network {
namespace {

using orders::member;
using orders::text_of;
using simdjson::dom::element;

std::set<std::string> linked_ids(const std::optional<element>& resource, std::string_view relationship) {
  std::set<std::string> ids;
  const auto data = member(member(member(resource, "relationships"), relationship), "data");
  if (data && data->is_object()) ids.insert(orders::id_text(member(data, "id")));
  orders::for_each(data, [&](element link) { ids.insert(orders::id_text(member(link, "id"))); });
  return ids;
}

// The newest of the dates that say when something happened to the order or a test of it.
void note_dates(Timestamp& newest, const std::optional<element>& resource) {
  for (const char* name : {"date_submitted", "date_paid", "date_completed", "date_canceled", "date_updated",
                           "date_results_received_from_lab"}) {
    const auto date = parse_timestamp(text_of(member(member(resource, "attributes"), name)));
    if (date) newest = std::max(newest, date->time);
  }
}

OrderSnapshot snapshot_of(const orders::JsonBody& answer, element resource) {
  OrderSnapshot order;
  order.id = OrderId(orders::id_text(member(resource, "id")));
  const auto submitted = parse_timestamp(text_of(member(member(resource, "attributes"), "date_submitted")));
  order.submitted = submitted ? submitted->time : orders::kNoTime;
  note_dates(order.newest_date, resource);
  order.object = simdjson::minify(resource);
  const auto tests = linked_ids(resource, "ordered_tests");
  auto people = linked_ids(resource, "patients_practitioner");
  people.merge(linked_ids(resource, "signing_practitioner"));
  JsonWriter included;
  included.begin_array();
  orders::for_each(member(answer.root(), "included"), [&](element one) {
    const std::string type = text_of(member(one, "type"));
    const std::string id = orders::id_text(member(one, "id"));
    const bool ours = (type == "ordered_test" && tests.contains(id)) || (type == "practitioner" && people.contains(id));
    if (!ours) return;
    if (type == "ordered_test") note_dates(order.newest_date, one);
    included.raw(std::string(simdjson::minify(one)));
  });
  order.included = included.end_array().take();
  return order;
}

}  // namespace

std::unique_ptr<orders::JsonBody> in_json_api(OrderForm form, std::unique_ptr<orders::JsonBody> answer) {
  if (form == OrderForm::kJsonApi) return answer;
  return std::make_unique<orders::JsonBody>(vendors::fullscript_orders(*answer));
}

std::vector<OrderSnapshot> orders_of(const orders::JsonBody& answer) {
  std::vector<OrderSnapshot> found;
  const auto data = member(answer.root(), "data");
  const auto take = [&](element resource) {
    if (!orders::id_text(member(resource, "id")).empty()) found.push_back(snapshot_of(answer, resource));
  };
  if (data && data->is_object()) take(*data);
  orders::for_each(data, take);
  return found;
}

NextPage next_page(const orders::JsonBody& answer) {
  NextPage page;
  const auto next = member(member(answer.root(), "links"), "next");
  // JSON:API 1.0 §"links": a text, or an object
  page.address = next && next->is_object() ? text_of(member(next, "href")) : text_of(next);
  const auto number = member(member(answer.root(), "meta"), "next_page");
  if (number && number->get_int64().get(page.number) != simdjson::SUCCESS) page.number = 0;
  return page;
}

std::int64_t count_of(const orders::JsonBody& answer) {
  std::int64_t count = 0;
  const auto meta = member(answer.root(), "meta");
  auto said = member(member(meta, "pagination"), "count");
  if (!said) said = member(meta, "total_count");
  if (said && said->get_int64().get(count) == simdjson::SUCCESS) return std::max<std::int64_t>(count, 0);
  return 0;
}

SnapshotEvent event_of(const OrderSnapshot& order, std::string_view type, Timestamp read_at,
                       const orders::EventKey& after) {
  const Sha256 what = sha256(order.id.text() + '\n' + order.object + '\n' + order.included + '\n' + after.id.text());
  const EventId id("reconciled_" + what.hex().substr(0, 32));
  // In the time of the network's own dates, never of anybody's clock: an event that is made after this reading must
  // sort behind it, and a lost one that comes late should sort before it.
  Timestamp at = order.newest_date == orders::kNoTime ? read_at : order.newest_date;
  if (after.created_at != orders::kNoTime && at <= after.created_at) at = {after.created_at.microseconds + 1};
  JsonWriter json;
  json.begin_object();
  if (!order.clinic.empty()) json.member("clinic_id", order.clinic.text());
  json.member("created_at", format_timestamp(at)).key("data").begin_object();
  json.key("object").raw(order.object).key("included").raw(order.included).end_object();
  json.member("id", id.text()).member("type", type).end_object();
  return {id, json.take()};
}

bool shows_news(const orders::OrderHistory& history, const orders::Order& snapshot) {
  if (history.points.empty() || history.latest().status != snapshot.status) return true;
  return std::ranges::any_of(snapshot.tests, [&](const orders::OrderedTest& test) {
    const orders::TestHistory* known = history.test(test.id);
    const bool known_any = known != nullptr && !known->points.empty();
    if (!test.has_content) return known_any && known->current() != 0 && known->points.back().content != test.content;
    return !known_any || known->points.back().content != test.content;
  });
}

}  // namespace resultsync::network
