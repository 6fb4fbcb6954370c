// Strong types for the identifiers of the network and of the application: an OrderId is no std::string, and no ClinicId
// either. They are opaque, case-sensitive text. Every network id is only unique within its source (S5).
#pragma once

#include <compare>
#include <functional>
#include <string>
#include <utility>

namespace resultsync {

template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  auto operator<=>(const Id&) const = default;

 private:
  std::string text_;
};

using SourceId = Id<struct SourceTag>;                    // a configured network: "rupa"
using EventId = Id<struct EventTag>;                      // evt_9b2m8O7
using OrderId = Id<struct OrderTag>;                      // ord_qNJ1nl1
using OrderedTestId = Id<struct OrderedTestTag>;          // ordts_lv57vnP
using LabTestId = Id<struct LabTestTag>;                  // labts_N0EW1vP
using PractitionerId = Id<struct PractitionerTag>;        // the network's practitioner: pra_PbpNmjM
using ClinicId = Id<struct ClinicTag>;                    // cli_Epqpo2g
using PatientId = Id<struct PatientTag>;                  // pat_NqXmvRr
using AppPractitionerId = Id<struct AppPractitionerTag>;  // the application's own practitioner id

}  // namespace resultsync

template <class Tag>
struct std::hash<resultsync::Id<Tag>> {
  std::size_t operator()(const resultsync::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.text()); }
};
