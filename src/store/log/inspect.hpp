// Looking at a log from outside: for `resultsync log ls`, `log cat` and `log verify`. Changes nothing, takes no lock,
// and works on the directory of a running server as well; what the server writes meanwhile may or may not be seen.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "runtime/keys.hpp"
#include "store/event_log.hpp"
#include "store/log/directory.hpp"

namespace resultsync::store::log {

struct SegmentLine {
  SegmentFile file;
  std::uint64_t records = 0;  // those that are read from this segment
};
// Needs no key. The last segment is walked to count its records. Errors: those of survey_directory().
Result<std::vector<SegmentLine>> list_segments(const std::string& data_dir);

// A record, or why it cannot be had: `corrupt_record`, `erased`. False ends the walk.
using RecordVisitor = std::function<bool(Sequence, const Result<Record>&)>;
// Records `from` … `through` in order; those damaged are told and passed over. On a running server the last ones may
// not be committed yet. Errors: those of survey_directory(), `wrong_master_key`.
Result<void> visit_records(const std::string& data_dir, const runtime::MasterKey& master, Sequence from,
                           Sequence through, const RecordVisitor& visit);

struct Fault {
  std::string path;
  std::uint64_t offset = 0;
  Sequence first;  // the records it is about: first … last; 0 where it is about the file
  Sequence last;
  Error error;  // `corrupt_record`, `wrong_digest` (the body is not what its SHA-256 says), `bad_reference`, and those
                // of headers
};

struct SegmentReport {
  SegmentFile file;
  std::uint64_t records = 0;
  std::uint64_t erased = 0;
  std::uint64_t frame_bytes = 0;
  Sequence last;                 // 0 where there is no record
  std::uint64_t torn_bytes = 0;  // at the end of the last segment: never acknowledged, or being written just now
};

struct VerifyReport {
  std::vector<SegmentReport> segments;
  std::vector<Fault> faults;  // in the order found
  [[nodiscard]] bool sound() const { return faults.empty(); }
};
// Checks every header, frame, seal, payload and body digest, to the end, whatever is found on the way. Errors: only
// where there is nothing to look at (`not_found`, `permission_denied`).
Result<VerifyReport> verify(const std::string& data_dir, const runtime::MasterKey& master);

}  // namespace resultsync::store::log
