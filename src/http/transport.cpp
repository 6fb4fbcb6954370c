#include "http/transport.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <limits>

namespace resultsync::http {

namespace asio = boost::asio;

Transport::Transport(Socket socket, SSL_CTX* context) : socket_(std::move(socket)) {
  if (context == nullptr) return;
  tls_.reset(::SSL_new(context));  // holds the context, also when the listener has gone on to another
  ::SSL_set_fd(tls_.get(), socket_.native_handle());
  ::SSL_set_accept_state(tls_.get());
}

void Transport::handshake(std::move_only_function<void(const error_code&)> handler) {
  ::ERR_clear_error();
  const error_code error = outcome_of(::SSL_do_handshake(tls_.get()));
  if (error != asio::error::would_block) return handler(error);
  wait_for_wanted([this, handler = std::move(handler)](const error_code& failed) mutable {
    if (failed) return handler(failed);
    handshake(std::move(handler));
  });
}

std::size_t Transport::write_some(const Buffers& buffers, error_code& error) {
  return tls_ ? tls_write(buffers, error) : socket_.write_some(buffers, error);
}

bool Transport::has_unread() {
  if (has_decrypted()) return true;
  error_code error;
  return socket_.available(error) > 0 && !error;
}

void Transport::shutdown_send(error_code& error) {
  if (tls_) {
    ::ERR_clear_error();
    ::SSL_shutdown(tls_.get());  // close_notify, if there is room for it; the peer's is not waited for
    tls_.reset();
  }
  socket_.shutdown(Socket::shutdown_send, error);
}

void Transport::cancel() {
  error_code ignored;
  socket_.cancel(ignored);
}

void Transport::close() {
  error_code ignored;
  socket_.close(ignored);
}

std::size_t Transport::tls_write(const Buffers& buffers, error_code& error) {
  std::size_t total = 0;
  error = {};
  for (const asio::const_buffer& buffer : buffers) {
    std::size_t done = 0;
    while (done < buffer.size()) {
      const auto length =
          static_cast<int>(std::min<std::size_t>(buffer.size() - done, std::numeric_limits<int>::max()));
      ::ERR_clear_error();
      const int written = ::SSL_write(tls_.get(), static_cast<const char*>(buffer.data()) + done, length);
      if (written <= 0) {
        error = outcome_of(written);
        if (total > 0 && error == asio::error::would_block) error = {};
        return total;
      }
      done += static_cast<std::size_t>(written);
      total += static_cast<std::size_t>(written);
    }
  }
  return total;
}

std::size_t Transport::tls_read(asio::mutable_buffer buffer, error_code& error) {
  const auto length = static_cast<int>(std::min<std::size_t>(buffer.size(), std::numeric_limits<int>::max()));
  ::ERR_clear_error();
  const int read = ::SSL_read(tls_.get(), buffer.data(), length);
  error = read > 0 ? error_code{} : outcome_of(read);
  return read > 0 ? static_cast<std::size_t>(read) : 0;
}

Transport::error_code Transport::outcome_of(int returned) {
  switch (::SSL_get_error(tls_.get(), returned)) {
    case SSL_ERROR_NONE:
      return {};
    case SSL_ERROR_WANT_READ:
      wanted_ = Socket::wait_read;
      return asio::error::would_block;
    case SSL_ERROR_WANT_WRITE:
      wanted_ = Socket::wait_write;
      return asio::error::would_block;
    case SSL_ERROR_ZERO_RETURN:
      return asio::error::eof;
    default:
      return asio::error::connection_reset;  // whatever it was, the connection is of no more use
  }
}

void Transport::wait_for_wanted(std::move_only_function<void(const error_code&)> handler) {
  socket_.async_wait(wanted_, std::move(handler));
}

// From the loop, never from within the call: whoever reads would otherwise go one frame deeper with each read.
void Transport::read_now_or_later(asio::mutable_buffer buffer, Handler handler) {
  error_code error;
  const std::size_t count = tls_read(buffer, error);
  if (error != asio::error::would_block) {
    post_ready([handler = std::move(handler), error, count]() mutable { handler(error, count); });
    return;
  }
  read_when_ready(buffer, std::move(handler));
}

void Transport::read_when_ready(asio::mutable_buffer buffer, Handler handler) {
  wait_for_wanted([this, buffer, handler = std::move(handler)](error_code error) mutable {
    if (error) return handler(error, 0);
    if (!tls_) return socket_.async_read_some(buffer, std::move(handler));  // shut down meanwhile: read away
    const std::size_t count = tls_read(buffer, error);
    if (error == asio::error::would_block) return read_when_ready(buffer, std::move(handler));
    handler(error, count);
  });
}

void Transport::write_when_ready(const Buffers& buffers, Handler handler) {
  wait_for_wanted([this, buffers, handler = std::move(handler)](error_code error) mutable {
    if (!tls_ && !error) error = asio::error::operation_aborted;
    if (error) return handler(error, 0);
    const std::size_t count = tls_write(buffers, error);
    if (error == asio::error::would_block) return write_when_ready(buffers, std::move(handler));
    handler(error, count);
  });
}

void Transport::post_ready(std::move_only_function<void()> ready) {
  asio::post(socket_.get_executor(), std::move(ready));
}

}  // namespace resultsync::http
