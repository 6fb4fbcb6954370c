#include "network/silence.hpp"

#include <algorithm>

namespace resultsync::network {
namespace {

// A clinic is silent when it has said nothing for so many of its usual gaps, and at least for so long.
constexpr std::int64_t kSilentGaps = 8;
constexpr std::chrono::hours kSilentLeast{6};
constexpr std::int64_t kSilentEventsMin = 20;

}  // namespace

Result<bool> Silence::read_on(store::ViewsSnapshot& snapshot) {
  const Sequence applied = snapshot.applied();
  if (auto ok = snapshot.status(); !ok) return forward_error(std::move(ok));
  if (applied < read_to_) {  // the views are being made anew
    histories_.clear();
    read_to_ = {};
  }
  const Sequence through{std::min(applied.value, read_to_.value + records_at_once_)};
  const auto activity = snapshot.network().activity(read_to_, through);
  if (auto ok = snapshot.status(); !ok) return forward_error(std::move(ok));
  for (const store::ClinicActivity& read : activity) {
    const auto [at, is_first] =
        histories_.try_emplace({read.source, read.clinic}, History{0, read.first_at, read.last_at});
    History& history = at->second;
    history.events += read.events;
    history.first_at = std::min(history.first_at, read.first_at);
    history.last_at = std::max(history.last_at, read.last_at);
  }
  read_to_ = through;
  return through == applied;
}

Result<std::vector<SilentClinic>> Silence::clinics(store::ViewsSnapshot& snapshot, Timestamp now) const {
  std::vector<SilentClinic> silent;
  for (const auto& [source, clinic] : snapshot.network().connected_clinics()) {
    const auto found = histories_.find({source, clinic});
    if (found == histories_.end() || found->second.events < kSilentEventsMin) continue;
    const auto& [events, first_at, last_at] = found->second;
    const std::int64_t gap = (last_at.microseconds - first_at.microseconds) / (events - 1);
    const std::int64_t limit =
        std::max<std::int64_t>(gap * kSilentGaps, std::chrono::microseconds(kSilentLeast).count());
    if (now.microseconds - last_at.microseconds <= limit) continue;
    silent.push_back({source, clinic, last_at, std::chrono::seconds(gap / 1'000'000)});
  }
  if (auto ok = snapshot.status(); !ok) return forward_error(std::move(ok));
  return silent;
}

}  // namespace resultsync::network
