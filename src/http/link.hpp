// One connection to a server, plain or over TLS, and one request at a time on it. Shared by the blocking client and by
// Outbound; inside http/ only. Everything belongs to the one thread that runs its executor. Nothing here has a
// deadline: who does calls close(), and every operation ends.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/client.hpp"
#include "http/outbound.hpp"
#include "http/tls.hpp"

namespace resultsync::http {

// What goes over the wire. Shared with the write that may still be pending when the answer has come.
struct WireRequest {
  std::string head;
  std::string body;
  bool head_method = false;  // HEAD: the answer has no body
};

// Shared between its owner and its pending operations.
class Link : public std::enable_shared_from_this<Link> {
 public:
  explicit Link(const boost::asio::any_io_executor& executor);

  // The first of these that takes the connection. Errors: `connect_failed`.
  boost::asio::awaitable<Result<void>> connect(std::vector<boost::asio::ip::tcp::endpoint> endpoints);
  // The handshake. Errors: `tls_failed`.
  boost::asio::awaitable<Result<void>> secure(std::shared_ptr<TlsContext> context, std::string host);
  // Writing and reading go on together, because a server may refuse a large body, answer, and stop reading before all
  // of it was sent. Errors: `connection_lost`, `bad_response`, `response_too_large`.
  boost::asio::awaitable<Result<ClientResponse>> exchange(std::shared_ptr<const WireRequest> request,
                                                          std::size_t response_bytes_max, LongAnswer long_answer);

  [[nodiscard]] bool answered() const { return answered_; }  // some byte of the last exchange's answer has come
  [[nodiscard]] bool reusable() const { return reusable_; }  // the last exchange left it ready for another
  // False if the server has closed the connection, or has sent what nobody asked for.
  [[nodiscard]] bool is_still_open();
  [[nodiscard]] const boost::asio::ip::tcp::endpoint& peer() const { return peer_; }
  void close();

 private:
  template <class Stream>
  boost::asio::awaitable<Result<ClientResponse>> run(Stream& stream, std::shared_ptr<const WireRequest> request,
                                                     std::size_t response_bytes_max, LongAnswer long_answer);

  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<TlsContext> context_;  // outlives tls_
  std::optional<boost::asio::ssl::stream<boost::asio::ip::tcp::socket&>> tls_;
  boost::asio::ip::tcp::endpoint peer_;
  boost::beast::flat_buffer buffer_;  // bytes received and not yet parsed
  bool written_ = false;
  bool answered_ = false;
  bool reusable_ = false;
};

}  // namespace resultsync::http
