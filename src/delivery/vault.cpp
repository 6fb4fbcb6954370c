#include "delivery/vault.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "runtime/random.hpp"
#include "runtime/sealing.hpp"

namespace resultsync::delivery {
namespace {

// A key of its own: nonces are drawn at random here, and must not meet those that the log counts.
Secret<runtime::Key256> key_from(const runtime::MasterKey& master) {
  Secret<std::string> text("resultsync endpoints v1" +
                           std::string(master.key().reveal().begin(), master.key().reveal().end()));
  return Secret<runtime::Key256>(sha256(text.reveal()).bytes);
}

}  // namespace

Vault::Vault(const runtime::MasterKey& master) : key_(key_from(master)) {}

std::string Vault::seal(std::string_view purpose, std::string_view text) const {
  if (text.empty()) return {};
  std::string sealed = runtime::random_bytes(std::tuple_size_v<runtime::SealNonce>);
  runtime::SealNonce nonce{};
  std::ranges::transform(sealed, nonce.begin(), [](char byte) { return static_cast<std::uint8_t>(byte); });
  runtime::Sealer(key_).seal(nonce, purpose, text, sealed);
  return sealed;
}

Result<std::string> Vault::open(std::string_view purpose, std::string_view sealed) const {
  if (sealed.empty()) return std::string{};
  runtime::SealNonce nonce{};
  if (sealed.size() < nonce.size()) return fail("bad_seal", "the sealed text is cut off");
  std::ranges::transform(sealed.substr(0, nonce.size()), nonce.begin(),
                         [](char byte) { return static_cast<std::uint8_t>(byte); });
  return runtime::Unsealer(key_).open(nonce, purpose, sealed.substr(nonce.size()));
}

}  // namespace resultsync::delivery
