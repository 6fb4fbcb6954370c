// Event log → views: decode, match, merge, result version, feed. Each step is one transaction that makes its effects
// and its progress durable together; killed at any instruction, it is resumed where it was, and every effect happens
// once.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "store/event_log.hpp"
#include "store/slots.hpp"
#include "store/views.hpp"
#include "sync/apply.hpp"
#include "sync/read_ahead.hpp"
#include "sync/step_cost.hpp"

namespace resultsync::sync {

struct SyncOptions {
  // The event types that carry results, per source, and those that are known to carry none; others are kept and marked
  // `unknown_type`.
  std::map<SourceId, std::vector<std::string>> result_types;
  std::map<SourceId, std::vector<std::string>> other_types = {};
  CommonForm common_form = {};
  std::set<SourceId> thin = {};
  ResultIndex index = {};
  // One transaction takes what has gathered, up to this: under a backlog a page of the views is then written once for
  // many events.
  store::ReadLimits batch{8192, 32 * 1024 * 1024};
  // But while somebody else waits for the writer (an acknowledgement, a delivery, a change), a transaction that is
  // older than `turn` ends behind the record, or the order of a backfill, in hand. It takes `turn_records_min` in any
  // case: one a commit would cost more than it gives where processors are short.
  std::chrono::milliseconds turn{20};
  std::size_t turn_records_min = 32;
  std::size_t backfill_chunk = 200;  // orders a transaction, at most
  // Where other instances share the store: how long to wait at most before looking whether they left something to do.
  // 0: nobody else does.
  std::chrono::milliseconds look_every{0};
};

class Sync {
 public:
  Sync(store::EventLog& log, store::Views& views, const runtime::Clock& clock, runtime::Metrics& metrics,
       SyncOptions options, std::unique_ptr<store::SlotLeases> leases = nullptr);  // null: all is this process's
  ~Sync();                                                                         // stops

  // The views must be views of this log, and not be ahead of it. Errors: `foreign_log`, `views_ahead`.
  Result<void> check();

  // One batch of records, or else one chunk of a backfill, or of results of an older version. False: there was nothing
  // to do. Used by one thread at a time. Several instances may step at once: each applies the records of the slots that
  // it holds.
  Result<bool> step();

  // Steps whenever there is something to do, on a thread of its own, until stop(). While the store is unavailable it
  // tries again, ever more slowly. Any other failure stops it for good: `on_failure` is told once, and the process is
  // expected to end (fail-stop).
  void start(std::function<void(const Error&)> on_failure);
  void wake();  // there may be something to do; from any thread
  void stop();  // finishes the step in hand

  // Called after every commit that issued feed items, on the sync thread; must not block. Set it before start().
  void on_feed(std::function<void()> listener) { feed_listener_ = std::move(listener); }

  // Called after every commit of records, on the sync thread: there may be links to fetch. Must not block; set it
  // before start().
  void on_applied(std::function<void()> listener) { applied_listener_ = std::move(listener); }

  // How whatever else merges events does it too. Any thread.
  [[nodiscard]] const ApplyOptions& apply_options() const { return apply_options_; }

  // Up to here the effects of all records are committed, by whomever: as of the last look. Any thread.
  [[nodiscard]] Sequence applied() const { return Sequence{applied_.load()}; }

 private:
  Result<bool> apply_records();
  Result<bool> apply_next();
  struct Turn {
    std::size_t done = 0;     // of what is pending
    std::size_t records = 0;  // of these were applied
    std::size_t items = 0;    // feed items that were issued
  };
  Result<Turn> apply_pending(store::ViewsTransaction& transaction, const std::vector<store::SlotProgress>& progress,
                             std::chrono::steady_clock::time_point started);
  Result<void> take_slots();
  Result<void> read_on();
  void note_applied(const std::vector<store::SlotProgress>& progress, Sequence ours);
  void look_how_far_all_are();
  Result<bool> backfill();
  Result<bool> complete_results();
  void run(const std::stop_token& stop);
  void rest_after(const StepCost& cost, const std::stop_token& stop);
  void wait(const std::stop_token& stop, std::chrono::milliseconds at_most);
  [[nodiscard]] bool turn_is_over(const store::ViewsTransaction& transaction,
                                  std::chrono::steady_clock::time_point started, std::size_t done) const;

  store::EventLog& log_;
  store::Views& views_;
  const runtime::Clock& clock_;
  const SyncOptions options_;
  const ApplyOptions apply_options_;
  const std::unique_ptr<store::SlotLeases> leases_;
  runtime::Counter records_applied_;
  runtime::Counter items_issued_;
  runtime::Gauge lag_records_;
  runtime::Histogram commit_seconds_;
  runtime::Histogram rest_seconds_;
  runtime::Gauge slots_held_;
  std::function<void()> feed_listener_;
  std::function<void()> applied_listener_;
  std::function<void(const Error&)> on_failure_;
  std::atomic<std::uint64_t> applied_{0};

  // Of whoever steps.
  ReadAhead ahead_;
  std::optional<store::HeldSlots> held_;  // nothing: has to be asked for, and read anew
  Sequence noted_;                        // what the views know of how far we are
  std::size_t records_of_step_ = 0;       // that were applied
  bool is_bound_ = false;                 // the views know the log
  std::size_t results_completed_ = 0;     // of an older version, since it was last said
  // All results have what they are found by, as far as anybody has to look before then.
  std::optional<std::chrono::steady_clock::time_point> results_complete_until_;
  std::size_t alone_steps_ = 0;  // so many steps more are taken alone
  std::size_t alone_steps_before_ = 0;

  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool woken_ = false;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace resultsync::sync
