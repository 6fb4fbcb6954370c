// Makes space before the writer needs it: a thread that writes zeros ahead of the write position and syncs them, gets
// the next segment's file ready, and keeps an eye on the free space. fdatasync of blocks that were written before need
// not commit the file system's metadata, which makes it about three times as fast; preallocation alone does not (its
// extents still have to be converted).
//
// What it cannot do in time is not waited for: the writer then simply appends.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "base/result.hpp"
#include "runtime/file.hpp"
#include "store/log/disk.hpp"

namespace resultsync::store::log {

struct SpaceOptions {
  std::string directory;
  std::uint64_t segment_bytes = 0;
  std::uint64_t ahead_bytes = 0;
  std::uint64_t free_bytes_min = 0;
  std::chrono::milliseconds check_every{1000};
};

class SpaceAhead {
 public:
  // `wake` is called on this object's thread when failure() has become set. `disk` must outlive this object.
  SpaceAhead(SpaceOptions options, Disk& disk, std::function<void()> wake);
  ~SpaceAhead();
  // Ends the thread; what it made ready stays.
  void stop();

  // --- for the writer's thread
  // From now on: the segment at `path`, written up to `position`, with zeros on disk up to `zeroed_to`.
  Result<void> follow(const std::string& path, std::uint64_t position, std::uint64_t zeroed_to);
  // Before writing up to `end`. Waits while zeros are being written just there (at most one piece of 1 MiB, into the
  // page cache).
  void reserve(std::uint64_t end);
  // The space up to `end` is on disk: writing there cannot fail for lack of it.
  [[nodiscard]] bool has_space(std::uint64_t end) const;

  struct Spare {
    runtime::File file;  // <directory>/spare.tmp
    std::uint64_t zeroed_to = 0;
  };
  // Given away until the next follow(): its file still has the spare's name till then, so no other one is made.
  std::optional<Spare> take_spare();

  // --- for any thread
  // Less is free than free_bytes_min, or the disk was full when last asked for space.
  [[nodiscard]] bool disk_low() const {
    return low_.load(std::memory_order_relaxed) || full_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool disk_full() const { return full_.load(std::memory_order_relaxed); }
  // The writer found the disk full; cleared when space could be made again.
  void say_full();
  // A write or sync failed otherwise: the same disk holds the records, so the log must stop (fail-stop).
  [[nodiscard]] std::optional<Error> failure() const;

 private:
  using Lock = std::unique_lock<std::mutex>;
  void work(const std::stop_token& stop);
  void check_free_space();
  [[nodiscard]] bool wants_zeros() const;
  [[nodiscard]] bool wants_spare() const;
  void write_zeros(Lock& lock);
  void make_spare(Lock& lock);
  void note_result(Lock& lock, const Result<void>& result);

  const SpaceOptions options_;
  Disk& disk_;
  const std::function<void()> wake_;
  std::atomic<bool> low_ = false;
  std::atomic<bool> full_ = false;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;    // something to do for the thread
  std::condition_variable piece_written_;  // for reserve()
  // The rest is guarded by mutex_.
  std::shared_ptr<runtime::File>
      file_;  // a descriptor of its own; shared with a round of write_zeros() that outlasts a rotation
  std::uint64_t segment_number_ = 0;  // counts follow()
  std::uint64_t written_ = 0;         // the writer is here, or about to be
  std::uint64_t zeros_written_ = 0;
  std::uint64_t zeros_synced_ = 0;
  std::uint64_t claimed_from_ = 0;  // a piece being written just now: [claimed_from_, claimed_to_)
  std::uint64_t claimed_to_ = 0;
  std::optional<Spare> spare_;
  bool spare_taken_ = false;
  std::optional<Error> failure_;

  std::jthread thread_;  // last: uses all of the above
};

}  // namespace resultsync::store::log
