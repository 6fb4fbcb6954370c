// The totals of /v1/status, which are counted row by row: with millions of events that takes seconds, and monitoring
// asks again and again. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>

#include "base/timestamp.hpp"
#include "runtime/clock.hpp"
#include "store/views.hpp"

namespace resultsync::api {

class KeptTotals {
 public:
  struct Counted {
    store::Totals totals;
    Timestamp at;  // when it was begun to count them
  };
  using Count = std::function<std::optional<store::Totals>()>;  // nothing: it failed

  // The clock must outlive it.
  explicit KeptTotals(const runtime::Clock& clock) : clock_(clock) {}

  // Counted now; or those of before, if counting them took more than a tenth of a second, and they are at most twenty
  // times as old as that, or another thread counts just now. Only where there are none of before, or they were counted
  // quickly, does it wait for that thread. Nothing: `count` failed.
  std::optional<Counted> get(const Count& count);

 private:
  const runtime::Clock& clock_;
  std::mutex counting_;  // held by who counts; taken before mutex_
  std::mutex mutex_;     // guards what follows
  std::optional<Counted> kept_;
  bool is_slow_ = false;  // to count what is kept
  std::chrono::steady_clock::time_point good_until_;
};

}  // namespace resultsync::api
