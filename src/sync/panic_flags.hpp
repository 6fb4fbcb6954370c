// What the laboratories of each source call critical of their own (`sources.*.critical_flags`).
#pragma once

#include <map>

#include "base/ids.hpp"
#include "results/flag.hpp"

namespace resultsync::sync {

using PanicFlags = std::map<SourceId, results::PanicFlags>;

inline const results::PanicFlags& panic_flags_of(const PanicFlags& all, const SourceId& source) {
  static const results::PanicFlags kNone;
  const auto found = all.find(source);
  return found == all.end() ? kNone : found->second;
}

}  // namespace resultsync::sync
