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

// So many events are looked ahead for at a time: of those that were, the rest of a turn that ends early is asked again.
constexpr std::size_t kLookAhead = 128;
// After work that could not be done beside others: so many steps are taken alone at first, and twice as many each time
// that the next attempt fails, too.
constexpr std::size_t kAloneStepsMin = 4;
constexpr std::size_t kAloneStepsMax = 256;
// While it gives way: how often it looks whether records still come. Less often than they get their places: or it would
// take each pause between two placings for the end of the burst.
constexpr std::chrono::milliseconds kRestSlice{100};

store::EventNames names_of(const NextRecord& next) {
  if (!next.reading) return {};
  const orders::Event& event = next.reading->event;
  return {next.stored.record.source, event.key.id, event.order ? event.order->id : OrderId{},
          event.order ? event.order->clinic : ClinicId{}};
}

void look_ahead(store::ViewsTransaction& transaction, std::span<const NextRecord* const> records) {
  std::vector<store::EventNames> names;
  for (const NextRecord* next : records) {
    if (next->reading) names.push_back(names_of(*next));
  }
  transaction.look_ahead(names);
}

bool holds_all_of(const std::vector<store::SlotProgress>& progress, const std::vector<store::Slot>& slots) {
  return std::ranges::all_of(slots, [&](store::Slot slot) {
    const auto found = std::ranges::find(progress, slot, &store::SlotProgress::slot);
    return found != progress.end() && found->held;
  });
}

// What the transaction has applied of a record's slot; of one without a slot, all slots are equally far.
Sequence applied_of(const std::vector<store::SlotProgress>& progress, const std::optional<store::Slot>& slot) {
  if (!slot) return std::ranges::min(progress, {}, &store::SlotProgress::applied).applied;
  const auto found = std::ranges::find(progress, *slot, &store::SlotProgress::slot);
  return found == progress.end() ? Sequence{} : found->applied;
}

}  // namespace

Sync::Sync(store::EventLog& log, store::Views& views, const runtime::Clock& clock, runtime::Metrics& metrics,
           SyncOptions options, std::unique_ptr<store::SlotLeases> leases)
    : log_(log),
      views_(views),
      clock_(clock),
      options_(std::move(options)),
      apply_options_{.result_types = options_.result_types,
                     .other_types = options_.other_types,
                     .thin = options_.thin,
                     .common_form = options_.common_form,
                     .index = options_.index},
      leases_(leases ? std::move(leases) : std::make_unique<store::OneSlot>()),
      records_applied_(
          metrics.counter("resultsync_sync_records_total", "Records of the event log whose effects are committed")),
      items_issued_(metrics.counter("resultsync_feed_items_total", "Feed items issued to practitioners")),
      lag_records_(metrics.gauge("resultsync_sync_lag_records",
                                 "Committed records of the event log that are not in the views yet")),
      commit_seconds_(metrics.histogram("resultsync_sync_batch_seconds",
                                        "Time to apply and commit one batch of records",
                                        {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5})),
      rest_seconds_(metrics.histogram("resultsync_sync_rest_seconds",
                                      "Times that sync left the processors to acknowledging",
                                      {0.01, 0.05, 0.1, 0.5, 1})),
      slots_held_(metrics.gauge("resultsync_sync_slots", "Slots of the sync step that this instance holds")),
      ahead_(log, *leases_, apply_options_) {}

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
  is_bound_ = !bound.empty();
  return {};
}

Result<bool> Sync::step() {
  records_of_step_ = 0;
  auto applied = apply_records();
  if (!applied || *applied) return applied;
  if (const auto given = backfill(); !given || *given) return given;
  return complete_results();
}

// Takes up what this process may apply now, and begins anew to read if that is not what it was.
Result<void> Sync::take_slots() {
  auto held = leases_->hold();
  if (!held) return forward_error(std::move(held));
  if (held_ == *held) return {};
  // Where nobody else works, nobody else knows more than we do.
  std::vector<store::SlotProgress> progress{{.slot = 0, .applied = applied()}};
  if (held->of > 1) {
    const auto views = views_.snapshot();
    progress = views->progress();
    if (auto status = views->status(); !status) return status;
  }
  if (auto restarted = ahead_.restart(*held, progress); !restarted) return restarted;
  held_ = std::move(*held);
  slots_held_.set(static_cast<double>(held_->slots.size()));
  noted_ = ahead_.through();
  note_applied(progress, {});
  return {};
}

// Reads as many records as one transaction takes.
Result<void> Sync::read_on() {
  const store::ReadLimits& most = options_.batch;
  while (ahead_.pending().size() < most.records_max && ahead_.pending_bytes() < most.body_bytes_max) {
    const auto read = ahead_.read_on(
        {most.records_max - ahead_.pending().size(), most.body_bytes_max - ahead_.pending_bytes()}, applied());
    if (!read) return std::unexpected(read.error());
    if (!*read) break;
  }
  return {};
}

Result<bool> Sync::apply_records() {
  auto applied = apply_next();
  if (applied) return applied;
  if (applied.error().code == store::kNotAlone) {
    alone_steps_ = std::clamp(2 * alone_steps_before_, kAloneStepsMin, kAloneStepsMax);
    alone_steps_before_ = alone_steps_;
    return true;
  }
  held_.reset();  // it is asked anew how things are
  leases_->ask_again();
  if (applied.error().code == store::kNotHeld) return true;
  return applied;
}

Result<bool> Sync::apply_next() {
  if (auto taken = take_slots(); !taken) return forward_error(std::move(taken));
  if (held_->slots.empty()) {
    look_how_far_all_are();
    return false;
  }
  if (auto read = read_on(); !read) return forward_error(std::move(read));
  if (ahead_.pending().empty() && ahead_.through() <= noted_) {
    look_how_far_all_are();
    return false;
  }

  const bool alone = held_->is_everything() || alone_steps_ > 0 || !is_bound_;
  const auto transaction = views_.begin(*held_, alone ? store::Company::kAlone : store::Company::kBesideOthers);
  const auto started = clock_.monotonic();
  const auto progress = transaction->progress();
  if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
  if (!holds_all_of(progress, held_->slots)) return fail(store::kNotHeld, "a slot is another instance's now");
  if (!is_bound_ && transaction->read().log_id().empty()) transaction->bind_log(log_.id());
  const auto turn = apply_pending(*transaction, progress, started);
  if (!turn) return std::unexpected(turn.error());
  const auto& pending = ahead_.pending();
  const bool all = turn->done == pending.size();
  const Sequence last = all ? ahead_.through() : Sequence{pending[turn->done].stored.sequence.value - 1};
  transaction->set_applied(last);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));

  ahead_.drop(turn->done);
  noted_ = last;
  is_bound_ = true;
  if (alone_steps_ > 0) {
    --alone_steps_;
  } else {
    alone_steps_before_ = 0;
  }
  note_applied(progress, last);
  records_of_step_ = turn->records;
  if (turn->records == 0) return true;
  commit_seconds_.observe(std::chrono::duration<double>(clock_.monotonic() - started).count());
  records_applied_.add(static_cast<double>(turn->records));
  items_issued_.add(static_cast<double>(turn->items));
  if (turn->items > 0 && feed_listener_) feed_listener_();
  if (applied_listener_) applied_listener_();
  return true;
}

// What is pending, until the turn is over.
Result<Sync::Turn> Sync::apply_pending(store::ViewsTransaction& transaction,
                                       const std::vector<store::SlotProgress>& progress,
                                       std::chrono::steady_clock::time_point started) {
  Turn turn;
  std::size_t looked_ahead = 0;
  const auto& pending = ahead_.pending();
  for (; turn.done < pending.size() && !turn_is_over(transaction, started, turn.records); ++turn.done) {
    const NextRecord& next = pending[turn.done];
    if (next.stored.sequence <= applied_of(progress, next.slot)) continue;
    if (turn.done >= looked_ahead) {
      std::vector<const NextRecord*> page;
      for (looked_ahead = turn.done; looked_ahead < pending.size() && page.size() < kLookAhead; ++looked_ahead)
        page.push_back(&pending[looked_ahead]);
      look_ahead(transaction, page);
    }
    const auto issued = apply_record(transaction, log_, next.stored, apply_options_, clock_.now(),
                                     next.reading ? &*next.reading : nullptr);
    if (!issued) return std::unexpected(issued.error());
    if (auto status = transaction.read().status(); !status) return forward_error(std::move(status));
    turn.items += *issued;
    ++turn.records;
  }
  return turn;
}

// As far as every slot is, when ours have come to `ours`.
void Sync::note_applied(const std::vector<store::SlotProgress>& progress, Sequence ours) {
  Sequence least{std::numeric_limits<std::uint64_t>::max()};
  for (const store::SlotProgress& slot : progress) {
    const bool is_ours = held_->is_everything() || std::ranges::binary_search(held_->slots, slot.slot);
    least = std::min(least, is_ours ? std::max(slot.applied, ours) : slot.applied);
  }
  applied_ = least.value;
  lag_records_.set(static_cast<double>(std::max(log_.end(), least).value - least.value));
}

// Others may have gone on meanwhile.
void Sync::look_how_far_all_are() {
  if (held_->is_everything() || applied() >= log_.end()) return lag_records_.set(0);
  const auto views = views_.snapshot();
  const auto progress = views->progress();
  if (views->status() && !progress.empty()) note_applied(progress, {});
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
  const Timestamp now = clock_.now();
  std::size_t done = 0;
  for (const auto key : keys) {
    if (turn_is_over(*transaction, started, done)) break;
    if (auto order = read.order(key)) items += issue_backfill(*transaction, *order, *connection, job.through, now);
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

// Rows that are older than the column for their clinic. An instance of an older version that still runs beside goes on
// adding such, so it is looked again some time later.
Result<bool> Sync::complete_results() {
  constexpr std::size_t kAtOnce = 500;
  constexpr std::chrono::minutes kLookAgainAfter{10};
  if (results_complete_until_ && clock_.monotonic() < *results_complete_until_) return false;
  const auto transaction = views_.begin();
  const std::size_t completed = transaction->results().complete(kAtOnce);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  results_completed_ += completed;
  if (completed == kAtOnce) {
    results_complete_until_.reset();
    return true;
  }
  results_complete_until_ = clock_.monotonic() + kLookAgainAfter;
  if (results_completed_ > 0) runtime::log::info("sync.results_completed", {{"results", results_completed_}});
  results_completed_ = 0;
  return false;
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
  leases_->give_back();
  held_.reset();
}

void Sync::run(const std::stop_token& stop) {
  using std::chrono::milliseconds;
  constexpr milliseconds kPauseMin{50};
  constexpr milliseconds kPauseMax{2000};
  const bool is_shared = options_.look_every.count() > 0;
  milliseconds pause{};
  while (!stop.stop_requested()) {
    const auto cost = is_shared ? std::optional<StepCost>(log_.end()) : std::nullopt;
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
    if (!*stepped) {
      wait(stop, options_.look_every);
    } else if (cost) {
      rest_after(*cost, stop);
    }
  }
}

// Acknowledging goes first. Where nobody shares the store, this thread's own priority sees to that; a transaction that
// others wait for is better brought to its end first.
void Sync::rest_after(const StepCost& cost, const std::stop_token& stop) {
  if (!held_) return;
  const double share = static_cast<double>(held_->slots.size()) / static_cast<double>(held_->of);
  auto left = cost.rest({.log_end = log_.end(), .applied = records_of_step_, .share = share});
  if (left.count() == 0) return;
  const auto begun = std::chrono::steady_clock::now();
  while (left.count() > 0 && !stop.stop_requested()) {
    const Sequence end = log_.end();
    const auto slice = std::min(left, kRestSlice);
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, slice, [] { return false; });
    if (log_.end() == end) break;  // nothing comes any more
    left -= slice;
  }
  rest_seconds_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
}

// Until woken, or for some time at most; 0 is no limit.
void Sync::wait(const std::stop_token& stop, std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  const auto woken = [this] { return woken_; };
  at_most.count() == 0 ? wake_.wait(lock, stop, woken) : wake_.wait_for(lock, stop, at_most, woken);
  woken_ = false;
}

}  // namespace resultsync::sync
