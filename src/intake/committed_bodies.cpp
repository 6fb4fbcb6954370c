#include "intake/committed_bodies.hpp"

#include <cstdint>
#include <cstring>

namespace resultsync::intake {

CommittedBodies::CommittedBodies(std::size_t entries_max)
    : buckets_((entries_max + std::tuple_size_v<decltype(Bucket::entries)> - 1) /
               std::tuple_size_v<decltype(Bucket::entries)>) {}

std::optional<store::Sequence> CommittedBodies::find(std::size_t source, const Sha256& body) const {
  if (buckets_.empty()) return std::nullopt;
  const std::size_t place = bucket_of(body);
  const std::scoped_lock lock(mutexes_[place % mutexes_.size()]);
  for (const Entry& entry : buckets_[place].entries) {
    if (entry.sequence.value != 0 && entry.source == source && entry.body == body) return entry.sequence;
  }
  return std::nullopt;
}

void CommittedBodies::remember(std::size_t source, const Sha256& body, store::Sequence sequence) {
  if (buckets_.empty()) return;
  const std::size_t place = bucket_of(body);
  const std::scoped_lock lock(mutexes_[place % mutexes_.size()]);
  Bucket& bucket = buckets_[place];
  for (Entry& entry : bucket.entries) {
    if (entry.sequence.value != 0 && entry.source == source && entry.body == body) {
      entry.sequence = sequence;  // two copies were on their way at once; the later one lives longer
      return;
    }
  }
  bucket.entries[bucket.oldest] = {body, source, sequence};
  bucket.oldest = (bucket.oldest + 1) % bucket.entries.size();
}

// A digest is as good as random, and nobody without the secret gets one in here.
std::size_t CommittedBodies::bucket_of(const Sha256& body) const {
  std::uint64_t number = 0;
  std::memcpy(&number, body.bytes.data(), sizeof number);
  return number % buckets_.size();
}

}  // namespace resultsync::intake
