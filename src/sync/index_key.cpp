#include "sync/index_key.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <string>

namespace resultsync::sync {

namespace {

Sha256 hmac(const Secret<runtime::Key256>& key, std::string_view text) {
  Sha256 digest;
  ::HMAC(EVP_sha256(), key.reveal().data(), static_cast<int>(key.reveal().size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.bytes.data(), nullptr);
  return digest;
}

}  // namespace

store::Term IndexKey::term(char kind, std::string_view text) const {
  const Sha256 digest = hmac(key_, kind + std::string(text));
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) value = value << 8U | digest.bytes[i];  // the same on every machine
  return {value == 0 ? 1 : static_cast<std::int64_t>(value)};
}

// A code may hold any character: each stands with its length.
Sha256 IndexKey::set(const std::vector<std::string>& codes) const {
  std::string text = "s";
  for (const std::string& code : codes) text.append(std::to_string(code.size())).append(":").append(code);
  return hmac(key_, text);
}

}  // namespace resultsync::sync
