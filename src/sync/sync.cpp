#include "sync/sync.hpp"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "runtime/log.hpp"
#include "runtime/threads.hpp"
#include "sync/apply.hpp"
#include "sync/issue.hpp"

namespace resultsync::sync {
namespace {

// A turn that ends early has read this many in vain at most.
constexpr std::size_t kReadAhead = 32;

}  // namespace

Sync::Sync(store::EventLog& log, store::Views& views, const runtime::Clock& clock, runtime::Metrics& metrics,
           SyncOptions options)
    : log_(log),
      views_(views),
      clock_(clock),
      options_(std::move(options)),
      apply_options_{.result_types = options_.result_types,
                     .other_types = options_.other_types,
                     .thin = options_.thin,
                     .common_form = options_.common_form,
                     .index = options_.index},
      records_applied_(
          metrics.counter("resultsync_sync_records_total", "Records of the event log whose effects are committed")),
      items_issued_(metrics.counter("resultsync_feed_items_total", "Feed items issued to practitioners")),
      lag_records_(metrics.gauge("resultsync_sync_lag_records",
                                 "Committed records of the event log that are not in the views yet")),
      commit_seconds_(metrics.histogram("resultsync_sync_batch_seconds",
                                        "Time to apply and commit one batch of records",
                                        {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5})),
      records_at_once_(options_.batch.records_max) {}

Sync::~Sync() {
  stop();
}

Result<void> Sync::check() {
  const auto views = views_.snapshot();
  const std::string bound = views->log_id();
  const Sequence applied = views->applied();
  if (auto status = views->status(); !status) return status;
  if (!bound.empty() && bound != log_.id()) {
    return fail("foreign_log", "the views in this data directory are views of another event log",
                "restore log/ and views.db from the same backup, or remove views.db to build it anew");
  }
  // Where others share the log, they may have been faster than our look at its end.
  if (applied > log_.end() && !log_.at(applied)) {
    return fail("views_ahead", "the views know records that the event log does not have",
                "the log was cut or restored from an older backup: restore views.db from the same backup");
  }
  applied_ = applied.value;
  return {};
}

Result<bool> Sync::step() {
  auto applied = apply_records();
  if (!applied || *applied) return applied;
  return backfill();
}

Result<bool> Sync::apply_records() {
  const Sequence from{applied_.load()};
  if (log_.end() <= from) {
    lag_records_.set(0);
    return false;
  }
  lag_records_.set(static_cast<double>(log_.end().value - from.value));
  auto records =
      log_.read(from, {std::min(records_at_once_, options_.batch.records_max), options_.batch.body_bytes_max});
  if (!records) return forward_error(std::move(records));
  if (records->empty()) return false;

  const auto transaction = views_.begin();
  const auto started = clock_.monotonic();
  if (const Sequence applied = transaction->read().applied(); applied != from) {
    if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
    applied_ = applied.value;  // another instance was here
    return true;
  }
  if (transaction->read().log_id().empty()) transaction->bind_log(log_.id());
  std::size_t items = 0;
  std::size_t done = 0;
  std::vector<std::optional<Reading>> readings;
  std::size_t first_read = 0;
  for (const auto& record : *records) {
    if (turn_is_over(*transaction, started, done)) break;
    if (done == first_read + readings.size()) {
      first_read = done;
      readings = read_ahead(*transaction,
                            std::span(*records).subspan(done).first(std::min(kReadAhead, records->size() - done)),
                            apply_options_);
    }
    auto issued =
        apply_record(*transaction, log_, record, apply_options_, clock_.now(), std::move(readings[done - first_read]));
    if (!issued) return forward_error(std::move(issued));
    items += *issued;
    ++done;
  }
  const Sequence last = (*records)[done - 1].sequence;
  transaction->set_applied(last);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));

  applied_ = last.value;
  // What was read in vain is read again: so read no more than twice what the last turn had time for.
  const std::size_t next = 2 * (done < records->size() ? done : records_at_once_);
  records_at_once_ = std::min(next, options_.batch.records_max);
  commit_seconds_.observe(std::chrono::duration<double>(clock_.monotonic() - started).count());
  records_applied_.add(static_cast<double>(done));
  items_issued_.add(static_cast<double>(items));
  lag_records_.set(static_cast<double>(std::max(log_.end(), last).value - last.value));
  if (items > 0 && feed_listener_) feed_listener_();
  if (applied_listener_) applied_listener_();
  return true;
}

bool Sync::turn_is_over(const store::ViewsTransaction& transaction, std::chrono::steady_clock::time_point started,
                        std::size_t done) const {
  if (done < std::max<std::size_t>(options_.turn_records_min, 1)) return false;
  return transaction.others_waiting() > 0 && clock_.monotonic() - started >= options_.turn;
}

Result<bool> Sync::backfill() {
  {
    const auto views = views_.snapshot();
    const bool nothing = views->unfinished_backfills().empty();
    if (auto status = views->status(); !status) return forward_error(std::move(status));
    if (nothing) return false;
  }
  const auto transaction = views_.begin();
  const auto started = clock_.monotonic();
  auto& read = transaction->read();
  const auto jobs = read.unfinished_backfills();
  if (jobs.empty()) return false;
  store::Backfill job = jobs.front();
  std::size_t items = 0;
  const auto connection = read.connection(job.connection);
  std::vector<store::OrderKey> keys;
  if (connection)
    keys = read.orders_of_clinic(connection->source, connection->clinic, job.after, options_.backfill_chunk);
  const Moment moment{clock_.now(), read.applied()};
  std::size_t done = 0;
  for (const auto key : keys) {
    if (turn_is_over(*transaction, started, done)) break;
    if (auto order = read.order(key)) items += issue_backfill(*transaction, *order, *connection, job.through, moment);
    job.after = key;
    ++done;
  }
  job.orders_done += static_cast<std::int64_t>(done);
  job.finished = done == keys.size() && keys.size() < options_.backfill_chunk;
  transaction->save_backfill(job);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  items_issued_.add(static_cast<double>(items));
  if (items > 0 && feed_listener_) feed_listener_();
  return true;
}

void Sync::start(std::function<void(const Error&)> on_failure) {
  on_failure_ = std::move(on_failure);
  log_.on_commit([this](Sequence) { wake(); });
  // A transaction that others wait for is not left lying: with a shared store, sync does not give way.
  const auto priority = options_.look_every.count() == 0 ? runtime::Priority::kBackground : runtime::Priority::kNormal;
  thread_ = runtime::start_thread("sync", [this](const std::stop_token& stop) { run(stop); }, priority);
}

void Sync::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void Sync::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void Sync::run(const std::stop_token& stop) {
  using std::chrono::milliseconds;
  constexpr milliseconds kPauseMin{50};
  constexpr milliseconds kPauseMax{2000};
  milliseconds pause{};
  while (!stop.stop_requested()) {
    const auto stepped = step();
    if (!stepped && stepped.error().code == store::kUnavailable) {
      runtime::log::warning("sync.unavailable", {{"cause", stepped.error().cause}});
      pause = std::min(std::max(2 * pause, kPauseMin), kPauseMax);
      wait(stop, pause);
      continue;
    }
    pause = {};
    if (!stepped) {
      runtime::log::error("sync.failed", {{"code", stepped.error().code}, {"message", stepped.error().text()}});
      if (on_failure_) on_failure_(stepped.error());
      return;
    }
    if (*stepped) continue;
    wait(stop, options_.look_every);
  }
}

// Until woken, or for some time at most; 0 is no limit.
void Sync::wait(const std::stop_token& stop, std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  const auto woken = [this] { return woken_; };
  at_most.count() == 0 ? wake_.wait(lock, stop, woken) : wake_.wait_for(lock, stop, at_most, woken);
  woken_ = false;
}

}  // namespace resultsync::sync
