// The first step of the way through the house: request → verify → event log, committed → 200.
//
//   POST /webhook               the source whose path that is
//   POST /webhooks/{source}     a source by its name
//
// Nothing is looked up and nothing is interpreted on this path. A request is verified over its raw bytes before
// anything else is looked at; what is rightly signed is kept whatever it says (I4), and answered only when the log
// reports its commit (I1, I5).
//
//   | 200 | acknowledgement of the source | the record is durable                                       |
//   | 400 | invalid_signature             | signature missing, wrong or (strict) stale; nothing stored  |
//   | 404 | not_found                     | no source has this path                                     |
//   | 405 | method_not_allowed            | with `Allow: POST`                                          |
//   | 503 | overloaded, disk_low, stopped, store_failed | with Retry-After; not stored, or not known to be (I6) |
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "http/message.hpp"
#include "http/server.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "store/event_log.hpp"
#include "vendors/network.hpp"

namespace resultsync::intake {

struct WebhookOptions {
  std::size_t committed_bodies_max = 65'536;     // bodies whose record is remembered, for duplicates; 48 bytes each
  std::size_t kept_header_bytes_max = 4 * 1024;  // names and values of the kept headers of one record
  std::chrono::seconds retry_after{5};           // said with every 503
  std::chrono::seconds log_interval{10};         // at most one log line of a kind in this time for what strangers cause
};

class Webhook {
 public:
  // `sources` have passed vendors::check_sources(). The log, the clock and the metrics must outlive this object and
  // every commit that the log still has to report; the object itself may go before those.
  Webhook(std::vector<vendors::Source> sources, store::EventLog& log, const runtime::Clock& clock,
          runtime::Metrics& metrics, WebhookOptions options = {});
  ~Webhook();

  // The handler of the public listener. Thread-safe; never blocks.
  void handle(http::Request request, http::Responder respond);

  // For ServerOptions::on_refusal: counts what the listener refused before handle() could see it. A body that is too
  // large is a result that will not arrive until somebody raises the limit, so it is logged as an error,
  // `intake.body_too_large`. Thread-safe.
  void on_refusal(http::Refusal refusal);

 private:
  struct State;
  std::shared_ptr<State>
      state_;  // shared with the commits on their way, which may be reported after this object has gone
};

}  // namespace resultsync::intake
