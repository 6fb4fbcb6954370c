#include "store/views.hpp"

namespace resultsync::store {

std::string_view name_of(Outcome outcome) {
  switch (outcome) {
    case Outcome::kSynced:
      return "synced";
    case Outcome::kWaiting:
      return "waiting";
    case Outcome::kNoResults:
      return "no_results";
    case Outcome::kUnknownType:
      return "unknown_type";
    case Outcome::kUnreadable:
      return "unreadable";
  }
  return "";
}

std::string_view name_of(ReceiptKind kind) {
  return kind == ReceiptKind::kConflict ? "conflict" : "duplicate";
}

}  // namespace resultsync::store
