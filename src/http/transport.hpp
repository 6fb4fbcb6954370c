// The bytes of one accepted connection, as they come or through TLS, with the same calls for both: what is above cannot
// tell the difference, so the framing guards are the same code. Without TLS each call is the socket's own. With it,
// OpenSSL reads and writes the socket itself, which never blocks; we wait for what it wants.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>

namespace resultsync::http {

// Everything belongs to the thread of its loop. Handlers keep alive whatever owns the transport.
class Transport {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Buffers = std::array<boost::asio::const_buffer, 2>;
  using error_code = boost::system::error_code;
  using Handler = std::move_only_function<void(const error_code&, std::size_t)>;

  // `context` null: no TLS. The socket does not block.
  Transport(Socket socket, SSL_CTX* context);

  [[nodiscard]] bool is_tls() const { return tls_ != nullptr; }
  // The server's side of the handshake.
  void handshake(std::move_only_function<void(const error_code&)> handler);

  // What can be written at once; the error `would_block` if that is nothing.
  std::size_t write_some(const Buffers& buffers, error_code& error);
  template <class Write>
  void async_write_some(const Buffers& buffers, Write handler) {
    if (!tls_) return socket_.async_write_some(buffers, std::move(handler));
    write_when_ready(buffers, Handler(std::move(handler)));
  }
  template <class Read>
  void async_read_some(boost::asio::mutable_buffer buffer, Read handler) {
    if (!tls_) return socket_.async_read_some(buffer, std::move(handler));
    read_now_or_later(buffer, Handler(std::move(handler)));
  }
  // Until async_read_some() would find something.
  template <class Wait>
  void async_wait_readable(Wait handler) {
    if (!has_decrypted()) return socket_.async_wait(Socket::wait_read, std::move(handler));
    post_ready([handler = std::move(handler)]() mutable { handler(error_code{}); });
  }

  // Something has come that nobody has read.
  [[nodiscard]] bool has_unread();
  // Says that nothing more will be written; what still comes is to be read away as it is.
  void shutdown_send(error_code& error);
  void cancel();
  void close();

 private:
  struct FreeTls {
    void operator()(SSL* tls) const { ::SSL_free(tls); }
  };
  [[nodiscard]] bool has_decrypted() const { return tls_ && ::SSL_pending(tls_.get()) > 0; }
  std::size_t tls_write(const Buffers& buffers, error_code& error);
  std::size_t tls_read(boost::asio::mutable_buffer buffer, error_code& error);
  error_code outcome_of(int returned);
  void wait_for_wanted(std::move_only_function<void(const error_code&)> handler);
  void read_now_or_later(boost::asio::mutable_buffer buffer, Handler handler);
  void read_when_ready(boost::asio::mutable_buffer buffer, Handler handler);
  void write_when_ready(const Buffers& buffers, Handler handler);
  void post_ready(std::move_only_function<void()> ready);

  Socket socket_;
  std::unique_ptr<SSL, FreeTls> tls_;
  Socket::wait_type wanted_ = Socket::wait_read;  // what the last call of OpenSSL's was short of
};

}  // namespace resultsync::http
