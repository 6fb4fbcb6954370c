// The private listener's requests: REST for the application and its operators, health and metrics.
//
//   api::Api api({.views = views, .log = log, .sync = sync, ...});
//   sync.on_feed([&] { api.feed_changed(); });
//   auto server = http::Server::start(options, [&](auto request, auto responder) { api.handle(std::move(request),
//   std::move(responder)); });
//   ...
//   api.stop();                        // ends the long polls, so that the listener can finish
//   server->stop(patience);
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/audit_trail.hpp"
#include "api/key_ring.hpp"
#include "base/ids.hpp"
#include "base/secret.hpp"
#include "delivery/endpoints.hpp"
#include "http/message.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "store/audit.hpp"
#include "store/event_log.hpp"
#include "store/views.hpp"
#include "sync/sync.hpp"

namespace resultsync::network {
class Network;
}

namespace resultsync::api {

// One thing that must be well for the service to be ready. `detail` is for operators; no health data, no secrets (P4).
struct ReadinessCheck {
  std::string name;
  bool ok = true;
  std::string detail = {};
};

struct ApiContext {
  store::Views& views;
  store::AuditLog& audit_log;
  store::EventLog& log;  // as everybody reads it: documents in place of links (sync/documents.hpp)
  sync::Sync& sync;
  delivery::Endpoints& endpoints;
  const runtime::Clock& clock;
  runtime::Metrics& metrics;

  const store::EventLog* received = nullptr;  // as it arrived; null: `log` is
  network::Network* network = nullptr;        // null: no source has an API

  Secret<std::string> admin_key;            // the root key; an empty one lets nobody in
  Secret<runtime::Key256> master_key = {};  // what is kept at rest is sealed under keys made from it
  Secret<runtime::Key256> audit_key = {};   // signs the audit log's checkpoints
  AuditTrailOptions audit = {};
  RateLimit rate = {};            // of each API key; the root key has none
  std::vector<SourceId> sources;  // the configured networks
  SourceId default_source = {};   // where a request names none; empty: the only one, if there is only one
  sync::PanicFlags panic_flags = {};
  std::string version;
  std::function<void()> items_issued = {};  // what was connected or matched may have issued items; must not block
  std::function<void()> reviewed = {};      // signatures or acknowledgements came; must not block
  std::function<std::vector<ReadinessCheck>()> readiness = {};  // runs on an event loop: must not block

  unsigned workers = 4;                                // threads for what reads the store
  std::size_t queue_max = 256;                         // requests that wait for one of them; beyond: 503
  std::size_t waiters_max = 1000;                      // long polls that wait at the same time; beyond: 503
  std::size_t streams_max = 1000;                      // open at the same time; beyond: 503
  std::chrono::milliseconds stream_heartbeat{15'000};  // a stream is never silent for longer
};

// All that the context refers to must outlive it. Stop the listener before it is destroyed.
class Api {
 public:
  explicit Api(ApiContext context);
  ~Api();  // stops

  // An http::Handler: never blocks; answers from one of its own threads where the store must be read. Thread-safe.
  void handle(http::Request request, http::Responder responder);

  // Feed items were issued: whoever waits for them is woken. Never blocks; from any thread.
  void feed_changed();

  // Ends every stream, answers every long poll with an empty page, and does not let any more wait. What is in flight is
  // still answered.
  void stop();

 private:
  class Core;
  std::unique_ptr<Core> core_;
};

}  // namespace resultsync::api
