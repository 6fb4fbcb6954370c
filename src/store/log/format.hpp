// Format 1 of the segment files as pure functions from bytes to values and back. docs/formats/log.md is the contract;
// the offsets there and here are the same.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/timestamp.hpp"
#include "store/event_log.hpp"

namespace resultsync::store::log {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 4096;
inline constexpr std::size_t kFrameHeaderBytes = 32;
inline constexpr std::size_t kFrameAlignment = 16;
inline constexpr std::size_t kSealedBytesMax = std::size_t{64} * 1024 * 1024;
inline constexpr std::string_view kFrameMagic = "RSf1";

struct LogId {
  std::array<char, 16> bytes{};
  auto operator<=>(const LogId&) const = default;
  [[nodiscard]] std::string_view view() const { return {bytes.data(), bytes.size()}; }
  [[nodiscard]] std::string hex() const;
};

struct SegmentHeader {
  LogId log_id;
  Sequence first;
  Sequence previous_first;  // of the segment before; 0 in the first
  Timestamp created_at;
  std::array<char, 8> key_id{};  // of the master key
  std::array<char, 12> wrap_nonce{};
  std::array<char, 48> wrapped_key{};  // the segment's key, sealed
  bool operator==(const SegmentHeader&) const = default;
};

std::string encode_segment_header(const SegmentHeader& header);  // kSegmentHeaderBytes long
// What the wrapping of the key is bound to: the header's bytes before the nonce.
std::string wrapping_context(const SegmentHeader& header);
// Errors: `not_a_segment`, `newer_format`, `corrupt_segment`.
Result<SegmentHeader> decode_segment_header(std::string_view bytes);

std::string segment_file_name(Sequence first);  // 00000000000000000001.seg
std::optional<Sequence> first_of_file_name(std::string_view name);

// kBlock: several records, of which the frame's sequence is the first one's. Only in PostgreSQL
// (docs/formats/postgres.md).
enum class FrameKind : std::uint8_t { kRecord = 1, kMark = 2, kTombstone = 3, kBlock = 4 };
enum class Codec : std::uint8_t { kNone = 0, kZstd = 1, kZstdDictionary1 = 2 };

struct FrameHeader {
  FrameKind kind = FrameKind::kRecord;
  Codec codec = Codec::kNone;
  Sequence sequence;
  Sequence durable_through;
  bool operator==(const FrameHeader&) const = default;
};

// The length of a whole frame, padding included.
std::size_t frame_bytes(std::size_t sealed_bytes);

void append_frame(const FrameHeader& header, std::string_view sealed, std::string& out);
std::string encode_frame(const FrameHeader& header, std::string_view sealed);

// What the seal of a frame is bound to, beside its payload.
std::string sealing_context(const LogId& log_id, const FrameHeader& header);

struct DecodedFrame {
  enum class State : std::uint8_t {
    kWhole,      // `header` and `sealed` hold a frame whose checksum is right
    kNothing,    // zeros, or no bytes at all: nothing was written here
    kNeedsMore,  // may be a frame of `bytes` bytes, of which not all were given
    kDamaged,    // neither
  };
  State state = State::kNothing;
  FrameHeader header;
  std::string_view sealed;  // into the bytes given to decode_frame()
  std::size_t bytes = 0;    // kWhole, kNeedsMore: the length of the frame, padding included
};

// Looks at the start of `bytes`. Total: any bytes have an answer.
DecodedFrame decode_frame(std::string_view bytes);

}  // namespace resultsync::store::log
