#include "delivery/secrets.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "vendors/signature_scheme.hpp"

namespace resultsync::delivery {
namespace {

constexpr std::size_t kEd25519Bytes = 32;
constexpr std::string_view kPrivatePrefix = "whsk_";

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};

// OpenSSL fails here only for want of memory or of a provider.
void must(bool succeeded) {
  if (!succeeded) std::abort();
}

std::vector<Secret<std::string>> words_of(std::string_view line) {
  std::vector<Secret<std::string>> words;
  while (!line.empty()) {
    const auto end = std::min(line.find(' '), line.size());
    if (end > 0) words.emplace_back(std::string(line.substr(0, end)));
    line.remove_prefix(std::min(end + 1, line.size()));
  }
  return words;
}

bool is_ed25519(const Secret<std::string>& secret) {
  return secret.reveal().starts_with(kPrivatePrefix);
}

}  // namespace

Secret<std::string> new_hmac_secret() {
  const Secret<std::string> bytes(runtime::random_bytes(32));
  return Secret<std::string>("whsec_" + encode_base64(bytes.reveal()));
}

Secret<std::string> new_ed25519_secret() {
  const std::unique_ptr<EVP_PKEY, FreeKey> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  must(key != nullptr);
  std::string pair(2 * kEd25519Bytes, '\0');
  auto* bytes = reinterpret_cast<unsigned char*>(pair.data());
  std::size_t size = kEd25519Bytes;
  must(EVP_PKEY_get_raw_private_key(key.get(), bytes, &size) == 1);
  size = kEd25519Bytes;
  must(EVP_PKEY_get_raw_public_key(key.get(), bytes + kEd25519Bytes, &size) == 1);
  const Secret<std::string> both(std::move(pair));
  return Secret<std::string>(std::string(kPrivatePrefix) + encode_base64(both.reveal()));
}

std::string public_key_of(const Secret<std::string>& secret) {
  if (!is_ed25519(secret)) return {};
  const Secret<std::string> pair(
      decode_base64(std::string_view(secret.reveal()).substr(kPrivatePrefix.size())).value_or(""));
  if (pair.reveal().size() != 2 * kEd25519Bytes) return {};
  return "whpk_" + encode_base64(std::string_view(pair.reveal()).substr(kEd25519Bytes));
}

Secret<std::string> EndpointSecrets::text() const {
  std::string text;
  for (const auto& secret : current) text += (text.empty() ? "" : " ") + secret.reveal();
  text += '\n';
  for (const auto& secret : previous) text += (text.ends_with('\n') ? "" : " ") + secret.reveal();
  return Secret<std::string>(std::move(text));
}

Result<EndpointSecrets> EndpointSecrets::parse(const Secret<std::string>& text) {
  const std::string_view all = text.reveal();
  const auto end = all.find('\n');
  if (end == std::string_view::npos) return fail("bad_secrets", "the endpoint's secrets cannot be read");
  EndpointSecrets secrets{words_of(all.substr(0, end)), words_of(all.substr(end + 1))};
  if (secrets.current.empty()) return fail("bad_secrets", "the endpoint has no secret");
  return secrets;
}

Result<vendors::SigningKeys> EndpointSecrets::keys(bool with_previous) const {
  const auto scheme = vendors::signature_preset("standard-webhooks");
  if (!scheme) return std::unexpected(scheme.error());
  std::vector<Secret<std::string>> all = current;
  if (with_previous) all.insert(all.end(), previous.begin(), previous.end());
  return vendors::SigningKeys::read(*scheme, all);
}

bool EndpointSecrets::has_ed25519() const {
  return std::ranges::any_of(current, is_ed25519);
}

}  // namespace resultsync::delivery
