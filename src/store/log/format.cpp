#include "store/log/format.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/encoding.hpp"
#include "store/log/bytes.hpp"
#include "store/log/crc32c.hpp"

namespace resultsync::store::log {
namespace {

constexpr std::string_view kSegmentMagic = "RSYNCLOG";
constexpr std::size_t kHeaderCrcOffset = kSegmentHeaderBytes - 4;
constexpr std::size_t kFrameCrcOffset = 8;
constexpr std::size_t kFrameFieldsOffset = 12;  // the fields from here to the payload are bound to the seal
constexpr std::string_view kFileSuffix = ".seg";
constexpr std::size_t kFileDigits = 20;

template <std::size_t N>
std::string_view view_of(const std::array<char, N>& bytes) {
  return {bytes.data(), N};
}

template <std::size_t N>
void take(ByteReader& reader, std::array<char, N>& out) {
  std::ranges::copy(reader.bytes(N), out.begin());
}

std::size_t padded(std::size_t size) {
  return (size + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
}

bool all_zero(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char byte) { return byte == '\0'; });
}

void put_frame_fields(const FrameHeader& header, std::string& out) {
  put_number(out, static_cast<std::uint8_t>(header.kind));
  put_number(out, static_cast<std::uint8_t>(header.codec));
  put_number(out, std::uint16_t{0});
  put_number(out, header.sequence.value);
  put_number(out, header.durable_through.value);
}

std::uint32_t frame_checksum(std::string_view frame) {
  return crc32c(frame.substr(kFrameFieldsOffset), crc32c(frame.substr(0, kFrameCrcOffset)));
}

bool is_kind(std::uint8_t value) {
  return value >= static_cast<std::uint8_t>(FrameKind::kRecord) &&
         value <= static_cast<std::uint8_t>(FrameKind::kBlock);
}

bool is_codec(std::uint8_t value) {
  return value <= static_cast<std::uint8_t>(Codec::kZstdDictionary1);
}

}  // namespace

std::string LogId::hex() const {
  return encode_hex(view());
}

std::string wrapping_context(const SegmentHeader& header) {
  std::string out(kSegmentMagic);
  put_number(out, kFormatVersion);
  put_number(out, static_cast<std::uint32_t>(kSegmentHeaderBytes));
  out += header.log_id.view();
  put_number(out, header.first.value);
  put_number(out, header.previous_first.value);
  put_number(out, header.created_at.microseconds);
  out += view_of(header.key_id);
  return out;
}

std::string encode_segment_header(const SegmentHeader& header) {
  std::string out = wrapping_context(header);
  out += view_of(header.wrap_nonce);
  out += view_of(header.wrapped_key);
  out.resize(kHeaderCrcOffset, '\0');
  put_number(out, crc32c(out));
  return out;
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return fail("corrupt_segment", "the segment's header is cut short");
  bytes = bytes.substr(0, kSegmentHeaderBytes);
  if (all_zero(bytes)) return fail("corrupt_segment", "the segment's header is all zeros");
  ByteReader reader(bytes);
  if (reader.bytes(kSegmentMagic.size()) != kSegmentMagic)
    return fail("not_a_segment", "the file is not a segment of an event log");
  const auto version = reader.number<std::uint32_t>();
  const bool whole =
      ByteReader(bytes.substr(kHeaderCrcOffset)).number<std::uint32_t>() == crc32c(bytes.substr(0, kHeaderCrcOffset));
  if (version > kFormatVersion) {
    return fail(
        "newer_format",
        fmt::format("the segment says it is of format {}, this program knows format {}", version, kFormatVersion),
        whole ? "use the program that wrote it, or a later one"
              : "or its header is damaged: the checksum is not that of format 1");
  }
  if (!whole) return fail("corrupt_segment", "the segment's header is damaged: its checksum is wrong");
  if (version != kFormatVersion || reader.number<std::uint32_t>() != kSegmentHeaderBytes) {
    return fail("corrupt_segment", "the segment's header contradicts itself");
  }
  SegmentHeader header;
  take(reader, header.log_id.bytes);
  header.first = {reader.number<std::uint64_t>()};
  header.previous_first = {reader.number<std::uint64_t>()};
  header.created_at = {reader.number<std::int64_t>()};
  take(reader, header.key_id);
  take(reader, header.wrap_nonce);
  take(reader, header.wrapped_key);
  if (header.first.value == 0 || header.previous_first >= header.first) {
    return fail("corrupt_segment", "the segment's header contradicts itself");
  }
  return header;
}

std::string segment_file_name(Sequence first) {
  return fmt::format("{:020}{}", first.value, kFileSuffix);
}

std::optional<Sequence> first_of_file_name(std::string_view name) {
  if (name.size() != kFileDigits + kFileSuffix.size() || !name.ends_with(kFileSuffix)) return std::nullopt;
  Sequence first;
  const auto [end, error] = std::from_chars(name.data(), name.data() + kFileDigits, first.value);
  if (error != std::errc{} || end != name.data() + kFileDigits || first.value == 0) return std::nullopt;
  return first;
}

std::size_t frame_bytes(std::size_t sealed_bytes) {
  return padded(kFrameHeaderBytes + sealed_bytes);
}

void append_frame(const FrameHeader& header, std::string_view sealed, std::string& out) {
  const std::size_t start = out.size();
  out += kFrameMagic;
  put_number(out, static_cast<std::uint32_t>(sealed.size()));
  put_number(out, std::uint32_t{0});  // the checksum, below
  put_frame_fields(header, out);
  out += sealed;
  out.resize(start + frame_bytes(sealed.size()), '\0');
  const std::uint32_t checksum = frame_checksum(std::string_view(out).substr(start));
  for (std::size_t i = 0; i < sizeof(checksum); ++i) {
    out[start + kFrameCrcOffset + i] = static_cast<char>((checksum >> (8 * i)) & 0xFFU);
  }
}

std::string encode_frame(const FrameHeader& header, std::string_view sealed) {
  std::string out;
  append_frame(header, sealed, out);
  return out;
}

std::string sealing_context(const LogId& log_id, const FrameHeader& header) {
  std::string out(log_id.view());
  put_frame_fields(header, out);
  return out;
}

DecodedFrame decode_frame(std::string_view bytes) {
  using State = DecodedFrame::State;
  if (all_zero(bytes.substr(0, kFrameHeaderBytes))) return {.state = State::kNothing, .header = {}, .sealed = {}};
  const DecodedFrame damaged{.state = State::kDamaged, .header = {}, .sealed = {}};
  if (bytes.size() < kFrameHeaderBytes) {
    return {.state = State::kNeedsMore, .header = {}, .sealed = {}, .bytes = kFrameHeaderBytes};
  }
  ByteReader reader(bytes.substr(0, kFrameHeaderBytes));
  if (reader.bytes(kFrameMagic.size()) != kFrameMagic) return damaged;
  const std::size_t sealed_bytes = reader.number<std::uint32_t>();
  const auto checksum = reader.number<std::uint32_t>();
  const auto kind = reader.number<std::uint8_t>();
  const auto codec = reader.number<std::uint8_t>();
  const auto reserved = reader.number<std::uint16_t>();
  if (sealed_bytes > kSealedBytesMax || !is_kind(kind) || !is_codec(codec) || reserved != 0) return damaged;

  const std::size_t whole_bytes = frame_bytes(sealed_bytes);
  if (bytes.size() < whole_bytes) return {.state = State::kNeedsMore, .header = {}, .sealed = {}, .bytes = whole_bytes};
  if (frame_checksum(bytes.substr(0, whole_bytes)) != checksum) return damaged;

  DecodedFrame frame{.state = State::kWhole, .header = {}, .sealed = {}, .bytes = whole_bytes};
  frame.header.kind = static_cast<FrameKind>(kind);
  frame.header.codec = static_cast<Codec>(codec);
  frame.header.sequence = {reader.number<std::uint64_t>()};
  frame.header.durable_through = {reader.number<std::uint64_t>()};
  frame.sealed = bytes.substr(kFrameHeaderBytes, sealed_bytes);
  return frame;
}

}  // namespace resultsync::store::log
