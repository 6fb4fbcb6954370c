// Fetches what the links of events lead to, for as long as it takes (decision 0022).
//
// Every attempt is checked: only hosts that the source allows, no redirect, a whole answer within the limits, and bytes
// that are what the member should hold. What fails is tried again, ever more slowly. When a link has died, the order is
// read again for a fresh one.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "network/api_client.hpp"
#include "runtime/metrics.hpp"
#include "runtime/threads.hpp"
#include "store/audit.hpp"
#include "sync/documents.hpp"

namespace resultsync::network {

// What stands in the world of one server that the parts of this room work with. All of it outlives them.
struct World {
  const Settings& settings;
  store::Views& views;
  store::AuditLog& audit;
  store::EventLog& log;  // as it arrived
  const runtime::Clock& clock;
  runtime::Metrics& metrics;
  const runtime::Vault& documents;
  const runtime::Vault& tokens;
  sync::ApplyOptions apply;
  std::function<void()> feed_changed;  // after feed items were issued
  std::function<Sequence()> applied;   // how far sync is
  std::function<void()> wake_sync;     // there is work that no record of the log announces
};

const SourceSettings* settings_of(const Settings& settings, const SourceId& source);

// A consent of the source that works, best one for this clinic; nothing without one.
std::optional<store::Authorization> consent_for(store::ViewsSnapshot& snapshot, const SourceId& source,
                                                const ClinicId& clinic);

// Blocks; thread-safe.
class Fetcher {
 public:
  Fetcher(const World& world, const Wire& wire, Tokens& tokens, ApiClient& api)
      : world_(world), wire_(wire), tokens_(tokens), api_(api) {}

  // Errors: `no_consent` (only with a token, and there is none), `host_not_allowed`, `redirected`, `link_expired` (of
  // settings.renew_on), `http_4xx`, `http_5xx`, `empty`, `wrong_type`, and those of http::Outbound.
  Result<std::string> fetch(const SourceSettings& source, const std::string& url, std::string_view member,
                            std::chrono::seconds* retry_after = nullptr) const;

  // What the order says now in place of a dead link: bytes, fetched anew or inline. Errors: those of fetch() and of
  // ApiClient, `withdrawn` (the order names no document any more).
  Result<std::string> fetch_anew(const SourceSettings& source, const store::DocumentUse& use) const;

 private:
  const World& world_;
  const Wire& wire_;
  Tokens& tokens_;
  ApiClient& api_;
};

// Takes what is due from the views and fetches it on threads of its own.
class Documents {
 public:
  // Reads one order with a consent of its clinic and applies what it shows (Reconciler::read_order).
  using ReadOrder = std::function<Result<bool>(const SourceSettings& source, store::AuthorizationKey consent,
                                               const OrderId& order, const ClinicId& clinic)>;
  Documents(const World& world, const Fetcher& fetcher, ReadOrder read_order);
  ~Documents();
  void start(std::function<void(const Error&)> on_failure);
  void wake();  // there may be new links; any thread
  void stop();

 private:
  void run(const std::stop_token& stop);
  std::size_t hand_out();
  void serve(const store::DocumentUse& use);
  Result<std::string> read_whole(const SourceSettings& source, const store::DocumentUse& use) const;
  Result<std::string> obtain(const store::DocumentUse& use, std::chrono::seconds& retry_after) const;
  Result<void> settle(const store::DocumentUse& use, Timestamp began, const Result<std::string>& outcome,
                      std::chrono::seconds retry_after);
  [[nodiscard]] bool may_ask_after_all(store::ViewsSnapshot& snapshot, const store::DocumentUse& use) const;
  void failed(store::DocumentUse& use, const Error& error, std::chrono::seconds retry_after) const;
  void show_totals();

  const World& world_;
  const Fetcher& fetcher_;
  const ReadOrder read_order_;
  runtime::Gauge stored_;
  runtime::Gauge pending_;
  runtime::Gauge missing_;
  runtime::Gauge waiting_;
  runtime::Gauge given_up_;
  runtime::Counter fetches_;
  runtime::Counter failures_;
  std::chrono::steady_clock::time_point totals_not_before_{};  // of the thread
  std::function<void(const Error&)> on_failure_;

  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool woken_ = false;        // guarded by mutex_
  std::set<Sha256> in_hand_;  // links that are being fetched; guarded by mutex_
  std::unique_ptr<runtime::Workers> workers_;
  std::jthread thread_;
};

}  // namespace resultsync::network
