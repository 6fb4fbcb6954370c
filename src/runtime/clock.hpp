// The world's time, behind an interface so that a simulation can own it.
#pragma once

#include <chrono>

#include "base/timestamp.hpp"

namespace resultsync::runtime {

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Timestamp now() const = 0;                                    // wall clock; may jump
  [[nodiscard]] virtual std::chrono::steady_clock::time_point monotonic() const = 0;  // for durations; never jumps back
};

// The machine's clock. Thread-safe.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Timestamp now() const override;
  [[nodiscard]] std::chrono::steady_clock::time_point monotonic() const override {
    return std::chrono::steady_clock::now();
  }
};

// A clock that a test sets by hand. Not thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start) : now_(start) {}
  [[nodiscard]] Timestamp now() const override { return now_; }
  [[nodiscard]] std::chrono::steady_clock::time_point monotonic() const override {
    return std::chrono::steady_clock::time_point{std::chrono::microseconds{now_.microseconds}};
  }
  void set(Timestamp now) { now_ = now; }

 private:
  Timestamp now_;
};

}  // namespace resultsync::runtime
