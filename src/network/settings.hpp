// What this house knows of a network's API. What is not known about the real one is a setting with a documented default
// (docs/reference/config.md), never a guess in code. Plain values.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/secret.hpp"
#include "http/address_policy.hpp"

namespace resultsync::network {

enum class ClientAuthentication { kBasic, kBody };  // RFC 6749 §2.3.1
enum class TokenRequestForm { kForm, kJson };

// How the API shows orders. Fullscript's lists name them only, so that each is read; an order names no clinic, which is
// that of the consent.
enum class OrderForm { kJsonApi, kFullscript };

struct SourceSettings {
  SourceId source;
  std::string network_name;  // as practitioners know it: "Rupa Health"
  OrderForm order_form = OrderForm::kJsonApi;
  std::string event_type = "order.new_result";  // of the events that are made of what the API shows
  std::string api;  // "https://api.rupahealth.com"; empty: this source has no API, and only its webhooks are used

  // OAuth. Addresses that begin with a slash are paths of `api`.
  std::string authorize_url = "https://labs.rupahealth.com/oauth/authorize";
  std::string token_url = "/oauth/token";
  std::string revoke_url = "/oauth/revoke_token";  // empty: there is none
  std::string client_id;
  Secret<std::string> client_secret;
  std::string scope;  // empty: none is asked for
  ClientAuthentication client_authentication = ClientAuthentication::kBasic;
  TokenRequestForm token_form = TokenRequestForm::kForm;
  bool pkce = true;
  bool refresh_redirect_uri = false;          // the redirect URI stands in a refresh too
  std::chrono::seconds token_lifetime{3600};  // where the answer names none

  // Paths of `api`; {id} is replaced.
  std::string media_type = "application/vnd.api+json";
  std::string me_path = "/practitioners/me";
  std::string practitioner_path = "/practitioners/{id}";
  std::string orders_path = "/orders";
  std::string order_path = "/orders/{id}";
  std::string order_intents_path = "/order-intents";
  std::string patient_path = "/patients/{id}";
  // JSON pointers into the answer of me_path. Without the first it is the token's `resource_owner`.
  std::string practitioner_pointer = "/data/id";
  std::string clinic_pointer = "/data/relationships/clinic/data/id";
  int page_size = 100;
  int requests_per_second = 10;  // a bucket of twice as many

  std::vector<std::string> allow;  // AddressPolicy entries: what may be reached although it is not public
  bool allow_http = false;
  std::string ca_file;

  // Documents.
  std::vector<std::string> document_hosts;  // "files.example.com", ".example.com"; empty: the host of `api` only
  bool documents_need_token = false;        // then only to the host of `api`
  std::vector<int> renew_on = {401, 403, 404, 410};
};

struct Settings {
  std::vector<SourceSettings> sources;
  std::string public_url;  // how practitioners' browsers reach the public listener: "https://hooks.example.com"

  std::size_t document_bytes_max = 32 * 1024 * 1024;
  std::chrono::seconds document_timeout{60};
  std::chrono::seconds document_wait{600};  // a result waits so long before it is told without
  std::chrono::seconds document_give_up{7 * 86'400};
  std::chrono::seconds document_retry_first{5};
  std::chrono::seconds document_retry_most{3600};
  unsigned document_threads = 4;

  std::chrono::seconds reconcile_every{6 * 3600};  // 0: never by itself
  std::chrono::seconds reconcile_window{30 * 86'400};
  std::chrono::seconds api_timeout{30};
  int api_tries = 6;

  std::chrono::seconds link_lifetime{15 * 60};
  std::chrono::seconds consent_lifetime{15 * 60};  // from the link to the callback
};

// An address of the settings in full: paths are those of the API.
std::string full_url(const SourceSettings& source, const std::string& url_or_path);

}  // namespace resultsync::network
