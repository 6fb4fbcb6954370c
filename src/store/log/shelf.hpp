// All segments of a log by their place, and a few of them open for reading. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/log/segment_reader.hpp"

namespace resultsync::store::log {

class Shelf {
 public:
  // `master` must outlive the shelf. At most `open_max` closed segments are kept open (a descriptor, a key, and up to
  // 8 KiB of places).
  Shelf(const runtime::MasterKey& master, std::size_t open_max) : master_(master), open_max_(open_max) {}

  void add_closed(Sequence first, std::string path);
  // The segment being written, after all others. The one before it is closed from now on.
  void add_active(Sequence first, std::string path, std::shared_ptr<SegmentReader> reader);

  struct Found {
    std::shared_ptr<SegmentReader> reader;
    Sequence last_possible;  // the segment holds nothing after this: where the next one begins, less one
  };
  // The segment that holds `sequence`. Errors: `missing_segment` (it is before the first), and those of opening the
  // file.
  Result<Found> find(Sequence sequence);

 private:
  struct Segment {
    Sequence first;
    std::string path;
    std::shared_ptr<SegmentReader> reader = {};  // nothing: not open; shared with whoever reads from it just now
    std::uint64_t last_use = 0;
  };
  void close_the_least_used();

  const runtime::MasterKey& master_;
  const std::size_t open_max_;
  std::mutex mutex_;
  std::vector<Segment> segments_;  // in order; if has_active_, the last one is the one being written
  bool has_active_ = false;
  std::size_t open_ = 0;  // closed ones that are kept open
  std::uint64_t uses_ = 0;
};

}  // namespace resultsync::store::log
