#include "network/tokens.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "orders/json_body.hpp"
#include "runtime/log.hpp"

namespace resultsync::network {
namespace {

using store::Authorization;
using store::ConsentState;

// A token is refreshed so long before it expires; one that lives shorter, at its half.
constexpr std::chrono::seconds kRefreshAhead{120};
constexpr std::chrono::seconds kLease{45};  // longer than the longest exchange with the token endpoint
constexpr std::chrono::seconds kTokenTimeout{30};
constexpr std::chrono::milliseconds kLeasePoll{100};

Timestamp later(Timestamp time, std::chrono::seconds by) {
  return {time.microseconds + std::chrono::microseconds(by).count()};
}

std::string name_of_text(store::AuthorizationKey key, std::string_view what) {
  return std::string(what) + " " + std::to_string(key.value);
}

// Errors of a token endpoint that mean: the practitioner's consent is worth nothing any more.
bool is_refusal(const http::ClientResponse& answer) {
  if (answer.status != 400 && answer.status != 401 && answer.status != 403) return false;
  const orders::JsonBody body(answer.body);
  std::string error = orders::text_of(orders::member(body.root(), "error"));
  const auto note = [&](simdjson::dom::element one) {
    if (error.empty()) error = orders::text_of(orders::member(one, "code"));
  };
  if (const auto one = orders::member(body.root(), "error"); one && one->is_object()) note(*one);
  orders::for_each(orders::member(body.root(), "errors"), note);
  return error == "invalid_grant" || error == "access_denied" || error == "unauthorized_client";
}

// Each sealing has a nonce of its own, so the same bytes are the same pair, untouched.
bool is_same_pair(const Authorization& one, const Authorization& other) {
  return one.sealed_access == other.sealed_access && one.sealed_refresh == other.sealed_refresh;
}

}  // namespace

Result<TokenPair> read_tokens(std::string_view text, std::chrono::seconds lifetime_if_unsaid) {
  const orders::JsonBody body(text);
  auto root = body.root();
  if (const auto inner = orders::member(root, "oauth")) root = inner;
  TokenPair pair;
  pair.access = Secret<std::string>(orders::text_of(orders::member(root, "access_token")));
  pair.refresh = Secret<std::string>(orders::text_of(orders::member(root, "refresh_token")));
  if (const auto owner = orders::member(root, "resource_owner");
      orders::text_of(orders::member(owner, "type")) == "Practitioner")
    pair.owner = PractitionerId(orders::id_text(orders::member(owner, "id")));
  if (pair.access.reveal().empty()) return fail("bad_response", "the token endpoint's answer has no access token");
  pair.lifetime = lifetime_if_unsaid;
  std::int64_t seconds = 0;
  if (const auto said = orders::member(root, "expires_in");
      said && said->get_int64().get(seconds) == simdjson::SUCCESS) {
    pair.lifetime = std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, 10 * 365 * 86'400));
  }
  return pair;
}

Tokens::Tokens(store::Views& views, const runtime::Vault& vault, const Wire& wire, const runtime::Clock& clock,
               std::string instance)
    : views_(views), vault_(vault), wire_(wire), clock_(clock), instance_(std::move(instance)) {}

void Tokens::set_redirect_uri(std::string uri) {
  const std::lock_guard lock(redirect_mutex_);
  redirect_uri_ = std::move(uri);
}

Result<TokenPair> Tokens::exchange(const SourceSettings& source, const std::string& code,
                                   const std::string& redirect_uri, const std::string& verifier) {
  std::vector<std::pair<std::string, std::string>> parameters{
      {"grant_type", "authorization_code"}, {"code", code}, {"redirect_uri", redirect_uri}};
  if (!verifier.empty()) parameters.emplace_back("code_verifier", verifier);
  const auto answer = post(source, source.token_url, std::move(parameters));
  if (!answer)
    return fail("network_unavailable", "the network's token endpoint could not be reached", answer.error().text());
  if (is_refusal(*answer)) return fail("consent_refused", "the network did not take the code of the consent");
  if (answer->status != 200 && answer->status != 201) {
    return fail("network_unavailable", "the network's token endpoint did not give tokens",
                "status " + std::to_string(answer->status));
  }
  return read_tokens(answer->body, source.token_lifetime);
}

Result<Secret<std::string>> Tokens::access(const SourceSettings& source, store::AuthorizationKey key) {
  std::optional<Authorization> row;
  {
    const auto snapshot = views_.snapshot();
    row = snapshot->network().authorization(key);
    if (auto status = snapshot->status(); !status) return forward_error(std::move(status));
  }
  if (!row) return fail("not_found", "there is no such consent");
  if (row->state == ConsentState::kRevoked) return fail("revoked", "the consent was ended here");
  if (row->state == ConsentState::kNeedsConsent) return fail("needs_consent", "the practitioner must consent again");
  const auto lived = row->expires_at.microseconds - row->updated_at.microseconds;
  const auto ahead = std::min(std::chrono::microseconds(kRefreshAhead).count(), lived / 2);
  const bool good = row->expires_at.microseconds - ahead > clock_.now().microseconds;
  if (good || row->sealed_refresh.empty()) {
    if (row->expires_at <= clock_.now()) {
      conclude(*row, ConsentState::kNeedsConsent, "expired");
      return fail("needs_consent", "the token expired, and there is none to refresh it with");
    }
    return Secret<std::string>(unsealed(*row, "access", row->sealed_access));
  }
  return refresh(source, key, Why::kExpiring, {});
}

Result<Secret<std::string>> Tokens::renew(const SourceSettings& source, store::AuthorizationKey key,
                                          const Secret<std::string>& refused) {
  return refresh(source, key, Why::kRefused, refused);
}

Result<Secret<std::string>> Tokens::refresh(const SourceSettings& source, store::AuthorizationKey key, Why why,
                                            const Secret<std::string>& refused) {
  const std::lock_guard turn(mutex_of(key));  // of this process; the lease is for the others
  {
    // Somebody may have refreshed it while we waited for our turn.
    const auto snapshot = views_.snapshot();
    const auto row = snapshot->network().authorization(key);
    if (!row) return fail("not_found", "there is no such consent");
    if (row->state == ConsentState::kNeedsConsent) return fail("needs_consent", "the practitioner must consent again");
    if (row->state == ConsentState::kRevoked) return fail("revoked", "the consent was ended here");
    std::string token = unsealed(*row, "access", row->sealed_access);
    const bool is_news = why == Why::kRefused ? token != refused.reveal()
                                              : row->expires_at.microseconds - clock_.now().microseconds >
                                                    (row->expires_at.microseconds - row->updated_at.microseconds) / 2;
    if (is_news && !token.empty()) return Secret<std::string>(std::move(token));
  }
  auto row = lease(key);
  if (!row) return forward_error(std::move(row));
  if (row->lease_owner != instance_) return Secret<std::string>(unsealed(*row, "access", row->sealed_access));
  return refreshed(source, std::move(*row), why);
}

// Takes the lease, or waits until another instance is done with it: then the row is theirs.
Result<Authorization> Tokens::lease(store::AuthorizationKey key) {
  const auto patience = clock_.monotonic() + kLease;
  bool waited = false;
  while (true) {
    {
      const auto transaction = views_.begin();
      auto row = transaction->read().network().authorization(key);
      if (!row) return fail("not_found", "there is no such consent");
      const bool taken = !row->lease_owner.empty() && row->lease_until > clock_.now();
      if (!taken && waited && row->state == ConsentState::kConnected && row->expires_at > clock_.now()) return *row;
      if (!taken) {
        row->lease_owner = instance_;
        row->lease_until = later(clock_.now(), kLease);
        transaction->network().save_authorization(*row);
        if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
        return *row;
      }
    }
    if (clock_.monotonic() > patience)
      return fail("network_unavailable", "another instance refreshes this token and does not end");
    waited = true;
    std::this_thread::sleep_for(kLeasePoll);
  }
}

Result<Secret<std::string>> Tokens::refreshed(const SourceSettings& source, Authorization row, Why why) {
  const std::string old = unsealed(row, "refresh", row.sealed_refresh);
  if (old.empty()) {
    conclude(row, ConsentState::kNeedsConsent, "no_refresh_token");
    return fail("needs_consent", "the network refused the token, and there is none to refresh it with");
  }
  std::vector<std::pair<std::string, std::string>> parameters{{"grant_type", "refresh_token"}, {"refresh_token", old}};
  if (source.refresh_redirect_uri) {
    const std::lock_guard lock(redirect_mutex_);
    parameters.emplace_back("redirect_uri", redirect_uri_);
  }
  const auto answer = post(source, source.token_url, std::move(parameters));
  if (answer && is_refusal(*answer)) {
    conclude(row, ConsentState::kNeedsConsent, "refresh_refused");
    return fail("needs_consent", "the network takes our tokens no more: the practitioner must consent again");
  }
  auto pair = answer && (answer->status == 200 || answer->status == 201)
                  ? read_tokens(answer->body, source.token_lifetime)
                  : Result<TokenPair>(fail("network_unavailable", "the token endpoint did not give tokens"));
  if (!pair) {
    const std::string reason =
        answer ? "token_http_" + std::to_string(answer->status) : std::string(answer.error().code);
    // A token that has not expired still works while its successor cannot be had.
    const bool usable = why == Why::kExpiring && row.expires_at > clock_.now();
    std::string token = usable ? unsealed(row, "access", row.sealed_access) : std::string{};
    conclude(row, usable ? ConsentState::kConnected : ConsentState::kFailing, reason);
    if (usable) return Secret<std::string>(std::move(token));
    return fail("network_unavailable", "the network's token endpoint gave no token", reason);
  }
  if (pair->refresh.reveal().empty()) pair->refresh = Secret<std::string>(old);
  // The new refresh token is durable in the same commit that forgets the old one, and before either token is used.
  const auto newer = replace(source, row, *pair);
  if (!newer) return std::unexpected(newer.error());
  if (!*newer) return pair->access;
  if ((*newer)->state == ConsentState::kRevoked) {
    forget_at_network(source, pair->refresh.reveal());
    return fail("revoked", "the consent was ended here");
  }
  return Secret<std::string>(unsealed(**newer, "access", (*newer)->sealed_access));
}

Result<std::optional<Authorization>> Tokens::replace(const SourceSettings& source, const Authorization& spent,
                                                     const TokenPair& pair) {
  const auto transaction = views_.begin();
  auto now = transaction->read().network().authorization(spent.key);
  if (!now) return fail("not_found", "there is no such consent");
  if (now->state == ConsentState::kRevoked || !is_same_pair(*now, spent)) return now;
  keep(*transaction, source, spent, pair);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  return std::nullopt;
}

Result<store::AuthorizationKey> Tokens::keep(const SourceSettings& source, Authorization row, const TokenPair& pair) {
  const auto transaction = views_.begin();
  const auto key = keep(*transaction, source, std::move(row), pair);
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  return key;
}

store::AuthorizationKey Tokens::keep(store::ViewsTransaction& transaction, const SourceSettings& source,
                                     Authorization row, const TokenPair& pair) const {
  const Timestamp now = clock_.now();
  const auto known = transaction.read().network().authorization(source.source, row.app_practitioner);
  row.source = source.source;
  row.state = ConsentState::kConnected;
  row.reason.clear();
  row.lease_owner.clear();
  row.lease_until = {};
  row.updated_at = now;
  row.expires_at = later(now, pair.lifetime);
  row.created_at = known ? known->created_at : now;
  row.key = known ? known->key : transaction.network().add_authorization(row);
  row.sealed_access = vault_.seal(name_of_text(row.key, "access"), pair.access.reveal());
  row.sealed_refresh = pair.refresh.reveal().empty()
                           ? std::string{}
                           : vault_.seal(name_of_text(row.key, "refresh"), pair.refresh.reveal());
  transaction.network().save_authorization(row);
  return row.key;
}

Result<void> Tokens::revoke(const SourceSettings& source, store::AuthorizationKey key) {
  const std::lock_guard turn(mutex_of(key));
  std::string token;
  {
    const auto transaction = views_.begin();
    auto row = transaction->read().network().authorization(key);
    if (!row) return fail("not_found", "there is no such consent");
    token = unsealed(*row, "refresh", row->sealed_refresh);
    if (token.empty()) token = unsealed(*row, "access", row->sealed_access);
    row->state = ConsentState::kRevoked;
    row->reason = "disconnected";
    row->sealed_access.clear();
    row->sealed_refresh.clear();
    row->updated_at = clock_.now();
    transaction->network().save_authorization(*row);
    if (auto committed = transaction->commit(); !committed) return committed;
  }
  forget_at_network(source, token);
  return {};
}

void Tokens::forget_at_network(const SourceSettings& source, const std::string& token) const {
  if (token.empty() || source.revoke_url.empty()) return;
  const auto answer = post(source, source.revoke_url, {{"token", token}});
  if (!answer || answer->status / 100 != 2) {
    runtime::log::warning(
        "network.revoke_failed",
        {{"source", source.source.text()}, {"reason", answer ? std::string_view("status") : answer.error().code}});
  }
}

// Ends a refresh that gave nothing. It says nothing of a pair that was written meanwhile.
void Tokens::conclude(const Authorization& row, ConsentState state, std::string reason) {
  const auto transaction = views_.begin();
  auto now = transaction->read().network().authorization(row.key);
  if (!now || now->state == ConsentState::kRevoked || !is_same_pair(*now, row)) return;
  now->state = state;
  now->reason = std::move(reason);
  if (now->lease_owner == instance_) {
    now->lease_owner.clear();
    now->lease_until = {};
  }
  transaction->network().save_authorization(*now);
  if (transaction->commit() && state != ConsentState::kConnected) {
    runtime::log::warning("network.consent",
                          {{"source", now->source.text()}, {"state", store::name_of(state)}, {"reason", now->reason}});
  }
}

Result<http::ClientResponse> Tokens::post(const SourceSettings& source, const std::string& url,
                                          std::vector<std::pair<std::string, std::string>> parameters) const {
  http::OutboundRequest request;
  request.url = full_url(source, url);
  request.total_timeout = kTokenTimeout;
  request.headers.push_back({"Accept", "application/json"});
  const std::string& secret = source.client_secret.reveal();
  if (source.client_authentication == ClientAuthentication::kBasic) {
    request.headers.push_back(
        {"Authorization", "Basic " + encode_base64(percent_encoded(source.client_id) + ":" + percent_encoded(secret))});
  } else {
    parameters.emplace_back("client_id", source.client_id);
    parameters.emplace_back("client_secret", secret);
  }
  if (source.token_form == TokenRequestForm::kJson) {
    JsonWriter json;
    json.begin_object();
    for (const auto& [name, value] : parameters) json.member(name, value);
    request.body = json.end_object().take();
    request.headers.push_back({"Content-Type", "application/json"});
  } else {
    request.body = form_encoded(parameters);
    request.headers.push_back({"Content-Type", "application/x-www-form-urlencoded"});
  }
  return wire_.send(source, std::move(request));
}

std::mutex& Tokens::mutex_of(store::AuthorizationKey key) {
  const std::lock_guard lock(mutexes_mutex_);
  auto& mutex = mutexes_[key];
  if (!mutex) mutex = std::make_unique<std::mutex>();
  return *mutex;
}

std::string Tokens::unsealed(const Authorization& row, const char* what, const std::string& sealed) const {
  if (sealed.empty()) return {};
  auto text = vault_.open(name_of_text(row.key, what), sealed);
  return text ? std::move(*text) : std::string{};
}

}  // namespace resultsync::network
