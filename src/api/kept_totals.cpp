#include "api/kept_totals.hpp"

#include <algorithm>
#include <utility>

#include "runtime/threads.hpp"

namespace resultsync::api {
namespace {
constexpr std::chrono::milliseconds kQuick{100};
constexpr int kTimesAsOld = 20;
}  // namespace

KeptTotals::KeptTotals(const runtime::Clock& clock, Count count, std::chrono::milliseconds patience)
    : clock_(clock), count_(std::move(count)), patience_(patience) {
  thread_ = runtime::start_thread("totals", [this](const std::stop_token& stop) { count_what_is_wanted(stop); });
}

Result<std::optional<KeptTotals::Counted>> KeptTotals::get() {
  std::unique_lock lock(mutex_);
  if (kept_ && is_slow_ && clock_.monotonic() < good_until_) return kept_;
  const std::uint64_t begun_before = begun_;
  const bool is_counting = ended_ < begun_;
  wanted_ = std::max(wanted_, begun_before + 1);
  changed_.notify_all();
  const bool is_counted = changed_.wait_for(lock, patience_, [&] {
    return ended_ > begun_before || (is_counting && ended_ == begun_before && is_slow_);  // slow ones are shared
  });
  if (!is_counted) return kept_;
  if (error_) return std::unexpected(*error_);
  return kept_;
}

void KeptTotals::count_what_is_wanted(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return begun_ < wanted_; }) && !stop.stop_requested()) {
    ++begun_;
    lock.unlock();
    const auto begun = clock_.monotonic();
    const Timestamp at = clock_.now();
    auto totals = count_();
    const auto took = clock_.monotonic() - begun;
    lock.lock();
    ended_ = begun_;
    is_slow_ = took > kQuick;
    good_until_ = begun + kTimesAsOld * took;
    if (is_slow_) wanted_ = begun_;  // whoever waits is served by it
    kept_.reset();
    error_.reset();
    if (totals)
      kept_ = Counted{std::move(*totals), at};
    else
      error_ = totals.error();
    changed_.notify_all();
  }
}

}  // namespace resultsync::api
