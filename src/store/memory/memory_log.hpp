// The event log as a model: records in memory, committed at once or when a simulation says so. It keeps the contract of
// EventLog and forgets everything when it is destroyed. Thread-safe, and deterministic when used from one thread.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "store/event_log.hpp"

namespace resultsync::store {

class MemoryLog final : public EventLog {
 public:
  enum class Commits : std::uint8_t { kAtOnce, kWhenTold };
  struct Options {
    Commits commits = Commits::kAtOnce;
    std::size_t queue_records_max = 65'536;
    std::string id = "memory";
  };

  MemoryLog() : MemoryLog(Options{}) {}
  explicit MemoryLog(Options options) : options_(std::move(options)) {}

  void append(Record record, Committed committed) override;
  [[nodiscard]] Result<std::vector<StoredRecord>> read(Sequence after, ReadLimits limits) const override;
  [[nodiscard]] Result<StoredRecord> at(Sequence sequence) const override;
  [[nodiscard]] std::vector<StoredRecord> some_of(std::span<const Sequence> records,
                                                  std::size_t bytes_max) const override;
  [[nodiscard]] Sequence end() const override;
  [[nodiscard]] std::string id() const override { return options_.id; }
  void on_commit(std::function<void(Sequence)> listener) override { listener_ = std::move(listener); }

  // Commits what waits, as one group, and tells everybody on this thread. Returns how many.
  std::size_t commit();
  // What waits is lost, as in a power cut: nobody is told.
  void lose_waiting();
  // Refuses every later append with `disk_low` until told otherwise.
  void set_disk_low(bool low);
  // As after a failed sync: everybody who waits gets `store_failed`, and so does whoever comes later.
  void break_store();

 private:
  struct Waiting {
    Record record;
    Committed committed;
  };

  const Options options_;
  std::function<void(Sequence)> listener_;
  mutable std::mutex mutex_;
  std::vector<Record> records_;  // the rest is guarded by mutex_
  std::deque<Waiting> waiting_;
  bool disk_low_ = false;
  bool broken_ = false;
};

}  // namespace resultsync::store
