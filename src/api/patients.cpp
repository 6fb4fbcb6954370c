// /v1/patients/{id}: who a patient is, from the network's directory. Visible to whoever sees an order of theirs.
#include <algorithm>
#include <utility>

#include "api/results.hpp"
#include "api/service.hpp"
#include "network/network.hpp"
#include "store/network.hpp"

namespace resultsync::api {
namespace {

constexpr std::size_t kOrdersMax = 200;  // of one id that are looked at: more tell no other network and no other clinic

Problem unknown_patient() {
  return not_found("unknown_patient", "There are no orders of a patient with this id, or they may not be seen.");
}

// An order that the call may see, and that names the patient.
Checked<store::OrderRow> order_of_patient(Service& service, const Call& call) {
  const auto source = source_filter(service.context, call.parameters);
  if (!source) return std::unexpected(source.error());
  const auto snapshot = service.context.views.snapshot();
  store::OrderFilter filter;
  filter.patient = PatientId(call.path.front());
  if (const auto id = call.parameters.text("practitioner")) {
    const auto practitioner = connected_practitioner(*snapshot, AppPractitionerId(*id), call.caller.reach);
    if (!practitioner) return std::unexpected(practitioner.error());
    filter.practitioner = practitioner->key;
  }
  auto rows = snapshot->orders(filter, {}, kOrdersMax, call.caller.reach);
  if (const auto ok = snapshot->status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (*source) std::erase_if(rows, [&](const store::OrderRow& row) { return row.source != **source; });
  if (rows.empty()) return std::unexpected(unknown_patient());
  std::vector<SourceId> sources;
  for (const store::OrderRow& row : rows) {
    if (std::ranges::find(sources, row.source) == sources.end()) sources.push_back(row.source);
  }
  if (sources.size() > 1) return std::unexpected(ambiguous_patient(std::move(sources)));
  return std::move(rows.front());
}

Problem directory_problem(const Error& error) {
  if (error.code == "not_found") return unknown_patient();
  return network_problem(error);
}

}  // namespace

Reply get_patient(Service& service, const Call& call) {
  const auto order = order_of_patient(service, call);
  if (!order) return order.error();
  call.objects.add("patients", call.path.front());
  if (service.context.network == nullptr)
    return Problem{.status = 409, .code = "no_api", .title = "No source has an API in the configuration."};
  const auto patient =
      service.context.network->patients().get(order->source, order->clinic, PatientId(call.path.front()));
  if (!patient) return directory_problem(patient.error());
  JsonWriter json;
  json.begin_object().member("id", call.path.front()).member("source", order->source.text());
  json.key("attributes").raw(patient->attributes.reveal());
  time_member(json, "read_at", patient->read_at);
  json.end_object();
  return json_response(200, json);
}

}  // namespace resultsync::api
