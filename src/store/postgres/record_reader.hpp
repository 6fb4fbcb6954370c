// Reading records of the line: rows of a stream, opened with that stream's key.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "runtime/keys.hpp"
#include "store/event_log.hpp"
#include "store/log/segment_key.hpp"
#include "store/postgres/line.hpp"
#include "store/postgres/pool.hpp"
#include "store/postgres/record_rows.hpp"

namespace resultsync::store::postgres {

class RecordReader {
 public:
  // All that is given must outlive the reader.
  RecordReader(Pool& pool, const runtime::MasterKey& master) : pool_(pool), master_(master) {}

  // As EventLog::read(), up to `through`, at() and some_of(). Thread-safe.
  Result<std::vector<StoredRecord>> read(Sequence after, Sequence through, ReadLimits limits);
  Result<StoredRecord> at(Sequence sequence);  // which may be a name
  std::vector<StoredRecord> some_of(std::span<const Sequence> records, std::size_t bytes_max);

 private:
  using Openers = std::map<std::int64_t, std::unique_ptr<log::FrameOpener>>;
  // The key of a stream; kept, because streams' keys never change.
  Result<log::FrameOpener*> opener_of(Database& database, std::int64_t stream, Openers& openers);
  Result<OpenedRow> open(Database& database, std::int64_t stream, const StoredRow& row, Openers& openers);
  static Result<Record> record_of(Database& database, const OpenedRow& row, std::int64_t number);
  // The row that holds the record. Errors: `not_found`, `erased`.
  static Result<StoredRow> row_of(Database& database, RecordName name);
  bool some_of(Database& database, std::span<const std::int64_t> asked, Openers& openers, std::size_t& left,
               std::vector<StoredRecord>& found);
  Result<StoredRecord> one(Database& database, Sequence sequence, Openers& openers);

  Pool& pool_;
  const runtime::MasterKey& master_;
  std::mutex mutex_;
  std::map<std::int64_t, log::SegmentKey> keys_;  // guarded by mutex_
};

}  // namespace resultsync::store::postgres
