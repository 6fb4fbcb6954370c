#include "vendors/fullscript.hpp"

#include <optional>
#include <vector>

#include "base/json_writer.hpp"
#include "vendors/link_json.hpp"

namespace resultsync::vendors {
namespace {

using orders::id_text;
using orders::JsonBody;
using orders::member;
using orders::text_of;
using simdjson::dom::element;
using Value = std::optional<element>;

// The first of the members that is an id: `patient_id`, or the id of `patient`.
std::string id_of(const Value& order, const char* flat, const char* nested) {
  const std::string id = id_text(member(order, flat));
  return id.empty() ? id_text(member(member(order, nested), "id")) : id;
}

std::string state_of(const Value& order) {
  const std::string state = text_of(member(order, "state"));
  return std::string(fullscript_state(state.empty() ? text_of(member(order, "status")) : state));
}

struct LabResult {
  std::string id;
  std::string pdf;       // a link
  std::string received;  // may be empty
};

// The results of an order: each for itself, or, where there are none, the one file that holds them all.
std::vector<LabResult> results_of(const Value& order, const std::string& order_id) {
  std::vector<LabResult> results;
  const auto take = [&](const Value& one, std::string id) {
    if (!id.empty())
      results.push_back({std::move(id), text_of(member(one, "pdf_url")), text_of(member(one, "received_at"))});
  };
  const auto listed = member(order, "results");
  orders::for_each(listed ? listed : member(order, "lab_results"),
                   [&](element one) { take(one, id_text(member(one, "id"))); });
  if (!results.empty()) return results;
  auto whole = member(order, "latest_aggregated_result");
  if (!whole) whole = member(order, "aggregated_result");
  if (!text_of(member(whole, "pdf_url")).empty()) take(whole, order_id);
  return results;
}

void write_result(JsonWriter& json, const LabResult& result) {
  json.begin_object().key("attributes").begin_object();
  if (!result.received.empty()) json.member("date_results_received_from_lab", result.received);
  if (!result.pdf.empty()) json.member("results_pdf", result.pdf);
  json.end_object().member("id", result.id).member("type", "ordered_test").end_object();
}

// `order` as an order resource; a thin one, of an event, has no results.
void write_order(JsonWriter& json, const Value& order, const std::vector<LabResult>& results) {
  json.begin_object().key("attributes").begin_object();
  for (const auto& [ours, theirs] : {std::pair{"date_submitted", "created_at"}, {"date_updated", "updated_at"}}) {
    if (const std::string date = text_of(member(order, theirs)); !date.empty()) json.member(ours, date);
  }
  if (const std::string state = state_of(order); !state.empty()) json.member("status", state);
  json.end_object().member("id", id_text(member(order, "id"))).key("relationships").begin_object();
  json.key("ordered_tests").begin_object().key("data").begin_array();
  for (const LabResult& one : results)
    json.begin_object().member("id", one.id).member("type", "ordered_test").end_object();
  json.end_array().end_object();
  write_link(json, "patient", "patient", id_of(order, "patient_id", "patient"));
  write_link(json, "patients_practitioner", "practitioner", id_of(order, "practitioner_id", "practitioner"));
  json.end_object().member("type", "order").end_object();
}

}  // namespace

std::string_view fullscript_state(std::string_view name) {
  if (name == "results_received") return "partial_results";
  if (name == "all_results_received") return "results_ready";
  return name;
}

std::string fullscript_event(std::string_view body) {
  const JsonBody document(body);
  if (!document.root() || !document.root()->is_object()) return std::string(body);
  Value event = member(member(document.root(), "event_payload"), "event");
  if (!event) event = member(document.root(), "event");
  if (!event || !event->is_object()) event = document.root();
  JsonWriter json;
  json.begin_object();
  if (const std::string clinic = id_text(member(event, "clinic_id")); !clinic.empty()) json.member("clinic_id", clinic);
  if (const std::string time = text_of(member(event, "created_at")); !time.empty()) json.member("created_at", time);
  json.key("data").begin_object();
  const auto order = member(member(event, "data"), "lab_order");
  if (!id_text(member(order, "id")).empty()) {
    json.key("included").begin_array().end_array().key("object");
    write_order(json, order, {});
  }
  json.end_object();
  if (const std::string id = id_text(member(event, "id")); !id.empty()) json.member("id", id);
  if (const std::string type = text_of(member(event, "type")); !type.empty()) json.member("type", type);
  return json.end_object().take();
}

std::string fullscript_orders(const JsonBody& answer) {
  std::vector<element> orders;
  orders::for_each(member(answer.root(), "orders"), [&](element one) { orders.push_back(one); });
  if (const auto one = member(answer.root(), "order"); one && one->is_object()) orders.push_back(*one);
  JsonWriter json;
  JsonWriter included;
  json.begin_object().key("data").begin_array();
  included.begin_array();
  for (const element order : orders) {
    const std::string id = id_text(member(order, "id"));
    if (id.empty()) continue;
    const auto results = results_of(order, id);
    write_order(json, order, results);
    for (const LabResult& one : results) write_result(included, one);
  }
  json.end_array().key("included").raw(included.end_array().text());
  if (const auto meta = member(answer.root(), "meta")) json.key("meta").raw(std::string(simdjson::minify(*meta)));
  return json.end_object().take();
}

}  // namespace resultsync::vendors
