// An HTTP/1.1 listener: strict about framing (RFC 9112: what is ambiguous is refused with 400 and a close), bounded in
// everything.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "http/message.hpp"

namespace resultsync::http {

// What a refused request was refused for; counted by the owner of the listener (metrics), never logged with content.
enum class Refusal { kBadFraming, kHeaderTooLarge, kBodyTooLarge, kTimeout, kOverloaded, kTooManyConnections };

// PEM files: the certificate with its chain, the server's own first, and its private key.
struct TlsFiles {
  std::string certificate;
  std::string key;
};

// Every limit has an answer for whoever passes it. Deadlines are looked at once a second, so each may pass up to a
// second late.
struct ServerOptions {
  std::string address = "127.0.0.1:0";  // host:port; port 0 takes a free one
  unsigned threads = 2;                 // event loops, each with its own SO_REUSEPORT socket

  // Request line and headers; beyond: 431. Also the size of the read buffer that a connection has while it is not idle.
  std::size_t head_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 32 * 1024 * 1024;  // beyond: 413
  // All bodies of this listener together, until answered; beyond: 503.
  std::size_t body_bytes_in_flight_max = 256 * 1024 * 1024;
  std::size_t connections_max = 20'000;  // beyond: accepted, answered 503 and closed

  std::chrono::seconds head_timeout{10};  // from first byte (or accept) to the end of the head; beyond: 408
  std::chrono::seconds body_timeout{30};  // for the body, plus what the rate below allows for; beyond: 408
  // Each so many bytes that a body or an answer has moved give it one second more.
  std::size_t body_bytes_per_second_min = 16 * 1024;
  std::chrono::seconds idle_timeout{75};   // between requests of a connection; then closed without a word
  std::chrono::seconds write_timeout{30};  // for the client to take an answer, plus what that rate allows for

  // TLS 1.2 and later; the handshake is part of head_timeout. Nothing: plain.
  std::optional<TlsFiles> tls = {};

  std::function<void(Refusal)> on_refusal = {};  // may be empty; called on an event-loop thread
};

// Threads: start() starts `threads` loops named "http-<port>-<n>"; stop() may be called from any thread but a
// handler's, once.
class Server {
 public:
  // Binds and listens, then serves until stop(). Errors: `address_in_use`, `bad_address`, `listen_failed`,
  // `bad_certificate`.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler);

  virtual ~Server() = default;  // stops without waiting for requests in flight
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  [[nodiscard]] virtual std::string address() const = 0;  // "127.0.0.1:8080" with the real port
  [[nodiscard]] virtual std::size_t connections() const = 0;
  // Reads the certificate's files again: connections from now on use what is there, those that are open go on with what
  // they have. Where that fails, nothing changes. Any thread. Errors: `bad_certificate`.
  virtual Result<void> reload_tls() = 0;
  // Stops accepting, ends streamed answers, answers what is in flight (with `Connection: close`), closes idle
  // connections, and joins its threads; after `patience` it closes whatever is left (P2).
  virtual void stop(std::chrono::milliseconds patience) = 0;
};

}  // namespace resultsync::http
