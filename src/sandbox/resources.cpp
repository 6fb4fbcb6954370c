#include "sandbox/resources.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"

namespace resultsync::sandbox {
namespace {

void write_link(JsonWriter& json, std::string_view name, std::string_view type, std::string_view id) {
  json.key(name).begin_object().key("data");
  if (id.empty()) {
    json.null();
  } else {
    json.begin_object().member("id", id).member("type", type).end_object();
  }
  json.end_object();
}

void write_links(JsonWriter& json, std::string_view name, std::string_view type, const std::vector<std::string>& ids) {
  json.key(name).begin_object().key("data").begin_array();
  for (const std::string& id : ids) json.begin_object().member("id", id).member("type", type).end_object();
  json.end_array().key("meta").begin_object().member("count", static_cast<std::uint64_t>(ids.size()));
  json.end_object().end_object();
}

void write_address(JsonWriter& json, const Address& address) {
  json.begin_object()
      .member("city", address.city)
      .member("state", address.state)
      .member("street_1", address.street_1)
      .member("street_2", address.street_2.empty() ? std::nullopt : std::optional(address.street_2))
      .member("zip", address.zip)
      .end_object();
}

std::string company_id(std::size_t company) {
  return "labco_" + std::string(lab_companies()[company].id);
}
std::string test_id(std::size_t test) {
  return "labts_" + std::string(lab_tests()[test].id);
}

void write_document(JsonWriter& json, std::string_view name, const World& world, const DocumentName& document,
                    Carriage carriage, const DocumentForms& forms) {
  json.key(name);
  if (carriage == Carriage::kNone) {
    json.null();
    return;
  }
  if (carriage == Carriage::kUrl) {
    json.string(forms.link(document));
    return;
  }
  const std::string bytes = draw(*source_of(world, document));
  // A JSON text is Unicode: what is in another character set cannot stand in it as it is.
  const bool as_it_is = carriage == Carriage::kInline && is_utf8(bytes);
  json.string(as_it_is ? bytes : encode_base64(bytes));
}

}  // namespace

void write_practitioner(JsonWriter& json, const World& world, std::size_t index) {
  const Practitioner& one = world.practitioners()[index];
  json.begin_object().key("attributes").begin_object().key("address");
  write_address(json, one.address);
  json.member("first_name", one.first_name).member("last_name", one.last_name);
  json.key("ordering_authorization_status").begin_object().member("physician_authorization_approved", one.authorized);
  json.end_object().member("phone", one.phone).key("primary_practitioner_type").begin_object();
  json.member("name", one.type).end_object().member("titled_full_name", one.titled()).key("verification_status");
  json.begin_object().member("email", one.email_verified).end_object().end_object();
  json.member("id", one.id.text()).key("relationships").begin_object();
  write_link(json, "clinic", "clinic", world.clinics()[one.clinic].id.text());
  json.end_object().member("type", "practitioner").end_object();
}

void write_clinic(JsonWriter& json, const World& world, std::size_t index) {
  const Clinic& one = world.clinics()[index];
  json.begin_object().key("attributes").begin_object().key("address");
  write_address(json, one.address);
  json.member("name", one.name).member("phone", one.phone).member("time_zone", one.time_zone).end_object();
  json.member("id", one.id.text()).key("relationships").begin_object();
  std::vector<std::string> ids;
  for (const Practitioner& who : world.practitioners()) {
    if (who.clinic == index) ids.push_back(who.id.text());
  }
  write_links(json, "practitioners", "practitioner", ids);
  json.end_object().member("type", "clinic").end_object();
}

void write_patient(JsonWriter& json, const World& world, std::size_t index) {
  const Patient& one = world.patients()[index];
  const Person& who = one.person;
  const auto or_null = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
  json.begin_object().key("attributes").begin_object();
  json.member("birthday", or_null(who.birthday)).member("email", one.email).member("first_name", who.first_name);
  json.member("gender", or_null(who.gender)).member("last_name", who.last_name).member("phone", or_null(who.phone));
  json.key("shipping_address");
  if (who.address.street_1.empty()) {
    json.null();
  } else {
    const bool more = !who.address.street_2.empty();
    json.begin_object().member("city", who.address.city).member("state", who.address.state);
    json.member("street", who.address.street_1 + (more ? ", " + who.address.street_2 : ""));
    json.member("zipcode", who.address.zip).end_object();
  }
  json.end_object().member("id", who.id).key("relationships").begin_object();
  const Practitioner& practitioner = world.practitioners()[one.practitioner];
  write_link(json, "clinic", "clinic", world.clinics()[practitioner.clinic].id.text());
  write_link(json, "practitioner", "practitioner", practitioner.id.text());
  json.end_object().member("type", "patient").end_object();
}

void write_lab_company(JsonWriter& json, std::size_t index) {
  const LabCompany& one = lab_companies()[index];
  json.begin_object().key("attributes").begin_object().member("clia", one.clia).member("name", one.name);
  json.member("phone", one.phone).member("short_name", one.short_name).end_object();
  json.member("id", company_id(index)).member("type", "lab_company").end_object();
}

void write_lab_test(JsonWriter& json, std::size_t index) {
  const LabTest& one = lab_tests()[index];
  json.begin_object().key("attributes").begin_object().key("biomarkers").begin_array();
  for (const Analyte& analyte : one.analytes) json.string(analyte.name);
  json.end_array().member("code", one.code).member("name", one.name);
  json.member("price", fmt::format("{}.{:02}", one.price_cents / 100, one.price_cents % 100));
  json.member("sample_type", one.sample).member("turnaround_days", one.turnaround_days).end_object();
  json.member("id", test_id(index)).key("relationships").begin_object();
  write_link(json, "lab_company", "lab_company", company_id(one.company));
  json.end_object().member("type", "lab_test").end_object();
}

void write_order(JsonWriter& json, const World& world, std::size_t index, OrderDetail detail) {
  const Order& order = world.orders()[index];
  const int offset = world.clinics()[world.clinic_of(order)].utc_offset_minutes;
  const auto date = [&](std::string_view name, const std::optional<Timestamp>& time) {
    json.member(name, time ? std::optional(network_time(*time, offset)) : std::nullopt);
  };
  const OrderIntent* intent = order.intent ? &world.intents()[*order.intent] : nullptr;
  json.begin_object();
  if (detail == OrderDetail::kWhole) {
    json.key("attributes").begin_object();
    date("date_canceled", order.canceled);
    date("date_completed", order.completed);
    date("date_paid", order.paid);
    date("date_submitted", order.submitted);
    if (intent && !intent->metadata.empty()) json.key("metadata").raw(intent->metadata);
    json.member("notes_to_patient", order.note.empty() ? std::nullopt : std::optional(order.note));
    json.member("payer", order.patient_pays ? "patient" : "practitioner");
    json.member("status", status_text(order.state)).member("total_price", order.total_cents / 100).end_object();
  }
  json.member("id", order.id.text()).key("relationships").begin_object();
  std::vector<std::string> tests;
  for (const OrderedTest& test : order.tests) tests.push_back(test.id.text());
  write_links(json, "line_items", "line_item", {"lin_" + order.id.text().substr(4)});
  write_links(json, "ordered_tests", "ordered_test", tests);
  write_link(json, "patient", "patient", world.patients()[order.patient].person.id);
  write_link(json, "patients_practitioner", "practitioner", world.practitioners()[order.practitioner].id.text());
  write_link(json, "signing_practitioner", "practitioner", world.practitioners()[order.signer].id.text());
  write_link(json, "order_intent", "order_intent", intent ? intent->id : "");
  json.end_object().member("type", "order").end_object();
}

void write_ordered_test(JsonWriter& json, const World& world, World::TestPlace place, const DocumentForms& forms) {
  const Order& order = world.orders()[place.order];
  const OrderedTest& test = order.tests[place.test];
  const int offset = world.clinics()[world.clinic_of(order)].utc_offset_minutes;
  json.begin_object().key("attributes").begin_object();
  json.member("date_results_received_from_lab",
              test.current ? std::optional(network_time(test.versions[*test.current].reported, offset)) : std::nullopt);
  const bool sent = order.state != OrderState::kPendingPayment && order.state != OrderState::kPendingSignature;
  write_document(json, "requisition", world, {place.order, place.test, 0, DocumentKind::kRequisition},
                 sent ? Carriage::kUrl : Carriage::kNone, forms);
  const std::size_t version = test.current.value_or(0);
  write_document(json, "results_hl7", world, {place.order, place.test, version, DocumentKind::kHl7},
                 test.current ? forms.hl7_as : Carriage::kNone, forms);
  write_document(json, "results_pdf", world, {place.order, place.test, version, DocumentKind::kPdf},
                 test.current ? forms.pdf_as : Carriage::kNone, forms);
  json.end_object().member("id", test.id.text()).key("relationships").begin_object();
  write_link(json, "lab_test", "lab_test", test_id(test.test));
  json.end_object().member("type", "ordered_test").end_object();
}

void write_order_intent(JsonWriter& json, const World& world, std::size_t index, const std::string& base) {
  const OrderIntent& one = world.intents()[index];
  const std::string checkout = base + "/checkout/" + one.id;
  constexpr std::string_view kStates[] = {"open", "submitted", "canceled"};
  json.begin_object().key("attributes").begin_object().member("checkout_url", checkout).key("metadata");
  json.raw(one.metadata.empty() ? "null" : one.metadata);
  json.member("redirect_url", checkout).member("return_url", one.return_url);
  json.member("status", kStates[static_cast<int>(one.state)]).end_object();
  json.member("id", one.id).key("relationships").begin_object();
  std::vector<std::string> tests;
  for (const std::size_t test : one.tests) tests.push_back(test_id(test));
  write_links(json, "lab_tests", "lab_test", tests);
  write_link(json, "order", "order", one.order ? world.orders()[*one.order].id.text() : "");
  write_link(json, "patient", "patient", world.patients()[one.patient].person.id);
  write_link(json, "practitioner", "practitioner", world.practitioners()[one.practitioner].id.text());
  json.end_object().member("type", "order_intent").end_object();
}

std::string event_body(const World& world, const Happening& happening, const EventOptions& options,
                       const DocumentForms& forms) {
  const Order& order = world.orders()[happening.order];
  const int offset = world.clinics()[world.clinic_of(order)].utc_offset_minutes;
  const bool full = options.payload == Payload::kFull;
  JsonWriter json;
  json.begin_object().member("created_at", network_time(happening.at, offset)).key("data").begin_object().key("object");
  write_order(json, world, happening.order, full ? OrderDetail::kWhole : OrderDetail::kThin);
  json.key("included").begin_array();
  if (full) {
    for (std::size_t i = 0; i < order.tests.size(); ++i) write_ordered_test(json, world, {happening.order, i}, forms);
    if (!options.leave_out_practitioner) write_practitioner(json, world, order.practitioner);
    if (order.signer != order.practitioner) write_practitioner(json, world, order.signer);
  }
  json.end_array().end_object().member("id", happening.event.text()).member("type", options.type).end_object();
  return json.take();
}

}  // namespace resultsync::sandbox
