#include "api/audit_trail.hpp"

#include <future>

#include "base/encoding.hpp"
#include "runtime/log.hpp"
#include "runtime/threads.hpp"

namespace resultsync::api {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kPeersMax = 1'000;  // whose failures are counted apart; all others together

}  // namespace

AuditTrail::AuditTrail(store::AuditLog& log, const runtime::Clock& clock, runtime::Metrics& metrics,
                       const Secret<runtime::Key256>& signing_key, AuditTrailOptions options)
    : log_(log),
      clock_(clock),
      key_(signing_key),
      options_(std::move(options)),
      rows_counter_(metrics.counter("resultsync_audit_rows_total", "Rows written to the audit log.")),
      failures_counter_(
          metrics.counter("resultsync_api_refused_keys_total", "Requests with a key that is none, or without one.")),
      seconds_(metrics.histogram("resultsync_audit_commit_seconds", "Time to make a group of audit rows durable.",
                                 {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5})),
      thread_(runtime::start_thread("audit", [this](const std::stop_token& stop) { run(stop); })) {}

AuditTrail::~AuditTrail() {
  stop();
}

bool AuditTrail::record(Item& item) {
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || waiting_.size() >= options_.waiting_max) return false;
    item.row.at = clock_.now();
    waiting_.push_back(std::move(item));
  }
  wake_.notify_one();
  return true;
}

Result<void> AuditTrail::record_and_wait(store::AuditRow row) {
  std::promise<Result<void>> promise;
  auto recorded = promise.get_future();
  Item item{.row = std::move(row), .done = [promise = std::move(promise)](Result<void> outcome) mutable {
              promise.set_value(std::move(outcome));
            }};
  if (!record(item)) return fail("overloaded", "too much waits to be recorded");
  return recorded.get();
}

void AuditTrail::count_failure(const std::string& peer) {
  failures_counter_.add();
  const std::lock_guard lock(mutex_);
  if (failures_.empty()) failures_since_ = Clock::now();
  const bool known = failures_.contains(peer) || failures_.size() < kPeersMax;
  ++failures_[known ? peer : "other"];
}

void AuditTrail::stop() {
  const std::lock_guard joining(joining_);
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void AuditTrail::run(const std::stop_token& stop) {
  while (true) {
    std::vector<Item> items;
    {
      std::unique_lock lock(mutex_);
      // A second is fine enough for what is written in passing: failures, uses, checkpoints.
      wake_.wait_for(lock, stop, std::chrono::seconds(1), [&] { return !waiting_.empty(); });
      items.swap(waiting_);
    }
    const bool ending = stop.stop_requested();
    add_failures(items, ending);
    if (!items.empty()) write(std::move(items));
    if (checkpoint_is_due(Clock::now(), ending)) write_checkpoint();
    if (!ending) continue;
    const std::lock_guard lock(mutex_);
    if (waiting_.empty()) return;  // nothing is taken any more since stopped_ was set
  }
}

void AuditTrail::write(std::vector<Item> items) {
  const auto started = Clock::now();
  std::vector<store::AuditRow> rows;
  rows.reserve(items.size());
  for (Item& item : items) rows.push_back(std::move(item.row));
  const Result<void> committed = log_.append(rows);
  seconds_.observe(std::chrono::duration<double>(Clock::now() - started).count());
  if (committed) {
    rows_counter_.add(static_cast<double>(rows.size()));
    if (unsigned_rows_ == 0) unsigned_since_ = started;
    unsigned_rows_ += static_cast<std::int64_t>(rows.size());
  } else {
    runtime::log::error("audit.failed", {{"code", committed.error().code}});
  }
  for (Item& item : items) {
    if (item.done) item.done(committed);
  }
}

void AuditTrail::add_failures(std::vector<Item>& items, bool all) {
  std::map<std::string, std::int64_t> failures;
  {
    const std::lock_guard lock(mutex_);
    if (failures_.empty() || (!all && Clock::now() - failures_since_ < options_.failures_interval)) return;
    failures.swap(failures_);
  }
  for (const auto& [peer, count] : failures) {
    Item item;
    item.row.at = clock_.now();
    item.row.actor = "unknown";
    item.row.action = "authenticate";
    item.row.objects = {"attempts=" + std::to_string(count)};
    item.row.peer = peer;
    item.row.outcome = "401 unauthorized";
    items.push_back(std::move(item));
  }
}

bool AuditTrail::checkpoint_is_due(Clock::time_point now, bool ending) const {
  if (unsigned_rows_ == 0) return false;
  return ending || unsigned_rows_ >= options_.rows_per_checkpoint ||
         now - unsigned_since_ >= options_.checkpoint_interval;
}

void AuditTrail::write_checkpoint() {
  store::AuditHead head;
  {
    const auto snapshot = log_.snapshot();
    head = snapshot->head();
    if (!snapshot->status() || head.seq == 0) return;
  }
  store::AuditCheckpoint checkpoint{head.seq, clock_.now(), head.hash, key_.public_key(), {}};
  checkpoint.signature = key_.sign(store::statement_of(checkpoint));
  if (!log_.add_checkpoint(checkpoint)) return;  // the store's failure is reported by the store
  unsigned_rows_ = 0;
  runtime::log::info("audit.checkpoint", {{"seq", checkpoint.seq},
                                          {"hash", checkpoint.hash.hex()},
                                          {"at", format_timestamp(checkpoint.at)},
                                          {"public_key", encode_hex(checkpoint.public_key)},
                                          {"signature", encode_hex(checkpoint.signature)}});
  if (options_.on_checkpoint) options_.on_checkpoint(checkpoint);
}

}  // namespace resultsync::api
