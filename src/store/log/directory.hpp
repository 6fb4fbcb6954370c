// Which segments a log directory holds. Reads names and headers only, never changes anything: safe on a directory that
// a server is using.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/log/format.hpp"

namespace resultsync::store::log {

struct SegmentFile {
  Sequence first;
  std::string path;
  std::uint64_t bytes = 0;  // of the file, zeros ahead included
  SegmentHeader header;
};

std::string log_directory(const std::string& data_dir);  // <data_dir>/log
std::string in_directory(const std::string& directory, const std::string& name);
inline constexpr const char* kOpenDraft = "open.tmp";
inline constexpr const char* kSpareDraft = "spare.tmp";

// The paths of the segments, in order. Errors: `foreign_file`, and those of listing a directory.
Result<std::vector<SegmentFile>> list_segment_names(
    const std::string& directory);  // `bytes` and `header` not yet filled in
// Fills in `bytes` and `header`. Errors: `foreign_segment` (it is not the one its name says), and those of
// decode_segment_header(), naming the file.
Result<void> read_segment_header(SegmentFile& segment);
// That `next` follows `before` in the same log. Errors: `foreign_segment`, `missing_segment`.
Result<void> check_neighbours(const SegmentFile& before, const SegmentFile& next);

// All of the above: the segments of one log without a gap, with their headers.
Result<std::vector<SegmentFile>> survey_directory(const std::string& directory);

}  // namespace resultsync::store::log
