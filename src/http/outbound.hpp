// Requests to addresses that somebody else named: webhooks to the application, documents a vendor links to, a vendor's
// API. Many exchanges at once on a few event-loop threads. Guarded: every address is checked (address_policy.hpp) and
// the connection goes to just the address that was checked, so that a second look-up cannot answer differently; no
// redirect is followed (a 3xx is an answer like any other) and no proxy of the environment is used; the answer is
// capped in size and time, also when it drips.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "http/address_policy.hpp"
#include "http/client.hpp"
#include "http/message.hpp"

namespace resultsync::http {

// What becomes of an answer with a body longer than `response_bytes_max`.
enum class LongAnswer {
  kFail,  // the error `response_too_large`
  kCut,   // an answer with its first bytes; the connection is closed. For those to whom the status is the answer
};

struct OutboundRequest {
  std::string method = "POST";
  std::string url = {};
  std::vector<Header> headers = {};  // Host, Content-Length, Connection are ours
  std::string body = {};
  std::chrono::milliseconds total_timeout{15'000};  // from send() on: look-up, connection, TLS and answer included
  std::size_t response_bytes_max = 64 * 1024;       // of the body; the head may have 64 KiB of its own
  LongAnswer long_answer = LongAnswer::kFail;
  bool allow_http = false;                // plain http only where the owner said so; else `bad_url`
  std::vector<std::uint16_t> ports = {};  // empty: 443, 80 (if http), and those from 1024 on
  // The receiver recognises a repetition (a webhook with an id). A kept connection that ends before the first byte of
  // the answer is then replaced by a fresh one, once, as for GET, HEAD, PUT and DELETE.
  bool repeatable = false;
};

// Looks a host name up; may block, is called on a thread of its own. Errors: any, passed on as `resolve_failed`.
using Resolve = std::function<Result<std::vector<IpAddress>>(const std::string& host)>;
Resolve system_resolver();  // getaddrinfo()

// Thread-safe.
class Outbound {
 public:
  struct Options {
    unsigned threads = 1;  // event loops; a host is always served by the same one
    AddressPolicy policy = AddressPolicy::public_only();
    std::size_t connections_max = 512;     // open at once, kept ones included; what is beyond waits its turn
    std::size_t waiting_max = 16 * 1024;   // beyond: `overloaded`
    std::size_t idle_per_address_max = 8;  // kept open for the next request of the same host and address
    std::chrono::seconds idle_timeout{20};
    std::chrono::milliseconds remember_addresses{2'000};  // a look-up answers for so long
    std::string ca_file = {};  // PEM bundle to verify servers with; empty: the system's store
    Resolve resolve = {};      // empty: system_resolver()
  };
  // Errors: `bad_ca_file`.
  static Result<std::unique_ptr<Outbound>> start(Options options);
  virtual ~Outbound() = default;  // stops

  // Exactly once, on a loop thread (after stop(): on the caller's); must not block. Errors:
  //   bad_url            not a URL, http without `allow_http`, a host that readers could understand differently
  //   bad_request        a header or method that would break the framing
  //   address_refused    no connection was made
  //   resolve_failed     the host has no address
  //   connect_failed     none of its addresses takes connections
  //   tls_failed         no secure connection; the cause says what is wrong with the certificate
  //   timeout            total_timeout is over
  //   connection_lost    it ended before the answer was whole
  //   bad_response       the answer is not HTTP/1.1
  //   response_too_large head or body
  //   overloaded         too much waits already
  //   stopped
  using Done = std::move_only_function<void(Result<ClientResponse>)>;
  virtual void send(OutboundRequest request, Done done) = 0;
  // For command lines and blocking jobs; never on a loop thread.
  Result<ClientResponse> send_and_wait(OutboundRequest request);
  // Ends what is in flight with `stopped` and joins; at most a second or two. Idempotent.
  virtual void stop() = 0;
  [[nodiscard]] virtual std::size_t connections() const = 0;  // open now, kept ones included
};

}  // namespace resultsync::http
