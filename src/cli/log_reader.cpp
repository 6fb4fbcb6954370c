#include "cli/log_reader.hpp"

#include <fmt/format.h>

#include "cli/store_on_disk.hpp"
#include "store/log/inspect.hpp"

namespace resultsync::cli {
namespace {
constexpr std::size_t kAheadRecordsMax = 50'000;
constexpr std::size_t kAheadBytesMax = std::size_t{64} * 1024 * 1024;
}  // namespace

Result<std::unique_ptr<LogReader>> LogReader::open(const std::string& data_dir) {
  auto segments = store::log::list_segments(data_dir);
  if (!segments) return forward_error(std::move(segments));
  if (segments->empty()) return fail("not_found", fmt::format("{} holds no event log", data_dir));
  auto master = runtime::MasterKey::load(master_key_path(data_dir));
  if (!master) return forward_error(std::move(master));
  std::unique_ptr<LogReader> reader(new LogReader(data_dir, std::move(*master)));
  const store::log::SegmentLine& last = segments->back();
  reader->id_ = last.file.header.log_id.hex();
  reader->end_ = Sequence{last.file.first.value + last.records - 1};
  return reader;
}

void LogReader::append(store::Record, Committed committed) {
  committed(fail("read_only", "this log was opened to be read only"));
}

Result<std::vector<store::StoredRecord>> LogReader::read(Sequence after, store::ReadLimits limits) const {
  const std::lock_guard lock(mutex_);
  std::vector<store::StoredRecord> records;
  if (after >= end_) return records;
  const Sequence first = after.next();
  if (ahead_.empty() || first < ahead_.front().sequence || first > ahead_.back().sequence) {
    if (auto read = read_ahead(first); !read) return forward_error(std::move(read));
  }
  std::size_t bytes = 0;
  for (std::size_t i = first.value - ahead_.front().sequence.value; i < ahead_.size(); ++i) {
    bytes += ahead_[i].record.body.size();
    if (!records.empty() && (records.size() >= limits.records_max || bytes > limits.body_bytes_max)) break;
    records.push_back(ahead_[i]);
  }
  return records;
}

Result<store::StoredRecord> LogReader::at(Sequence sequence) const {
  if (sequence.value == 0 || sequence > end_)
    return fail("not_found", fmt::format("there is no record {}", sequence.value));
  auto found = read(Sequence{sequence.value - 1}, {.records_max = 1, .body_bytes_max = 0});
  if (!found) return forward_error(std::move(found));
  store::StoredRecord stored = std::move(found->front());
  if (stored.record.same_body_as.value != 0) {
    auto original = at(stored.record.same_body_as);
    if (!original) return original;
    stored.record.body = std::move(original->record.body);
  }
  return stored;
}

Result<void> LogReader::read_ahead(Sequence from) const {
  ahead_.clear();
  std::size_t bytes = 0;
  Result<void> outcome;
  auto visited = store::log::visit_records(data_dir_, master_, from, end_,
                                           [&](Sequence sequence, const Result<store::Record>& record) {
                                             if (!record) {
                                               if (ahead_.empty()) outcome = std::unexpected(record.error());
                                               return false;
                                             }
                                             bytes += record->body.size();
                                             ahead_.push_back({sequence, *record});
                                             return ahead_.size() < kAheadRecordsMax && bytes < kAheadBytesMax;
                                           });
  if (!visited) return visited;
  if (outcome && ahead_.empty()) return fail("corrupt_record", fmt::format("record {} cannot be read", from.value));
  return outcome;
}

}  // namespace resultsync::cli
