// The event log of the embedded store: append-only segment files with group commit. docs/formats/log.md describes the
// files.
//
//   append() compresses on the caller's thread and queues; the writer's thread takes all that waits, seals it, writes
//   it in one go, makes it durable with one fdatasync, and tells each caller. There is no delay on purpose: a batch is
//   what arrived during the last sync.
//
// Any error of a write, sync or rename on that way stops the log for good (fail-stop): after a failed fdatasync the
// kernel may have dropped the data and says "fine" to the next one. A full disk is foreseen instead, and answered
// `disk_low`.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runtime/clock.hpp"
#include "runtime/file.hpp"
#include "runtime/keys.hpp"
#include "store/event_log.hpp"
#include "store/log/codec.hpp"
#include "store/log/disk.hpp"
#include "store/log/recovery.hpp"
#include "store/log/segment_key.hpp"
#include "store/log/shelf.hpp"
#include "store/log/space_ahead.hpp"

namespace resultsync::store {

struct SegmentLogOptions {
  std::string data_dir;  // the log is <data_dir>/log
  std::uint64_t segment_bytes =
      std::uint64_t{64} * 1024 * 1024;  // a segment is closed before it grows beyond; a larger record has one alone
  std::uint64_t ahead_bytes = std::uint64_t{8} * 1024 * 1024;  // zeros kept ready before the write position
  std::uint64_t free_bytes_min =
      std::uint64_t{256} * 1024 * 1024;  // with less than this free, appends are refused (`disk_low`)
  std::chrono::milliseconds space_check_every{1000};
  std::size_t queue_records_max = 65'536;  // waiting for the writer; beyond: `overloaded`
  std::size_t queue_bytes_max = std::size_t{64} * 1024 * 1024;
  // Compressing a record costs more processor time than all else on its way to the disk. Once a group commit holds this
  // many, processors are what is short, and records are stored as they are until groups are smaller again.
  std::size_t hurried_records = 8;
  std::size_t batch_bytes_max = std::size_t{8} * 1024 * 1024;  // written at once
  std::size_t open_segments_max = 512;  // closed segments kept open for readers, at a descriptor and 8 KiB each
  std::chrono::milliseconds idle_mark_after{200};  // then a mark says how far the log is durable

  // Called once, on the log's thread, when the log has stopped taking records for good; the process should end.
  std::function<void(const Error&)> on_failure = {};
  // How long a group commit took, for metrics; called on the log's thread.
  struct Commit {
    std::size_t records = 0;
    std::size_t bytes = 0;
    std::chrono::nanoseconds write{};
    std::chrono::nanoseconds sync{};
  };
  std::function<void(const Commit&)> on_batch = {};
};

class SegmentLog final : public EventLog {
 public:
  // Opens the log, or begins a new one; when it returns, every record that can be read is on disk. Blocks; reads only
  // the last segment. Errors: `locked`, `foreign_file`, `foreign_segment`, `missing_segment`, `corrupt_segment`,
  // `corrupt_record`, `newer_format`, `not_a_segment`, `wrong_master_key`, `disk_full`, `permission_denied`,
  // `io_error`. `disk` is for tests; the clock and the disk must outlive the log.
  static Result<std::unique_ptr<SegmentLog>> open(SegmentLogOptions options, runtime::MasterKey master,
                                                  const runtime::Clock& clock);
  static Result<std::unique_ptr<SegmentLog>> open(SegmentLogOptions options, runtime::MasterKey master,
                                                  const runtime::Clock& clock, log::Disk& disk);
  ~SegmentLog() override;  // close()

  // A refusal (`overloaded`, `disk_low`, `stopped`, `too_large`, `bad_record`, `bad_reference`: same_body_as is not
  // committed) is told at once, on the calling thread.
  void append(Record record, Committed committed) override;
  [[nodiscard]] Result<std::vector<StoredRecord>> read(Sequence after, ReadLimits limits) const override;
  [[nodiscard]] Result<StoredRecord> at(Sequence sequence) const override;
  // The disk fetches what they need at the same time.
  [[nodiscard]] std::vector<StoredRecord> some_of(std::span<const Sequence> records,
                                                  std::size_t bytes_max) const override;
  [[nodiscard]] Sequence end() const override { return {durable_.load(std::memory_order_acquire)}; }
  [[nodiscard]] std::string id() const override { return log_id_.hex(); }
  void on_commit(std::function<void(Sequence)> listener) override;

  void close() override;  // and says in a last mark how far the log is durable

 private:
  struct Waiting {
    log::Encoded payload;
    log::FrameKind kind = log::FrameKind::kRecord;
    Committed committed;
  };
  using Batch = std::deque<Waiting>;

  SegmentLog(SegmentLogOptions options, runtime::MasterKey master, const runtime::Clock& clock, log::Disk& disk,
             runtime::DirectoryLock lock, log::OpenedLog opened);
  Result<void> start(const std::vector<log::SegmentFile>& closed, const std::vector<std::uint64_t>& offsets);

  [[nodiscard]] Result<void> check_accepts(const Record& record) const;

  // On the writer's thread.
  void write_batches();
  bool take_batch(Batch& batch);
  void commit(Batch batch);
  [[nodiscard]] std::size_t count_that_fit(const Batch& batch, std::uint64_t& end) const;
  Result<void> write_and_sync(const Batch& batch, std::size_t count, std::uint64_t end);
  void publish(Batch& batch, std::size_t count);
  Result<bool> rotate();
  void write_mark();
  void refuse(Batch& batch, std::string_view code, const std::string& message);
  void stop_for_good(const Error& cause, Batch& batch);

  const SegmentLogOptions options_;
  const runtime::MasterKey master_;
  const runtime::Clock& clock_;
  log::Disk& disk_;
  const runtime::DirectoryLock lock_;
  const std::string directory_;
  const log::LogId log_id_;

  mutable log::Shelf shelf_;
  std::atomic<std::uint64_t> durable_;  // committed; what readers may see
  std::atomic<bool> failed_ = false;    // set once, by the writer
  std::function<void(Sequence)> listener_;

  std::mutex queue_mutex_;
  std::condition_variable queue_changed_;
  Batch queue_;                                // guarded by queue_mutex_
  std::size_t queue_bytes_ = 0;                // guarded by queue_mutex_
  bool closing_ = false;                       // guarded by queue_mutex_
  std::atomic<std::size_t> group_records_{0};  // of the group commit in hand

  // Of the segment being written; the writer's thread owns them.
  Sequence segment_first_;
  runtime::File file_;
  std::unique_ptr<log::FrameSealer> sealer_;
  std::shared_ptr<log::SegmentReader> reader_;  // shared with the shelf and with whoever reads from it
  std::uint64_t position_;
  std::string buffer_;
  std::vector<std::uint64_t> batch_offsets_;
  bool marked_ = true;  // nothing was committed since the last mark

  std::unique_ptr<log::SpaceAhead> space_;
  std::jthread writer_;  // last: uses all of the above
};

}  // namespace resultsync::store
