#include "store/reviews.hpp"

#include <array>

namespace resultsync::store {
namespace {
using enum CriticalState;
constexpr std::array kStates{kOpen, kAcknowledged, kSuperseded, kNoLongerCritical, kWithdrawn};
}  // namespace

std::string_view name_of(CriticalState state) {
  switch (state) {
    case kOpen:
      return "open";
    case kAcknowledged:
      return "acknowledged";
    case kSuperseded:
      return "superseded";
    case kNoLongerCritical:
      return "no_longer_critical";
    case kWithdrawn:
      return "withdrawn";
  }
  return "open";
}

std::optional<CriticalState> critical_state_named(std::string_view name) {
  for (const CriticalState state : kStates) {
    if (name_of(state) == name) return state;
  }
  return std::nullopt;
}

}  // namespace resultsync::store
