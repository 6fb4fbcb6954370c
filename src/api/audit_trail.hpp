// Writes the audit log for whoever answers requests: rows of many requests in one transaction, each answer sent once
// its row is durable (P5). While one group is being committed the next one gathers, so that a read waits for one commit
// and never for its turn behind other reads.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "runtime/signing.hpp"
#include "store/audit.hpp"

namespace resultsync::api {

struct AuditTrailOptions {
  std::size_t waiting_max = 10'000;              // rows that are not written yet; beyond: refused
  std::int64_t rows_per_checkpoint = 1'000;      // a signed checkpoint at least after so many rows …
  std::chrono::seconds checkpoint_interval{60};  // … and so long after the first row that none covers
  std::chrono::seconds failures_interval{60};    // refused keys become one row for each peer and interval
  // Told of each checkpoint, so that it can be kept where who changes the store cannot change it. From the trail's
  // thread.
  std::function<void(const store::AuditCheckpoint&)> on_checkpoint = {};
};

class AuditTrail {
 public:
  AuditTrail(store::AuditLog& log, const runtime::Clock& clock, runtime::Metrics& metrics,
             const Secret<runtime::Key256>& signing_key, AuditTrailOptions options);
  ~AuditTrail();  // stops

  struct Item {
    store::AuditRow row;  // its time is set when it is recorded
    // Called once, from the trail's thread, when the row is durable, or with the error; must not block for long.
    std::move_only_function<void(Result<void>)> done = {};
  };
  // False, and `item` unchanged, if too many wait. Never blocks; any thread.
  [[nodiscard]] bool record(Item& item);
  // Waits until the row is durable. Error: `overloaded`, and those of the log.
  Result<void> record_and_wait(store::AuditRow row);
  // A key that is none came from this peer. Counted, and written as one row each interval. Never blocks; any thread.
  void count_failure(const std::string& peer);

  // Writes what waits, and a last checkpoint. More than once is fine; what is recorded later is refused.
  void stop();

 private:
  void run(const std::stop_token& stop);
  void write(std::vector<Item> items);
  void add_failures(std::vector<Item>& items, bool all);
  void write_checkpoint();
  [[nodiscard]] bool checkpoint_is_due(std::chrono::steady_clock::time_point now, bool ending) const;

  store::AuditLog& log_;
  const runtime::Clock& clock_;
  const runtime::SigningKey key_;
  const AuditTrailOptions options_;
  runtime::Counter rows_counter_;
  runtime::Counter failures_counter_;
  runtime::Histogram seconds_;

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<Item> waiting_;                     // guarded by mutex_, as is all that follows
  std::map<std::string, std::int64_t> failures_;  // by peer
  std::chrono::steady_clock::time_point failures_since_;
  bool stopped_ = false;

  // Of the trail's thread.
  std::int64_t unsigned_rows_ = 0;
  std::chrono::steady_clock::time_point unsigned_since_;

  std::mutex joining_;
  std::jthread thread_;
};

}  // namespace resultsync::api
