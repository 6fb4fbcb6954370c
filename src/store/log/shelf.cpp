#include "store/log/shelf.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <span>

namespace resultsync::store::log {

void Shelf::add_closed(Sequence first, std::string path) {
  const std::lock_guard lock(mutex_);
  segments_.push_back({first, std::move(path)});
}

void Shelf::add_active(Sequence first, std::string path, std::shared_ptr<SegmentReader> reader) {
  const std::lock_guard lock(mutex_);
  if (has_active_) {
    // Where its end cannot be told it is read by the places that its writer noted.
    static_cast<void>(segments_.back().reader->close({first.value - 1}));
    if (++open_ > open_max_) close_the_least_used();
  }
  segments_.push_back({.first = first, .path = std::move(path), .reader = std::move(reader)});
  has_active_ = true;
}

Result<Shelf::Found> Shelf::find(Sequence sequence) {
  const std::lock_guard lock(mutex_);
  const auto after = std::ranges::upper_bound(segments_, sequence, {}, &Segment::first);
  if (after == segments_.begin()) {
    return fail("missing_segment", fmt::format("record {} is before the first segment of the log", sequence.value));
  }
  Segment& segment = *std::prev(after);
  const Sequence last{after == segments_.end() ? std::numeric_limits<std::uint64_t>::max() : after->first.value - 1};
  segment.last_use = ++uses_;
  if (segment.reader) return Found{segment.reader, last};
  auto reader = SegmentReader::open_closed(segment.path, last, master_);
  if (!reader) return forward_error(std::move(reader));
  segment.reader = *reader;
  if (++open_ > open_max_) close_the_least_used();
  return Found{std::move(*reader), last};
}

void Shelf::close_the_least_used() {
  const auto closed = std::span(segments_).first(segments_.size() - (has_active_ ? 1 : 0));
  const auto use = [](const Segment& segment) {
    return segment.reader ? segment.last_use : std::numeric_limits<std::uint64_t>::max();
  };
  std::ranges::min_element(closed, {}, use)->reader.reset();
  --open_;
}

}  // namespace resultsync::store::log
