// When a delivery is tried again. Values in, values out.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/timestamp.hpp"
#include "runtime/clock.hpp"

namespace resultsync::delivery {

using Microseconds = std::chrono::microseconds;

// The delay before each attempt; the first is that of the first attempt, which is made at once. As many attempts as
// there are delays.
class Schedule {
 public:
  static constexpr std::size_t kAttemptsMax = 50;

  // That of Standard Webhooks: 0 s, 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
  Schedule();
  // "0s", "250ms", "5m", "2h", "1d"; each up to 30 days. Nothing if one is none of these, or there are none or too
  // many.
  static std::optional<Schedule> parse(const std::vector<std::string>& delays);

  // How long to wait after `tries` failed attempts, with a jitter of ±20 % (`dice` from 0 to 1); nothing if there is to
  // be no further one. `asked` is the receiver's Retry-After: never sooner than our own delay, never later than
  // kRetryAfterMax.
  [[nodiscard]] std::optional<Microseconds> delay(std::int64_t tries, double dice,
                                                  std::optional<std::chrono::seconds> asked) const;
  // No delay is longer.
  [[nodiscard]] Microseconds longest() const;
  [[nodiscard]] std::size_t attempts() const { return delays_.size(); }

  static constexpr std::chrono::hours kRetryAfterMax{6};

 private:
  std::vector<Microseconds> delays_;
};

// "5s", "250ms", "2h": a duration. Nothing for anything else, or beyond 30 days.
std::optional<Microseconds> parse_duration(std::string_view text);

// Retry-After (RFC 9110 §10.2.3): seconds, or a date. Nothing for anything else.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, Timestamp now);

// The wall clock as it was when this was made, moved on by the monotonic clock: a jump of the wall clock neither makes
// everything due at once nor keeps it waiting.
class SteadyClock {
 public:
  explicit SteadyClock(const runtime::Clock& clock)
      : clock_(clock), start_(clock.now()), monotonic_start_(clock.monotonic()) {}
  [[nodiscard]] Timestamp now() const {
    const auto passed = std::chrono::duration_cast<Microseconds>(clock_.monotonic() - monotonic_start_);
    return Timestamp{start_.microseconds + passed.count()};
  }

 private:
  const runtime::Clock& clock_;
  Timestamp start_;
  std::chrono::steady_clock::time_point monotonic_start_;
};

}  // namespace resultsync::delivery
