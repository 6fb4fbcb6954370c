#include "store/log/recovery.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runtime/log.hpp"
#include "runtime/random.hpp"
#include "store/log/frame_scanner.hpp"
#include "store/log/segment_key.hpp"
#include "store/log/segment_reader.hpp"

namespace resultsync::store::log {

using State = DecodedFrame::State;

namespace {

Result<void> remove_drafts(const std::string& directory) {
  for (const char* name : {kOpenDraft, kSpareDraft}) {
    const std::string path = in_directory(directory, name);
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      return std::unexpected(runtime::file_error(errno, "remove", path));
  }
  return {};
}

// Frames behind a place that is not a whole frame: parts of a batch may reach the disk in any order. They cannot be
// used, but one of them may know that the record at that place was acknowledged.
Result<Sequence> durable_through_behind(FrameScanner& scanner) {
  Sequence durable;
  auto frame = scanner.search();
  for (; frame && frame->state != State::kNothing; frame = scanner.search()) {
    durable = std::max(durable, frame->header.durable_through);
  }
  if (!frame) return forward_error(std::move(frame));
  return durable;
}

LogId random_log_id() {
  LogId id;
  std::ranges::copy(runtime::random_bytes(id.bytes.size()), id.bytes.begin());
  return id;
}

// Seals the records after `tail.durable_through` anew, behind the draft's header.
Result<void> move_records(const SegmentFile& from, const runtime::File& source, const Tail& tail,
                          const runtime::MasterKey& master, Disk& disk, const runtime::File& draft, OpenedLog& opened) {
  constexpr std::size_t kWriteBytes = std::size_t{1024} * 1024;
  const auto key = unwrap_segment_key(from.header, master);
  if (!key) return std::unexpected(key.error());
  FrameOpener opener(*key);
  FrameSealer sealer(opened.key);
  std::string buffer;
  const auto write_out = [&]() -> Result<void> {
    auto written = disk.write(draft, opened.position, buffer);
    opened.position += buffer.size();
    buffer.clear();
    return written;
  };
  for (Sequence sequence = opened.first; sequence <= tail.last; sequence = sequence.next()) {
    const std::uint64_t offset = tail.offsets[sequence.value - from.first.value];
    FrameScanner scanner(source, offset, kFrameHeaderBytes);
    const auto frame = scanner.next();
    if (!frame) return std::unexpected(frame.error());
    if (frame->state != State::kWhole)
      return corrupt_record(from.path, offset, sequence, "it changed while it was read");
    const auto payload = opener.encoded_payload(*frame);
    if (!payload) return corrupt_record(from.path, offset, sequence, payload.error().text());
    opened.offsets.push_back(opened.position + buffer.size());
    FrameHeader header = frame->header;
    header.durable_through = {opened.first.value - 1};
    sealer.append(header, *payload, buffer);
    if (buffer.size() < kWriteBytes) continue;
    if (auto written = write_out(); !written) return written;
  }
  return write_out();
}

// What was moved is of no use any more, nor are zeros made ready. Only saves space: if it fails, readers ignore it all
// the same.
void trim(const SegmentFile& segment, const runtime::File& file, const Tail& tail) {
  const std::uint64_t kept = tail.durable_through.value + 1 - segment.first.value;
  const std::uint64_t end = kept < tail.offsets.size() ? tail.offsets[kept] : tail.end;
  if (::ftruncate(file.descriptor(), static_cast<off_t>(end)) != 0) {
    runtime::log::warning("log.trim_failed", {{"file", segment.path}});
  }
}

}  // namespace

Result<Tail> scan_tail(const runtime::File& file, Sequence first) {
  Tail tail{.last = {first.value - 1}, .durable_through = {first.value - 1}, .offsets = {}, .end = kSegmentHeaderBytes};
  FrameScanner scanner(file, kSegmentHeaderBytes);
  while (true) {
    auto frame = scanner.next();
    if (!frame) return forward_error(std::move(frame));
    if (frame->state != State::kWhole) {
      tail.torn = frame->state == State::kDamaged;
      break;
    }
    const FrameHeader& header = frame->header;
    const bool mark = header.kind == FrameKind::kMark;
    const Sequence expected = mark ? tail.last : tail.last.next();
    // No crash writes a whole frame that does not follow: what stands here was changed.
    if (header.sequence != expected || header.durable_through > tail.last ||
        header.durable_through < tail.durable_through) {
      return corrupt_record(file.path(), scanner.offset(), expected);
    }
    tail.durable_through = header.durable_through;
    if (!mark) {
      tail.last = header.sequence;
      tail.offsets.push_back(scanner.offset());
    }
    tail.end = scanner.next_offset();
  }
  const std::uint64_t torn_at = scanner.offset();
  const auto behind = durable_through_behind(scanner);
  if (!behind) return std::unexpected(behind.error());
  if (*behind > tail.last) return corrupt_record(file.path(), torn_at, tail.last.next());
  tail.durable_through = std::max(tail.durable_through, *behind);
  return tail;
}

Result<OpenedLog> recover(const std::string& directory, const runtime::MasterKey& master, Timestamp now, Disk& disk) {
  auto segments = survey_directory(directory);
  if (!segments) return forward_error(std::move(segments));
  // Before anything is changed: is it the right key?
  for (const auto& segment : *segments) {
    if (auto key = unwrap_segment_key(segment.header, master); !key) {
      return fail(key.error().code, fmt::format("{}: {}", segment.path, key.error().message), key.error().cause);
    }
  }
  if (auto removed = remove_drafts(directory); !removed) return forward_error(std::move(removed));

  Tail tail;
  runtime::File source;
  const SegmentFile* last_segment = segments->empty() ? nullptr : &segments->back();
  if (last_segment != nullptr) {
    auto file = runtime::File::open_read_write(last_segment->path);
    if (!file) return forward_error(std::move(file));
    source = std::move(*file);
    auto scanned = scan_tail(source, last_segment->first);
    if (!scanned) return forward_error(std::move(scanned));
    tail = std::move(*scanned);
  }

  const Sequence first = tail.durable_through.next();
  // A segment of which nothing stays gets a successor of the same name, which replaces it.
  const bool replaces = last_segment != nullptr && last_segment->first == first;
  const Sequence previous = last_segment == nullptr ? Sequence{}
                            : replaces              ? last_segment->header.previous_first
                                                    : last_segment->first;
  SegmentPlan plan = plan_segment(last_segment == nullptr ? random_log_id() : last_segment->header.log_id, first,
                                  previous, now, master);

  auto draft = disk.create(in_directory(directory, kOpenDraft));
  if (!draft) return forward_error(std::move(draft));
  if (auto written = disk.write(*draft, 0, encode_segment_header(plan.header)); !written)
    return forward_error(std::move(written));
  OpenedLog opened{.log_id = plan.header.log_id,
                   .closed = {},
                   .last = tail.last,
                   .file = {},
                   .first = first,
                   .key = std::move(plan.key),
                   .position = kSegmentHeaderBytes,
                   .offsets = {}};
  if (last_segment != nullptr) {
    if (auto moved = move_records(*last_segment, source, tail, master, disk, *draft, opened); !moved)
      return forward_error(std::move(moved));
    if (tail.torn) opened.dropped_bytes = last_segment->bytes - tail.end;
  }
  auto published = publish_segment(disk, std::move(*draft), directory, first);
  if (!published) return forward_error(std::move(published));
  opened.file = std::move(*published);

  if (last_segment != nullptr && !replaces) trim(*last_segment, source, tail);
  if (replaces) segments->pop_back();
  opened.closed = std::move(*segments);
  return opened;
}

}  // namespace resultsync::store::log
