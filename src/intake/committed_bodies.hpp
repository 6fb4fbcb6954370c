// Which record of the log is known to hold a body, for the bodies seen last: so that a further copy of one can be
// appended as a reference to it, and replaying one signed body over and over cannot fill the disk.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "base/digest.hpp"
#include "store/event_log.hpp"

namespace resultsync::intake {

// Of fixed size: when a place is needed, the oldest of its bucket is forgotten, and the next copy of that body is
// stored whole again, which is always right. Knows committed records only, because remember() is called when a commit
// is reported and never before (I5). Thread-safe.
class CommittedBodies {
 public:
  // Room for `entries_max` bodies (rounded up to whole buckets; 0 remembers nothing). An entry takes 48 bytes.
  explicit CommittedBodies(std::size_t entries_max);

  // `source` is the index of the source: one network's body never refers to another's (S5).
  [[nodiscard]] std::optional<store::Sequence> find(std::size_t source, const Sha256& body) const;

  // `sequence` is committed and holds these bytes itself (it is no reference).
  void remember(std::size_t source, const Sha256& body, store::Sequence sequence);

 private:
  struct Entry {
    Sha256 body;
    std::size_t source = 0;
    store::Sequence sequence;  // 0: the place is free
  };
  struct Bucket {
    std::array<Entry, 8> entries;
    std::size_t oldest = 0;
  };
  [[nodiscard]] std::size_t bucket_of(const Sha256& body) const;

  mutable std::array<std::mutex, 16> mutexes_;  // bucket b is guarded by mutexes_[b % 16]
  std::vector<Bucket> buckets_;
};

}  // namespace resultsync::intake
