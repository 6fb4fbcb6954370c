// What a person looks at first.
#pragma once

#include "results/interpret.hpp"
#include "results/report.hpp"

namespace resultsync::results {

// Whether the observation says anything of the patient: what was cancelled, or entered in error, does not.
bool counts(const Observation& observation);

// The gravest level that the lab's flags give (OBX-8); `panic` are those that `lab` (MSH-4) calls critical of its own.
// What we compute from the range never makes a value critical: a range has no panic limits.
FlagMeaning::Level level_of(const Observation& observation, const PanicFlags& panic = {}, std::string_view lab = {});

// Whether any observation that counts is flagged as critical: LL, HH or AA, or what the lab calls so. Of content that
// was put together from several messages, `lab` says whose they are.
bool has_critical(const Interpretation& content, const PanicFlags& panic, std::string_view lab);
bool has_critical(const Interpretation& content, const PanicFlags& panic = {});

}  // namespace resultsync::results
