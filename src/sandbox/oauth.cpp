#include "sandbox/oauth.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "http/client.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::size_t kTextMax = 2000;     // of each parameter of an authorization request
constexpr std::size_t kCodesMax = 10'000;  // at once
// Of all grants together; then the spent ones are forgotten, and their reuse is "not known".
constexpr std::size_t kRefreshTokensMax = 200'000;

Timestamp plus(Timestamp time, std::int64_t seconds) {
  return {time.microseconds + seconds * 1'000'000};
}

// Compares in a time that depends on the lengths only.
bool same_secret(std::string_view a, std::string_view b) {
  return sha256(a) == sha256(b);
}

bool is_loopback(const std::string& uri) {
  const auto url = http::parse_url(uri);
  return url && url->scheme == "http" && (url->host == "127.0.0.1" || url->host == "::1" || url->host == "localhost");
}

bool known_scope(std::string_view scope) {
  return scope.empty() || scope == "read" || scope == "write" || scope == "read write" || scope == "write read";
}

}  // namespace

std::string_view grant_state_name(GrantState state) {
  constexpr std::string_view kNames[] = {"active", "revoked", "withdrawn"};
  return kNames[static_cast<int>(state)];
}

OAuth::OAuth(OAuthOptions options, std::function<std::string()> random)
    : options_(std::move(options)), random_(std::move(random)) {}

Result<void> OAuth::check_client(const AuthorizationRequest& request) const {
  if (request.client_id != options_.client_id)
    return fail("invalid_client", "No application is registered under this client_id.");
  const bool allowed =
      options_.redirect_uris.empty()
          ? is_loopback(request.redirect_uri)
          : std::ranges::find(options_.redirect_uris, request.redirect_uri) != options_.redirect_uris.end();
  if (!allowed || request.redirect_uri.contains('#') || request.redirect_uri.size() > kTextMax)
    return fail("invalid_redirect_uri", "This redirect_uri is not registered for the application.");
  return {};
}

Result<void> OAuth::check_request(const AuthorizationRequest& request) const {
  if (request.response_type != "code") return fail("unsupported_response_type", "response_type has to be \"code\".");
  if (!known_scope(request.scope)) return fail("invalid_scope", "The scopes are \"read\" and \"write\".");
  if (request.state.size() > kTextMax) return fail("invalid_request", "state is too long.");
  if (request.code_challenge.empty() != request.code_challenge_method.empty())
    return fail("invalid_request", "code_challenge and code_challenge_method go together.");
  if (!request.code_challenge.empty() &&
      (request.code_challenge_method != "S256" || request.code_challenge.size() != 43))
    return fail("invalid_request", "code_challenge_method has to be \"S256\".");
  return {};
}

Result<std::string> OAuth::accept(const AuthorizationRequest& request, std::size_t practitioner, Timestamp now) {
  sweep(now);
  if (codes_.size() >= kCodesMax || grants_.size() >= options_.grants_max)
    return fail("temporarily_unavailable", "There are too many consents.");
  std::string code = "code_" + random_();
  codes_[code] = {request, practitioner, plus(now, options_.code_seconds), std::nullopt};
  return code;
}

bool OAuth::is_client(std::string_view id, std::string_view secret) const {
  return same_secret(id, options_.client_id) && same_secret(secret, options_.client_secret);
}

Result<TokenAnswer> OAuth::exchange(std::string_view code, std::string_view redirect_uri, std::string_view verifier,
                                    Timestamp now) {
  const auto at = codes_.find(code);
  if (at == codes_.end()) return fail("invalid_grant", "The code is not known, or has expired.");
  Code& known = at->second;
  if (known.grant) {
    end(*known.grant, GrantState::kRevoked);  // RFC 6749 §4.1.2: somebody has a stolen code
    return fail("invalid_grant", "The code was used before. The tokens that it gave are revoked.");
  }
  if (known.expires <= now) return fail("invalid_grant", "The code has expired.");
  if (known.request.redirect_uri != redirect_uri)
    return fail("invalid_grant", "redirect_uri is not the one of the authorization request.");
  if (!known.request.code_challenge.empty() &&
      encode_base64url(sha256(verifier).view()) != known.request.code_challenge)
    return fail("invalid_grant", "code_verifier does not fit the code_challenge.");
  const std::size_t grant = grants_.size();
  grants_.push_back({.id = grant + 1,
                     .practitioner = known.practitioner,
                     .scope = known.request.scope.empty() ? "read write" : known.request.scope,
                     .state = GrantState::kActive,
                     .since = now});
  known.grant = grant;
  return give(grant, now);
}

Result<TokenAnswer> OAuth::refresh(std::string_view refresh_token, Timestamp now) {
  const auto at = refresh_.find(refresh_token);
  if (at == refresh_.end()) return fail("invalid_grant", "The refresh token is not known.");
  Refresh& known = at->second;
  const std::size_t grant = known.grant;
  if (grants_[grant].state != GrantState::kActive)
    return fail("invalid_grant", grants_[grant].state == GrantState::kWithdrawn
                                     ? "The practitioner has withdrawn consent."
                                     : "The grant was revoked.");
  if (known.expires && *known.expires <= now) return fail("invalid_grant", "The refresh token has expired.");
  if (known.spent && plus(*known.spent, options_.refresh_grace_seconds) <= now) {
    end(grant, GrantState::kRevoked);
    return fail("invalid_grant", "The refresh token was used before. All tokens of the grant are revoked.");
  }
  if (!known.spent) known.spent = now;
  access_.erase(known.access);
  return give(grant, now);
}

void OAuth::revoke(std::string_view token) {
  if (const auto at = access_.find(token); at != access_.end()) return end(at->second.grant, GrantState::kRevoked);
  if (const auto at = refresh_.find(token); at != refresh_.end()) return end(at->second.grant, GrantState::kRevoked);
}

std::optional<Grant> OAuth::bearer(std::string_view access_token, Timestamp now) const {
  const auto at = access_.find(access_token);
  if (at == access_.end() || at->second.expires <= now) return std::nullopt;
  const Grant& grant = grants_[at->second.grant];
  return grant.state == GrantState::kActive ? std::optional(grant) : std::nullopt;
}

bool OAuth::withdraw(std::uint64_t grant) {
  if (grant == 0 || grant > grants_.size() || grants_[grant - 1].state != GrantState::kActive) return false;
  end(grant - 1, GrantState::kWithdrawn);
  return true;
}

bool OAuth::expire(std::uint64_t grant) {
  if (grant == 0 || grant > grants_.size() || grants_[grant - 1].state != GrantState::kActive) return false;
  std::erase_if(access_, [&](const auto& one) { return one.second.grant == grant - 1; });
  return true;
}

TokenAnswer OAuth::give(std::size_t grant, Timestamp now) {
  TokenAnswer answer{"at_" + random_(), "rt_" + random_(), grants_[grant].scope, options_.access_seconds};
  access_[answer.access_token] = {grant, plus(now, options_.access_seconds)};
  refresh_[answer.refresh_token] = {
      grant, options_.refresh_seconds == 0 ? std::nullopt : std::optional(plus(now, options_.refresh_seconds)),
      std::nullopt, answer.access_token};
  sweep(now);
  return answer;
}

void OAuth::end(std::size_t grant, GrantState state) {
  if (grants_[grant].state != GrantState::kActive) return;
  grants_[grant].state = state;
  std::erase_if(access_, [&](const auto& one) { return one.second.grant == grant; });
}

// What can no longer make a difference. Spent codes and refresh tokens stay for as long as their reuse has to be seen.
void OAuth::sweep(Timestamp now) {
  std::erase_if(access_, [&](const auto& one) { return one.second.expires <= now; });
  std::erase_if(codes_, [&](const auto& one) { return plus(one.second.expires, 3600) <= now; });
  std::erase_if(refresh_, [&](const auto& one) {
    return grants_[one.second.grant].state != GrantState::kActive && one.second.spent &&
           plus(*one.second.spent, 3600) <= now;
  });
  if (refresh_.size() > kRefreshTokensMax)
    std::erase_if(refresh_, [](const auto& one) { return one.second.spent.has_value(); });
}

}  // namespace resultsync::sandbox
