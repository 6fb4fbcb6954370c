#include "base/digest.hpp"

#include <openssl/sha.h>

#include <algorithm>

#include "base/encoding.hpp"

namespace resultsync {

std::string Sha256::hex() const {
  return encode_hex(view());
}

std::optional<Sha256> Sha256::from_bytes(std::string_view raw) {
  Sha256 digest;
  if (raw.size() != digest.bytes.size()) return std::nullopt;
  std::ranges::transform(raw, digest.bytes.begin(), [](char byte) { return static_cast<std::uint8_t>(byte); });
  return digest;
}

Sha256 sha256(std::string_view text) {
  Sha256 digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.bytes.data());
  return digest;
}

}  // namespace resultsync
