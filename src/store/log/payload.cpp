#include "store/log/payload.hpp"

#include <fmt/format.h>

#include "store/log/bytes.hpp"

namespace resultsync::store::log {
namespace {

constexpr std::uint8_t kPayloadVersion = 1;
constexpr std::uint8_t kStale = 1;
constexpr std::uint8_t kSameBody = 2;
constexpr std::size_t kShortTextMax = 0xFFFF;
constexpr std::size_t kHeaderValueBytesMax = std::size_t{1024} * 1024;

Result<void> check_limits(const Record& record) {
  if (record.body.size() > kBodyBytesMax) {
    return fail("too_large",
                fmt::format("a body of {} bytes; a record holds at most {}", record.body.size(), kBodyBytesMax));
  }
  if (record.source.text().size() > kShortTextMax || record.headers.size() > kShortTextMax) {
    return fail("too_large", "the record's source or number of headers is over 65535");
  }
  for (const auto& header : record.headers) {
    if (header.name.size() > kShortTextMax || header.value.size() > kHeaderValueBytesMax) {
      return fail("too_large", "a kept header is too long");
    }
  }
  if (record.same_body_as.value != 0 && !record.body.empty()) {
    return fail("bad_record", "a record has a body of its own or refers to another's, not both");
  }
  return {};
}

}  // namespace

Result<std::string> encode_payload(const Record& record) {
  if (auto fits = check_limits(record); !fits) return forward_error(std::move(fits));
  std::string out;
  out.reserve(record.body.size() + 512);
  put_number(out, kPayloadVersion);
  const bool refers = record.same_body_as.value != 0;
  put_number(out, static_cast<std::uint8_t>((record.stale ? kStale : 0) | (refers ? kSameBody : 0)));
  put_number(out, record.received_at.microseconds);
  put_text<std::uint16_t>(out, record.source.text());
  put_number(out, static_cast<std::uint16_t>(record.headers.size()));
  for (const auto& header : record.headers) {
    put_text<std::uint16_t>(out, header.name);
    put_text<std::uint32_t>(out, header.value);
  }
  out += record.body_sha256.view();
  if (refers) put_number(out, record.same_body_as.value);
  put_text<std::uint32_t>(out, record.body);
  return out;
}

Result<Record> decode_payload(std::string_view payload) {
  const auto bad = [] { return fail("bad_payload", "the payload is not a record of version 1"); };
  ByteReader reader(payload);
  if (reader.number<std::uint8_t>() != kPayloadVersion) return bad();
  const auto flags = reader.number<std::uint8_t>();
  if ((flags & ~(kStale | kSameBody)) != 0) return bad();
  Record record;
  record.stale = (flags & kStale) != 0;
  record.received_at = {reader.number<std::int64_t>()};
  record.source = SourceId(std::string(reader.text<std::uint16_t>()));
  const auto headers = reader.number<std::uint16_t>();
  for (std::uint16_t i = 0; i < headers && !reader.overran(); ++i) {
    const auto name = reader.text<std::uint16_t>();
    const auto value = reader.text<std::uint32_t>();
    record.headers.push_back({std::string(name), std::string(value)});
  }
  const auto digest = Sha256::from_bytes(reader.bytes(32));
  if ((flags & kSameBody) != 0) record.same_body_as = {reader.number<std::uint64_t>()};
  record.body = reader.text<std::uint32_t>();
  if (!reader.ended_exactly() || !digest) return bad();
  if ((flags & kSameBody) != 0 && (record.same_body_as.value == 0 || !record.body.empty())) return bad();
  record.body_sha256 = *digest;
  return record;
}

void append_to_block(std::string_view payload, std::string& block) {
  put_text<std::uint32_t>(block, payload);
}

Result<std::vector<std::string_view>> payloads_of_block(std::string_view block) {
  std::vector<std::string_view> payloads;
  ByteReader reader(block);
  while (!reader.ended_exactly() && !reader.overran()) payloads.push_back(reader.text<std::uint32_t>());
  if (reader.overran()) return fail("bad_payload", "the block of records is cut short");
  return payloads;
}

std::string encode_tombstone(const Tombstone& tombstone) {
  std::string out;
  put_number(out, kPayloadVersion);
  out += tombstone.body_sha256.view();
  put_text<std::uint16_t>(out, std::string_view(tombstone.reason).substr(0, kShortTextMax));
  return out;
}

Result<Tombstone> decode_tombstone(std::string_view payload) {
  ByteReader reader(payload);
  const auto version = reader.number<std::uint8_t>();
  const auto digest = Sha256::from_bytes(reader.bytes(32));
  const auto reason = reader.text<std::uint16_t>();
  if (version != kPayloadVersion || !digest || !reader.ended_exactly()) {
    return fail("bad_payload", "the payload is not a tombstone of version 1");
  }
  return Tombstone{*digest, std::string(reason)};
}

}  // namespace resultsync::store::log
