// Reads records of one segment, also while its writer appends to it. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "runtime/file.hpp"
#include "store/event_log.hpp"
#include "store/log/directory.hpp"
#include "store/log/frame_scanner.hpp"
#include "store/log/segment_key.hpp"

namespace resultsync::store::log {

// Where some of a segment's records begin: enough to find any other one by looking at a few frames.
class SparseIndex {
 public:
  struct Place {
    Sequence sequence;
    std::uint64_t offset = 0;
  };
  struct Between {
    Place before;  // the last place that is not after what is looked for
    Place behind;  // the first one after it
  };

  // Places are kept that are this many bytes from each other.
  explicit SparseIndex(std::uint64_t stride_bytes) : stride_bytes_(stride_bytes) {}
  // Of records in any order; keeps those it needs.
  void note(Place place);
  // What it keeps of `whole`, which is taken where it keeps none.
  [[nodiscard]] Between find(Sequence sequence, Between whole) const;
  // From now on, and of what it has.
  void widen_stride_to(std::uint64_t bytes);

 private:
  std::uint64_t stride_bytes_;
  std::vector<Place> places_;  // in order
};

// How much one read may still return.
struct ReadBudget {
  ReadLimits left;
  bool nothing_yet = true;
  // Takes a record of this length out of the budget, or says that it does not fit.
  bool take(std::size_t body_bytes);
};

// The error of a record that should be there and is not whole.
std::unexpected<Error> corrupt_record(const std::string& path, std::uint64_t offset, Sequence sequence,
                                      std::string cause = {});

// The record in a whole frame. Errors: `corrupt_record`, `erased`.
Result<Record> open_record(FrameOpener& opener, const DecodedFrame& frame, const std::string& path,
                           std::uint64_t offset);

class SegmentReader {
 public:
  // Of a segment that is closed. Errors: `io_error`, and those of its header and its key.
  static Result<std::shared_ptr<SegmentReader>> open_closed(const std::string& path, Sequence last_possible,
                                                            const runtime::MasterKey& master);
  // Of the segment being written: its writer tells where the records are, before it lets anybody read them.
  SegmentReader(runtime::File file, SegmentKey key, Sequence first);

  void note(Sequence sequence, std::uint64_t offset);
  // Nothing more is written to it, and it holds nothing after `last_possible`. From then on, where a record is, is
  // searched for as in a dictionary, by guessing from its number and looking what stands there; what was seen on the
  // way is remembered, as far as it is far enough from what is known. Errors: `io_error`; it stays as it was.
  Result<void> close(Sequence last_possible);

  // Appends records `from` … `through` to `out`, as far as the budget goes. All of them must be committed and in this
  // segment. Errors: `corrupt_record`, `erased`, `io_error`.
  Result<void> read(Sequence from, Sequence through, ReadBudget& budget, std::vector<StoredRecord>& out) const;
  // Has the disk fetch what read() will look at for this record, as far as that can be guessed. Does not wait.
  void fetch_ahead(Sequence sequence) const;

 private:
  struct Known {
    SparseIndex::Between between;
    bool is_closed = false;
  };
  [[nodiscard]] Known known_of(Sequence wanted) const;
  // What the scanner has read on the way is most often what is read next.
  [[nodiscard]] Result<SparseIndex::Place> find(Sequence wanted, FrameScanner& scanner) const;

  const runtime::File file_;
  const SegmentKey key_;
  const Sequence first_;
  mutable std::mutex mutex_;
  mutable SparseIndex index_;              // guarded by mutex_
  std::optional<SparseIndex::Place> end_;  // of a closed one; guarded by mutex_
};

}  // namespace resultsync::store::log
