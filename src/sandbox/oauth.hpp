// The authorization server: codes, tokens, grants (RFC 6749, 7009, 7636). It knows practitioners by index and nothing
// else of the world. Times are the machine's, given by the caller. Not thread-safe: one owner.
//
// A grant is one practitioner's consent. Its refresh tokens form one family: the use of a spent one revokes all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/timestamp.hpp"

namespace resultsync::sandbox {

struct OAuthOptions {
  std::string client_id = "rupa-sandbox-client";
  std::string client_secret = {};
  std::vector<std::string> redirect_uris = {};  // empty: every http URI of a loopback host
  std::int64_t code_seconds = 60;
  std::int64_t access_seconds = 36'000;
  std::int64_t refresh_seconds = 0;  // 0: without end
  std::int64_t refresh_grace_seconds = 0;
  std::size_t grants_max = 10'000;  // remembered, ended ones included; beyond: the authorize page says so
};

// What a client asks for on the consent page.
struct AuthorizationRequest {
  std::string client_id, redirect_uri, response_type, scope, state, code_challenge, code_challenge_method;
};

enum class GrantState { kActive, kRevoked, kWithdrawn };
std::string_view grant_state_name(GrantState state);

struct Grant {
  std::uint64_t id = 0;
  std::size_t practitioner = 0;
  std::string scope;
  GrantState state = GrantState::kActive;
  Timestamp since;
};

struct TokenAnswer {
  std::string access_token, refresh_token, scope;
  std::int64_t expires_in = 0;
};

// The members of an error answer (RFC 6749 §5.2): `code` is the OAuth error.
using OAuthError = Error;

class OAuth {
 public:
  // `random` gives 32 characters that nobody can foresee.
  OAuth(OAuthOptions options, std::function<std::string()> random);

  // Whether the request may be answered by redirects at all. Errors: `invalid_client`, `invalid_redirect_uri`.
  [[nodiscard]] Result<void> check_client(const AuthorizationRequest& request) const;
  // What is wrong with the rest of it, for the redirect: `unsupported_response_type`, `invalid_scope`,
  // `invalid_request`.
  [[nodiscard]] Result<void> check_request(const AuthorizationRequest& request) const;

  // The practitioner said yes: the code for the redirect. Error: `temporarily_unavailable`.
  Result<std::string> accept(const AuthorizationRequest& request, std::size_t practitioner, Timestamp now);

  [[nodiscard]] bool is_client(std::string_view id, std::string_view secret) const;

  Result<TokenAnswer> exchange(std::string_view code, std::string_view redirect_uri, std::string_view verifier,
                               Timestamp now);
  Result<TokenAnswer> refresh(std::string_view refresh_token, Timestamp now);
  void revoke(std::string_view token);  // either kind; unknown ones are nothing

  // The grant that an access token speaks for; nothing if it is unknown, expired or ended.
  [[nodiscard]] std::optional<Grant> bearer(std::string_view access_token, Timestamp now) const;

  [[nodiscard]] const std::vector<Grant>& grants() const { return grants_; }
  bool withdraw(std::uint64_t grant);  // false: there is no such active grant
  bool expire(std::uint64_t grant);

 private:
  struct Code {
    AuthorizationRequest request;
    std::size_t practitioner;
    Timestamp expires;
    std::optional<std::size_t> grant;  // spent for this one
  };
  struct Access {
    std::size_t grant;
    Timestamp expires;
  };
  struct Refresh {
    std::size_t grant;
    std::optional<Timestamp> expires;
    std::optional<Timestamp> spent;
    std::string access;  // given together with it
  };
  TokenAnswer give(std::size_t grant, Timestamp now);
  void end(std::size_t grant, GrantState state);
  void sweep(Timestamp now);

  OAuthOptions options_;
  std::function<std::string()> random_;
  std::vector<Grant> grants_;
  std::map<std::string, Code, std::less<>> codes_;
  std::map<std::string, Access, std::less<>> access_;
  std::map<std::string, Refresh, std::less<>> refresh_;
};

}  // namespace resultsync::sandbox
