// All segments of a log by their place, and a few of them open for reading. Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/log/segment_reader.hpp"

namespace resultsync::store::log {

class Shelf {
 public:
  // `master` must outlive the shelf. At most `open_max` closed segments are kept open (descriptor, key and index).
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
  };
  struct Open {
    Sequence first;
    std::shared_ptr<SegmentReader> reader;  // shared with whoever reads from it just now
  };

  const runtime::MasterKey& master_;
  const std::size_t open_max_;
  std::mutex mutex_;
  std::vector<Segment> segments_;  // in order
  std::list<Open> open_;           // the closed ones, last used first
  Open active_;
};

}  // namespace resultsync::store::log
