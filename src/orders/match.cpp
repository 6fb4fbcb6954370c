#include "orders/match.hpp"

#include <array>
#include <utility>

namespace resultsync::orders {
namespace {

constexpr std::array<std::pair<Unmatched, std::string_view>, 5> kNames{{
    {Unmatched::kNone, ""},
    {Unmatched::kUnknownClinic, "unknown_clinic"},
    {Unmatched::kAmbiguousClinic, "ambiguous_clinic"},
    {Unmatched::kNobodyConnected, "nobody_connected"},
    {Unmatched::kClinicChanged, "clinic_changed"},
}};

}  // namespace

std::string_view name_of(Unmatched reason) {
  return kNames[static_cast<std::size_t>(reason)].second;
}

Unmatched unmatched_named(std::string_view name) {
  for (const auto& [reason, reason_name] : kNames) {
    if (reason_name == name) return reason;
  }
  return Unmatched::kNone;
}

bool contradicts(const SettledClinic& settled, const ClinicId& named_by_event) {
  return !settled.clinic.empty() && !settled.by_operator && !named_by_event.empty() && named_by_event != settled.clinic;
}

ClinicDecision decide_clinic(const OrderHistory& history, const SettledClinic& settled,
                             const std::vector<ClinicId>& map) {
  if (!settled.clinic.empty()) return {settled.clinic, Unmatched::kNone};
  if (const ClinicId named = history.named_clinic(); !named.empty()) return {named, Unmatched::kNone};
  if (map.size() == 1) return {map.front(), Unmatched::kNone};
  return {{}, map.empty() ? Unmatched::kUnknownClinic : Unmatched::kAmbiguousClinic};
}

}  // namespace resultsync::orders
