#include "delivery/delivery.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "base/json_writer.hpp"
#include "delivery/answer.hpp"
#include "delivery/ids.hpp"
#include "runtime/log.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"
#include "store/unavailable.hpp"
#include "vendors/verify.hpp"

namespace resultsync::delivery {
namespace {

using namespace std::chrono_literals;
using store::DeliveryState;
using store::EndpointState;

constexpr auto kHousekeeping = 5s;         // leases, retention, endpoints that another instance changed
constexpr auto kUnavailablePause = 500ms;  // before a database that is away is asked again
constexpr auto kJobPause = 100ms;          // between the chunks of jobs
constexpr std::size_t kJobChunk = 500;
constexpr std::size_t kSweepChunk = 1'000;
constexpr std::size_t kPruneChunk = 10'000;  // every kHousekeeping: as fast as deliveries are made
constexpr auto kReceiverPauseMax = 5min;     // of a whole endpoint, by its Retry-After

double dice() {
  const std::string bytes = runtime::random_bytes(sizeof(std::uint32_t));
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return static_cast<double>(value) / 4294967295.0;
}

Timestamp later(Timestamp time, Microseconds delay) {
  return Timestamp{time.microseconds + delay.count()};
}

std::int64_t duration_us(Instant started, Instant ended) {
  return std::chrono::duration_cast<Microseconds>(ended - started).count();
}

bool is_success(int status) {
  return status >= 200 && status < 300;
}

vendors::SignatureScheme standard_webhooks() {
  auto scheme = vendors::signature_preset("standard-webhooks");
  return std::move(*scheme);
}

std::optional<std::chrono::seconds> retry_after(const http::ClientResponse& response, Timestamp now) {
  const auto value = response.headers.only("Retry-After");
  return value ? parse_retry_after(*value, now) : std::nullopt;
}

}  // namespace

Result<void> check_options(const DeliveryOptions& options) {
  if (options.lease >= options.request_timeout + kLeaseMargin) return {};
  return fail(
      "bad_lease",
      fmt::format("a lease of {} ms would end while its request of {} ms may still be answered: the delivery "
                  "would be sent twice",
                  options.lease.count(), options.request_timeout.count()),
      fmt::format("the lease must be at least {} ms longer than the request's time limit", kLeaseMargin.count()));
}

Delivery::Numbers::Numbers(runtime::Metrics& metrics)
    : delivered(metrics.counter("resultsync_delivery_attempts_total",
                                "Attempts to deliver a webhook, by how they ended", {{"outcome", "delivered"}})),
      failed(metrics.counter("resultsync_delivery_attempts_total", "Attempts to deliver a webhook, by how they ended",
                             {{"outcome", "failed"}})),
      dead(metrics.counter("resultsync_deliveries_dead_total", "Deliveries that became dead letters")),
      skipped(metrics.counter("resultsync_deliveries_skipped_total", "Deliveries that were skipped, with a reason")),
      interrupted(metrics.counter("resultsync_delivery_attempts_total",
                                  "Attempts to deliver a webhook, by how they ended", {{"outcome", "interrupted"}})),
      stale(metrics.counter("resultsync_delivery_stale_total",
                            "Attempts whose lease was another's when they ended: nothing was written")),
      in_flight(metrics.gauge("resultsync_deliveries_in_flight", "Webhook requests that are being made")),
      endpoints_failing(metrics.gauge("resultsync_endpoints_failing", "Endpoints whose circuit breaker is open")),
      attempt_seconds(metrics.histogram("resultsync_delivery_attempt_seconds", "Time of one attempt",
                                        {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15})),
      lag_seconds(metrics.histogram("resultsync_delivery_lag_seconds", "From an item's issue to its delivery",
                                    {0.01, 0.05, 0.1, 0.5, 1, 5, 60, 600, 3600, 86400})) {}

Delivery::Delivery(store::Views& views, const runtime::Vault& vault, ItemReader& reader, const runtime::Clock& clock,
                   runtime::Metrics& metrics, DeliveryOptions options)
    : views_(views),
      vault_(vault),
      reader_(reader),
      clock_(clock),
      schedule_clock_(clock),
      options_(std::move(options)),
      scheme_(standard_webhooks()),
      numbers_(metrics),
      house_kept_(clock.monotonic() - kHousekeeping),
      jobs_run_(clock.monotonic()) {}

Result<std::unique_ptr<Delivery>> Delivery::open(store::Views& views, const runtime::Vault& vault, ItemReader& reader,
                                                 const runtime::Clock& clock, runtime::Metrics& metrics,
                                                 DeliveryOptions options) {
  if (auto checked = check_options(options); !checked) return forward_error(std::move(checked));
  auto delivery = std::unique_ptr<Delivery>(new Delivery(views, vault, reader, clock, metrics, std::move(options)));
  const DeliveryOptions& own = delivery->options_;
  if (!own.receipts_file.empty()) {
    auto receipts = Receipts::open(own.receipts_file, own.in_flight_max);
    if (!receipts) return forward_error(std::move(receipts));
    delivery->receipts_ = std::move(*receipts);
  }
  http::Outbound::Options outbound;
  outbound.threads = own.threads;
  outbound.policy = own.destinations.policy;
  outbound.connections_max = own.in_flight_max;
  outbound.waiting_max = own.in_flight_max + own.batch;
  outbound.idle_per_address_max = own.in_flight_max;  // whoever takes many at a time is not connected to anew for each
  outbound.ca_file = own.ca_file;
  auto started = http::Outbound::start(std::move(outbound));
  if (!started) return forward_error(std::move(started));
  delivery->outbound_ = std::move(*started);
  return delivery;
}

Delivery::~Delivery() {
  stop();
}

void Delivery::start(std::function<void(const Error&)> on_failure) {
  on_failure_ = std::move(on_failure);
  thread_ = runtime::start_thread("delivery", [this](const std::stop_token& stop) { run(stop); });
}

void Delivery::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void Delivery::endpoints_changed() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = endpoints_changed_ = true;
  }
  wake_.notify_one();
}

void Delivery::stop(std::chrono::milliseconds patience) {
  if (thread_.joinable()) {
    thread_.request_stop();
    // The thread ends once nothing is in flight; whatever still is when the patience is over ends as `stopped`.
    const auto deadline = std::chrono::steady_clock::now() + patience;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, deadline, [this] { return thread_done_; });
    }
    outbound_->stop();
    thread_.join();
  }
  if (outbound_) outbound_->stop();
}

void Delivery::run(const std::stop_token& stop) {
  while (true) {
    closing_ = stop.stop_requested();
    const auto stepped = step();
    if (!stepped && stepped.error().code == store::kUnavailable) {
      runtime::log::warning("delivery.unavailable", {{"cause", stepped.error().cause}});
      if (closing_) break;  // what is in flight is taken up again when its leases have ended
      std::unique_lock lock(mutex_);
      wake_.wait_for(lock, stop, kUnavailablePause, [] { return false; });
      continue;
    }
    if (!stepped) {
      runtime::log::error("delivery.failed", {{"code", stepped.error().code}, {"message", stepped.error().text()}});
      if (on_failure_) on_failure_(stepped.error());
      break;
    }
    if (closing_ && in_flight_ == 0) break;
    if (!*stepped) wait(stop);
  }
  {
    const std::lock_guard lock(mutex_);
    thread_done_ = true;
  }
  wake_.notify_all();
}

void Delivery::wait(const std::stop_token& stop) {
  const Instant until = next_wake();
  std::unique_lock lock(mutex_);
  const auto anything = [this] { return woken_ || !ended_.empty(); };
  if (closing_) {
    wake_.wait_until(lock, until, anything);
  } else {
    wake_.wait_until(lock, stop, until, anything);
  }
  lock.unlock();
  mind_wakes();
}

void Delivery::mind_wakes() {
  std::unique_lock lock(mutex_);
  const bool look = std::exchange(woken_, false);
  const bool reload = std::exchange(endpoints_changed_, false);
  lock.unlock();
  if (look) {
    for (auto& [key, lane] : lanes_) lane.look = true;
  }
  if (reload) house_kept_ = clock_.monotonic() - kHousekeeping;
}

Result<bool> Delivery::step_when_woken() {
  mind_wakes();
  return step();
}

Instant Delivery::next_wake() {
  const Instant now = clock_.monotonic();
  Instant wake = house_kept_ + kHousekeeping;
  if (jobs_running_ || sweeping_) wake = std::min(wake, now + kJobPause);
  for (const Ended& ended : unwritten_) wake = std::min(wake, due_to_be_written(ended));
  if (closing_) return wake;
  for (const auto& [key, lane] : lanes_) {
    if (!lane.next_due) continue;
    const auto opens = lane.opens_at();
    if (!opens) continue;
    const auto due_in = Microseconds(lane.next_due->microseconds - schedule_clock_.now().microseconds);
    wake = std::min(wake, std::max(*opens, now + std::max(due_in, Microseconds(1'000))));
  }
  return wake;
}

std::vector<Delivery::Ended> Delivery::take_ended() {
  const std::lock_guard lock(mutex_);
  return std::exchange(ended_, {});
}

void Delivery::collect_ended() {
  std::ranges::move(take_ended(), std::back_inserter(unwritten_));
}

bool Delivery::Ended::is_failure() const {
  return skip_reason.empty() && !(result && is_success(result->status));
}

Instant Delivery::due_to_be_written(const Ended& ended) const {
  return ended.ended + (ended.is_failure() ? options_.failures_wait : options_.answers_wait);
}

// Whether an answer has waited for long enough, or keeps a delivery waiting that could go now.
bool Delivery::must_write_ended(Instant now) {
  if (unwritten_.empty()) return false;
  if (closing_ || in_flight_ >= options_.in_flight_max) return true;
  const Timestamp schedule_now = schedule_clock_.now();
  return std::ranges::any_of(unwritten_, [&](const Ended& ended) {
    if (due_to_be_written(ended) <= now) return true;
    const Lane& lane = *lane_of(ended.endpoint);
    return lane.is_full() && lane.next_due && *lane.next_due <= schedule_now;
  });
}

void Delivery::push_ended(Ended ended) {
  {
    const std::lock_guard lock(mutex_);
    ended_.push_back(std::move(ended));
  }
  wake_.notify_all();
}

Lane* Delivery::lane_of(store::EndpointKey key) {
  const auto found = lanes_.find(key);
  return found == lanes_.end() ? nullptr : &found->second;
}

// ---- a step

Result<bool> Delivery::step() {
  if (!recovered_) {
    if (auto recovered = recover(); !recovered) return forward_error(std::move(recovered));
  }
  collect_ended();
  const Instant now = clock_.monotonic();
  const bool keep = now - house_kept_ >= kHousekeeping || sweeping_;
  const bool jobs = jobs_running_ && now - jobs_run_ >= kJobPause;
  const bool ends = must_write_ended(now);
  if (!ends && !keep && !jobs && ready_lanes().empty()) return false;

  std::vector<Ended> ended;
  std::vector<store::DueDelivery> claimed;
  {
    const auto transaction = views_.begin();
    auto& write = transaction->deliveries();
    if (ends) {
      collect_ended();  // while the step waited for the writer
      ended = std::exchange(unwritten_, {});
    } else if (!keep && !jobs && options_.sole_owner) {
      write.only_claims();
    }
    if (keep) load_lanes(write.read());
    write_ended(write, ended);
    if (keep) keep_house(write);
    if (jobs && !closing_) run_jobs(write);
    claimed = claim(write);
    if (auto committed = transaction->commit(); !committed) {
      take_back(std::move(ended), claimed);
      return forward_error(std::move(committed));
    }
  }
  const bool did_something = !ended.empty() || !claimed.empty();
  for (auto& due : claimed) send(std::move(due));
  numbers_.in_flight.set(static_cast<double>(in_flight_));
  return did_something;
}

// The step may have written nothing: what ended is written again (a lease that was finished after all refuses it, D3),
// and what was claimed is not sent.
void Delivery::take_back(std::vector<Ended> ended, const std::vector<store::DueDelivery>& claimed) {
  for (const store::DueDelivery& due : claimed) {
    Lane& lane = *lane_of(due.row.endpoint);
    --in_flight_;
    lane.ended();
    lane.look = true;
  }
  for (const Ended& one : ended) {
    ++in_flight_;
    lane_of(one.endpoint)->started(1);
  }
  unwritten_.insert(unwritten_.begin(), std::make_move_iterator(ended.begin()), std::make_move_iterator(ended.end()));
}

// What the process before left in flight, and what a wall clock that went back would keep waiting.
Result<void> Delivery::recover() {
  const auto transaction = views_.begin();
  auto& write = transaction->deliveries();
  take_up_receipts(write);
  if (options_.sole_owner) {
    const Timestamp everything{std::numeric_limits<std::int64_t>::max()};
    numbers_.interrupted.add(static_cast<double>(write.release_leases(everything, clock_.now())));
  }
  write.bound_schedule(later(schedule_clock_.now(), options_.schedule.longest()));
  if (auto committed = transaction->commit(); !committed) return committed;
  recovered_ = true;
  return {};
}

// What a receiver had acknowledged when the process before ended is delivered.
void Delivery::take_up_receipts(store::DeliveryWrites& write) {
  if (!receipts_) return;
  for (const Receipt& receipt : receipts_->left()) {
    const auto delivery = write.read().delivery(receipt.key, receipt.nonce, {});
    if (!delivery || delivery->row.fence != receipt.fence) continue;
    store::Finish finish;
    finish.row = delivery->row;
    finish.attempt.started_at = receipt.started_at;
    finish.attempt.duration_us = receipt.duration_us;
    finish.attempt.outcome = "delivered";
    finish.attempt.status = receipt.status;
    if (write.finish(finish, clock_.now()).written) numbers_.delivered.add();
  }
}

void Delivery::load_lanes(store::DeliveryReads& read) {
  for (store::EndpointRow& row : read.endpoints({})) {
    Lane* lane = lane_of(row.key);
    const bool rotating = row.previous_until > clock_.now();
    const bool opened = lane != nullptr && lane->keys() != nullptr && lane->signs_with_previous == rotating &&
                        lane->row().secrets == row.secrets && lane->row().url == row.url;
    if (opened) {
      lane->update(std::move(row));
      continue;
    }
    if (lane == nullptr) {
      const auto key = row.key;
      lane = &lanes_.try_emplace(key, std::move(row), clock_.monotonic()).first->second;
    } else {
      lane->update(std::move(row));
    }
    lane->signs_with_previous = rotating;
    lane->open(vault_.open(kUrlPurpose, lane->row().url).value_or(""), signing_keys(lane->row(), rotating));
  }
}

// Nothing where they cannot be opened: nothing is sent then.
std::optional<vendors::SigningKeys> Delivery::signing_keys(const store::EndpointRow& row, bool with_previous) const {
  auto text = vault_.open(kSecretsPurpose, row.secrets);
  if (!text || text->empty()) return std::nullopt;
  const auto secrets = EndpointSecrets::parse(Secret<std::string>(std::move(*text)));
  if (!secrets) return std::nullopt;
  auto keys = secrets->keys(with_previous);
  return keys ? std::optional(std::move(*keys)) : std::nullopt;
}

void Delivery::write_ended(store::DeliveryWrites& write, std::vector<Ended>& all) {
  for (Ended& ended : all) {
    Lane* lane = lane_of(ended.endpoint);
    --in_flight_;
    lane->ended();
    if (!ended.skip_reason.empty()) {
      lane->look = true;
      write.skip(ended.row, ended.skip_reason, clock_.now());
      numbers_.skipped.add();
      continue;
    }
    write_attempt(write, *lane, ended);
  }
}

void Delivery::write_attempt(store::DeliveryWrites& write, Lane& lane, Ended& ended) {
  store::Finish finish;
  finish.row = ended.row;
  finish.attempt.started_at = ended.started_at;
  finish.attempt.duration_us = duration_us(ended.started, ended.ended);
  if (!ended.result && ended.result.error().code == "stopped") {
    finish.counts = false;
    finish.state = DeliveryState::kPending;
    write.finish(finish, clock_.now());
    lane.look = true;
    return;
  }
  if (ended.result) {
    finish.attempt.status = ended.result->status;
    finish.attempt.outcome = is_success(ended.result->status) ? "delivered" : "status";
    if (!ended.result->body.empty())
      finish.attempt.response = vault_.seal(kAnswerPurpose, redacted_answer(ended.result->body, ended.body));
  } else {
    finish.attempt.outcome = ended.result.error().code;
  }
  judge(write, lane, ended, finish);
  numbers_.attempt_seconds.observe(static_cast<double>(finish.attempt.duration_us) / 1e6);
  const auto finished = write.finish(finish, clock_.now());
  if (!finished.written) numbers_.stale.add();
  if (finished.lets_next_go) lane.look = true;
  if (finish.state == DeliveryState::kPending)
    lane.next_due = std::min(lane.next_due.value_or(finish.next_at), finish.next_at);
}

// What an answer means for the delivery and for its endpoint.
void Delivery::judge(store::DeliveryWrites& write, Lane& lane, const Ended& ended, store::Finish& finish) {
  const Timestamp now = clock_.now();
  if (ended.result && is_success(ended.result->status)) {
    finish.state = DeliveryState::kDelivered;
    numbers_.delivered.add();
    numbers_.lag_seconds.observe(static_cast<double>(now.microseconds - ended.row.created_at.microseconds) / 1e6);
    if (lane.succeeded() == Lane::Turn::kRecovered) {
      save_health(write, lane);
      runtime::log::info("endpoint.recovered", {{"endpoint", lane.row().id}});
      tell(write, lane, "endpoint.recovered", {});
    }
    return;
  }
  numbers_.failed.add();
  const bool gone = ended.result && ended.result->status == 410;
  const auto asked = ended.result ? retry_after(*ended.result, now) : std::nullopt;
  const auto delay = options_.schedule.delay(ended.row.tries + 1, dice(), asked);
  if (asked && (ended.result->status == 429 || ended.result->status == 503))
    lane.wait_until(ended.ended + std::min<Microseconds>(*asked, kReceiverPauseMax));
  switch (lane.failed(ended.started, ended.ended, options_.breaker)) {
    case Lane::Turn::kOpened:
      save_health(write, lane);
      runtime::log::warning("endpoint.failing", {{"endpoint", lane.row().id}, {"outcome", finish.attempt.outcome}});
      tell(write, lane, "endpoint.failing", finish.attempt.outcome);
      break;
    case Lane::Turn::kStillOpen:
      save_health(write, lane);
      break;
    default:
      break;
  }
  if (gone && lane.row().state == EndpointState::kEnabled) disable(write, lane, "gone");
  finish.state = DeliveryState::kDead;
  if (gone) {
    finish.reason = "endpoint_gone";
  } else if (lane.row().state == EndpointState::kDisabled) {
    finish.reason = "endpoint_disabled";
  } else if (lane.row().state == EndpointState::kDeleted) {
    finish.state = DeliveryState::kSkipped;
    finish.reason = "endpoint_deleted";
  } else if (!delay) {
    finish.reason = "attempts_exhausted";
  } else {
    finish.state = DeliveryState::kPending;
    finish.next_at = later(schedule_clock_.now(), *delay);
    return;
  }
  if (finish.state != DeliveryState::kDead) return;
  numbers_.dead.add();
  auto row = write.read().endpoint(lane.row().id, {});
  if (!row || row->dead_told) return;
  row->dead_told = true;
  write.save_endpoint(*row);
  lane.note_health(*row);
  const std::string id = delivery_id(ended.row.key, ended.row.nonce);
  runtime::log::warning("endpoint.dead_letter", {{"endpoint", lane.row().id}, {"delivery", id}});
  tell(write, lane, "endpoint.dead_letter", id);
}

// The state of health as it is shown, and as it is taken up after a restart.
void Delivery::save_health(store::DeliveryWrites& write, Lane& lane) {
  auto row = write.read().endpoint(lane.row().id, {});
  if (!row) return;
  const bool failing = lane.row().failing;
  if (row->failing != failing) row->health_since = clock_.now();
  row->failing = failing;
  row->breaker_until = failing ? later(clock_.now(), lane.cooldown()) : Timestamp{};
  if (!failing) row->dead_told = false;
  write.save_endpoint(*row);
  // The same step may ask for how long it has failed: not since the moment at which it was found well.
  lane.note_health(*row);
}

void Delivery::disable(store::DeliveryWrites& write, Lane& lane, const std::string& reason) {
  auto row = write.read().endpoint(lane.row().id, {});
  if (!row) return;
  row->state = EndpointState::kDisabled;
  row->state_reason = reason;
  row->state_since = clock_.now();
  row->sweep = {write.read().last_delivery(), DeliveryState::kDead, "endpoint_disabled"};
  write.save_endpoint(*row);
  runtime::log::warning("endpoint.disabled", {{"endpoint", row->id}, {"reason", reason}});
  tell(write, lane, "endpoint.disabled", reason);
  lane.update(std::move(*row));
  sweeping_ = true;
}

// Operational webhooks: to whoever subscribes to the type, but not to the endpoint that it is about.
void Delivery::tell(store::DeliveryWrites& write, const Lane& about, const std::string& type,
                    const std::string& detail) {
  JsonWriter note;
  note.begin_object().member("endpoint_id", about.row().id).key("detail");
  detail.empty() ? note.null() : note.string(detail);
  note.end_object();
  for (auto& [key, lane] : lanes_) {
    const store::EndpointRow& row = lane.row();
    const bool may_know = row.reach.is_everything() || row.reach == about.row().reach;
    const bool takes = row.state == EndpointState::kEnabled || row.state == EndpointState::kPaused;
    if (key == about.row().key || !may_know || !takes || !row.filter.takes_type(type)) continue;
    write.add(key, type, note.text(), clock_.now());
    lane.look = true;
  }
}

// Leases, sweeps, retention; endpoints that have failed for too long. True: there is more to sweep.
bool Delivery::keep_house(store::DeliveryWrites& write) {
  const Instant now = clock_.monotonic();
  sweeping_ = false;
  double failing = 0;
  for (auto& [key, lane] : lanes_) {
    failing += lane.row().failing ? 1 : 0;
    if (lane.row().failing && lane.row().state == EndpointState::kEnabled &&
        clock_.now() > later(lane.row().health_since, options_.disable_after))
      disable(write, lane, "failing_for_too_long");
    if (!lane.row().sweep.through) continue;
    sweeping_ = true;
    if (write.sweep(lane.row(), clock_.now(), kSweepChunk) > 0) continue;
    store::EndpointRow row = lane.row();
    row.sweep = {};
    write.save_endpoint(row);
    lane.update(std::move(row));
  }
  numbers_.endpoints_failing.set(failing);
  if (now - house_kept_ < kHousekeeping) return sweeping_;
  house_kept_ = now;
  if (!options_.sole_owner)
    numbers_.interrupted.add(static_cast<double>(write.release_leases(schedule_clock_.now(), clock_.now())));
  pruned_to_ = write.prune(pruned_to_, later(clock_.now(), -Microseconds(options_.keep)), kPruneChunk);
  jobs_running_ = !write.read().running_jobs().empty();
  return sweeping_;
}

// A chunk of every job that runs, no more than its rate allows.
void Delivery::run_jobs(store::DeliveryWrites& write) {
  const Instant now = clock_.monotonic();
  const double passed = std::chrono::duration<double>(now - jobs_run_).count();
  jobs_run_ = now;
  auto jobs = write.read().running_jobs();
  jobs_running_ = !jobs.empty();
  for (store::Job& job : jobs) {
    std::size_t limit = kJobChunk;
    if (job.rate > 0) {
      double& allowance = allowances_[job.key];
      allowance = std::min(allowance + std::min(passed, 1.0) * static_cast<double>(job.rate),
                           std::max(1.0, static_cast<double>(job.rate)));
      limit = std::min(limit, static_cast<std::size_t>(allowance));
      if (limit == 0) continue;
      allowance -= static_cast<double>(limit);
    }
    if (job.kind == store::Job::Kind::kRetry) {
      write.advance_retry(job, clock_.now(), limit);
    } else if (const Lane* lane = lane_of(job.endpoint)) {
      write.advance_replay(job, lane->row(), clock_.now(), limit);
    }
    if (job.state != store::Job::State::kRunning) allowances_.erase(job.key);
  }
  for (auto& [key, lane] : lanes_) lane.look = true;
}

std::vector<Lane*> Delivery::ready_lanes() {
  std::vector<Lane*> ready;
  if (closing_ || in_flight_ >= options_.in_flight_max) return ready;
  const Instant now = clock_.monotonic();
  const Timestamp schedule_now = schedule_clock_.now();
  for (auto& [key, lane] : lanes_) {
    const bool due = lane.look || (lane.next_due && *lane.next_due <= schedule_now);
    if (due && lane.room(now) > 0) ready.push_back(&lane);
  }
  // Turns: whoever comes after the one that was served last goes first.
  std::ranges::rotate(ready,
                      std::ranges::find_if(ready, [this](const Lane* lane) { return lane->row().key > last_served_; }));
  return ready;
}

std::vector<store::DueDelivery> Delivery::claim(store::DeliveryWrites& write) {
  std::vector<store::DueDelivery> claimed;
  std::vector<store::DueDelivery> probes;  // whoever is well does not stand behind them
  const Timestamp now = schedule_clock_.now();
  for (Lane* lane : ready_lanes()) {
    // However much one takes, something is left for the next.
    const std::size_t free = options_.in_flight_max - std::min(in_flight_, options_.in_flight_max);
    const std::size_t share = std::max<std::size_t>(free / 4, 1);
    const std::size_t limit = std::min({lane->room(clock_.monotonic()), share, options_.batch});
    if (free == 0 || claimed.size() + probes.size() >= options_.batch || limit == 0) break;
    auto mine = write.claim(lane->row(), now, later(now, options_.lease), limit);
    lane->started(mine.size());
    in_flight_ += mine.size();
    lane->next_due = write.read().next_due(lane->row().key, lane->row().sweep.through);
    lane->look = false;
    last_served_ = lane->row().key;
    std::ranges::move(mine, std::back_inserter(lane->row().failing ? probes : claimed));
  }
  std::ranges::move(probes, std::back_inserter(claimed));
  return claimed;
}

// ---- one request

void Delivery::send(store::DueDelivery due) {
  const Lane& lane = *lane_of(due.row.endpoint);
  Ended ended{.endpoint = due.row.endpoint,
              .row = {},
              .started_at = clock_.now(),
              .started = clock_.monotonic(),
              .ended = clock_.monotonic(),
              .body = {},
              .result = fail("stopped", ""),
              .skip_reason = {}};
  const auto& wanted = lane.row().filter.statuses;
  if (due.row.type == "result" && !wanted.empty() && !due.row.attempted) {
    const auto statuses = reader_.statuses(*due.item);
    const bool matches = std::ranges::any_of(
        statuses, [&](const std::string& status) { return std::ranges::find(wanted, status) != wanted.end(); });
    if (!matches) {
      ended.skip_reason = "status_not_wanted";
      ended.row = std::move(due.row);
      return push_ended(std::move(ended));
    }
  }
  ended.body = payload_of(due, lane.row().payload, reader_);
  ended.row = std::move(due.row);
  const std::string id = delivery_id(ended.row.key, ended.row.nonce);
  auto headers = vendors::sign(scheme_, *lane.keys(), {.id = id, .timestamp = ended.started_at}, ended.body);
  if (!headers) {
    ended.result = std::unexpected(std::move(headers).error());
    return push_ended(std::move(ended));
  }
  http::OutboundRequest request;
  request.url = lane.url();
  request.headers = std::move(*headers);
  request.headers.push_back({"Content-Type", "application/json"});
  request.headers.push_back({"User-Agent", options_.user_agent});
  request.body = ended.body;  // D2: the bytes that were signed
  request.total_timeout = options_.request_timeout;
  request.response_bytes_max = options_.response_bytes_max;
  request.long_answer = http::LongAnswer::kCut;
  request.allow_http = options_.destinations.allow_http;
  request.repeatable = true;
  outbound_->send(std::move(request), [this, ended = std::move(ended)](Result<http::ClientResponse> result) mutable {
    ended.ended = clock_.monotonic();
    ended.result = std::move(result);
    if (receipts_ && ended.result && is_success(ended.result->status)) {
      receipts_->note({.key = ended.row.key,
                       .nonce = ended.row.nonce,
                       .fence = ended.row.fence,
                       .status = ended.result->status,
                       .started_at = ended.started_at,
                       .duration_us = duration_us(ended.started, ended.ended)});
    }
    push_ended(std::move(ended));
  });
}

}  // namespace resultsync::delivery
