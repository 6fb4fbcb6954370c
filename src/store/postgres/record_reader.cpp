#include "store/postgres/record_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/log/segment_reader.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;

constexpr std::int64_t kRowsAtOnce = 512;
constexpr std::int64_t kKeysMax = 10'000;

// What fits into the budget, the first row whatever its size.
constexpr const char* kReadRows =
    "SELECT number, frame FROM (SELECT number, frame, sum(octet_length(frame)) OVER (ORDER BY number) AS upto FROM "
    "(SELECT number, frame FROM log_records WHERE period = ?1 AND stream = ?2 AND number BETWEEN ?3 AND ?4 ORDER BY "
    "number LIMIT ?5) rows) summed WHERE upto <= ?6 OR number = ?3 ORDER BY number";

// Records by their places in the line, the first ones whose frames fit into the budget.
constexpr const char* kReadPlaces =
    "SELECT place, stream, number, frame FROM (SELECT asked.place, rows.stream, rows.number, rows.frame, "
    "sum(octet_length(rows.frame)) OVER (ORDER BY asked.place) AS upto FROM unnest(?1) AS asked (place) JOIN LATERAL "
    "(SELECT first, count, period, stream, first_number FROM log_runs WHERE first <= asked.place ORDER BY first DESC "
    "LIMIT 1) run ON asked.place < run.first + run.count JOIN log_records rows ON rows.period = run.period AND "
    "rows.stream = run.stream AND rows.number = run.first_number + asked.place - run.first) summed WHERE upto <= ?2";

std::unexpected<Error> erased(Sequence sequence) {
  return fail("erased", fmt::format("record {} was erased", sequence.value), "its part of the log was dropped");
}

}  // namespace

Result<std::vector<StoredRecord>> RecordReader::read(Sequence after, Sequence through, ReadLimits limits) {
  std::vector<StoredRecord> records;
  if (after >= through || limits.records_max == 0) return records;
  Borrowed database(pool_);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  log::ReadBudget budget{.left = limits};
  Openers openers;
  Sequence next = after.next();
  for (const Run& run : runs_from(*database, next, 256)) {
    const std::int64_t last = std::min(run.first + run.count - 1, static_cast<std::int64_t>(through.value));
    while (static_cast<std::int64_t>(next.value) <= last) {
      const std::int64_t from = run.first_number + static_cast<std::int64_t>(next.value) - run.first;
      const std::int64_t to = run.first_number + last - run.first;
      const std::int64_t rows = std::min<std::int64_t>(kRowsAtOnce, static_cast<std::int64_t>(budget.left.records_max));
      if (rows == 0) return records;
      std::int64_t expected = from;
      Query query(*database, kReadRows, run.period, run.stream, from, to, rows,
                  static_cast<std::int64_t>(std::min<std::size_t>(limits.body_bytes_max, std::size_t{1} << 40U)));
      while (query.next()) {
        if (query.integer(0) != expected) break;
        auto record = open(*database, {run.stream, expected}, query.blob(1), openers);
        // What was read before the fault is whole: it is given, and the fault will be the answer to the next call.
        if (!record && records.empty()) return forward_error(std::move(record));
        if (!record || !budget.take(record->body.size())) return records;
        records.push_back({next, std::move(*record)});
        next = next.next();
        ++expected;
      }
      if (auto status = database.status(); !status) return forward_error(std::move(status));
      if (expected == from) {
        if (records.empty()) return erased(next);
        return records;
      }
    }
  }
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  return records;
}

Result<StoredRecord> RecordReader::at(Sequence sequence) {
  Borrowed database(pool_);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  Openers openers;
  auto found = one(*database, sequence, openers);
  if (!found || found->record.same_body_as.value == 0) return found;
  auto holder = one(*database, found->record.same_body_as, openers);
  if (!holder) return holder;
  if (holder->record.same_body_as.value != 0 || holder->record.body_sha256 != found->record.body_sha256) {
    return fail("corrupt_record", fmt::format("record {} refers to record {} for a body that is not there",
                                              found->sequence.value, found->record.same_body_as.value));
  }
  found->record.body = std::move(holder->record.body);
  return found;
}

std::vector<StoredRecord> RecordReader::some_of(std::span<const Sequence> records, std::size_t bytes_max) {
  std::vector<StoredRecord> found;
  if (records.empty()) return found;
  ArrayWriter places(Database::Array::kIntegers);
  for (const Sequence record : records) {
    if (!as_name(record)) places.add(static_cast<std::int64_t>(record.value));
  }
  Borrowed database(pool_);
  if (!database.status()) return found;
  Openers openers;
  sql::Statement* statement = database->prepared(kReadPlaces);
  if (statement == nullptr) return found;
  Database::bind_array(*statement, 1, Database::Array::kIntegers, places.bytes());
  statement->bind_integer(2, static_cast<std::int64_t>(bytes_max));
  struct Row {
    Sequence place;
    RecordName name;
    std::string frame;
  };
  std::vector<Row> rows;
  while (statement->step()) {
    rows.push_back({{static_cast<std::uint64_t>(statement->integer(0))},
                    {statement->integer(1), statement->integer(2)},
                    std::string(statement->blob(3))});
  }
  statement->reset();
  std::size_t left = bytes_max;
  for (const Row& row : rows) {
    auto record = open(*database, row.name, row.frame, openers);
    // Whose body stands elsewhere, and who is damaged, is at()'s to tell.
    if (!record || record->same_body_as.value != 0) continue;
    if (record->body.size() > left) break;
    left -= record->body.size();
    found.push_back({row.place, std::move(*record)});
  }
  return found;
}

Result<StoredRecord> RecordReader::one(Database& database, Sequence sequence, Openers& openers) {
  std::optional<RecordName> name = as_name(sequence);
  if (!name) {
    const auto not_found = [&] {
      return fail("not_found", fmt::format("the event log has no record {}", sequence.value));
    };
    if (sequence.value == 0) return not_found();
    const auto runs = runs_from(database, sequence, 1);
    if (auto status = database.status(); !status) return forward_error(std::move(status));
    const auto wanted = static_cast<std::int64_t>(sequence.value);
    if (runs.empty() || runs.front().first > wanted || runs.front().first + runs.front().count <= wanted)
      return not_found();
    const Run& run = runs.front();
    name = {run.stream, run.first_number + static_cast<std::int64_t>(sequence.value) - run.first};
  }
  auto bytes = frame(database, *name);
  if (!bytes) return forward_error(std::move(bytes));
  auto record = open(database, *name, *bytes, openers);
  if (!record) return forward_error(std::move(record));
  return StoredRecord{sequence, std::move(*record)};
}

Result<std::string> RecordReader::frame(Database& database, RecordName name) {
  Query query(database, "SELECT frame FROM log_records WHERE stream = ?1 AND number = ?2", name.stream, name.number);
  if (query.next()) return query.blob(0);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  if (sequence_of(database, name)) return erased(as_sequence(name));
  return fail("not_found", fmt::format("the event log has no record {} of stream {}", name.number, name.stream));
}

Result<Record> RecordReader::open(Database& database, RecordName name, std::string_view frame, Openers& openers) {
  const std::string where = fmt::format("stream {}", name.stream);
  const auto number = static_cast<std::uint64_t>(name.number);
  const log::DecodedFrame decoded = log::decode_frame(frame);
  if (decoded.state != log::DecodedFrame::State::kWhole || decoded.header.sequence.value != number)
    return log::corrupt_record(where, number, {number});
  auto opener = opener_of(database, name.stream, openers);
  if (!opener) return forward_error(std::move(opener));
  auto record = log::open_record(**opener, decoded, where, number);
  if (!record) return record;
  // A reference was written before its record had a place in the line.
  if (const auto holder = as_name(record->same_body_as)) {
    if (const auto placed = sequence_of(database, *holder)) record->same_body_as = *placed;
    if (auto status = database.status(); !status) return forward_error(std::move(status));
  }
  return record;
}

Result<log::FrameOpener*> RecordReader::opener_of(Database& database, std::int64_t stream, Openers& openers) {
  auto& opener = openers[stream];
  if (opener) return opener.get();
  const std::lock_guard lock(mutex_);
  auto known = keys_.find(stream);
  if (known == keys_.end()) {
    Query query(database, "SELECT header FROM log_streams WHERE stream = ?1", stream);
    if (!query.next()) {
      if (auto status = database.status(); !status) return forward_error(std::move(status));
      return fail("missing_segment", fmt::format("the event log has no stream {}", stream));
    }
    const auto header = log::decode_segment_header(query.blob(0));
    if (!header) return std::unexpected(header.error());
    auto key = log::unwrap_segment_key(*header, master_);
    if (!key) return forward_error(std::move(key));
    if (static_cast<std::int64_t>(keys_.size()) >= kKeysMax) keys_.clear();
    known = keys_.emplace(stream, std::move(*key)).first;
  }
  opener = std::make_unique<log::FrameOpener>(known->second);
  return opener.get();
}

}  // namespace resultsync::store::postgres
