#include "results/remarkable.hpp"

#include <algorithm>

namespace resultsync::results {

bool counts(const Observation& observation) {
  const Status status = observation.status->status;
  return status != Status::entered_in_error && status != Status::cancelled;
}

FlagMeaning::Level level_of(const Observation& observation, const PanicFlags& panic, std::string_view lab) {
  auto level = FlagMeaning::Level::none;
  for (const Flag& flag : observation.flags) {
    if (panic.holds(flag.code, lab)) return FlagMeaning::Level::critical;
    level = std::max(level, flag.meaning->level);
  }
  return level;
}

bool has_critical(const Interpretation& content, const PanicFlags& panic, std::string_view lab) {
  return std::ranges::any_of(content.reports, [&](const Report& report) {
    return std::ranges::any_of(report.observations, [&](const Observation& observation) {
      return counts(observation) && level_of(observation, panic, lab) == FlagMeaning::Level::critical;
    });
  });
}

bool has_critical(const Interpretation& content, const PanicFlags& panic) {
  return has_critical(content, panic, content.header.sending_facility);
}

}  // namespace resultsync::results
