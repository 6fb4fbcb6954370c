#include "store/postgres/record_rows.hpp"

#include <utility>

#include "store/log/payload.hpp"
#include "store/log/segment_reader.hpp"

namespace resultsync::store::postgres {

void RowSealer::add(Block& block) {
  const std::size_t records = block.waiting.size();
  if (form_ == Form::kOfBlocks || records == 1) {
    compress(block);
    return put(records == 1 ? log::FrameKind::kRecord : log::FrameKind::kBlock, *block.compressed, records);
  }
  const auto payloads = log::payloads_of_block(block.payloads);
  for (const std::string_view payload : *payloads) put(log::FrameKind::kRecord, log::compress(std::string(payload)), 1);
}

SealedRows RowSealer::finish() {
  return std::move(rows_);
}

void RowSealer::put(log::FrameKind kind, const log::Encoded& payload, std::size_t records) {
  std::string frame;
  sealer_.append({.kind = kind,
                  .codec = payload.codec,
                  .sequence = {static_cast<std::uint64_t>(last_ + 1)},
                  .durable_through = {static_cast<std::uint64_t>(after_)}},
                 payload.bytes, frame);
  rows_.numbers.add(last_ + 1);
  rows_.records.add(static_cast<std::int64_t>(records));
  rows_.frames.add(frame);
  last_ += static_cast<std::int64_t>(records);
}

Result<OpenedRow> OpenedRow::open(log::FrameOpener& opener, const StoredRow& row, std::string where) {
  const auto number = static_cast<std::uint64_t>(row.first);
  const auto corrupt = [&](std::string cause = {}) {
    return log::corrupt_record(where, number, {number}, std::move(cause));
  };
  const log::DecodedFrame frame = log::decode_frame(row.frame);
  if (frame.state != log::DecodedFrame::State::kWhole || frame.header.sequence.value != number) return corrupt();
  if (frame.header.kind == log::FrameKind::kTombstone) {
    return forward_error(log::open_record(opener, frame, where, number));
  }
  if (frame.header.kind == log::FrameKind::kMark) return corrupt();
  auto payload = opener.payload(frame);
  if (!payload) return corrupt(payload.error().text());
  OpenedRow opened(row.first, std::move(where), std::make_unique<const std::string>(std::move(*payload)));
  if (frame.header.kind == log::FrameKind::kBlock) {
    auto payloads = log::payloads_of_block(*opened.bytes_);
    if (!payloads) return corrupt(payloads.error().text());
    opened.payloads_ = std::move(*payloads);
  } else {
    opened.payloads_ = {*opened.bytes_};
  }
  if (static_cast<std::int64_t>(opened.payloads_.size()) != row.records) return corrupt();
  return opened;
}

Result<Record> OpenedRow::record(std::int64_t number) const {
  const auto of = static_cast<std::uint64_t>(number);
  if (!holds(number)) return log::corrupt_record(where_, of, {of});
  auto record = log::decode_payload(payloads_[static_cast<std::size_t>(number - first_)]);
  if (!record) return log::corrupt_record(where_, of, {of}, record.error().text());
  return record;
}

}  // namespace resultsync::store::postgres
