#include "delivery/lane.hpp"

#include <algorithm>

namespace resultsync::delivery {

Lane::Lane(store::EndpointRow row, Instant now) : row_(std::move(row)), not_before_(now), refilled_(now) {
  tokens_ = static_cast<double>(std::min<std::int64_t>(row_.rate, 1));
}

void Lane::update(store::EndpointRow row) {
  if (row_.failing && !row.failing) {  // an operator resumed it
    failures_ = 0;
    cooldown_ = {};
    not_before_ = refilled_;
  }
  row_ = std::move(row);
  look = true;
}

void Lane::open(std::string url, std::optional<vendors::SigningKeys> keys) {
  url_ = std::move(url);
  keys_ = std::move(keys);
}

void Lane::note_health(const store::EndpointRow& written) {
  row_.health_since = written.health_since;
  row_.breaker_until = written.breaker_until;
  row_.dead_told = written.dead_told;
}

// A token bucket that holds what comes in a fifth of a second, at least one.
void Lane::refill(Instant now) {
  const double rate = static_cast<double>(row_.rate);
  const double passed = std::chrono::duration<double>(now - refilled_).count();
  tokens_ = std::min(tokens_ + passed * rate, std::max(1.0, rate / 5));
  refilled_ = now;
}

std::size_t Lane::room(Instant now) {
  if (row_.rate > 0) refill(now);
  if (row_.state != store::EndpointState::kEnabled || keys_ == std::nullopt || now < not_before_) return 0;
  // A breaker that was open lets one probe through at a time.
  const auto most = is_open() ? std::size_t{1} : static_cast<std::size_t>(row_.concurrency);
  const std::size_t free = most - std::min(most, in_flight_);
  return row_.rate > 0 ? std::min(free, static_cast<std::size_t>(tokens_)) : free;
}

std::optional<Instant> Lane::opens_at() const {
  if (row_.state != store::EndpointState::kEnabled || keys_ == std::nullopt) return std::nullopt;
  if (in_flight_ >= (is_open() ? 1U : static_cast<std::size_t>(row_.concurrency))) return std::nullopt;
  Instant at = not_before_;
  if (row_.rate > 0 && tokens_ < 1) {
    const std::chrono::duration<double> wait((1 - tokens_) / static_cast<double>(row_.rate));
    at = std::max(at, refilled_ + std::chrono::ceil<std::chrono::milliseconds>(wait));
  }
  return at;
}

void Lane::started(std::size_t count) {
  in_flight_ += count;
  if (row_.rate > 0) tokens_ -= static_cast<double>(count);
}

Lane::Turn Lane::succeeded() {
  failures_ = 0;
  cooldown_ = {};
  if (!row_.failing) return Turn::kNone;
  row_.failing = false;
  return Turn::kRecovered;
}

Lane::Turn Lane::failed(Instant started, Instant now, const BreakerOptions& options) {
  ++failures_;
  if (is_open() ? started < probes_from_ : failures_ < options.failures) return Turn::kNone;
  const bool opened = !is_open();
  row_.failing = true;
  cooldown_ = cooldown_.count() == 0 ? options.cooldown : std::min(cooldown_ * 2, options.cooldown_max);
  probes_from_ = now + cooldown_;
  not_before_ = std::max(not_before_, probes_from_);
  return opened ? Turn::kOpened : Turn::kStillOpen;
}

}  // namespace resultsync::delivery
