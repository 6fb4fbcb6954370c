// The totals of /v1/status, which are counted row by row: with millions of events that takes seconds, and monitoring
// asks again and again. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

#include "base/result.hpp"
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
  using Count = std::function<Result<store::Totals>()>;

  // `count` is called by a thread of its own, one call at a time. The clock must outlive this.
  KeptTotals(const runtime::Clock& clock, Count count, std::chrono::milliseconds patience = std::chrono::seconds(3));

  // Counted now; or those of before, if counting them took more than a tenth of a second, and they are at most twenty
  // times as old as that. Waits `patience` at most: where counting takes longer, it gives those of before, however old,
  // and nothing at all where there are none. Errors: those of the count that it waited for.
  Result<std::optional<Counted>> get();

 private:
  void count_what_is_wanted(const std::stop_token& stop);

  const runtime::Clock& clock_;
  const Count count_;
  const std::chrono::milliseconds patience_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::uint64_t wanted_ = 0;  // so many counts are to be begun
  std::uint64_t begun_ = 0;
  std::uint64_t ended_ = 0;
  std::optional<Counted> kept_;
  std::optional<Error> error_;  // of the last count
  bool is_slow_ = false;        // the last count was
  std::chrono::steady_clock::time_point good_until_;
  std::jthread thread_;  // last: ends before what it uses
};

}  // namespace resultsync::api
