// Access to a network's API on behalf of practitioners: OAuth 2 tokens (RFC 6749), sealed at rest, refreshed before
// they expire, one refresh at a time across threads and instances. What a network takes no more becomes a state of the
// consent, with a reason.
//
//   connected ──refresh refused──▶ needs_consent ──consent──▶ connected
//       │  ▲
//       │  └──works again── failing ◀──network cannot be reached── (connected)
//       └──disconnect──▶ revoked
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "network/settings.hpp"
#include "network/wire.hpp"
#include "runtime/clock.hpp"
#include "runtime/vault.hpp"
#include "store/network.hpp"
#include "store/views.hpp"

namespace resultsync::network {

struct TokenPair {
  Secret<std::string> access;
  Secret<std::string> refresh;  // empty if the answer has none
  std::chrono::seconds lifetime{0};
  PractitionerId owner = {};  // `resource_owner`, where the answer names one that is a practitioner
};
// The answer of a token endpoint: RFC 6749 §5.1, at the top or inside `oauth`. Error: `bad_response`.
Result<TokenPair> read_tokens(std::string_view body, std::chrono::seconds lifetime_if_unsaid);

// Blocks; thread-safe.
class Tokens {
 public:
  Tokens(store::Views& views, const runtime::Vault& vault, const Wire& wire, const runtime::Clock& clock,
         std::string instance);

  void set_redirect_uri(std::string uri);  // known once the public listener is

  // Errors: `consent_refused` (invalid_grant and the like), `network_unavailable`, `bad_response`.
  Result<TokenPair> exchange(const SourceSettings& source, const std::string& code, const std::string& redirect_uri,
                             const std::string& verifier);

  // A token that is good for a while yet; refreshed first if it is not. Errors: `needs_consent`, `revoked`,
  // `network_unavailable`, `not_found`.
  Result<Secret<std::string>> access(const SourceSettings& source, store::AuthorizationKey key);
  // The network refused this token although it had not expired: another one, or `needs_consent`.
  Result<Secret<std::string>> renew(const SourceSettings& source, store::AuthorizationKey key,
                                    const Secret<std::string>& refused);

  // Puts a pair in place of what is stored for this practitioner: adds or replaces the consent.
  Result<store::AuthorizationKey> keep(const SourceSettings& source, store::Authorization row, const TokenPair& pair);
  // The same as a part of the caller's transaction.
  store::AuthorizationKey keep(store::ViewsTransaction& transaction, const SourceSettings& source,
                               store::Authorization row, const TokenPair& pair) const;

  // Ends the consent here, and tells the network (once; if it cannot be told the tokens are forgotten all the same).
  Result<void> revoke(const SourceSettings& source, store::AuthorizationKey key);

 private:
  enum class Why { kExpiring, kRefused };
  Result<Secret<std::string>> refresh(const SourceSettings& source, store::AuthorizationKey key, Why why,
                                      const Secret<std::string>& refused);
  Result<store::Authorization> lease(store::AuthorizationKey key);
  Result<Secret<std::string>> refreshed(const SourceSettings& source, store::Authorization row, Why why);
  // The row that another pair or a revocation was written to since `spent` was read; nothing if `pair` took its place.
  Result<std::optional<store::Authorization>> replace(const SourceSettings& source, const store::Authorization& spent,
                                                      const TokenPair& pair);
  void conclude(const store::Authorization& row, store::ConsentState state, std::string reason);
  void forget_at_network(const SourceSettings& source, const std::string& token) const;
  Result<http::ClientResponse> post(const SourceSettings& source, const std::string& url,
                                    std::vector<std::pair<std::string, std::string>> parameters) const;
  std::mutex& mutex_of(store::AuthorizationKey key);
  [[nodiscard]] std::string unsealed(const store::Authorization& row, const char* what,
                                     const std::string& sealed) const;

  store::Views& views_;
  const runtime::Vault& vault_;
  const Wire& wire_;
  const runtime::Clock& clock_;
  const std::string instance_;
  mutable std::mutex redirect_mutex_;
  std::string redirect_uri_;  // guarded by redirect_mutex_
  std::mutex mutexes_mutex_;
  std::map<store::AuthorizationKey, std::unique_ptr<std::mutex>> mutexes_;  // guarded by mutexes_mutex_
};

}  // namespace resultsync::network
