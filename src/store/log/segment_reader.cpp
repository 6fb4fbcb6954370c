#include "store/log/segment_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "store/log/frame_scanner.hpp"
#include "store/log/payload.hpp"
#include "store/log/segment_walk.hpp"

namespace resultsync::store::log {

using State = DecodedFrame::State;

namespace {

constexpr std::uint64_t kIndexStride = 16;
constexpr std::size_t kWindowBytesMin = std::size_t{16} * 1024;
constexpr std::size_t kWindowBytesMax = std::size_t{256} * 1024;

}  // namespace

void SparseIndex::note(Sequence sequence, std::uint64_t offset) {
  if (places_.empty() || sequence.value >= places_.back().sequence.value + kIndexStride)
    places_.push_back({sequence, offset});
}

SparseIndex::Place SparseIndex::find(Sequence sequence, Place otherwise) const {
  const auto after = std::ranges::upper_bound(places_, sequence, {}, &Place::sequence);
  return after == places_.begin() ? otherwise : *std::prev(after);
}

bool ReadBudget::take(std::size_t body_bytes) {
  if (left.records_max == 0 || (!nothing_yet && body_bytes > left.body_bytes_max)) return false;
  nothing_yet = false;
  left.records_max -= 1;
  left.body_bytes_max -= std::min(body_bytes, left.body_bytes_max);
  return true;
}

std::unexpected<Error> corrupt_record(const std::string& path, std::uint64_t offset, Sequence sequence,
                                      std::string cause) {
  if (cause.empty()) cause = "restore the file from a backup, or look with: resultsync log verify";
  return fail("corrupt_record", fmt::format("record {} is damaged ({}, offset {})", sequence.value, path, offset),
              std::move(cause));
}

Result<Record> open_record(FrameOpener& opener, const DecodedFrame& frame, const std::string& path,
                           std::uint64_t offset) {
  const Sequence sequence = frame.header.sequence;
  auto payload = opener.payload(frame);
  if (!payload) return corrupt_record(path, offset, sequence, payload.error().text());
  if (frame.header.kind == FrameKind::kTombstone) {
    const auto tombstone = decode_tombstone(*payload);
    if (!tombstone) return corrupt_record(path, offset, sequence, tombstone.error().text());
    return fail("erased", fmt::format("record {} was erased", sequence.value), tombstone->reason);
  }
  auto record = decode_payload(*payload);
  if (!record) return corrupt_record(path, offset, sequence, record.error().text());
  return record;
}

Result<std::shared_ptr<SegmentReader>> SegmentReader::open_closed(const std::string& path, Sequence last_possible,
                                                                  const runtime::MasterKey& master) {
  auto file = runtime::File::open_read(path);
  if (!file) return forward_error(std::move(file));
  const auto start = file->read_at(0, kSegmentHeaderBytes);
  if (!start) return std::unexpected(start.error());
  const auto header = decode_segment_header(*start);
  if (!header)
    return fail(header.error().code, fmt::format("{}: {}", path, header.error().message), header.error().cause);
  auto key = unwrap_segment_key(*header, master);
  if (!key) return fail(key.error().code, fmt::format("{}: {}", path, key.error().message), key.error().cause);
  auto reader = std::make_shared<SegmentReader>(std::move(*file), std::move(*key), header->first);
  reader->last_possible_ = last_possible;
  reader->indexed_ = false;
  return reader;
}

SegmentReader::SegmentReader(runtime::File file, SegmentKey key, Sequence first)
    : file_(std::move(file)), key_(std::move(key)), first_(first) {}

void SegmentReader::note(Sequence sequence, std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  index_.note(sequence, offset);
}

Result<void> SegmentReader::read(Sequence from, Sequence through, ReadBudget& budget,
                                 std::vector<StoredRecord>& out) const {
  SparseIndex::Place start;
  {
    const std::lock_guard lock(mutex_);
    if (!indexed_) index_closed();
    start = index_.find(from, {first_, kSegmentHeaderBytes});
  }
  const std::size_t window = std::clamp(budget.left.records_max * 1024, kWindowBytesMin, kWindowBytesMax);
  FrameScanner scanner(file_, start.offset, window);
  FrameOpener opener(key_);
  for (Sequence expected = start.sequence; expected <= through && budget.left.records_max > 0;) {
    auto frame = scanner.next();
    if (!frame) return forward_error(std::move(frame));
    const bool mark = frame->state == State::kWhole && frame->header.kind == FrameKind::kMark;
    if (mark) continue;
    if (frame->state != State::kWhole || frame->header.sequence != expected) {
      return corrupt_record(file_.path(), scanner.offset(), expected);
    }
    if (expected >= from) {
      auto record = open_record(opener, *frame, file_.path(), scanner.offset());
      if (!record) return forward_error(std::move(record));
      if (!budget.take(record->body.size())) return {};
      out.push_back({expected, std::move(*record)});
    }
    expected = expected.next();
  }
  return {};
}

// Past damage too: what is behind it can still be read.
void SegmentReader::index_closed() const {
  bool behind_damage = false;
  const SegmentWalk walk{.on_frame =
                             [&](const DecodedFrame& frame, std::uint64_t offset) {
                               const Sequence sequence = frame.header.sequence;
                               std::exchange(behind_damage, false) ? index_.note_always(sequence, offset)
                                                                   : index_.note(sequence, offset);
                               return true;
                             },
                         .on_damage = [&](Sequence, Sequence, std::uint64_t) { behind_damage = true; }};
  // Where the file cannot be read, whoever reads there is told.
  static_cast<void>(walk_segment(file_, first_, last_possible_, walk));
  indexed_ = true;
}

}  // namespace resultsync::store::log
