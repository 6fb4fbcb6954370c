// One pass over the records of a segment file, past damage, also while its writer appends.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/result.hpp"
#include "runtime/file.hpp"
#include "store/log/format.hpp"

namespace resultsync::store::log {

struct SegmentWalk {
  // A whole frame of a record or tombstone, in order. False ends the walk.
  std::function<bool(const DecodedFrame& frame, std::uint64_t offset)> on_frame;
  // Records `first` … `last` should begin at `offset`, and do not.
  std::function<void(Sequence first, Sequence last, std::uint64_t offset)> on_damage;
};

struct WalkEnd {
  Sequence next;                 // the record that would follow
  std::uint64_t torn_bytes = 0;  // of the last segment
};

// `last_possible`: where the next segment begins, less one; none for the last segment. Error: `io_error`.
Result<WalkEnd> walk_segment(const runtime::File& file, Sequence first, std::optional<Sequence> last_possible,
                             const SegmentWalk& walk);

}  // namespace resultsync::store::log
