#include "store/memory/memory_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace resultsync::store {
namespace {

std::unexpected<Error> store_failed() {
  return fail("store_failed", "the event log failed and has stopped");
}

}  // namespace

void MemoryLog::append(Record record, Committed committed) {
  Result<Sequence> refusal;
  bool refused = true;
  {
    const std::lock_guard lock(mutex_);
    if (broken_) {
      refusal = store_failed();
    } else if (disk_low_) {
      refusal = fail("disk_low", "the disk that holds the event log is nearly full");
    } else if (record.same_body_as.value > records_.size()) {
      refusal = fail("bad_reference", "the record refers to the body of one that is not committed");
    } else if (record.same_body_as.value != 0 && !record.body.empty()) {
      refusal = fail("bad_record", "a record has a body of its own or refers to another's, not both");
    } else if (waiting_.size() >= options_.queue_records_max) {
      refusal = fail("overloaded", "more records wait to be written than the event log takes");
    } else {
      waiting_.push_back({std::move(record), std::move(committed)});
      refused = false;
    }
  }
  if (refused) return committed(std::move(refusal));
  if (options_.commits == Commits::kAtOnce) commit();
}

Result<std::vector<StoredRecord>> MemoryLog::read(Sequence after, ReadLimits limits) const {
  const std::lock_guard lock(mutex_);
  std::vector<StoredRecord> found;
  std::size_t body_bytes = 0;
  for (std::size_t i = after.value; i < records_.size() && found.size() < limits.records_max; ++i) {
    body_bytes += records_[i].body.size();
    if (!found.empty() && body_bytes > limits.body_bytes_max) break;
    found.push_back({{i + 1}, records_[i]});
  }
  return found;
}

Result<StoredRecord> MemoryLog::at(Sequence sequence) const {
  const std::lock_guard lock(mutex_);
  if (sequence.value == 0 || sequence.value > records_.size()) {
    return fail("not_found", fmt::format("the event log has no record {}", sequence.value));
  }
  StoredRecord found{sequence, records_[sequence.value - 1]};
  if (found.record.same_body_as.value == 0) return found;
  const Record& holder = records_[found.record.same_body_as.value - 1];
  if (holder.same_body_as.value != 0 || holder.body_sha256 != found.record.body_sha256) {
    return fail("corrupt_record", fmt::format("record {} refers to record {} for a body that is not there",
                                              sequence.value, found.record.same_body_as.value));
  }
  found.record.body = holder.body;
  return found;
}

std::vector<StoredRecord> MemoryLog::some_of(std::span<const Sequence> records, std::size_t bytes_max) const {
  std::vector<StoredRecord> found;
  for (const Sequence record : records) {
    auto one = at(record);
    if (!one || one->record.same_body_as.value != 0 || one->record.body.size() > bytes_max) continue;
    bytes_max -= one->record.body.size();
    found.push_back(std::move(*one));
  }
  return found;
}

Sequence MemoryLog::end() const {
  const std::lock_guard lock(mutex_);
  return {records_.size()};
}

std::size_t MemoryLog::commit() {
  std::vector<std::pair<Committed, Sequence>> told;
  {
    const std::lock_guard lock(mutex_);
    for (auto& one : waiting_) {
      records_.push_back(std::move(one.record));
      told.emplace_back(std::move(one.committed), Sequence{records_.size()});
    }
    waiting_.clear();
  }
  for (auto& [committed, sequence] : told) committed(sequence);
  if (!told.empty() && listener_) listener_(told.back().second);
  return told.size();
}

void MemoryLog::lose_waiting() {
  const std::lock_guard lock(mutex_);
  waiting_.clear();
}

void MemoryLog::set_disk_low(bool low) {
  const std::lock_guard lock(mutex_);
  disk_low_ = low;
}

void MemoryLog::break_store() {
  std::deque<Waiting> waiting;
  {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    waiting = std::exchange(waiting_, {});
  }
  for (auto& one : waiting) one.committed(store_failed());
}

}  // namespace resultsync::store
