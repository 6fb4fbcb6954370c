#include "api/kept_totals.hpp"

#include <utility>

namespace resultsync::api {
namespace {
constexpr std::chrono::milliseconds kQuick{100};
constexpr int kTimesAsOld = 20;
}  // namespace

std::optional<KeptTotals::Counted> KeptTotals::get(const Count& count) {
  std::unique_lock counting(counting_, std::try_to_lock);
  {
    const std::lock_guard lock(mutex_);
    if (kept_ && is_slow_ && (!counting || clock_.monotonic() < good_until_)) return kept_;
  }
  if (!counting) {
    counting.lock();
    const std::lock_guard lock(mutex_);
    if (kept_ && clock_.monotonic() < good_until_) return kept_;  // counted while this thread waited
  }
  const auto begun = clock_.monotonic();
  const Timestamp at = clock_.now();
  auto totals = count();
  if (!totals) return std::nullopt;
  const auto took = clock_.monotonic() - begun;
  const std::lock_guard lock(mutex_);
  is_slow_ = took > kQuick;
  good_until_ = is_slow_ ? begun + kTimesAsOld * took : begun;
  kept_ = Counted{std::move(*totals), at};
  return kept_;
}

}  // namespace resultsync::api
