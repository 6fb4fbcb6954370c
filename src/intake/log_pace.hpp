// Keeps an event that a stranger can cause at will from filling the log: one line an interval, which says how many were
// left out.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace resultsync::intake {

class LogPace {
 public:
  explicit LogPace(std::chrono::steady_clock::duration interval) : interval_(interval.count()) {}

  // If a line is due now: how many calls since the last line got none. Thread-safe.
  std::optional<std::uint64_t> due(std::chrono::steady_clock::time_point now) {
    const auto ticks = now.time_since_epoch().count();
    auto next = next_.load();
    if (ticks < next || !next_.compare_exchange_strong(next, ticks + interval_)) {
      ++left_out_;
      return std::nullopt;
    }
    return left_out_.exchange(0);
  }

 private:
  using Ticks = std::chrono::steady_clock::rep;
  const Ticks interval_;
  std::atomic<Ticks> next_ = 0;
  std::atomic<std::uint64_t> left_out_ = 0;
};

}  // namespace resultsync::intake
