// The secrets that an endpoint's deliveries are signed with (Standard Webhooks): made here, shown once, sealed at rest.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "vendors/signing_keys.hpp"

namespace resultsync::delivery {

// `v1`: an HMAC key of 32 bytes as `whsec_` + base64. `v1a`: an Ed25519 key, private and public, as `whsk_` + base64.
Secret<std::string> new_hmac_secret();
Secret<std::string> new_ed25519_secret();
// What the receiver verifies `v1a` with: `whpk_` + base64. Empty if `secret` is no Ed25519 key.
std::string public_key_of(const Secret<std::string>& secret);

struct EndpointSecrets {
  std::vector<Secret<std::string>> current;   // a v1 key, and a v1a key if the endpoint has one
  std::vector<Secret<std::string>> previous;  // those before the last rotation, while they also sign

  // As one text to be sealed, and back. Error: `bad_secrets`.
  [[nodiscard]] Secret<std::string> text() const;
  static Result<EndpointSecrets> parse(const Secret<std::string>& text);
  // All that sign at present, newest first. Errors: those of SigningKeys::read().
  [[nodiscard]] Result<vendors::SigningKeys> keys(bool with_previous) const;
  [[nodiscard]] bool has_ed25519() const;
};

}  // namespace resultsync::delivery
