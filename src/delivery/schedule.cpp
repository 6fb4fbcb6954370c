#include "delivery/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace resultsync::delivery {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Microseconds kLongestDelay = hours(24 * 30);
constexpr double kJitter = 0.2;

}  // namespace

Schedule::Schedule()
    : delays_{seconds(0), seconds(5), minutes(5), minutes(30), hours(2),
              hours(5),   hours(10),  hours(14),  hours(20),   hours(24)} {}

std::optional<Schedule> Schedule::parse(const std::vector<std::string>& delays) {
  if (delays.empty() || delays.size() > kAttemptsMax) return std::nullopt;
  Schedule schedule;
  schedule.delays_.clear();
  for (const std::string& text : delays) {
    const auto delay = parse_duration(text);
    if (!delay) return std::nullopt;
    schedule.delays_.push_back(*delay);
  }
  return schedule;
}

std::optional<Microseconds> Schedule::delay(std::int64_t tries, double dice,
                                            std::optional<std::chrono::seconds> asked) const {
  if (tries < 0 || static_cast<std::size_t>(tries) >= delays_.size()) return std::nullopt;
  const auto own = static_cast<double>(delays_[static_cast<std::size_t>(tries)].count());
  const Microseconds jittered(static_cast<std::int64_t>(own * (1 - kJitter + 2 * kJitter * dice)));
  if (!asked) return jittered;
  return std::max(jittered, std::min<Microseconds>(*asked, kRetryAfterMax));
}

Microseconds Schedule::longest() const {
  const Microseconds own = *std::ranges::max_element(delays_);
  return std::max<Microseconds>(
      Microseconds(static_cast<std::int64_t>(static_cast<double>(own.count()) * (1 + kJitter))), kRetryAfterMax);
}

std::optional<Microseconds> parse_duration(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0 || number > 1'000'000'000) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits{
      {{"ms", 1'000}, {"s", 1'000'000}, {"m", 60'000'000}, {"h", 3'600'000'000}, {"d", 86'400'000'000}}};
  for (const auto& [name, microseconds] : kUnits) {
    if (unit != name) continue;
    if (number > kLongestDelay.count() / microseconds) return std::nullopt;
    return Microseconds(number * microseconds);
  }
  return std::nullopt;
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text, Timestamp now) {
  if (!text.empty() && text.size() <= 9 && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; })) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return std::chrono::seconds(value);
  }
  // IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT"
  if (text.size() != 29 || text.substr(3, 2) != ", " || text.substr(25) != " GMT") return std::nullopt;
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const auto month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos || month % 3 != 0) return std::nullopt;
  const auto date = parse_timestamp(
      fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month / 3 + 1, text.substr(5, 2), text.substr(17, 8)));
  if (!date) return std::nullopt;
  return std::chrono::seconds(std::max<std::int64_t>(0, date->time.seconds() - now.seconds()));
}

}  // namespace resultsync::delivery
