#include "api/kept_totals.hpp"

#include <utility>

namespace resultsync::api {
namespace {
constexpr std::chrono::milliseconds kQuick{100};
constexpr int kTimesAsOld = 20;
}  // namespace

std::optional<KeptTotals::Counted> KeptTotals::get(const Count& count) {
  const std::lock_guard lock(mutex_);
  const auto begun = clock_.monotonic();
  if (kept_ && begun < good_until_) return kept_;
  const Timestamp at = clock_.now();
  auto totals = count();
  if (!totals) return std::nullopt;
  const auto now = clock_.monotonic();
  const auto took = now - begun;
  good_until_ = took > kQuick ? now + kTimesAsOld * took : now;
  kept_ = Counted{std::move(*totals), at};
  return kept_;
}

}  // namespace resultsync::api
