// What a step of the sync step took from others, and how long it gives way to them (decision 0038).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "base/sequence.hpp"
#include "runtime/threads.hpp"

namespace resultsync::sync {

class StepCost {
 public:
  struct After {
    Sequence come;            // the log's end
    std::size_t applied = 0;  // records, by this step
    double share = 1;         // of all records that are this instance's to apply
  };

  // At the begin of a step, on its thread; `end` is the log's.
  explicit StepCost(Sequence end) : StepCost(end, std::chrono::steady_clock::now(), runtime::processor_time()) {}
  StepCost(Sequence end, std::chrono::steady_clock::time_point now, runtime::ProcessorTime processor)
      : end_(end), begun_(now), processor_(processor) {}

  // For so long the processors are left to those who acknowledge events: not at all, unless the step waited for a
  // processor for longer than it had one, and more records came meanwhile than it applied of them.
  [[nodiscard]] std::chrono::milliseconds rest(After after) const {
    return rest(after, std::chrono::steady_clock::now(), runtime::processor_time());
  }
  [[nodiscard]] std::chrono::milliseconds rest(After after, std::chrono::steady_clock::time_point now,
                                               runtime::ProcessorTime processor) const {
    using std::chrono::milliseconds;
    const bool is_short = processor.waited - processor_.waited > processor.ran - processor_.ran;
    const double come = static_cast<double>(after.come.value - std::min(end_, after.come).value) * after.share;
    if (!is_short || come <= static_cast<double>(after.applied)) return {};
    return std::min(std::chrono::duration_cast<milliseconds>(now - begun_) * kTimesAsLong, kLongest);
  }

 private:
  static constexpr int kTimesAsLong = 4;
  static constexpr std::chrono::milliseconds kLongest{1'000};

  Sequence end_;
  std::chrono::steady_clock::time_point begun_;
  runtime::ProcessorTime processor_;
};

}  // namespace resultsync::sync
