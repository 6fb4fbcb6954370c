// What the application has acknowledged, as numbers for whoever watches.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "store/views.hpp"

namespace resultsync::api {

// Looks from time to time how much waits to be acknowledged, on a thread of its own: a scrape must not read the store.
class AcknowledgementGauges {
 public:
  AcknowledgementGauges(store::Views& views, const runtime::Clock& clock, runtime::Metrics& metrics);
  void look();  // now, too. Thread-safe

 private:
  void look_alone();  // with mutex_ held: what an earlier look saw is never told after what a later one saw

  store::Views& views_;
  const runtime::Clock& clock_;
  runtime::Gauge items_;
  runtime::Gauge oldest_seconds_;
  std::mutex mutex_;
  std::condition_variable_any stopping_;
  std::jthread thread_;
};

}  // namespace resultsync::api
