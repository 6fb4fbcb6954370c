#include "store/log/directory.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "runtime/file.hpp"

namespace resultsync::store::log {
namespace {

Error about(const std::string& path, Error error) {
  error.message = fmt::format("{}: {}", path, error.message);
  return error;
}

}  // namespace

std::string log_directory(const std::string& data_dir) {
  return in_directory(data_dir, "log");
}

std::string in_directory(const std::string& directory, const std::string& name) {
  return (std::filesystem::path(directory) / name).string();
}

Result<std::vector<SegmentFile>> list_segment_names(const std::string& directory) {
  auto names = runtime::list_directory(directory);
  if (!names) return forward_error(std::move(names));
  std::vector<SegmentFile> segments;  // sorted, as their names are
  for (const auto& name : *names) {
    if (name == kOpenDraft || name == kSpareDraft || name == "lock") continue;
    const auto first = first_of_file_name(name);
    if (!first) {
      return fail("foreign_file", fmt::format("{} does not belong into an event log", in_directory(directory, name)),
                  "move it away; nothing but the log may be in this directory");
    }
    segments.push_back({.first = *first, .path = in_directory(directory, name), .header = {}});
  }
  return segments;
}

Result<void> read_segment_header(SegmentFile& segment) {
  auto file = runtime::File::open_read(segment.path);
  if (!file) return forward_error(std::move(file));
  const auto bytes = file->size();
  if (!bytes) return std::unexpected(bytes.error());
  const auto start = file->read_at(0, kSegmentHeaderBytes);
  if (!start) return std::unexpected(start.error());
  auto header = decode_segment_header(*start);
  if (!header) return std::unexpected(about(segment.path, header.error()));
  if (header->first != segment.first) {
    return fail("foreign_segment", fmt::format("{} is the segment that begins with record {}, under another name",
                                               segment.path, header->first.value));
  }
  segment.bytes = *bytes;
  segment.header = *header;
  return {};
}

Result<void> check_neighbours(const SegmentFile& before, const SegmentFile& next) {
  if (next.header.log_id != before.header.log_id) {
    return fail("foreign_segment",
                fmt::format("{} belongs to log {}, {} to log {}", next.path, next.header.log_id.hex(), before.path,
                            before.header.log_id.hex()),
                "segments of two logs were mixed; put the right ones back");
  }
  if (next.header.previous_first == before.first) return {};
  return fail("missing_segment",
              fmt::format("a segment is missing before {}: it follows {}, but {} is what is there", next.path,
                          segment_file_name(next.header.previous_first), segment_file_name(before.first)),
              "restore the missing files");
}

Result<std::vector<SegmentFile>> survey_directory(const std::string& directory) {
  auto segments = list_segment_names(directory);
  if (!segments) return segments;
  for (std::size_t i = 0; i < segments->size(); ++i) {
    auto& segment = (*segments)[i];
    if (auto read = read_segment_header(segment); !read) return forward_error(std::move(read));
    if (i > 0) {
      if (auto follows = check_neighbours((*segments)[i - 1], segment); !follows)
        return forward_error(std::move(follows));
    } else if (segment.header.previous_first.value != 0) {
      return fail("missing_segment",
                  fmt::format("the log begins with {}, but that follows {}", segment.path,
                              segment_file_name(segment.header.previous_first)),
                  "restore the missing files");
    }
  }
  return segments;
}

}  // namespace resultsync::store::log
