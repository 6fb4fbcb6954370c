// Simulated time: the machine's, faster, from a start of its own; it can be paused and moved on. Thread-safe.
#pragma once

#include <chrono>
#include <mutex>

#include "base/timestamp.hpp"
#include "runtime/clock.hpp"

namespace resultsync::sandbox {

class SimulatedClock {
 public:
  SimulatedClock(const runtime::Clock& clock, Timestamp start, double speed)
      : clock_(clock), speed_(speed), base_(start), since_(clock.monotonic()) {}

  [[nodiscard]] Timestamp now() const {
    const std::lock_guard lock(mutex_);
    return now_locked();
  }
  // How long a thread has to sleep until then; a second at most, so that pauses and jumps are seen.
  [[nodiscard]] std::chrono::microseconds until(Timestamp then) const {
    const std::lock_guard lock(mutex_);
    const double real = static_cast<double>(then.microseconds - now_locked().microseconds) / speed_;
    if (paused_ || real > 1e6) return std::chrono::seconds(1);
    return std::chrono::microseconds(real < 1 ? 0 : static_cast<std::int64_t>(real) + 1);
  }
  void advance(std::int64_t seconds) {
    const std::lock_guard lock(mutex_);
    base_.microseconds += seconds * 1'000'000;
  }
  void pause(bool paused) {
    const std::lock_guard lock(mutex_);
    base_ = now_locked();
    since_ = clock_.monotonic();
    paused_ = paused;
  }
  [[nodiscard]] bool paused() const {
    const std::lock_guard lock(mutex_);
    return paused_;
  }
  [[nodiscard]] double speed() const { return speed_; }

 private:
  [[nodiscard]] Timestamp now_locked() const {
    if (paused_) return base_;
    const auto real = std::chrono::duration_cast<std::chrono::microseconds>(clock_.monotonic() - since_).count();
    return {base_.microseconds + static_cast<std::int64_t>(static_cast<double>(real) * speed_)};
  }

  const runtime::Clock& clock_;
  const double speed_;
  mutable std::mutex mutex_;
  Timestamp base_;                               // guarded by mutex_, like all below
  std::chrono::steady_clock::time_point since_;  // when base_ was now
  bool paused_ = false;
};

}  // namespace resultsync::sandbox
