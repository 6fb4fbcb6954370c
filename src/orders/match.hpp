// Which clinic an order belongs to (S5): a decision about values, made in one place.
#pragma once

#include <string_view>
#include <vector>

#include "orders/history.hpp"

namespace resultsync::orders {

// Why an event cannot be given to anybody yet (S6).
enum class Unmatched {
  kNone,
  kUnknownClinic,    // no event of the order names a clinic, and the practitioner's is not known
  kAmbiguousClinic,  // the practitioner is known to belong to more than one clinic
  kNobodyConnected,  // the clinic is known, but no application practitioner is connected to it
  kClinicChanged,    // the order was given to one clinic, and this event names another: an operator decides
};
std::string_view name_of(Unmatched reason);  // "unknown_clinic", …; empty for kNone
Unmatched unmatched_named(std::string_view name);

// What was settled before, and is not reopened: an operator's word, or the clinic that the order was delivered to.
struct SettledClinic {
  ClinicId clinic;  // empty: nothing is settled
  bool by_operator = false;
};

struct ClinicDecision {
  ClinicId clinic;  // empty if `reason` says why there is none
  Unmatched reason = Unmatched::kNone;
};

// True if the event must not be merged before an operator has spoken: it names another clinic than the one the order
// was given to.
bool contradicts(const SettledClinic& settled, const ClinicId& named_by_event);

// `map` is what the practitioner→clinic map knows of history.deciding_practitioner().
ClinicDecision decide_clinic(const OrderHistory& history, const SettledClinic& settled,
                             const std::vector<ClinicId>& map);

}  // namespace resultsync::orders
