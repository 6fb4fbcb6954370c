// Proof on live data that the views are what the log says (S1): they are computed again from the log, beside the live
// ones, and compared.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "store/event_log.hpp"
#include "store/views.hpp"
#include "sync/apply.hpp"

namespace resultsync::sync {

struct RebuildReport {
  Sequence through;         // both sides show the log up to here
  std::uint64_t lines = 0;  // facts compared: events, points of histories, known contents, clinics
  std::uint64_t differences = 0;
  std::vector<std::string>
      first_differences;  // at most 20: "-" only in the live views, "+" only in the rebuilt ones; ids and digests only
};

// Rebuilds into `scratch` (empty views of its own, thrown away by the caller) all that `live` shows, and compares.
// `live` may be in use: a snapshot of it is taken. `progress` is told how many of how many records are done, now and
// then; it may be empty.
Result<RebuildReport> verify_rebuild(const store::EventLog& log, store::Views& live, store::Views& scratch,
                                     const ApplyOptions& options,
                                     const std::function<void(Sequence done, Sequence all)>& progress);

}  // namespace resultsync::sync
