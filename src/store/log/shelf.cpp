#include "store/log/shelf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace resultsync::store::log {

void Shelf::add_closed(Sequence first, std::string path) {
  const std::lock_guard lock(mutex_);
  segments_.push_back({first, std::move(path)});
}

void Shelf::add_active(Sequence first, std::string path, std::shared_ptr<SegmentReader> reader) {
  const std::lock_guard lock(mutex_);
  if (active_.reader) open_.push_front(std::move(active_));
  if (open_.size() > open_max_) open_.pop_back();
  segments_.push_back({first, std::move(path)});
  active_ = {first, std::move(reader)};
}

Result<Shelf::Found> Shelf::find(Sequence sequence) {
  const std::lock_guard lock(mutex_);
  const auto after = std::ranges::upper_bound(segments_, sequence, {}, &Segment::first);
  if (after == segments_.begin()) {
    return fail("missing_segment", fmt::format("record {} is before the first segment of the log", sequence.value));
  }
  const Segment& segment = *std::prev(after);
  const Sequence last{after == segments_.end() ? std::numeric_limits<std::uint64_t>::max() : after->first.value - 1};
  if (active_.reader && active_.first == segment.first) return Found{active_.reader, last};

  const auto open = std::ranges::find(open_, segment.first, &Open::first);
  if (open != open_.end()) {
    open_.splice(open_.begin(), open_, open);
    return Found{open_.front().reader, last};
  }
  auto reader = SegmentReader::open_closed(segment.path, last, master_);
  if (!reader) return forward_error(std::move(reader));
  open_.push_front({segment.first, *reader});
  if (open_.size() > open_max_) open_.pop_back();
  return Found{std::move(*reader), last};
}

}  // namespace resultsync::store::log
