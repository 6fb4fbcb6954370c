// Compression of payloads before they are sealed (sealed bytes do not compress). Small ones with a dictionary trained
// on the network's events: they share nearly all their words, and one event alone is too short to learn them from.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "store/log/format.hpp"

namespace resultsync::store::log {

// No payload is longer; what claims to be is refused before a byte is allocated for it.
inline constexpr std::size_t kPayloadBytesMax = std::size_t{48} * 1024 * 1024;

struct Encoded {
  Codec codec = Codec::kNone;
  std::string bytes;
};

// With the codec that suits the length, or as it is where compression gains little. Thread-safe: each thread keeps its
// own working memory.
Encoded compress(std::string payload);
// A block of records: they teach each other, so that the quickest level gains more than the others do on one of them.
// Thread-safe.
Encoded compress_block(std::string block);
// With this codec. Thread-safe.
Encoded compress_with(Codec codec, std::string payload);

// Error: `bad_compression`. Thread-safe.
Result<std::string> decompress(Codec codec, std::string bytes);

// The bytes of dictionary 1, for tests and tools.
std::string_view dictionary_v1();

}  // namespace resultsync::store::log
