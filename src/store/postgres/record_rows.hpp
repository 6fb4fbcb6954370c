// Rows of log_records: what blocks of records become, and back. A row holds one record, or several as a block that is
// compressed and sealed as one: events share nearly all their words, so eleven of them take little more room than one.
//
//   blocks:  payload payload payload │ payload of 40 kB │ payload
//   rows:    a block of 3, number 1  │ number 4         │ number 5
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/event_log.hpp"
#include "store/log/codec.hpp"
#include "store/log/segment_key.hpp"
#include "store/postgres/append_queue.hpp"
#include "store/postgres/database.hpp"

namespace resultsync::store::postgres {

// Rows with consecutive numbers of one stream, as the parameters of an INSERT.
struct SealedRows {
  ArrayWriter numbers{Database::Array::kIntegers};
  ArrayWriter records{Database::Array::kIntegers};
  ArrayWriter frames{Database::Array::kBlobs};
};

class RowSealer {
 public:
  enum class Form : std::uint8_t { kOfRecords, kOfBlocks };
  // The first row is that of number `after` + 1. `sealer` must outlive it.
  RowSealer(log::FrameSealer& sealer, std::int64_t after, Form form) : sealer_(sealer), after_(after), form_(form) {}
  void add(Block& block);  // compresses it, if nobody has
  SealedRows finish();     // once

 private:
  void put(log::FrameKind kind, const log::Encoded& payload, std::size_t records);

  log::FrameSealer& sealer_;
  const std::int64_t after_;
  const Form form_;
  std::int64_t last_ = after_;  // the last number that is in a row
  SealedRows rows_;
};

struct StoredRow {
  std::int64_t first = 0;  // number of its first record
  std::int64_t records = 1;
  std::string frame;
};

// A row that was unsealed and decompressed.
class OpenedRow {
 public:
  // `where` is for the texts of errors. Errors: `corrupt_record`, `erased`.
  static Result<OpenedRow> open(log::FrameOpener& opener, const StoredRow& row, std::string where);

  [[nodiscard]] bool holds(std::int64_t number) const {
    return number >= first_ && static_cast<std::size_t>(number - first_) < payloads_.size();
  }
  // One that it holds. Error: `corrupt_record`.
  [[nodiscard]] Result<Record> record(std::int64_t number) const;

 private:
  OpenedRow(std::int64_t first, std::string where, std::unique_ptr<const std::string> bytes)
      : first_(first), where_(std::move(where)), bytes_(std::move(bytes)) {}

  std::int64_t first_;
  std::string where_;
  std::unique_ptr<const std::string> bytes_;
  std::vector<std::string_view> payloads_;  // in bytes_
};

}  // namespace resultsync::store::postgres
