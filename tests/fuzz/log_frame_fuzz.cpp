// Any bytes as a segment file: header, frames, payloads. Whatever is accepted must be written back as the same bytes.
#include <cstdlib>

#include "store/log/codec.hpp"
#include "store/log/format.hpp"
#include "store/log/payload.hpp"

namespace log = resultsync::store::log;

namespace {

void must(bool true_always) {
  if (!true_always) std::abort();
}

void frames(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto frame = log::decode_frame(bytes);
    if (frame.state != log::DecodedFrame::State::kWhole) return;
    must(frame.bytes <= bytes.size() && frame.bytes > 0);
    must(log::encode_frame(frame.header, frame.sealed) == bytes.substr(0, frame.bytes));
    bytes.remove_prefix(frame.bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.empty()) return 0;
  const std::string_view rest = bytes.substr(1);
  switch (bytes[0] % 7) {
    case 0:
      frames(rest);
      break;
    case 1:
      // A frame around any payload: gets past the checksum.
      frames(log::encode_frame({.sequence = {1}, .durable_through = {0}}, rest) + std::string(rest));
      break;
    case 2:
      if (const auto header = log::decode_segment_header(rest)) {
        must(log::encode_segment_header(*header) == rest.substr(0, log::kSegmentHeaderBytes));
      }
      break;
    case 3:
      if (const auto record = log::decode_payload(rest)) {
        const auto again = log::encode_payload(*record);
        must(!again || *again == rest);  // a payload over a limit is read, but never written
      }
      if (const auto tombstone = log::decode_tombstone(rest)) must(log::encode_tombstone(*tombstone) == rest);
      break;
    case 4:
      if (const auto payloads = log::payloads_of_block(rest)) {
        std::string block;
        for (const std::string_view payload : *payloads) log::append_to_block(payload, block);
        must(block == rest);
      }
      break;
    case 5:
      static_cast<void>(log::decompress(log::Codec::kZstd, std::string(rest)));
      break;
    default:
      static_cast<void>(log::decompress(log::Codec::kZstdDictionary1, std::string(rest)));
      break;
  }
  return 0;
}
