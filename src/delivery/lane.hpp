// What one endpoint may be sent at this moment: its concurrency, its rate and its circuit breaker. One endpoint, one
// lane: what happens in one lane changes nothing in another (D4). Belongs to the delivery thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/timestamp.hpp"
#include "store/deliveries.hpp"
#include "vendors/signing_keys.hpp"

namespace resultsync::delivery {

using Instant = std::chrono::steady_clock::time_point;

struct BreakerOptions {
  int failures = 5;  // in a row, and the breaker opens
  std::chrono::milliseconds cooldown{30'000};
  std::chrono::milliseconds cooldown_max{600'000};  // it doubles each time the probe fails
};

class Lane {
 public:
  Lane(store::EndpointRow row, Instant now);

  // Takes over what was changed; what is in flight and the breaker stay.
  void update(store::EndpointRow row);
  // The address and the keys, unsealed. Without keys nothing is sent.
  void open(std::string url, std::optional<vendors::SigningKeys> keys);
  // What was just written of its health: the rest of the lane stays as it is.
  void note_health(const store::EndpointRow& written);

  // How many requests may start now.
  [[nodiscard]] std::size_t room(Instant now);
  // Whether what is in flight, and nothing else, keeps a well endpoint from being sent more.
  [[nodiscard]] bool is_full() const { return !is_open() && in_flight_ >= static_cast<std::size_t>(row_.concurrency); }
  // When there will be room again, if time alone makes it.
  [[nodiscard]] std::optional<Instant> opens_at() const;

  void started(std::size_t count);
  void ended() { --in_flight_; }

  enum class Turn { kNone, kOpened, kStillOpen, kRecovered };
  // Whether the endpoint is well, by one more answer. kOpened: it has just begun to fail.
  Turn succeeded();
  // What was `started` before the breaker opened is no probe: it says nothing new, however many there are.
  Turn failed(Instant started, Instant now, const BreakerOptions& options);
  // The receiver asked for a pause (429 or 503 with Retry-After).
  void wait_until(Instant until) { not_before_ = std::max(not_before_, until); }

  [[nodiscard]] const store::EndpointRow& row() const { return row_; }
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] const vendors::SigningKeys* keys() const { return keys_ ? &*keys_ : nullptr; }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
  [[nodiscard]] int failures() const { return failures_; }
  [[nodiscard]] std::chrono::milliseconds cooldown() const { return cooldown_; }

  // When something is due: the schedule's time (0: at once), or nothing. `look` is set where that is not known.
  bool look = true;
  bool signs_with_previous = false;
  std::optional<Timestamp> next_due;

 private:
  [[nodiscard]] bool is_open() const { return row_.failing; }
  void refill(Instant now);

  store::EndpointRow row_;
  std::string url_;
  std::optional<vendors::SigningKeys> keys_;
  std::size_t in_flight_ = 0;
  int failures_ = 0;  // in a row
  std::chrono::milliseconds cooldown_{0};
  Instant probes_from_;  // of an open breaker
  Instant not_before_;
  double tokens_ = 0;
  Instant refilled_;
};

}  // namespace resultsync::delivery
