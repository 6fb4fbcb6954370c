#include "store/log/segment_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/log.hpp"
#include "runtime/threads.hpp"
#include "store/log/directory.hpp"
#include "store/log/new_segment.hpp"
#include "store/log/payload.hpp"

namespace resultsync::store {

using log::Disk;
using log::FrameHeader;
using log::FrameKind;
using log::SegmentReader;

namespace {

std::unexpected<Error> store_failed() {
  return fail("store_failed",
              "the event log failed and has stopped; whether this record was kept will be known after a restart");
}

}  // namespace

Result<std::unique_ptr<SegmentLog>> SegmentLog::open(SegmentLogOptions options, runtime::MasterKey master,
                                                     const runtime::Clock& clock) {
  static Disk machine_disk;
  return open(std::move(options), std::move(master), clock, machine_disk);
}

Result<std::unique_ptr<SegmentLog>> SegmentLog::open(SegmentLogOptions options, runtime::MasterKey master,
                                                     const runtime::Clock& clock, Disk& disk) {
  const std::string directory = log::log_directory(options.data_dir);
  if (auto made = runtime::make_directories(directory); !made) return forward_error(std::move(made));
  // The entry of the new directory in its parent has to be on disk too.
  if (auto synced = disk.sync_directory(options.data_dir); !synced) return forward_error(std::move(synced));
  auto lock = runtime::DirectoryLock::take(directory);
  if (!lock) return forward_error(std::move(lock));
  auto opened = log::recover(directory, master, clock.now(), disk);
  if (!opened) return forward_error(std::move(opened));
  if (opened->dropped_bytes > 0) runtime::log::warning("log.torn_tail_dropped", {{"bytes", opened->dropped_bytes}});

  const auto closed = std::move(opened->closed);
  const auto offsets = std::move(opened->offsets);
  // The constructor is private, which make_unique cannot reach.
  std::unique_ptr<SegmentLog> made(
      new SegmentLog(std::move(options), std::move(master), clock, disk, std::move(*lock), std::move(*opened)));
  if (auto started = made->start(closed, offsets); !started) return forward_error(std::move(started));
  return made;
}

SegmentLog::SegmentLog(SegmentLogOptions options, runtime::MasterKey master, const runtime::Clock& clock, Disk& disk,
                       runtime::DirectoryLock lock, log::OpenedLog opened)
    : options_(std::move(options)),
      master_(std::move(master)),
      clock_(clock),
      disk_(disk),
      lock_(std::move(lock)),
      directory_(log::log_directory(options_.data_dir)),
      log_id_(opened.log_id),
      shelf_(master_, options_.open_segments_max),
      durable_(opened.last.value),
      segment_first_(opened.first),
      file_(std::move(opened.file)),
      sealer_(std::make_unique<log::FrameSealer>(opened.key)),
      position_(opened.position) {
  // Moved records are durable now, but no frame says so yet.
  marked_ = opened.last < opened.first;
  auto reading = runtime::File::open_read(file_.path());
  if (reading) reader_ = std::make_shared<SegmentReader>(std::move(*reading), std::move(opened.key), segment_first_);
}

Result<void> SegmentLog::start(const std::vector<log::SegmentFile>& closed, const std::vector<std::uint64_t>& offsets) {
  if (!reader_) return fail("io_error", fmt::format("cannot open {}", file_.path()));
  for (const auto& segment : closed) shelf_.add_closed(segment.first, segment.path);
  for (std::size_t i = 0; i < offsets.size(); ++i) reader_->note({segment_first_.value + i}, offsets[i]);
  shelf_.add_active(segment_first_, file_.path(), reader_);
  space_ = std::make_unique<log::SpaceAhead>(log::SpaceOptions{.directory = directory_,
                                                               .segment_bytes = options_.segment_bytes,
                                                               .ahead_bytes = options_.ahead_bytes,
                                                               .free_bytes_min = options_.free_bytes_min,
                                                               .check_every = options_.space_check_every},
                                             disk_, [this] {
                                               const std::lock_guard lock(queue_mutex_);
                                               queue_changed_.notify_one();
                                             });
  if (auto followed = space_->follow(file_.path(), position_, position_); !followed) return followed;
  writer_ = runtime::start_thread("log-writer", [this](const std::stop_token&) { write_batches(); });
  return {};
}

SegmentLog::~SegmentLog() {
  close();
}

void SegmentLog::close() {
  {
    const std::lock_guard lock(queue_mutex_);
    closing_ = true;
  }
  queue_changed_.notify_one();
  if (writer_.joinable()) writer_.join();
  if (space_) space_->stop();
}

void SegmentLog::on_commit(std::function<void(Sequence)> listener) {
  listener_ = std::move(listener);
}

void SegmentLog::append(Record record, Committed committed) {
  if (auto accepted = check_accepts(record); !accepted) return committed(std::unexpected(accepted.error()));
  auto payload = log::encode_payload(record);
  if (!payload) return committed(std::unexpected(payload.error()));
  const bool hurried = group_records_.load(std::memory_order_relaxed) >= options_.hurried_records;
  log::Encoded encoded =
      hurried ? log::compress_with(log::Codec::kNone, std::move(*payload)) : log::compress(std::move(*payload));

  Result<Sequence> refusal;
  {
    const std::lock_guard lock(queue_mutex_);
    const std::size_t bytes = encoded.bytes.size();
    // Under the lock: the writer sets failed_ before it empties the queue for the last time, so nothing is left waiting
    // there.
    if (failed_) {
      refusal = store_failed();
    } else if (closing_) {
      refusal = fail("stopped", "the event log is stopping");
    } else if (queue_.size() >= options_.queue_records_max ||
               (!queue_.empty() && queue_bytes_ + bytes > options_.queue_bytes_max)) {
      refusal = fail("overloaded", "more records wait to be written than the event log takes");
    } else {
      queue_.push_back({std::move(encoded), FrameKind::kRecord, std::move(committed)});
      queue_bytes_ += bytes;
      queue_changed_.notify_one();
      return;
    }
  }
  committed(std::move(refusal));
}

Result<void> SegmentLog::check_accepts(const Record& record) const {
  if (failed_) return store_failed();
  if (space_->disk_low()) return fail("disk_low", "the disk that holds the event log is nearly full");
  if (record.same_body_as > end())
    return fail("bad_reference", "the record refers to the body of one that is not committed");
  return {};
}

Result<std::vector<StoredRecord>> SegmentLog::read(Sequence after, ReadLimits limits) const {
  std::vector<StoredRecord> records;
  const Sequence last = end();
  log::ReadBudget budget{.left = limits};
  Sequence next = after.next();
  while (next <= last && budget.left.records_max > 0) {
    const auto segment = shelf_.find(next);
    if (!segment) return std::unexpected(segment.error());
    const Sequence through = std::min(last, segment->last_possible);
    const auto got = segment->reader->read(next, through, budget, records);
    // What was read before the fault is whole: it is given, and the fault will be the answer to the next call.
    if (!got && records.empty()) return std::unexpected(got.error());
    if (!got || records.empty() || records.back().sequence != through) break;
    next = through.next();
  }
  return records;
}

Result<StoredRecord> SegmentLog::at(Sequence sequence) const {
  const auto one = [this](Sequence wanted) -> Result<StoredRecord> {
    if (wanted.value == 0 || wanted > end())
      return fail("not_found", fmt::format("the event log has no record {}", wanted.value));
    auto records = read({wanted.value - 1}, {.records_max = 1, .body_bytes_max = 0});
    if (!records) return forward_error(std::move(records));
    return std::move(records->front());
  };
  auto found = one(sequence);
  if (!found || found->record.same_body_as.value == 0) return found;
  const Sequence original = found->record.same_body_as;
  auto holder =
      original < sequence ? one(original) : Result<StoredRecord>(fail("corrupt_record", "a reference forward"));
  if (!holder) return holder;
  if (holder->record.same_body_as.value != 0 || holder->record.body_sha256 != found->record.body_sha256) {
    return fail("corrupt_record", fmt::format("record {} refers to record {} for a body that is not there",
                                              sequence.value, original.value));
  }
  found->record.body = std::move(holder->record.body);
  return found;
}

std::vector<StoredRecord> SegmentLog::some_of(std::span<const Sequence> records, std::size_t bytes_max) const {
  for (const Sequence record : records) {
    if (record.value == 0 || record > end()) continue;
    if (const auto segment = shelf_.find(record)) segment->reader->fetch_ahead(record);
  }
  std::vector<StoredRecord> found;
  for (const Sequence record : records) {
    auto stored = at(record);
    if (!stored) continue;
    if (stored->record.body.size() > bytes_max) break;
    bytes_max -= stored->record.body.size();
    found.push_back(std::move(*stored));
  }
  return found;
}

void SegmentLog::write_batches() {
  Batch batch;
  while (!failed_ && take_batch(batch)) {
    if (batch.empty()) {
      write_mark();
    } else {
      commit(std::exchange(batch, {}));
    }
  }
  if (failed_) return;
  write_mark();
  // Only so that the mark, which claims nothing that is not so, is there after a power cut too.
  if (!failed_) static_cast<void>(disk_.sync(file_));
}

// Waits for work. True with an empty batch: the log is idle and a mark is due. False: closed and drained, or stopped
// for good.
bool SegmentLog::take_batch(Batch& batch) {
  std::unique_lock lock(queue_mutex_);
  const auto something = [this] { return !queue_.empty() || closing_ || space_->failure(); };
  if (marked_) {
    queue_changed_.wait(lock, something);
  } else if (!queue_changed_.wait_for(lock, options_.idle_mark_after, something)) {
    return true;
  }
  if (const auto failure = space_->failure()) {
    lock.unlock();
    stop_for_good(*failure, batch);
    return false;
  }
  std::size_t bytes = 0;
  while (!queue_.empty() &&
         (batch.empty() || bytes + queue_.front().payload.bytes.size() <= options_.batch_bytes_max)) {
    bytes += queue_.front().payload.bytes.size();
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  queue_bytes_ -= bytes;
  group_records_.store(batch.size(), std::memory_order_relaxed);
  return !batch.empty();
}

// I1: nobody is told before the sync that covers the record has returned.
void SegmentLog::commit(Batch batch) {
  while (!batch.empty()) {
    std::uint64_t end = position_;
    const std::size_t count = count_that_fit(batch, end);
    if (count == 0) {
      const auto rotated = rotate();
      if (!rotated) return stop_for_good(rotated.error(), batch);
      if (*rotated) continue;
      return refuse(batch, "disk_low", "the disk that holds the event log is full");
    }
    // Nothing of these has been written or sealed yet, so they may still be refused.
    if (space_->disk_full() && !space_->has_space(end)) {
      return refuse(batch, "disk_low", "the disk that holds the event log is full");
    }
    if (auto durable = write_and_sync(batch, count, end); !durable) return stop_for_good(durable.error(), batch);
    publish(batch, count);
  }
}

// How many from the front go into this segment; at least one goes into an empty segment, however long it is.
std::size_t SegmentLog::count_that_fit(const Batch& batch, std::uint64_t& end) const {
  std::size_t count = 0;
  bool empty_segment = position_ == log::kSegmentHeaderBytes;
  for (const auto& waiting : batch) {
    const std::uint64_t next_end = end + log::sealed_frame_bytes(waiting.payload.bytes.size());
    if (next_end > options_.segment_bytes && !empty_segment) break;
    empty_segment = false;
    end = next_end;
    ++count;
  }
  return count;
}

Result<void> SegmentLog::write_and_sync(const Batch& batch, std::size_t count, std::uint64_t end) {
  using std::chrono::steady_clock;
  buffer_.clear();
  batch_offsets_.clear();
  const Sequence durable{durable_.load(std::memory_order_relaxed)};
  Sequence sequence = durable;
  for (std::size_t i = 0; i < count; ++i) {
    sequence = sequence.next();
    batch_offsets_.push_back(position_ + buffer_.size());
    const auto& waiting = batch[i];
    sealer_->append(
        {.kind = waiting.kind, .codec = waiting.payload.codec, .sequence = sequence, .durable_through = durable},
        waiting.payload.bytes, buffer_);
  }
  const auto sealed = steady_clock::now();
  space_->reserve(end);
  if (auto written = disk_.write(file_, position_, buffer_); !written) return written;
  const auto written_at = steady_clock::now();
  if (auto synced = disk_.sync(file_); !synced) return synced;
  position_ = end;
  if (options_.on_batch)
    options_.on_batch({count, buffer_.size(), written_at - sealed, steady_clock::now() - written_at});
  constexpr std::size_t kKeptBufferBytes = std::size_t{16} * 1024 * 1024;
  if (buffer_.capacity() > kKeptBufferBytes) std::string().swap(buffer_);
  return {};
}

void SegmentLog::publish(Batch& batch, std::size_t count) {
  std::uint64_t sequence = durable_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < count; ++i) reader_->note({sequence + 1 + i}, batch_offsets_[i]);
  durable_.store(sequence + count, std::memory_order_release);
  marked_ = false;
  for (std::size_t i = 0; i < count; ++i) {
    batch.front().committed(Sequence{++sequence});
    batch.pop_front();
  }
  if (listener_) listener_({sequence});
}

// False: no space for another segment; the log is as it was.
// Everything in the old segment is durable here: commit() writes and syncs a part of a batch before it asks for a new
// segment.
Result<bool> SegmentLog::rotate() {
  const Sequence first = end().next();
  log::SegmentPlan plan = log::plan_segment(log_id_, first, segment_first_, clock_.now(), master_);
  auto spare = space_->take_spare();
  std::uint64_t zeroed_to = 0;
  runtime::File draft;
  if (spare) {
    draft = std::move(spare->file);
    zeroed_to = spare->zeroed_to;
  } else {
    auto created = disk_.create(log::in_directory(directory_, log::kOpenDraft));
    if (!created) {
      if (created.error().code != "disk_full") return std::unexpected(created.error());
      space_->say_full();
      return false;
    }
    draft = std::move(*created);
  }
  if (auto written = disk_.write(draft, 0, log::encode_segment_header(plan.header)); !written) {
    if (written.error().code != "disk_full") return std::unexpected(written.error());
    space_->say_full();
    return false;
  }
  auto published = log::publish_segment(disk_, std::move(draft), directory_, first);
  if (!published) return std::unexpected(published.error());
  auto reading = runtime::File::open_read(published->path());
  if (!reading) return std::unexpected(reading.error());

  file_ = std::move(*published);
  segment_first_ = first;
  position_ = log::kSegmentHeaderBytes;
  sealer_ = std::make_unique<log::FrameSealer>(plan.key);
  reader_ = std::make_shared<SegmentReader>(std::move(*reading), std::move(plan.key), first);
  shelf_.add_active(first, file_.path(), reader_);
  marked_ = true;  // the new segment's first sequence says it
  if (auto followed = space_->follow(file_.path(), position_, zeroed_to); !followed)
    return std::unexpected(followed.error());
  return true;
}

// Not synced, and not needed for any promise: it makes later damage to the last records visible (docs/formats/log.md).
void SegmentLog::write_mark() {
  if (marked_) return;
  marked_ = true;
  const Sequence durable = end();
  const std::string mark = log::encode_frame(
      {.kind = FrameKind::kMark, .codec = log::Codec::kNone, .sequence = durable, .durable_through = durable}, {});
  if (!space_->has_space(position_ + mark.size()) && space_->disk_low()) return;
  space_->reserve(position_ + mark.size());
  if (auto written = disk_.write(file_, position_, mark); !written) {
    Batch nobody;
    return stop_for_good(written.error(), nobody);
  }
  position_ += mark.size();
}

void SegmentLog::refuse(Batch& batch, std::string_view code, const std::string& message) {
  for (auto& waiting : batch) waiting.committed(fail(code, message));
  batch.clear();
}

// Fail-stop. Told in order: those of this batch, those that waited, then the process.
void SegmentLog::stop_for_good(const Error& cause, Batch& batch) {
  Batch waiting;
  {
    const std::lock_guard lock(queue_mutex_);
    failed_ = true;
    waiting = std::exchange(queue_, {});
    queue_bytes_ = 0;
  }
  runtime::log::error("log.failed", {{"code", cause.code}, {"cause", cause.cause}});
  for (Batch* told : {&batch, &waiting}) {
    for (auto& one : *told) one.committed(store_failed());
    told->clear();
  }
  if (options_.on_failure) options_.on_failure(cause);
}

}  // namespace resultsync::store
