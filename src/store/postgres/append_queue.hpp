// What waits to be written to the log: records in the order in which they were appended, gathered into blocks. A block
// that is full is compressed by whoever came next, on that thread, while the writer waits for the database; so the
// writer finds most of its work done. Thread-safe: any number of threads add, one takes.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/event_log.hpp"
#include "store/log/codec.hpp"

namespace resultsync::store::postgres {

// Payloads in a block are no longer than this together: one of them is read by opening all of them, and that should
// stay cheaper than asking for the row. A longer payload is a block of its own.
inline constexpr std::size_t kBlockBytesMax = std::size_t{32} * 1024;

// Records that may become one row.
struct Block {
  std::string payloads;                      // log::append_to_block(); empty where one long one was compressed at once
  std::vector<EventLog::Committed> waiting;  // one for each record
  std::optional<log::Encoded> compressed;    // as a block, or, of one record, as that; nothing: the writer's to do
  bool is_being_compressed = false;          // guarded by the queue's mutex
  [[nodiscard]] std::size_t bytes() const { return payloads.empty() ? compressed->bytes.size() : payloads.size(); }
};
using Blocks = std::deque<std::unique_ptr<Block>>;

std::size_t records_in(const Blocks& blocks);
// Fills in `compressed`.
void compress(Block& block);

class AppendQueue {
 public:
  AppendQueue(std::size_t records_max, std::size_t bytes_max) : records_max_(records_max), bytes_max_(bytes_max) {}

  // Takes `committed` only if it takes the record. Errors: `overloaded`; `stopped`, after close().
  Result<void> add(const std::string& payload, EventLog::Committed& committed);

  // Waits for something to take, for `at_most`; true if there is, or if the queue was closed.
  bool wait(std::chrono::milliseconds at_most);
  [[nodiscard]] bool empty() const;
  // What waits, in order, up to so many bytes; at least one block if there is any.
  Blocks take(std::size_t bytes_max);

  void close();  // nothing more is taken in; what is there can still be taken
  // Waits, and ends early when the queue is closed: then false.
  bool pause(std::chrono::milliseconds how_long);

 private:
  const std::size_t records_max_;
  const std::size_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Blocks blocks_;            // guarded by mutex_; the last one may grow
  std::size_t records_ = 0;  // guarded by mutex_
  std::size_t bytes_ = 0;    // guarded by mutex_
  bool closed_ = false;      // guarded by mutex_
};

}  // namespace resultsync::store::postgres
