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
#include "store/log/segment_key.hpp"

namespace resultsync::store::log {

// Where every 16th record begins: enough to find any of them by looking at a few frames.
class SparseIndex {
 public:
  struct Place {
    Sequence sequence;
    std::uint64_t offset = 0;
  };
  // Of records in order; keeps those it needs.
  void note(Sequence sequence, std::uint64_t offset);
  // The last place kept that is not after `sequence`; `otherwise` where there is none.
  [[nodiscard]] Place find(Sequence sequence, Place otherwise) const;

 private:
  std::vector<Place> places_;
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
  // Of a segment that is closed: where a record is, is searched for as in a dictionary, by guessing from its number and
  // looking what stands there. Nothing has to be read before, or kept, for that.
  static Result<std::shared_ptr<SegmentReader>> open_closed(const std::string& path, Sequence last_possible,
                                                            const runtime::MasterKey& master);
  // Of the segment being written: its writer tells where the records are, before it lets anybody read them.
  SegmentReader(runtime::File file, SegmentKey key, Sequence first);

  void note(Sequence sequence, std::uint64_t offset);

  // Appends records `from` … `through` to `out`, as far as the budget goes. All of them must be committed and in this
  // segment. Errors: `corrupt_record`, `erased`, `io_error`.
  Result<void> read(Sequence from, Sequence through, ReadBudget& budget, std::vector<StoredRecord>& out) const;

 private:
  [[nodiscard]] Result<SparseIndex::Place> find_in_closed(Sequence wanted) const;

  const runtime::File file_;
  const SegmentKey key_;
  const Sequence first_;
  std::optional<Sequence> last_possible_;  // of a segment that was closed when it was opened
  mutable std::mutex mutex_;
  SparseIndex index_;  // by its writer; guarded by mutex_
};

}  // namespace resultsync::store::log
