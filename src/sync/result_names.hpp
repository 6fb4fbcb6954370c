// The codes, identifiers and times by which a result is found. What a FHIR search matches on a resource that
// fhir::convert makes of it is among them; a test holds the two together.
#pragma once

#include <string>
#include <vector>

#include "results/interpret.hpp"
#include "store/results.hpp"

namespace resultsync::sync {

// A message has more only by accident or malice; a result is found by its patient, order and id all the same.
inline constexpr std::size_t kIndexCodesMax = 20'000;
inline constexpr std::size_t kIndexIdentifiersMax = 1'000;
inline constexpr std::size_t kIndexDocumentsMax = 1'000;

struct ResultNames {
  std::vector<std::string> codes;        // of tests, analytes and specimens, whatever their systems; sorted
  std::vector<std::string> identifiers;  // of patients, orders, reports and specimens; sorted
  store::TakenSpan taken;                // of reports and observations
};
ResultNames names_in(const results::Interpretation& interpretation);

}  // namespace resultsync::sync
