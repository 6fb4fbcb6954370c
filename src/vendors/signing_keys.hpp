// The keys of one source, read from the secrets that its network handed out. Several may be in force at once, newest
// first, so that a secret can be rotated without refusing anything.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "vendors/signature_scheme.hpp"

struct evp_pkey_st;

namespace resultsync::vendors {

// The signed content in pieces, so that a body is never copied to be signed.
using Pieces = std::span<const std::string_view>;

// One key. Copies are cheap and stand for the same key. Thread-safe.
class SigningKey {
 public:
  // Errors, none of which repeats the secret: `secret_empty`, `secret_malformed`, `secret_weak` (too short to be safe).
  static Result<SigningKey> read(const SignatureScheme& scheme, const Secret<std::string>& text);

  [[nodiscard]] Algorithm algorithm() const { return public_key_ ? Algorithm::kEd25519 : Algorithm::kHmacSha256; }

  // Whether one of the signatures (raw bytes, made with algorithm()) is that of the message. Compares in constant time.
  [[nodiscard]] bool matches_any(std::span<const std::string> signatures, Pieces message) const;

  // The signature as raw bytes. Error: `cannot_sign` (the key is public: whpk_).
  [[nodiscard]] Result<std::string> sign(Pieces message) const;

 private:
  SigningKey() = default;
  static Result<SigningKey> read_hmac(const SignatureScheme& scheme, std::string bytes);
  static Result<SigningKey> read_public(std::string_view base64);
  static Result<SigningKey> read_private(std::string_view base64);

  Secret<std::string> hmac_key_;
  std::uint64_t hmac_number_ = 0;            // names the key among the kept contexts of a thread
  std::shared_ptr<evp_pkey_st> public_key_;  // shared by the copies of this key; OpenSSL only reads it
  std::shared_ptr<evp_pkey_st> private_key_;
};

class SigningKeys {
 public:
  static constexpr std::size_t kKeysMax = 8;

  // Checks the scheme, then reads every secret; the first is the newest. Errors: those of check_scheme() and
  // SigningKey::read(), `no_secrets`, `too_many_secrets`.
  static Result<SigningKeys> read(const SignatureScheme& scheme, std::span<const Secret<std::string>> secrets);

  [[nodiscard]] std::span<const SigningKey> all() const { return keys_; }

 private:
  std::vector<SigningKey> keys_;
};

}  // namespace resultsync::vendors
