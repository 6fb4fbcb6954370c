// Feed → signed webhooks. Deliveries are written with the items they are of (store/deliveries.hpp); this sends them,
// and sees to it that each ends as delivered, dead or skipped (D1), under one id (D2), by one worker (D3), and that no
// endpoint waits for another (D4).
//
// One thread plans: a step is one transaction that claims what is due, and now and then writes how attempts ended, so
// that one commit serves many deliveries. The requests run on the event loops of the outbound client. Killed at any
// instruction, it is resumed: what was in flight is sent again, under the same id (at least once).
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "delivery/endpoints.hpp"
#include "delivery/lane.hpp"
#include "delivery/payload.hpp"
#include "delivery/receipts.hpp"
#include "delivery/schedule.hpp"
#include "http/outbound.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "runtime/vault.hpp"
#include "store/deliveries.hpp"
#include "store/views.hpp"

namespace resultsync::delivery {

struct DeliveryOptions {
  Schedule schedule = {};
  std::chrono::milliseconds request_timeout{15'000};  // the whole of it
  std::chrono::milliseconds lease{60'000};            // must outlast a request by kLeaseMargin
  BreakerOptions breaker = {};
  std::chrono::hours disable_after{120};  // an endpoint that fails for so long is disabled
  std::chrono::hours keep{24 * 30};       // ended deliveries and their attempts; dead letters stay
  std::size_t response_bytes_max = 64 * 1024;
  std::size_t in_flight_max = 2'048;  // requests at a time, over all endpoints
  std::size_t batch = 512;            // deliveries that one step claims
  // How long an answer may wait to be written together with others, while no delivery waits for that. Each commit keeps
  // everybody else who writes from the views.
  std::chrono::milliseconds answers_wait{25};
  std::chrono::milliseconds failures_wait{250};
  // Whether nobody else can work on these views (the embedded store: its directory is locked). What was in flight when
  // the process before ended is then sent again at once, and else when its lease runs out.
  bool sole_owner = true;
  std::string receipts_file = {};  // empty: none are kept
  Destinations destinations = {};
  std::string ca_file = {};
  std::string user_agent = "resultsync";
  unsigned threads = 1;  // event loops
};
inline constexpr std::chrono::milliseconds kLeaseMargin{5'000};

// Error: `bad_lease`: a lease would end while its request may still be answered.
Result<void> check_options(const DeliveryOptions& options);

class Delivery {
 public:
  // Errors: `bad_lease`, `bad_ca_file`, and those of the receipts' file.
  static Result<std::unique_ptr<Delivery>> open(store::Views& views, const runtime::Vault& vault, ItemReader& reader,
                                                const runtime::Clock& clock, runtime::Metrics& metrics,
                                                DeliveryOptions options);
  ~Delivery();  // stops

  // Works on a thread of its own until stop(). A failure of the store stops it for good: `on_failure` is told once, and
  // the process is expected to end (fail-stop).
  void start(std::function<void(const Error&)> on_failure);
  // Items were issued. From any thread; never blocks.
  void wake();
  // Endpoints or jobs changed. The same.
  void endpoints_changed();
  // Starts nothing any more, waits for what is in flight up to `patience`, and writes how it ended (P2).
  void stop(std::chrono::milliseconds patience = std::chrono::milliseconds(3'000));

  // One step, for tests that own the thread instead of start(): writes what ended, claims and sends what is due. False:
  // there was nothing.
  Result<bool> step();
  Result<bool> step_when_woken();  // the same, minding wake() and endpoints_changed() first
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

 private:
  struct Ended {  // an attempt, or the finding that there is to be none
    store::EndpointKey endpoint;
    store::DeliveryRow row;
    Timestamp started_at;
    Instant started;
    Instant ended;
    std::string body;
    Result<http::ClientResponse> result;
    std::string skip_reason;  // not empty: nothing was sent

    [[nodiscard]] bool is_failure() const;
  };
  struct Numbers {  // metrics
    explicit Numbers(runtime::Metrics& metrics);
    runtime::Counter delivered, failed, dead, skipped, interrupted, stale;
    runtime::Gauge in_flight, endpoints_failing;
    runtime::Histogram attempt_seconds, lag_seconds;
  };

  Delivery(store::Views& views, const runtime::Vault& vault, ItemReader& reader, const runtime::Clock& clock,
           runtime::Metrics& metrics, DeliveryOptions options);

  Result<void> recover();
  void take_up_receipts(store::DeliveryWrites& write);
  void run(const std::stop_token& stop);
  void wait(const std::stop_token& stop);
  void mind_wakes();
  void take_back(std::vector<Ended> ended, const std::vector<store::DueDelivery>& claimed);
  std::vector<Ended> take_ended();
  void collect_ended();
  [[nodiscard]] Instant due_to_be_written(const Ended& ended) const;
  [[nodiscard]] bool must_write_ended(Instant now);
  void push_ended(Ended ended);

  // Parts of a step, in its transaction.
  void load_lanes(store::DeliveryReads& read);
  [[nodiscard]] std::optional<vendors::SigningKeys> signing_keys(const store::EndpointRow& row,
                                                                 bool with_previous) const;
  void write_ended(store::DeliveryWrites& write, std::vector<Ended>& ended);
  void write_attempt(store::DeliveryWrites& write, Lane& lane, Ended& ended);
  void judge(store::DeliveryWrites& write, Lane& lane, const Ended& ended, store::Finish& finish);
  void save_health(store::DeliveryWrites& write, Lane& lane);
  void disable(store::DeliveryWrites& write, Lane& lane, const std::string& reason);
  void tell(store::DeliveryWrites& write, const Lane& about, const std::string& type, const std::string& detail);
  bool keep_house(store::DeliveryWrites& write);
  void run_jobs(store::DeliveryWrites& write);
  std::vector<store::DueDelivery> claim(store::DeliveryWrites& write);

  void send(store::DueDelivery due);
  [[nodiscard]] std::vector<Lane*> ready_lanes();
  [[nodiscard]] Instant next_wake();
  Lane* lane_of(store::EndpointKey key);

  store::Views& views_;
  const runtime::Vault& vault_;
  ItemReader& reader_;
  const runtime::Clock& clock_;
  const SteadyClock schedule_clock_;
  const DeliveryOptions options_;
  const vendors::SignatureScheme scheme_;
  Numbers numbers_;
  std::unique_ptr<Receipts> receipts_;
  std::unique_ptr<http::Outbound> outbound_;
  std::function<void(const Error&)> on_failure_;

  // Of the delivery thread.
  std::map<store::EndpointKey, Lane> lanes_;
  std::size_t in_flight_ = 0;
  std::vector<Ended> unwritten_;    // no more than in_flight_max: each keeps its place until it is written
  store::EndpointKey last_served_;  // lanes take turns
  bool closing_ = false;
  bool recovered_ = false;
  Instant house_kept_;
  Instant jobs_run_;
  std::map<store::JobKey, double> allowances_;  // of jobs with a rate: items that may go now
  bool jobs_running_ = true;                    // until looked
  bool sweeping_ = false;
  store::DeliveryKey pruned_to_;

  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool woken_ = true;              // guarded by mutex_
  bool endpoints_changed_ = true;  // guarded by mutex_
  std::vector<Ended> ended_;       // guarded by mutex_
  bool thread_done_ = false;       // guarded by mutex_
  std::jthread thread_;
};

}  // namespace resultsync::delivery
