#include "store/log/segment_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "store/log/frame_scanner.hpp"
#include "store/log/payload.hpp"

namespace resultsync::store::log {

using State = DecodedFrame::State;

namespace {

constexpr std::uint64_t kFramesToScan = 16;  // rather than guess once more
constexpr std::size_t kWindowBytesMin = std::size_t{16} * 1024;
constexpr std::size_t kWindowBytesMax = std::size_t{256} * 1024;
// A segment being written is read where it ends, and again and again; of a closed one, of which there may be thousands,
// 512 places make a guess right to a window.
constexpr std::uint64_t kOpenStrideBytes = kWindowBytesMin;
constexpr std::uint64_t kClosedStrideBytes = std::uint64_t{128} * 1024;

bool is_mark(const Result<DecodedFrame>& frame) {
  return frame && frame->state == State::kWhole && frame->header.kind == FrameKind::kMark;
}

// The next whole frame of a record behind the place where the scanner stands, wherever that is.
Result<DecodedFrame> next_record_behind(FrameScanner& scanner) {
  auto frame = scanner.search();
  while (is_mark(frame)) frame = scanner.search();
  return frame;
}

// A place at which a frame may begin, behind the one and before the other.
std::uint64_t inside(const SparseIndex::Between& between, std::uint64_t offset) {
  return std::clamp(offset, between.before.offset + kFrameAlignment, between.behind.offset - kFrameAlignment) /
         kFrameAlignment * kFrameAlignment;
}

// A window's half before the place at which the record stands if all frames between the two are as long.
std::uint64_t guess(Sequence wanted, const SparseIndex::Between& between) {
  const auto& [before, behind] = between;
  const double share = static_cast<double>(wanted.value - before.sequence.value) /
                       static_cast<double>(behind.sequence.value - before.sequence.value);
  const auto step = static_cast<std::uint64_t>(share * static_cast<double>(behind.offset - before.offset));
  return inside(between, before.offset + step - std::min<std::uint64_t>(step, kWindowBytesMin / 2));
}

// Near enough to scan from the one before it rather than guess.
bool is_near(Sequence wanted, const SparseIndex::Between& between) {
  return wanted.value < between.before.sequence.value + kFramesToScan ||
         between.behind.offset - between.before.offset <= kWindowBytesMin;
}

std::uint64_t halfway(const SparseIndex::Between& between) {
  return inside(between, (between.before.offset + between.behind.offset) / 2);
}

}  // namespace

void SparseIndex::note(Place place) {
  const auto after = std::ranges::upper_bound(places_, place.sequence, {}, &Place::sequence);
  const bool is_near_the_next = after != places_.end() && after->offset < place.offset + stride_bytes_;
  const bool is_near_the_last = after != places_.begin() && place.offset < std::prev(after)->offset + stride_bytes_;
  if (!is_near_the_next && !is_near_the_last) places_.insert(after, place);
}

SparseIndex::Between SparseIndex::find(Sequence sequence, Between whole) const {
  const auto after = std::ranges::upper_bound(places_, sequence, {}, &Place::sequence);
  return {.before = after == places_.begin() ? whole.before : *std::prev(after),
          .behind = after == places_.end() ? whole.behind : *after};
}

void SparseIndex::widen_stride_to(std::uint64_t bytes) {
  stride_bytes_ = bytes;
  std::vector<Place> kept;
  for (const Place& place : places_) {
    if (kept.empty() || place.offset >= kept.back().offset + bytes) kept.push_back(place);
  }
  places_ = std::vector<Place>(kept.begin(), kept.end());  // no longer than it has to be
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
  if (auto closed = reader->close(last_possible); !closed) return forward_error(std::move(closed));
  return reader;
}

SegmentReader::SegmentReader(runtime::File file, SegmentKey key, Sequence first)
    : file_(std::move(file)), key_(std::move(key)), first_(first), index_(kOpenStrideBytes) {}

void SegmentReader::note(Sequence sequence, std::uint64_t offset) {
  const std::lock_guard lock(mutex_);
  index_.note({sequence, offset});
}

Result<void> SegmentReader::close(Sequence last_possible) {
  const auto size = file_.size();
  if (!size) return std::unexpected(size.error());
  const std::lock_guard lock(mutex_);
  index_.widen_stride_to(kClosedStrideBytes);
  end_ = SparseIndex::Place{last_possible.next(), *size};
  return {};
}

Result<void> SegmentReader::read(Sequence from, Sequence through, ReadBudget& budget,
                                 std::vector<StoredRecord>& out) const {
  const std::size_t window = std::clamp(budget.left.records_max * 1024, kWindowBytesMin, kWindowBytesMax);
  FrameScanner scanner(file_, kSegmentHeaderBytes, window);
  const auto start = find(from, scanner);
  if (!start) return std::unexpected(start.error());
  scanner.go_to(start->offset);
  FrameOpener opener(key_);
  for (Sequence expected = start->sequence; expected <= through && budget.left.records_max > 0;) {
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

SegmentReader::Known SegmentReader::known_of(Sequence wanted) const {
  const std::lock_guard lock(mutex_);
  return {.between = index_.find(
              wanted, {.before = {first_, kSegmentHeaderBytes}, .behind = end_.value_or(SparseIndex::Place{})}),
          .is_closed = end_.has_value()};
}

// A place at or before the record, not many frames away from it. Frames stand in the order of their numbers, each at a
// multiple of 16, and are known by their checksums; behind the last one may stand zeros.
Result<SparseIndex::Place> SegmentReader::find(Sequence wanted, FrameScanner& scanner) const {
  auto [between, is_closed] = known_of(wanted);
  auto& [before, behind] = between;
  if (!is_closed) return before;
  // Guessing by the numbers comes near at once where frames are of like sizes; halving bounds it where they are not.
  for (int guesses = 0; !is_near(wanted, between); ++guesses) {
    const std::uint64_t offset = guesses % 2 == 0 ? guess(wanted, between) : halfway(between);
    scanner.go_to(offset - kFrameAlignment);
    const auto frame = next_record_behind(scanner);
    if (!frame) return std::unexpected(frame.error());
    const bool is_ours = frame->state == State::kWhole && frame->header.sequence > before.sequence &&
                         frame->header.sequence < behind.sequence;
    if (is_ours) {
      const std::lock_guard lock(mutex_);
      index_.note({frame->header.sequence, scanner.offset()});
    }
    if (is_ours && frame->header.sequence <= wanted) {
      before = {frame->header.sequence, scanner.offset()};
    } else {
      behind = {is_ours ? frame->header.sequence : behind.sequence, offset};
    }
  }
  return before;
}

void SegmentReader::fetch_ahead(Sequence sequence) const {
  const auto [between, is_closed] = known_of(sequence);
  if (!is_closed) return;  // written a moment ago
  const std::uint64_t offset = is_near(sequence, between) ? between.before.offset : guess(sequence, between);
  file_.fetch_ahead(offset, 2 * kWindowBytesMin);
}

}  // namespace resultsync::store::log
