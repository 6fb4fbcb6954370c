#include "store/log/segment_key.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/random.hpp"
#include "store/log/codec.hpp"

namespace resultsync::store::log {
namespace {

std::string_view view_of(const runtime::Key256& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

runtime::SealNonce nonce_of(std::string_view bytes) {
  runtime::SealNonce nonce{};
  std::ranges::transform(bytes.substr(0, nonce.size()), nonce.begin(),
                         [](char byte) { return static_cast<std::uint8_t>(byte); });
  return nonce;
}

runtime::SealNonce nonce_of(Sequence sequence) {
  runtime::SealNonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(sequence.value >> (8 * i));
  return nonce;
}

}  // namespace

SegmentKey make_segment_key(SegmentHeader& header, const runtime::MasterKey& master) {
  SegmentKey made{header.log_id, runtime::random_key()};
  std::ranges::copy(master.id(), header.key_id.begin());
  std::ranges::copy(runtime::random_bytes(header.wrap_nonce.size()), header.wrap_nonce.begin());
  std::string wrapped;
  runtime::Sealer(master.key())
      .seal(nonce_of({header.wrap_nonce.data(), header.wrap_nonce.size()}), wrapping_context(header),
            view_of(made.key.reveal()), wrapped);
  std::ranges::copy(wrapped, header.wrapped_key.begin());
  return made;
}

Result<SegmentKey> unwrap_segment_key(const SegmentHeader& header, const runtime::MasterKey& master) {
  const std::string_view key_id(header.key_id.data(), header.key_id.size());
  if (key_id != master.id()) {
    return fail("wrong_master_key",
                fmt::format("the segment was sealed under master key {}, the key file holds {}", key_id, master.id()),
                "give the server the key file that belongs to this data directory");
  }
  auto opened = runtime::Unsealer(master.key())
                    .open(nonce_of({header.wrap_nonce.data(), header.wrap_nonce.size()}), wrapping_context(header),
                          {header.wrapped_key.data(), header.wrapped_key.size()});
  if (!opened) return fail("corrupt_segment", "the segment's key cannot be unwrapped", opened.error().text());
  const Secret<std::string> raw(std::move(*opened));
  runtime::Key256 key{};
  std::ranges::transform(raw.reveal(), key.begin(), [](char byte) { return static_cast<std::uint8_t>(byte); });
  return SegmentKey{header.log_id, Secret<runtime::Key256>(key)};
}

void FrameSealer::append(const FrameHeader& header, std::string_view encoded_payload, std::string& out) {
  sealed_.clear();
  sealer_.seal(nonce_of(header.sequence), sealing_context(log_id_, header), encoded_payload, sealed_);
  append_frame(header, sealed_, out);
}

Result<std::string> FrameOpener::encoded_payload(const DecodedFrame& frame) {
  return unsealer_.open(nonce_of(frame.header.sequence), sealing_context(log_id_, frame.header), frame.sealed);
}

Result<std::string> FrameOpener::payload(const DecodedFrame& frame) {
  auto encoded = encoded_payload(frame);
  if (!encoded) return encoded;
  return decompress(frame.header.codec, std::move(*encoded));
}

std::size_t sealed_frame_bytes(std::size_t encoded_payload_bytes) {
  return frame_bytes(encoded_payload_bytes + runtime::kSealTagBytes);
}

}  // namespace resultsync::store::log
