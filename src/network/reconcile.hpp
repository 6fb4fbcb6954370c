// Reading a clinic's orders from the network's API, and applying what was missed through the very same path as what was
// sent: appended to the event log as a record marked `reconciled`, then synced (decision 0024). The same is the
// back-fill of a new connection.
//
// Idempotent: an order that shows nothing new adds nothing, and when the lost event arrives after all, its content is
// known already.
#pragma once

#include "network/api_client.hpp"
#include "network/documents.hpp"

namespace resultsync::network {

// Blocks; used by one thread at a time.
class Reconciler {
 public:
  Reconciler(const World& world, const Fetcher& fetcher, ApiClient& api);

  // Works on a run until it ends: saves its progress after every page. The run as it is then: `finished`, `failed` (the
  // consent is no good), or still `running` with a reason (the network fails: to be tried again).
  store::NetworkRun work(store::NetworkRun run, const std::stop_token& stop);

  // Reads one order and applies what it shows; `clinic` is the consent's. Any thread. True if that was something new.
  // Errors: those of ApiClient::get; `not_yet` (what was read before is still being fetched), `document_unavailable`.
  Result<bool> read_order(const SourceSettings& source, store::AuthorizationKey consent, const OrderId& order,
                          const ClinicId& clinic);

 private:
  Result<void> read_pages(store::NetworkRun& run, const SourceSettings& source, store::AuthorizationKey consent,
                          const std::stop_token& stop);
  // `asked_at`: the end of the log before the network was asked.
  Result<bool> apply(const SourceSettings& source, const struct OrderSnapshot& order, Timestamp read_at,
                     Sequence asked_at);
  Result<bool> is_news(const SourceSettings& source, const store::OrderRecord& known, const std::string& body) const;
  void wait_for_sync() const;
  void save(const store::NetworkRun& run);

  const World& world_;
  const Fetcher& fetcher_;
  ApiClient& api_;
  runtime::Counter gaps_;
  runtime::Counter orders_;
};

}  // namespace resultsync::network
