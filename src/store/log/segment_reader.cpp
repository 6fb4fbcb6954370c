#include "store/log/segment_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "store/log/frame_scanner.hpp"
#include "store/log/payload.hpp"

namespace resultsync::store::log {

using State = DecodedFrame::State;

namespace {

constexpr std::uint64_t kIndexStride = 16;
constexpr std::size_t kWindowBytesMin = std::size_t{16} * 1024;
constexpr std::size_t kWindowBytesMax = std::size_t{256} * 1024;

bool is_mark(const Result<DecodedFrame>& frame) {
  return frame && frame->state == State::kWhole && frame->header.kind == FrameKind::kMark;
}

// The next whole frame of a record behind the place where the scanner stands, wherever that is.
Result<DecodedFrame> next_record_behind(FrameScanner& scanner) {
  auto frame = scanner.search();
  while (is_mark(frame)) frame = scanner.search();
  return frame;
}

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
  if (frame.header.kind != FrameKind::kRecord) return corrupt_record(path, offset, sequence);
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
  SparseIndex::Place start{first_, kSegmentHeaderBytes};
  if (last_possible_) {
    auto found = find_in_closed(from);
    if (!found) return forward_error(std::move(found));
    start = *found;
  } else {
    const std::lock_guard lock(mutex_);
    start = index_.find(from, start);
  }
  const std::size_t window = std::clamp(budget.left.records_max * 1024, kWindowBytesMin, kWindowBytesMax);
  FrameScanner scanner(file_, start.offset, window);
  FrameOpener opener(key_);
  for (Sequence expected = start.sequence; expected <= through && budget.left.records_max > 0;) {
    auto frame = scanner.next();
    if (!frame) return forward_error(std::move(frame));
    if (is_mark(frame)) continue;
    if (frame->state != State::kWhole || frame->header.sequence != expected) {
      // Before what is asked for: what is behind the damage can still be read.
      const std::uint64_t place = scanner.offset();
      if (frame->state != State::kWhole) frame = next_record_behind(scanner);
      if (!frame) return forward_error(std::move(frame));
      const Sequence found = frame->header.sequence;
      if (frame->state != State::kWhole || found <= expected || found > from)
        return corrupt_record(file_.path(), place, std::max(expected, from));
      expected = found;
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

// A place at or before the record, not many frames away from it. Frames stand in the order of their numbers, each at a
// multiple of 16, and are known by their checksums; behind the last one may stand zeros.
Result<SparseIndex::Place> SegmentReader::find_in_closed(Sequence wanted) const {
  SparseIndex::Place before{first_, kSegmentHeaderBytes};
  const auto size = file_.size();
  if (!size) return std::unexpected(size.error());
  SparseIndex::Place behind{last_possible_->next(), *size};
  // Guessing by the numbers comes near at once where frames are of like sizes; halving bounds it where they are not.
  for (int guesses = 0; wanted.value >= before.sequence.value + kIndexStride; ++guesses) {
    const std::uint64_t between = behind.offset - before.offset;
    if (between <= kWindowBytesMin) break;
    const double share = guesses % 2 == 0 ? static_cast<double>(wanted.value - before.sequence.value) /
                                                static_cast<double>(behind.sequence.value - before.sequence.value)
                                          : 0.5;
    const auto guess = static_cast<std::uint64_t>(share * static_cast<double>(between));
    const std::uint64_t step = std::clamp<std::uint64_t>(guess - std::min<std::uint64_t>(guess, kWindowBytesMin / 2),
                                                         kFrameAlignment, between - kFrameAlignment);
    const std::uint64_t offset = (before.offset + step) / kFrameAlignment * kFrameAlignment;
    FrameScanner scanner(file_, offset - kFrameAlignment, kWindowBytesMin);
    const auto frame = next_record_behind(scanner);
    if (!frame) return std::unexpected(frame.error());
    const bool is_ours = frame->state == State::kWhole && frame->header.sequence > before.sequence &&
                         frame->header.sequence < behind.sequence;
    if (is_ours && frame->header.sequence <= wanted) {
      before = {frame->header.sequence, scanner.offset()};
    } else {
      behind = {is_ours ? frame->header.sequence : behind.sequence, offset};
    }
  }
  return before;
}

}  // namespace resultsync::store::log
