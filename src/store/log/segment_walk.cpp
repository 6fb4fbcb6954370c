#include "store/log/segment_walk.hpp"

#include <algorithm>

#include "store/log/frame_scanner.hpp"

namespace resultsync::store::log {

using State = DecodedFrame::State;

namespace {

bool is_whole(const Result<DecodedFrame>& frame) {
  return frame && frame->state == State::kWhole;
}

// The next whole frame at or behind a place without one that proves that what is missing was acknowledged. In a closed
// segment every frame does (what is missing is before the next segment's first).
struct Beyond {
  std::uint64_t offset = 0;
  Sequence sequence;  // the first record that can be read again
};
Result<std::optional<Beyond>> find_beyond(FrameScanner& scanner, Sequence missing, bool closed) {
  std::optional<Beyond> first;
  bool acknowledged = closed;
  auto frame = scanner.search();
  for (; is_whole(frame); frame = scanner.search()) {
    acknowledged = acknowledged || frame->header.durable_through >= missing;
    if (!first && frame->header.kind != FrameKind::kMark && frame->header.sequence > missing) {
      first = Beyond{scanner.offset(), frame->header.sequence};
    }
    if (acknowledged && first) return first;
  }
  if (!frame) return forward_error(std::move(frame));
  if (!acknowledged) return std::nullopt;
  return Beyond{0, {}};  // acknowledged, but no record follows: only a mark knows of it
}

}  // namespace

Result<WalkEnd> walk_segment(const runtime::File& file, Sequence first, std::optional<Sequence> last_possible,
                             const SegmentWalk& walk) {
  FrameScanner scanner(file, kSegmentHeaderBytes);
  Sequence expected = first;
  while (!last_possible || expected <= *last_possible) {
    auto frame = scanner.next();
    if (!frame) return forward_error(std::move(frame));
    const bool whole = frame->state == State::kWhole;
    if (whole && frame->header.kind == FrameKind::kMark) continue;
    if (whole && frame->header.sequence == expected) {
      if (!walk.on_frame(*frame, scanner.offset())) return WalkEnd{expected.next()};
      expected = expected.next();
      continue;
    }

    const std::uint64_t place = scanner.offset();
    const auto beyond = find_beyond(scanner, expected, last_possible.has_value());
    if (!beyond) return std::unexpected(beyond.error());
    if (!*beyond && !last_possible) {
      const auto size = file.size();
      const bool torn = frame->state == State::kDamaged && size && *size > place;
      return WalkEnd{expected, torn ? *size - place : 0};
    }
    // The window may have been filled before a running writer wrote there: what is acknowledged now must be whole when
    // read now.
    FrameScanner fresh(file, place, kFrameHeaderBytes);
    const auto again = fresh.next();
    if (is_whole(again) && (again->header.kind == FrameKind::kMark || again->header.sequence == expected)) {
      scanner = FrameScanner(file, place);
      continue;
    }
    const bool readable_again =
        *beyond && (*beyond)->offset != 0 && (!last_possible || (*beyond)->sequence <= *last_possible);
    if (!readable_again) {
      const Sequence last = last_possible.value_or(expected);
      walk.on_damage(expected, last, place);
      return WalkEnd{last.next()};
    }
    walk.on_damage(expected, {(*beyond)->sequence.value - 1}, place);
    expected = (*beyond)->sequence;
    scanner = FrameScanner(file, (*beyond)->offset);
  }
  return WalkEnd{expected};
}

}  // namespace resultsync::store::log
