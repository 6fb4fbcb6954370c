#include "runtime/vault.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdlib>

#include "runtime/random.hpp"
#include "runtime/sealing.hpp"

namespace resultsync::runtime {
namespace {

// HMAC-SHA256 with the master key as the key is a pseudo-random function (NIST SP 800-108 r1 §4.1, one block).
Secret<Key256> derived(const MasterKey& master, std::string_view purpose) {
  const std::string label = "resultsync vault 1 " + std::string(purpose);
  Key256 key{};
  unsigned length = 0;
  const auto& from = master.key().reveal();
  if (::HMAC(EVP_sha256(), from.data(), static_cast<int>(from.size()),
             reinterpret_cast<const unsigned char*>(label.data()), label.size(), key.data(), &length) == nullptr ||
      length != key.size()) {
    std::abort();
  }
  return Secret<Key256>(key);
}

}  // namespace

Vault::Vault(const MasterKey& master, std::string_view purpose) : key_(derived(master, purpose)) {}

std::string Vault::seal(std::string_view name, std::string_view text) const {
  std::string sealed = random_bytes(sizeof(SealNonce));
  SealNonce nonce;
  std::ranges::copy(sealed, nonce.begin());
  Sealer(key_).seal(nonce, name, text, sealed);
  return sealed;
}

Result<std::string> Vault::open(std::string_view name, std::string_view sealed) const {
  SealNonce nonce;
  if (sealed.size() < nonce.size()) return fail("bad_seal", "what was sealed is cut off");
  std::ranges::copy(sealed.substr(0, nonce.size()), nonce.begin());
  return Unsealer(key_).open(nonce, name, sealed.substr(nonce.size()));
}

}  // namespace resultsync::runtime
