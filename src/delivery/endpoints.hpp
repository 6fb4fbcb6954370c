// What the application and its operators say about endpoints and deliveries. Each call is one transaction on the views;
// it blocks. Thread-safe.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "delivery/secrets.hpp"
#include "http/address_policy.hpp"
#include "runtime/vault.hpp"
#include "store/deliveries.hpp"
#include "store/views.hpp"

namespace resultsync::delivery {

// Where webhooks may go.
struct Destinations {
  bool allow_http = false;
  http::AddressPolicy policy = http::AddressPolicy::public_only();

  // What can be said about a URL before its host is looked up (that is done for each connection). Errors: `bad_url`,
  // `address_refused`.
  [[nodiscard]] Result<void> check(const std::string& url) const;
};

// What is set is changed.
struct EndpointChange {
  std::optional<std::string> url = {};
  std::optional<std::string> description = {};
  std::optional<std::vector<std::string>> practitioners = {};
  std::optional<std::vector<std::string>> clinics = {};
  std::optional<std::vector<std::string>> types = {};
  std::optional<std::vector<std::string>> statuses = {};
  std::optional<store::PayloadForm> payload = {};
  std::optional<bool> ordered = {};
  std::optional<std::int64_t> rate = {};
  std::optional<std::int64_t> concurrency = {};
};

inline constexpr std::size_t kEndpointsMax = 1'000;

// The secrets that are shown this once.
struct NewSecrets {
  Secret<std::string> secret;
  std::string public_key;  // of v1a; empty without
};

struct ReplayRange {
  std::optional<AppPractitionerId> practitioner;
  Timestamp since;  // of the items' issue
  Timestamp until;
  std::int64_t rate = 0;  // items a second; 0: as fast as it goes
};

class Endpoints {
 public:
  // `changed` is called after what may give the delivery thread something to do; must not block.
  Endpoints(store::Views& views, const runtime::Vault& vault, Destinations destinations, std::function<void()> changed)
      : views_(views), vault_(vault), destinations_(std::move(destinations)), changed_(std::move(changed)) {}

  struct Created {
    store::EndpointRow row;
    NewSecrets secrets;
  };
  struct NewEndpoint {
    EndpointChange settings;  // with a url
    bool ed25519 = false;     // a v1a key beside the v1 key
    store::Reach reach;
  };
  // Errors: `bad_url`, `address_refused`, `too_many_endpoints`, those of the store.
  Result<Created> create(const NewEndpoint& wanted, Timestamp now);

  // In all of the following: `not_found`, and those of the store.
  Result<store::EndpointRow> change(const std::string& id, store::Reach reach, const EndpointChange& change);
  // The secret until now signs beside the new one for `overlap`.
  Result<NewSecrets> rotate(const std::string& id, store::Reach reach, std::chrono::seconds overlap, Timestamp now);
  Result<store::EndpointRow> pause(const std::string& id, store::Reach reach, const std::string& reason, Timestamp now);
  // Of a paused or disabled endpoint. With `skip_reason` its backlog is skipped; else it is sent.
  Result<store::EndpointRow> resume(const std::string& id, store::Reach reach,
                                    const std::optional<std::string>& skip_reason, Timestamp now);
  // Takes nothing any more; what was open becomes dead letters, which can be retried once it is enabled again.
  Result<store::EndpointRow> disable(const std::string& id, store::Reach reach, const std::string& reason,
                                     Timestamp now);
  Result<void> remove(const std::string& id, store::Reach reach, Timestamp now);
  // A webhook of type `endpoint.test`, on the way that every other goes. Error: `endpoint_not_enabled`.
  Result<store::DeliveryRow> test(const std::string& id, store::Reach reach, Timestamp now);

  // A dead or skipped delivery, again. Errors: `not_dead`, `endpoint_not_enabled`.
  Result<void> retry(const std::string& delivery_id, store::Reach reach);
  // All dead letters (of one endpoint). `total` says how many it would be; `dry_run` only counts.
  struct RetryAll {
    std::optional<std::string> endpoint;
    Timestamp since;
    Timestamp until;
    std::int64_t rate = 0;
    bool dry_run = false;
  };
  Result<store::Job> retry_all(const RetryAll& wanted, store::Reach reach, Timestamp now);
  struct Replay {
    std::string endpoint;
    ReplayRange range;
    bool dry_run = false;
  };
  // Errors: also `unknown_practitioner`, `endpoint_not_enabled`.
  Result<store::Job> replay(const Replay& wanted, store::Reach reach, Timestamp now);
  // Error: `not_running`.
  Result<store::Job> cancel(const std::string& job_id, store::Reach reach, Timestamp now);

  // For showing. Error: `bad_seal`.
  [[nodiscard]] Result<std::string> url_of(const store::EndpointRow& row) const;
  [[nodiscard]] Result<std::string> public_key_of(const store::EndpointRow& row) const;
  [[nodiscard]] std::string answer_of(const store::AttemptRow& attempt) const;

 private:
  using Edit = std::function<Result<void>(store::ViewsTransaction&, store::EndpointRow&)>;
  Result<store::EndpointRow> edit(const std::string& id, store::Reach reach, const Edit& edit);
  Result<void> apply(const EndpointChange& change, store::EndpointRow& row) const;
  Result<EndpointSecrets> secrets_of(const store::EndpointRow& row) const;

  store::Views& views_;
  const runtime::Vault& vault_;
  const Destinations destinations_;
  const std::function<void()> changed_;
};

// What sealed columns are sealed for.
inline constexpr std::string_view kUrlPurpose = "endpoint url";
inline constexpr std::string_view kSecretsPurpose = "endpoint secrets";
inline constexpr std::string_view kAnswerPurpose = "attempt answer";

}  // namespace resultsync::delivery
