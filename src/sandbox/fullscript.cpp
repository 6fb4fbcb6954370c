#include "sandbox/fullscript.hpp"

#include <algorithm>

#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {
namespace {

const LabReport* shown_report(const OrderedTest& test) {
  return test.current ? &test.versions[*test.current] : nullptr;
}

Timestamp updated_at(const Order& order) {
  Timestamp newest = order.submitted;
  for (const auto& time : {order.paid, order.completed, order.canceled})
    newest = std::max(newest, time.value_or(newest));
  for (const OrderedTest& test : order.tests) {
    if (const LabReport* report = shown_report(test)) newest = std::max(newest, report->reported);
  }
  return newest;
}

void write_event_data(JsonWriter& json, const World& world, const Happening& happening) {
  const Order& order = world.orders()[happening.order];
  const Patient& patient = world.patients()[order.patient];
  const std::string practitioner = world.practitioners()[order.practitioner].id.text();
  json.key("data").begin_object();
  if (happening.what == What::kPaid) {
    json.member("id", "shop_" + order.id.text()).member("order_number", std::to_string(order.number));
    json.member("completed_at", format_timestamp(happening.at)).key("practitioner_ids").begin_array();
    json.string(practitioner).end_array().member("patient_id", patient.person.id).key("line_items").begin_array();
    for (std::size_t i = 0; i < order.tests.size(); ++i)
      json.begin_object()
          .member("variant_id", order.tests[i].id.text())
          .member("quantity", 1)
          .member("type", "labs")
          .end_object();
    json.end_array();
  } else {
    json.key("lab_order").begin_object().member("id", order.id.text()).member("practitioner_id", practitioner);
    json.member("patient_id", patient.person.id).member("first_name", patient.person.first_name);
    json.member("last_name", patient.person.last_name).member("email", patient.email);
    json.member("status", fullscript_state_of(order)).end_object();
  }
  json.end_object();
}

}  // namespace

std::string_view fullscript_state_of(const Order& order) {
  if (order.state == OrderState::kCanceled) return "canceled";
  std::size_t open = 0, there = 0;
  bool amended = false;
  for (const OrderedTest& test : order.tests) {
    const LabReport* report = shown_report(test);
    amended = amended || (report != nullptr && report->stage == Stage::kCorrected);
    if (report != nullptr) ++there;
    if (!test.canceled && (report == nullptr || report->stage == Stage::kPreliminary)) ++open;
  }
  if (amended) return "results_amended";
  if (there > 0) return open > 0 ? "partial_results" : "results_ready";
  if (order.state == OrderState::kPendingPayment) return "not_purchased";
  return order.state == OrderState::kPendingSignature ? "purchased" : "processing";
}

std::string_view fullscript_event_type(What what) {
  if (what == What::kPaid) return "order.placed";
  return is_result(what) ? "lab_order.updated" : "";
}

std::string fullscript_event_body(const World& world, const Happening& happening, std::uint64_t seed,
                                  Envelope envelope) {
  const Order& order = world.orders()[happening.order];
  if (envelope == Envelope::kMixed)
    envelope = static_cast<Envelope>(mixed(seed, "envelope/" + happening.event.text()) % 3);
  JsonWriter json;
  json.begin_object();
  if (envelope == Envelope::kWrapped) json.key("event_payload").begin_object();
  if (envelope != Envelope::kBare) json.key("event").begin_object();
  json.member("id", happening.event.text()).member("type", fullscript_event_type(happening.what));
  json.member("created_at", format_timestamp(happening.at));
  json.member("clinic_id", world.clinics()[world.clinic_of(order)].id.text());
  write_event_data(json, world, happening);
  if (envelope == Envelope::kWrapped) json.end_object();
  if (envelope != Envelope::kBare) json.end_object();
  return json.end_object().take();
}

void write_lab_order(JsonWriter& json, const World& world, std::size_t index, LabOrderDetail detail,
                     const ResultLink& link) {
  const Order& order = world.orders()[index];
  json.begin_object().member("id", order.id.text()).member("state", fullscript_state_of(order));
  json.member("created_at", format_timestamp(order.submitted))
      .member("updated_at", format_timestamp(updated_at(order)));
  if (detail == LabOrderDetail::kSummary) {
    json.end_object();
    return;
  }
  json.member("patient_id", world.patients()[order.patient].person.id);
  json.member("practitioner_id", world.practitioners()[order.practitioner].id.text()).key("tests").begin_array();
  for (const OrderedTest& test : order.tests) {
    const LabTest& what = lab_tests()[test.test];
    json.begin_object().member("id", "labts_" + std::string(what.id)).member("name", what.name).end_object();
  }
  json.end_array().key("results").begin_array();
  for (std::size_t i = 0; i < order.tests.size(); ++i) {
    const OrderedTest& test = order.tests[i];
    const LabReport* report = shown_report(test);
    if (report == nullptr) continue;
    json.begin_object().member("id", test.id.text()).member("name", lab_tests()[test.test].name);
    json.member("state", stage_name(report->stage));
    json.member("pdf_url", link({index, i, *test.current, DocumentKind::kPdf})).end_object();
  }
  json.end_array().end_object();
}

}  // namespace resultsync::sandbox
