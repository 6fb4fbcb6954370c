// Carries events to the application's webhook: signs, sends, retries with exponential back-off for three days of
// simulated time, and does on the way whatever the switches ask for. Threads: `threads` workers named "sandbox-send";
// every public function is thread-safe.
//
// What a switch does to an event is drawn from the seed and the event's id, so it is the same in every run.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "http/client.hpp"
#include "sandbox/clock.hpp"
#include "sandbox/switches.hpp"
#include "vendors/verify.hpp"

namespace resultsync::sandbox {

struct CourierOptions {
  std::uint64_t seed = 1;
  vendors::SignatureScheme scheme;
  vendors::SigningKeys keys;
  vendors::SigningKeys wrong_keys;         // for forgeries
  std::string challenge = {};              // an answer is good only if it repeats this; empty: any 2xx is
  std::vector<std::int64_t> waits_s = {};  // before each further attempt; empty: doubling, for three days
  bool allow_remote = false;
  unsigned threads = 4;
  std::chrono::milliseconds timeout{10'000};
};

enum class DeliveryState { kWaiting, kDone, kGivenUp, kLost };
std::string_view delivery_state_name(DeliveryState state);

enum class AttemptKind { kOrdinary, kTampered, kDuplicate, kReplay };
std::string_view attempt_kind_name(AttemptKind kind);

struct Attempt {
  Timestamp at;    // simulated
  int status = 0;  // 0: none came
  std::string error;
  AttemptKind kind = AttemptKind::kOrdinary;
};

struct Delivery {
  std::uint64_t number = 0;
  std::string event, type, order, clinic;
  Timestamp created;
  DeliveryState state = DeliveryState::kWaiting;
  std::optional<Timestamp> next;
  std::vector<Attempt> attempts;  // the last kAttemptsKept
  int tampered = 0, duplicated = 0, replayed = 0, sent = 0;
  bool forgery_taken = false;  // a tampered attempt was answered 2xx
};
inline constexpr std::size_t kAttemptsKept = 40;

// `due`: attempts whose time has come, and those under way.
struct CourierCounts {
  std::size_t waiting = 0, due = 0, done = 0, given_up = 0, lost = 0, attempts = 0, forgeries_taken = 0;
};

// Whether a webhook may go there: http, and a loopback host unless `allow_remote`. Errors: `bad_url`, `remote_target`.
Result<void> check_target(const std::string& url, bool allow_remote);

class Courier {
 public:
  Courier(CourierOptions options, const SimulatedClock& clock, const runtime::Clock& real);
  ~Courier();  // lets what is under way come to its end, then stops

  void set_url(std::optional<std::string> url);  // checked by check_target() before
  [[nodiscard]] std::optional<std::string> url() const;
  void set_switches(const Switches& switches);

  struct Parcel {
    std::string event, type, order, clinic, body;
    bool lost = false;
  };
  std::uint64_t take(Parcel parcel);  // the number of the delivery
  // Once more, or for the first time if it was lost. False: there is no such event.
  bool send_again(std::string_view event);

  [[nodiscard]] std::vector<Delivery> deliveries(std::optional<DeliveryState> state,
                                                 std::size_t limit) const;  // newest first
  [[nodiscard]] std::optional<Delivery> delivery_of(std::string_view event) const;
  [[nodiscard]] CourierCounts counts() const;
  [[nodiscard]] bool quiet() const;  // nothing waits and nothing is under way
  void wake();                       // simulated time has jumped

 private:
  struct Item {
    Delivery shown;
    std::string body;
    Timestamp first_due;
    int failures = 0;
    std::vector<http::Header> first_headers;  // of the first right attempt
    bool under_way = false;
    std::uint64_t after = 0;  // held until so many deliveries were taken
  };
  struct Due {
    Timestamp at;
    std::uint64_t number;
    AttemptKind kind;
    auto operator<=>(const Due&) const = default;
  };
  void wake_workers();  // with the lock
  void work(std::stop_token stop);
  std::optional<Due> pick(Timestamp now);  // with the lock
  [[nodiscard]] bool may_go(const Item& item) const;
  void plan(Item& item, Timestamp at, AttemptKind kind);
  struct Prepared {
    http::ClientRequest request;
    std::vector<http::Header> signature;
  };
  Prepared prepare(const Item& item, AttemptKind kind, const std::string& url) const;
  [[nodiscard]] bool is_taken(const Result<http::ClientResponse>& answer) const;
  void note(Item& item, AttemptKind kind, const Prepared& prepared, const Result<http::ClientResponse>& answer);
  void release_burst();

  const CourierOptions options_;
  const SimulatedClock& clock_;
  const runtime::Clock& real_;

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::uint64_t wakes_ = 0;         // guarded by mutex_: how often whoever waits was told to look again
  std::optional<std::string> url_;  // guarded by mutex_, like all below
  Switches switches_;
  std::deque<Item> items_;  // by number - 1
  std::map<std::string, std::uint64_t, std::less<>> by_event_;
  std::set<Due> due_;
  std::vector<std::uint64_t> gathering_;  // for a burst
  std::map<std::string, std::set<std::uint64_t>> open_of_clinic_;
  CourierCounts counts_;
  std::size_t under_way_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace resultsync::sandbox
