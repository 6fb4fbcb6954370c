#include "hl7/diagnostic.hpp"

namespace resultsync::hl7 {

std::string_view severity_name(Severity severity) {
  switch (severity) {
    case Severity::info:
      return "info";
    case Severity::warning:
      return "warning";
    case Severity::error:
      return "error";
  }
  return "error";
}

void Diagnostics::add(const DiagnosticKind& kind, std::uint32_t segment, std::size_t offset) {
  if (full()) return;
  const bool last = list_.size() + 1 == kMax;
  list_.push_back({last ? &diagnostics::kTooMany : &kind, segment, offset});
}

}  // namespace resultsync::hl7
