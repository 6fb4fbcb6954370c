// What a person looks at first.
#pragma once

#include "results/interpret.hpp"
#include "results/report.hpp"

namespace resultsync::results {

// Whether the observation says anything of the patient: what was cancelled, or entered in error, does not.
bool counts(const Observation& observation);

// The gravest level that the lab's flags give (OBX-8). What we compute from the range never makes a value critical: a
// range has no panic limits.
FlagMeaning::Level level_of(const Observation& observation);

// Whether any observation that counts is flagged as critical: LL, HH or AA.
bool has_critical(const Interpretation& content);

}  // namespace resultsync::results
