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
    Sequence log_end;
    std::size_t applied = 0;  // records, by this step
    double share = 1;         // of all records that are this instance's to apply
  };

  // At the begin of a step, on its thread.
  explicit StepCost(Sequence log_end)
      : StepCost(log_end, std::chrono::steady_clock::now(), runtime::processor_time()) {}
  StepCost(Sequence log_end, std::chrono::steady_clock::time_point now, runtime::ProcessorTime processor)
      : log_end_(log_end), begun_(now), processor_(processor) {}

  // For so long the processors are left to those who acknowledge events: not at all, unless the step waited for a
  // processor for a fifth of the time that it wanted one, and more than one and a half times as many records came
  // meanwhile as it applied. A thread that sleeps between two answers of the database is preferred when it wakes: it
  // waits for much less than its share, also where everybody else is short. And who just keeps up must not fall behind
  // by resting after one uneven step.
  [[nodiscard]] std::chrono::milliseconds rest(After after) const {
    return rest(after, std::chrono::steady_clock::now(), runtime::processor_time());
  }
  [[nodiscard]] std::chrono::milliseconds rest(After after, std::chrono::steady_clock::time_point now,
                                               runtime::ProcessorTime processor) const {
    using std::chrono::milliseconds;
    const auto waited = processor.waited - processor_.waited;
    const auto wanted = processor.ran - processor_.ran + waited;
    const bool is_short = kWantedPerWaited * waited > wanted;
    const double come =
        static_cast<double>(after.log_end.value - std::min(log_end_, after.log_end).value) * after.share;
    if (!is_short || come <= kComePerApplied * static_cast<double>(after.applied)) return {};
    return std::min(std::chrono::duration_cast<milliseconds>(now - begun_) * kTimesAsLong, kLongest);
  }

 private:
  // Up to these bounds nobody rests.
  static constexpr int kWantedPerWaited = 5;
  static constexpr double kComePerApplied = 1.5;
  static constexpr int kTimesAsLong = 4;
  static constexpr std::chrono::milliseconds kLongest{1'000};

  Sequence log_end_;
  std::chrono::steady_clock::time_point begun_;
  runtime::ProcessorTime processor_;
};

}  // namespace resultsync::sync
