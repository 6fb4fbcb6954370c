// How a segment comes into being: written as a draft, made durable, then named. Whatever has a segment's name is whole
// (docs/formats/log.md).
#pragma once

#include <string>

#include "base/result.hpp"
#include "runtime/file.hpp"
#include "runtime/keys.hpp"
#include "store/log/disk.hpp"
#include "store/log/format.hpp"
#include "store/log/segment_key.hpp"

namespace resultsync::store::log {

struct SegmentPlan {
  SegmentHeader header;
  SegmentKey key;
};

// A header with a fresh key.
SegmentPlan plan_segment(const LogId& log_id, Sequence first, Sequence previous_first, Timestamp created_at,
                         const runtime::MasterKey& master);

// Makes the draft's bytes durable, gives it the segment's name (replacing a file of that name), makes the name durable,
// and returns the file, open for reading and writing. After an error of this function nothing may be acknowledged any
// more.
Result<runtime::File> publish_segment(Disk& disk, runtime::File draft, const std::string& directory, Sequence first);

}  // namespace resultsync::store::log
