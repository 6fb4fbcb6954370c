#include "api/fhir/source.hpp"

#include <algorithm>
#include <span>

namespace resultsync::api::fhir_face {

std::vector<Planned> plan(store::ViewsSnapshot& snapshot, std::vector<store::ResultRow> rows) {
  constexpr std::size_t kHistoriesAtOnce = 256;  // a search that counts goes over thousands
  std::vector<Planned> planned;
  for (std::span rest(rows); !rest.empty();) {
    const auto some = rest.first(std::min(kHistoriesAtOnce, rest.size()));
    rest = rest.subspan(some.size());
    const auto orders = orders_of(snapshot, some);
    for (store::ResultRow& row : some) {
      const auto order = orders.find(row.order_key);
      const auto* test = order != orders.end() ? order->second.history.test(row.test) : nullptr;
      auto place = test != nullptr ? place_of(*test, test->current()) : std::nullopt;
      if (place) planned.push_back({std::move(row), std::move(*place), order->second.history.deciding_practitioner()});
    }
  }
  return planned;
}

std::optional<fhir::Resources> resources_of(const Planned& planned, std::string_view base, Bodies& bodies) {
  const store::ResultRow& row = planned.row;
  const auto known = known_at(planned.place, row.test, bodies);
  if (!known || (known->reports.empty() && known->patient_observations.empty())) return std::nullopt;
  fhir::Context context;
  context.id_prefix = row.fhir_prefix;
  if (!row.patient.empty()) context.patient_id_prefix = store::fhir_prefix_of_patient(row.source, row.patient);
  context.version = row.version;
  context.last_updated = format_timestamp(row.changed_at);
  context.source = row.source.text();
  context.order_id = row.order.text();
  context.ordered_test_id = row.test.text();
  context.patient_id = row.patient.text();
  context.practitioner_id = planned.practitioner.text();
  context.clinic_id = row.clinic.text();
  context.document_url_base = std::string(base) + "/v1/documents/";
  return fhir::convert(*known, context);
}

}  // namespace resultsync::api::fhir_face
