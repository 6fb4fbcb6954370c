// The payload of a frame: a Record (or a tombstone) in its binary form, version 1. Pure; see docs/formats/log.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "store/event_log.hpp"

namespace resultsync::store::log {

// A body may be this long; the rest of a record is small beside it.
inline constexpr std::size_t kBodyBytesMax = std::size_t{32} * 1024 * 1024;

// Errors: `too_large` (a body over kBodyBytesMax; source, header name or number over 65,535; a header value over 1
// MiB), `bad_record` (a body and a reference to another's).
Result<std::string> encode_payload(const Record& record);
// Error: `bad_payload`.
Result<Record> decode_payload(std::string_view payload);

// A block: the payloads of several records, one after the other. Adds one to it.
void append_to_block(std::string_view payload, std::string& block);
// Views into `block`, in their order. Error: `bad_payload`.
Result<std::vector<std::string_view>> payloads_of_block(std::string_view block);

// What is left of a record that was erased.
struct Tombstone {
  Sha256 body_sha256;
  std::string reason;
  bool operator==(const Tombstone&) const = default;
};
std::string encode_tombstone(const Tombstone& tombstone);
Result<Tombstone> decode_tombstone(std::string_view payload);

}  // namespace resultsync::store::log
