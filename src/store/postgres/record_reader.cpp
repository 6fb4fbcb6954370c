#include "store/postgres/record_reader.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/log/segment_reader.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;

constexpr std::int64_t kRecordsAtOnce = 2048;
constexpr std::int64_t kKeysMax = 10'000;
// Rows of blocks are some 3 kB. Over the loopback interface, whose segments are as long as a window, the kernel lets
// one in twenty answers of more than 64 kB lie for 10 to 30 ms.
constexpr std::size_t kPlacesAtOnce = 16;

// The rows that hold these numbers, as far as they fit into the budget: the first one whatever its size, which may hold
// numbers before ?3, too.
constexpr const char* kReadRows =
    "SELECT number, records, frame FROM (SELECT number, records, frame, sum(octet_length(frame)) OVER (ORDER BY "
    "number) AS upto FROM log_records WHERE period = ?1 AND stream = ?2 AND number <= ?4 AND number >= coalesce("
    "(SELECT number FROM log_records WHERE period = ?1 AND stream = ?2 AND number <= ?3 ORDER BY number DESC LIMIT 1), "
    "?3)) rows WHERE upto <= ?5 OR number <= ?3 ORDER BY number";

// The rows of records by their places in the line, the first ones that fit into the budget. Records of one row stand
// next to each other in the line: only the first that is asked for brings it along. Which rows they are is found in the
// indexes; then the rows of a stream are fetched together, which OR has done by a bitmap (dialect.hpp). No stream is 0.
constexpr const char* kReadPlaces =
    "WITH asked AS MATERIALIZED (SELECT places.place, run.period, run.stream, run.first_number + places.place - "
    "run.first AS wanted, named.number FROM unnest(?1) AS places (place) JOIN LATERAL (SELECT first, count, period, "
    "stream, first_number FROM log_runs WHERE first <= places.place ORDER BY first DESC LIMIT 1) run ON places.place < "
    "run.first + run.count JOIN LATERAL (SELECT number FROM log_records WHERE period = run.period AND stream = "
    "run.stream AND number <= run.first_number + places.place - run.first ORDER BY number DESC LIMIT 1) named ON "
    "true), "
    "parts AS (SELECT period, stream, array_agg(number) AS numbers FROM (SELECT DISTINCT period, stream, number FROM "
    "asked) named GROUP BY period, stream), "
    "rows AS MATERIALIZED (SELECT one.* FROM parts JOIN LATERAL (SELECT period, stream, number, records, frame FROM "
    "log_records WHERE period = parts.period AND (stream = parts.stream AND number = ANY (parts.numbers) OR stream = 0 "
    "AND number = 0) OFFSET 0) one ON true) "
    "SELECT place, stream, wanted, number, records, frame FROM (SELECT place, stream, wanted, number, records, frame, "
    "sum(octet_length(frame)) OVER (ORDER BY place) AS upto FROM (SELECT asked.place, stream, asked.wanted, number, "
    "rows.records, CASE WHEN lag(number) OVER by_place = number AND lag(stream) OVER by_place = stream THEN NULL ELSE "
    "rows.frame END AS frame FROM asked JOIN rows USING (period, stream, number) WINDOW by_place AS (ORDER BY "
    "asked.place)) found) summed WHERE upto <= ?2 ORDER BY place";

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
      const auto left = static_cast<std::int64_t>(budget.left.records_max);
      if (left == 0) return records;
      const std::int64_t to = std::min(run.first_number + last - run.first, from + std::min(left, kRecordsAtOnce) - 1);
      std::int64_t expected = from;
      Query query(*database, kReadRows, run.period, run.stream, from, to,
                  static_cast<std::int64_t>(std::min<std::size_t>(limits.body_bytes_max, std::size_t{1} << 40U)));
      while (query.next()) {
        auto row = open(*database, run.stream, {query.integer(0), query.integer(1), query.blob(2)}, openers);
        // What was read before the fault is whole: it is given, and the fault will be the answer to the next call.
        if (!row && records.empty()) return forward_error(std::move(row));
        if (!row) return records;
        if (!row->holds(expected)) break;
        for (; expected <= to && row->holds(expected); ++expected, next = next.next()) {
          auto record = record_of(*database, *row, expected);
          if (!record && records.empty()) return forward_error(std::move(record));
          if (!record || !budget.take(record->body.size())) return records;
          records.push_back({next, std::move(*record)});
        }
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
  std::vector<std::int64_t> places;
  for (const Sequence record : records) {
    if (!as_name(record)) places.push_back(static_cast<std::int64_t>(record.value));
  }
  std::ranges::sort(places);
  Borrowed database(pool_);
  if (!database.status()) return found;
  Openers openers;
  std::size_t left = bytes_max;
  for (auto rest = std::span<const std::int64_t>(places); !rest.empty() && left > 0;) {
    const auto asked = rest.first(std::min(kPlacesAtOnce, rest.size()));
    rest = rest.subspan(asked.size());
    if (!some_of(*database, asked, openers, left, found)) break;
  }
  return found;
}

// False: no more of them fit, or the database cannot be asked.
bool RecordReader::some_of(Database& database, std::span<const std::int64_t> asked, Openers& openers, std::size_t& left,
                           std::vector<StoredRecord>& found) {
  ArrayWriter places(Database::Array::kIntegers);
  for (const std::int64_t place : asked) places.add(place);
  sql::Statement* statement = database.prepared(kReadPlaces);
  if (statement == nullptr) return false;
  Database::bind_array(*statement, 1, Database::Array::kIntegers, places.bytes());
  statement->bind_integer(2, static_cast<std::int64_t>(left));
  struct Found {
    Sequence place;
    std::int64_t stream = 0;
    std::int64_t wanted = 0;
    std::optional<StoredRow> row;  // nothing: that of the one before it
  };
  std::vector<Found> all;
  while (statement->step()) {
    all.push_back({.place = {static_cast<std::uint64_t>(statement->integer(0))},
                   .stream = statement->integer(1),
                   .wanted = statement->integer(2),
                   .row = {}});
    if (statement->is_null(5)) continue;
    all.back().row = StoredRow{statement->integer(3), statement->integer(4), std::string(statement->blob(5))};
  }
  statement->reset();
  std::optional<OpenedRow> row;
  for (const Found& each : all) {
    // Whose body stands elsewhere, and who is damaged or gone, is at()'s to tell.
    if (each.row) {
      auto opened = open(database, each.stream, *each.row, openers);
      row.reset();
      if (opened) row = std::move(*opened);
    }
    if (!row || !row->holds(each.wanted)) continue;
    auto record = record_of(database, *row, each.wanted);
    if (!record || record->same_body_as.value != 0) continue;
    if (record->body.size() > left) return false;
    left -= record->body.size();
    found.push_back({each.place, std::move(*record)});
  }
  return !database.failed();
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
  auto row = row_of(database, *name);
  if (!row) return forward_error(std::move(row));
  const auto opened = open(database, name->stream, *row, openers);
  if (!opened) return std::unexpected(opened.error());
  auto record = record_of(database, *opened, name->number);
  if (!record) return forward_error(std::move(record));
  return StoredRecord{sequence, std::move(*record)};
}

Result<StoredRow> RecordReader::row_of(Database& database, RecordName name) {
  Query query(database,
              "SELECT number, records, frame FROM log_records WHERE stream = ?1 AND number <= ?2 ORDER BY number DESC "
              "LIMIT 1",
              name.stream, name.number);
  if (query.next() && query.integer(0) + query.integer(1) > name.number)
    return StoredRow{query.integer(0), query.integer(1), query.blob(2)};
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  if (sequence_of(database, name)) return erased(as_sequence(name));
  return fail("not_found", fmt::format("the event log has no record {} of stream {}", name.number, name.stream));
}

Result<OpenedRow> RecordReader::open(Database& database, std::int64_t stream, const StoredRow& row, Openers& openers) {
  auto opener = opener_of(database, stream, openers);
  if (!opener) return forward_error(std::move(opener));
  return OpenedRow::open(**opener, row, fmt::format("stream {}", stream));
}

Result<Record> RecordReader::record_of(Database& database, const OpenedRow& row, std::int64_t number) {
  auto record = row.record(number);
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
