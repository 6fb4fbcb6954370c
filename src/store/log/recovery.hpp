// What a start does to the end of the log (docs/formats/log.md, "What a start does"): after it, every record that can
// be read is on disk, and the log goes on in a new segment. Killed at any instruction, it is simply done again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "runtime/file.hpp"
#include "runtime/keys.hpp"
#include "store/log/directory.hpp"
#include "store/log/disk.hpp"
#include "store/log/new_segment.hpp"

namespace resultsync::store::log {

// What the last segment holds.
struct Tail {
  Sequence last;             // of the whole records from the segment's start on; first - 1 where there is none
  Sequence durable_through;  // acknowledged for certain: `last`, or less
  std::vector<std::uint64_t> offsets;  // of the records first … last
  std::uint64_t end = 0;               // where the last whole frame ends
  bool torn = false;                   // something that is not a whole frame follows
};
// Errors: `corrupt_record`, `io_error`.
Result<Tail> scan_tail(const runtime::File& file, Sequence first);

// The segment in which the log goes on.
struct OpenedLog {
  LogId log_id;
  std::vector<SegmentFile> closed;  // the segments before it
  Sequence last;                    // every record up to here is on disk
  runtime::File file;               // the new segment
  Sequence first;
  SegmentKey key;
  std::uint64_t position = 0;          // where its next frame will be
  std::vector<std::uint64_t> offsets;  // of the records first … last, which were moved here
  std::uint64_t dropped_bytes = 0;     // torn when the process or machine died; never acknowledged
};
// Errors: those of survey_directory() and scan_tail(), `wrong_master_key`, `disk_full`, `permission_denied`,
// `io_error`.
Result<OpenedLog> recover(const std::string& directory, const runtime::MasterKey& master, Timestamp now, Disk& disk);

}  // namespace resultsync::store::log
