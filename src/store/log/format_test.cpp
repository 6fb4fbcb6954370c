#include "store/log/format.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "store/log/codec.hpp"
#include "store/log/crc32c.hpp"
#include "store/log/payload.hpp"

namespace resultsync::store::log {
namespace {

TEST(Crc32c, both_ways_give_the_check_value_and_agree) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c_by_table("123456789"), 0xE3069283U);
  for (std::size_t size = 0; size < 300; ++size) {
    const std::string bytes = runtime::random_bytes(size);
    EXPECT_EQ(crc32c(bytes), crc32c_by_table(bytes)) << size;
    const std::string_view view = bytes;
    EXPECT_EQ(crc32c(view.substr(size / 3), crc32c(view.substr(0, size / 3))), crc32c(bytes)) << "in two parts";
  }
}

SegmentHeader header_of(std::uint64_t first, std::uint64_t previous) {
  return {.log_id = {{'l', 'o', 'g'}},
          .first = {first},
          .previous_first = {previous},
          .created_at = {1'700'000'000'000'000},
          .key_id = {{'0', '1', '2', '3', '4', '5', '6', '7'}},
          .wrap_nonce = {{'n'}},
          .wrapped_key = {{'k'}}};
}

// The page docs/formats/log.md, byte by byte.
TEST(SegmentHeaderFormat, the_bytes_are_where_the_page_says) {
  const std::string bytes = encode_segment_header(header_of(0x0102, 1));
  ASSERT_EQ(bytes.size(), 4096U);
  EXPECT_EQ(bytes.substr(0, 8), "RSYNCLOG");
  EXPECT_EQ(encode_hex(bytes.substr(8, 8)), "0100000000100000");
  EXPECT_EQ(bytes.substr(16, 3), "log");
  EXPECT_EQ(encode_hex(bytes.substr(32, 16)), "02010000000000000100000000000000");
  EXPECT_EQ(bytes.substr(56, 8), "01234567");
  EXPECT_EQ(bytes[64], 'n');
  EXPECT_EQ(bytes[76], 'k');
  EXPECT_EQ(bytes.substr(124, 3968), std::string(3968, '\0'));
  EXPECT_EQ(*decode_segment_header(bytes), header_of(0x0102, 1));
}

TEST(SegmentHeaderFormat, any_changed_bit_is_refused) {
  const std::string bytes = encode_segment_header(header_of(5, 1));
  for (std::size_t i = 0; i < bytes.size(); i += i < 130 ? 1 : 37) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 16);
    EXPECT_FALSE(decode_segment_header(changed)) << i;
  }
}

TEST(SegmentHeaderFormat, refusals_have_names) {
  EXPECT_EQ(decode_segment_header("").error().code, "corrupt_segment");
  EXPECT_EQ(decode_segment_header(std::string(4096, '\0')).error().code, "corrupt_segment");
  EXPECT_EQ(decode_segment_header(std::string(4096, 'x')).error().code, "not_a_segment");
  EXPECT_EQ(decode_segment_header(encode_segment_header(header_of(0, 0))).error().code, "corrupt_segment");
  EXPECT_EQ(decode_segment_header(encode_segment_header(header_of(5, 5))).error().code, "corrupt_segment");
}

TEST(SegmentName, is_20_digits_and_nothing_else) {
  EXPECT_EQ(segment_file_name({1}), "00000000000000000001.seg");
  EXPECT_EQ(first_of_file_name("00000000000000000001.seg")->value, 1U);
  EXPECT_EQ(first_of_file_name("18446744073709551615.seg")->value, UINT64_MAX);
  for (const auto* name :
       {"18446744073709551616.seg", "00000000000000000000.seg", "1.seg", "00000000000000000001.se",
        "-0000000000000000001.seg", "0000000000000000000x.seg", "00000000000000000001.seg.bak", ""}) {
    EXPECT_FALSE(first_of_file_name(name)) << name;
  }
}

TEST(Frame, the_bytes_are_where_the_page_says) {
  const std::string frame = encode_frame(
      {.kind = FrameKind::kRecord, .codec = Codec::kZstd, .sequence = {7}, .durable_through = {6}}, "sealed");
  ASSERT_EQ(frame.size(), 48U) << "padded to a multiple of 16";
  EXPECT_EQ(frame.substr(0, 4), "RSf1");
  EXPECT_EQ(encode_hex(frame.substr(4, 4)), "06000000");
  EXPECT_EQ(encode_hex(frame.substr(12, 4)), "01010000");
  EXPECT_EQ(encode_hex(frame.substr(16, 16)), "07000000000000000600000000000000");
  EXPECT_EQ(frame.substr(32, 6), "sealed");
}

TEST(Frame, comes_back_and_says_how_much_it_needs) {
  rc::check([](const std::string& sealed, std::uint64_t sequence, std::uint64_t durable) {
    const FrameHeader header{.kind = FrameKind::kTombstone,
                             .codec = Codec::kZstdDictionary1,
                             .sequence = {sequence},
                             .durable_through = {durable}};
    const std::string frame = encode_frame(header, sealed);
    RC_ASSERT(frame.size() == frame_bytes(sealed.size()));
    const std::string longer = frame + "what follows";
    const DecodedFrame whole = decode_frame(longer);
    RC_ASSERT(whole.state == DecodedFrame::State::kWhole);
    RC_ASSERT(whole.header == header);
    RC_ASSERT(whole.sealed == sealed);
    RC_ASSERT(whole.bytes == frame.size());
    for (std::size_t cut = 1; cut < frame.size(); ++cut) {
      const DecodedFrame part = decode_frame(std::string_view(frame).substr(0, cut));
      RC_ASSERT(part.state == DecodedFrame::State::kNeedsMore);
      RC_ASSERT(part.bytes == (cut < kFrameHeaderBytes ? kFrameHeaderBytes : frame.size()));
    }
  });
}

TEST(Frame, any_changed_bit_is_damage) {
  const std::string frame = encode_frame({.sequence = {7}, .durable_through = {6}}, "sealed bytes, and their tag");
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    std::string changed = frame;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    const auto state = decode_frame(changed).state;
    EXPECT_TRUE(state == DecodedFrame::State::kDamaged || state == DecodedFrame::State::kNeedsMore) << bit;
  }
}

TEST(Frame, zeros_are_nothing) {
  EXPECT_EQ(decode_frame("").state, DecodedFrame::State::kNothing);
  EXPECT_EQ(decode_frame(std::string(5, '\0')).state, DecodedFrame::State::kNothing);
  EXPECT_EQ(decode_frame(std::string(500, '\0')).state, DecodedFrame::State::kNothing);
}

Record record_of(std::string body) {
  return {.source = SourceId("rupa"),
          .received_at = {-5},
          .stale = true,
          .headers = {{"a", "1"}, {"", ""}},
          .body_sha256 = sha256(body),
          .body = std::move(body),
          .same_body_as = {}};
}

TEST(Payload, comes_back_and_every_shorter_or_longer_one_is_refused) {
  Record reference = record_of("");
  reference.same_body_as = {77};
  for (const Record& record : {record_of("body"), record_of(""), reference}) {
    const std::string payload = *encode_payload(record);
    EXPECT_EQ(*decode_payload(payload), record);
    for (std::size_t cut = 0; cut < payload.size(); ++cut) EXPECT_FALSE(decode_payload(payload.substr(0, cut))) << cut;
    EXPECT_FALSE(decode_payload(payload + "x"));
  }
}

TEST(BlockOfPayloads, comes_back_and_every_shorter_one_is_refused) {
  rc::check([](const std::vector<std::string>& payloads) {
    std::string block;
    for (const std::string& payload : payloads) append_to_block(payload, block);
    const auto back = payloads_of_block(block);
    RC_ASSERT(back.has_value());
    RC_ASSERT(std::ranges::equal(*back, payloads));
    for (std::size_t cut = 1;
         cut < std::min<std::size_t>(block.size(), 4 + (payloads.empty() ? 0 : payloads.back().size())); ++cut)
      RC_ASSERT(!payloads_of_block(std::string_view(block).substr(0, block.size() - cut)));
  });
}

TEST(BlockOfPayloads, is_compressed_by_the_dictionary_as_one) {
  std::string block;
  for (int i = 0; i < 10; ++i)
    append_to_block(*encode_payload(record_of(std::string(1000, 'a') + std::to_string(i))), block);
  const Encoded encoded = compress_block(block);
  EXPECT_EQ(encoded.codec, Codec::kZstdDictionary1);
  EXPECT_LT(encoded.bytes.size(), block.size() / 10);
  EXPECT_EQ(*decompress(encoded.codec, encoded.bytes), block);
}

TEST(Payload, limits_hold_at_the_limit_and_one_past_it) {
  Record record = record_of("");
  record.source = SourceId(std::string(65'535, 's'));
  EXPECT_TRUE(encode_payload(record));
  record.source = SourceId(std::string(65'536, 's'));
  EXPECT_EQ(encode_payload(record).error().code, "too_large");
  record = record_of("");
  record.headers = {{"n", std::string(1024 * 1024, 'v')}};
  EXPECT_TRUE(encode_payload(record));
  record.headers[0].value += 'v';
  EXPECT_EQ(encode_payload(record).error().code, "too_large");
  record = record_of("both");
  record.same_body_as = {1};
  EXPECT_EQ(encode_payload(record).error().code, "bad_record");
}

TEST(Payload, a_tombstone_comes_back) {
  const Tombstone tombstone{sha256("gone"), "retention"};
  EXPECT_EQ(*decode_tombstone(encode_tombstone(tombstone)), tombstone);
  EXPECT_FALSE(decode_tombstone(encode_tombstone(tombstone) + "x"));
}

TEST(Compression, comes_back_with_every_codec) {
  for (const std::size_t size : {0U, 1U, 100U, 10'000U, 100'000U}) {
    for (const std::string& text : {std::string(size, 'a'), runtime::random_bytes(size)}) {
      for (const Codec codec : {Codec::kNone, Codec::kZstd, Codec::kZstdDictionary1}) {
        const Encoded encoded = compress_with(codec, text);
        EXPECT_LE(encoded.bytes.size(), text.size());
        EXPECT_EQ(*decompress(encoded.codec, encoded.bytes), text);
      }
    }
  }
}

TEST(Compression, what_gains_little_is_kept_as_it_is) {
  EXPECT_EQ(compress(runtime::random_bytes(5000)).codec, Codec::kNone);
  EXPECT_EQ(compress(std::string(5000, 'a')).codec, Codec::kZstdDictionary1);
  EXPECT_EQ(compress(std::string(50'000, 'a')).codec, Codec::kZstd);
}

TEST(Compression, rubbish_is_refused) {
  for (int i = 0; i < 1000; ++i) {
    const std::string rubbish = runtime::random_bytes(static_cast<std::size_t>(i) % 50);
    EXPECT_FALSE(decompress(Codec::kZstd, rubbish));
  }
  // A frame that claims 2^62 bytes (RFC 8878 §3.1.1: single segment, 8-byte content size).
  EXPECT_FALSE(decompress(Codec::kZstd, *decode_hex("28b52ffde00000000000000040010000")));
}

// Records are compressed with it: were one byte of it other, they could never be read again.
TEST(Compression, dictionary_1_is_the_one_that_was_released) {
  EXPECT_EQ(sha256(dictionary_v1()).hex(), "389f7dfddd65c75eb4406894e542291fd787f8314c19307312fd38ccd51ccc32");
}

}  // namespace
}  // namespace resultsync::store::log
