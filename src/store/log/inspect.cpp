#include "store/log/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/log/segment_key.hpp"
#include "store/log/segment_reader.hpp"
#include "store/log/segment_walk.hpp"

namespace resultsync::store::log {
namespace {

std::optional<Sequence> last_possible(const std::vector<SegmentFile>& segments, std::size_t i) {
  if (i + 1 == segments.size()) return std::nullopt;
  return Sequence{segments[i + 1].first.value - 1};
}

Error damaged(const SegmentFile& segment, std::uint64_t offset, Sequence sequence) {
  return corrupt_record(segment.path, offset, sequence).error();
}

// One segment under verify(): everything that is not right becomes a fault.
class SegmentCheck {
 public:
  SegmentCheck(const SegmentFile& segment, std::vector<Fault>& faults) : segment_(segment), faults_(faults) {
    report_.file = segment;
  }

  SegmentReport run(const runtime::MasterKey& master, std::optional<Sequence> last) {
    const auto key = unwrap_segment_key(segment_.header, master);
    if (!key) return note(0, {}, key.error());
    const auto file = runtime::File::open_read(segment_.path);
    if (!file) return note(0, {}, file.error());
    FrameOpener opener(*key);
    const SegmentWalk walk{.on_frame =
                               [&](const DecodedFrame& frame, std::uint64_t offset) {
                                 check(opener, frame, offset);
                                 return true;
                               },
                           .on_damage =
                               [&](Sequence from, Sequence to, std::uint64_t offset) {
                                 faults_.push_back({segment_.path, offset, from, to, damaged(segment_, offset, from)});
                               }};
    const auto end = walk_segment(*file, segment_.first, last, walk);
    if (!end) return note(0, {}, end.error());
    report_.torn_bytes = end->torn_bytes;
    return report_;
  }

 private:
  void check(FrameOpener& opener, const DecodedFrame& frame, std::uint64_t offset) {
    const Sequence sequence = frame.header.sequence;
    report_.frame_bytes += frame.bytes;
    report_.last = sequence;
    const auto record = open_record(opener, frame, segment_.path, offset);
    if (!record && record.error().code == "erased") {
      ++report_.erased;
      return;
    }
    if (!record) {
      note(offset, sequence, record.error());
      return;
    }
    ++report_.records;
    const bool refers = record->same_body_as.value != 0;
    if (refers && record->same_body_as >= sequence) {
      note(offset, sequence,
           {"bad_reference", fmt::format("record {} refers to a later one for its body", sequence.value)});
    }
    if (!refers && sha256(record->body) != record->body_sha256) {
      note(offset, sequence,
           {"wrong_digest", fmt::format("the body of record {} is not what its SHA-256 says", sequence.value)});
    }
  }

  SegmentReport note(std::uint64_t offset, Sequence sequence, Error error) {
    faults_.push_back({segment_.path, offset, sequence, sequence, std::move(error)});
    return report_;
  }

  const SegmentFile& segment_;
  std::vector<Fault>& faults_;
  SegmentReport report_;
};

// A directory is not listed in one instant: while a running server renames a draft to a segment, that one may be missed
// and a later one be seen. It is there when looked for again.
constexpr int kListings = 5;

Result<std::vector<SegmentFile>> survey_running(const std::string& directory) {
  auto segments = survey_directory(directory);
  for (int i = 1; i < kListings && !segments && segments.error().code == "missing_segment"; ++i)
    segments = survey_directory(directory);
  return segments;
}

bool has_header(const SegmentFile& segment) {
  return segment.header.first.value != 0;
}

// The segments, those with a bad header too, and what is wrong with names and headers.
std::vector<SegmentFile> survey_faulty(const std::string& directory, std::vector<Fault>& faults) {
  auto segments = list_segment_names(directory);
  if (!segments) {
    faults.push_back({directory, 0, {}, {}, segments.error()});
    return {};
  }
  const SegmentFile* before = nullptr;
  for (auto& segment : *segments) {
    const auto read = read_segment_header(segment);
    if (!read) faults.push_back({segment.path, 0, {}, {}, read.error()});
    if (read && before != nullptr && has_header(*before)) {
      if (auto follows = check_neighbours(*before, segment); !follows)
        faults.push_back({segment.path, 0, {}, {}, follows.error()});
    }
    if (read && before == nullptr && segment.header.previous_first.value != 0) {
      faults.push_back(
          {segment.path, 0, {}, {}, {"missing_segment", fmt::format("a segment is missing before {}", segment.path)}});
    }
    before = &segment;
  }
  return std::move(*segments);
}

}  // namespace

Result<std::vector<SegmentLine>> list_segments(const std::string& data_dir) {
  auto segments = survey_running(log_directory(data_dir));
  if (!segments) return forward_error(std::move(segments));
  std::vector<SegmentLine> lines;
  for (std::size_t i = 0; i < segments->size(); ++i) {
    SegmentLine line{(*segments)[i]};
    if (const auto last = last_possible(*segments, i)) {
      line.records = last->value + 1 - line.file.first.value;
    } else {
      const auto file = runtime::File::open_read(line.file.path);
      if (!file) return std::unexpected(file.error());
      const auto end = walk_segment(*file, line.file.first, std::nullopt,
                                    {.on_frame = [](const DecodedFrame&, std::uint64_t) { return true; },
                                     .on_damage = [](Sequence, Sequence, std::uint64_t) {}});
      if (!end) return std::unexpected(end.error());
      line.records = end->next.value - line.file.first.value;
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

Result<void> visit_records(const std::string& data_dir, const runtime::MasterKey& master, Sequence from,
                           Sequence through, const RecordVisitor& visit) {
  const auto segments = survey_running(log_directory(data_dir));
  if (!segments) return std::unexpected(segments.error());
  bool more = true;
  for (std::size_t i = 0; i < segments->size() && more; ++i) {
    const SegmentFile& segment = (*segments)[i];
    const auto last = last_possible(*segments, i);
    if ((last && *last < from) || segment.first > through) continue;
    const auto key = unwrap_segment_key(segment.header, master);
    if (!key)
      return fail(key.error().code, fmt::format("{}: {}", segment.path, key.error().message), key.error().cause);
    const auto file = runtime::File::open_read(segment.path);
    if (!file) return std::unexpected(file.error());
    FrameOpener opener(*key);
    const SegmentWalk walk{
        .on_frame =
            [&](const DecodedFrame& frame, std::uint64_t offset) {
              const Sequence sequence = frame.header.sequence;
              if (sequence < from) return true;
              more = sequence <= through && visit(sequence, open_record(opener, frame, segment.path, offset));
              return more;
            },
        .on_damage =
            [&](Sequence first, Sequence end, std::uint64_t offset) {
              for (Sequence at = std::max(first, from); more && at <= std::min(end, through); at = at.next()) {
                more = visit(at, std::unexpected(damaged(segment, offset, at)));
              }
            }};
    const auto end = walk_segment(*file, segment.first, last, walk);
    if (!end) return std::unexpected(end.error());
  }
  return {};
}

Result<VerifyReport> verify(const std::string& data_dir, const runtime::MasterKey& master) {
  const std::string directory = log_directory(data_dir);
  if (auto readable = runtime::list_directory(directory); !readable) return forward_error(std::move(readable));
  VerifyReport report;
  std::vector<SegmentFile> segments = survey_faulty(directory, report.faults);
  const auto missing = [](const Fault& fault) { return fault.error.code == "missing_segment"; };
  for (int i = 1; i < kListings && std::ranges::any_of(report.faults, missing); ++i) {
    report.faults.clear();
    segments = survey_faulty(directory, report.faults);
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (has_header(segments[i])) {
      report.segments.push_back(SegmentCheck(segments[i], report.faults).run(master, last_possible(segments, i)));
    } else {
      report.segments.push_back({.file = segments[i], .last = {}});
    }
  }
  return report;
}

}  // namespace resultsync::store::log
