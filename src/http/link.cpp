#include "http/link.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/none.hpp>

#include "http/framing.hpp"

namespace resultsync::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using Parser = beast::http::response_parser<beast::http::buffer_body>;

constexpr std::uint32_t kResponseHeadBytesMax = 64 * 1024;
constexpr std::size_t kReadBufferBytes = 16 * 1024;
// Bounds trailers and chunk extensions too, which Beast does not.
constexpr std::size_t kReadBufferBytesMax = 128 * 1024;
constexpr std::size_t kPartBytes = 8 * 1024;  // of a body that are read at a time
constexpr int kInterimResponsesMax = 8;       // 1xx before the answer
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Error exchange_error(const error_code& error) {
  using beast::http::error::buffer_overflow;
  using beast::http::error::end_of_stream;
  using beast::http::error::header_limit;
  using beast::http::error::partial_message;
  if (error == header_limit || error == buffer_overflow) {
    return {"response_too_large", "the response is larger than the caller takes", {}};
  }
  const bool cut_off = error == end_of_stream || error == partial_message;
  const bool malformed = error.category() == beast::http::make_error_code(end_of_stream).category();
  if (malformed && !cut_off) return {"bad_response", "the response is not HTTP/1.1", error.message()};
  return {"connection_lost", "the connection ended before the response was whole", error.message()};
}

std::unexpected<Error> bad_response(std::string cause) {
  return fail("bad_response", "the response is not HTTP/1.1", std::move(cause));
}

// Where the answer ends must be beyond doubt, or the next one on this connection would begin somewhere else for us than
// for the server (RFC 9112 §6.3).
bool has_clear_framing(const Headers& headers) {
  const std::size_t encodings = headers.count("Transfer-Encoding");
  if (encodings == 0) return true;
  const auto only = headers.only("Transfer-Encoding");
  return only && same_name(*only, "chunked") && headers.count("Content-Length") == 0;
}

}  // namespace

Link::Link(const asio::any_io_executor& executor) : socket_(executor), buffer_(kReadBufferBytesMax) {}

asio::awaitable<Result<void>> Link::connect(std::vector<tcp::endpoint> endpoints) {
  const auto keep = shared_from_this();
  auto [error, peer] = co_await asio::async_connect(socket_, endpoints, kAwait);
  if (error) co_return fail("connect_failed", "there is no connection to the server", error.message());
  peer_ = peer;
  error_code ignored;
  socket_.set_option(tcp::no_delay(true), ignored);
  buffer_.reserve(kReadBufferBytes);
  co_return Result<void>{};
}

asio::awaitable<Result<void>> Link::secure(std::shared_ptr<TlsContext> context, std::string host) {
  const auto keep = shared_from_this();
  context_ = std::move(context);
  tls_.emplace(socket_, *context_);
  expect_host(tls_->native_handle(), host);
  auto [error] = co_await tls_->async_handshake(asio::ssl::stream_base::client, kAwait);
  if (error) co_return std::unexpected<Error>(tls_error(tls_->native_handle(), host, error));
  co_return Result<void>{};
}

asio::awaitable<Result<ClientResponse>> Link::exchange(std::shared_ptr<const WireRequest> request,
                                                       std::size_t response_bytes_max, LongAnswer long_answer) {
  const auto keep = shared_from_this();
  if (tls_) co_return co_await run(*tls_, std::move(request), response_bytes_max, long_answer);
  co_return co_await run(socket_, std::move(request), response_bytes_max, long_answer);
}

template <class Stream>
asio::awaitable<Result<ClientResponse>> Link::run(Stream& stream, std::shared_ptr<const WireRequest> request,
                                                  std::size_t response_bytes_max, LongAnswer long_answer) {
  written_ = answered_ = reusable_ = false;
  const std::array<asio::const_buffer, 2> message{asio::buffer(request->head), asio::buffer(request->body)};
  // A failure shows in the reading, which may still find an answer.
  asio::async_write(stream, message, [self = shared_from_this(), request](const error_code& error, std::size_t) {
    self->written_ = !error;
  });

  std::optional<Parser> parser;
  for (int interim = 0;; ++interim) {
    parser.emplace();
    parser->body_limit(boost::none);  // counted below
    parser->header_limit(kResponseHeadBytesMax);
    parser->skip(request->head_method);
    auto [error, count] = co_await beast::http::async_read_header(stream, buffer_, *parser, kAwait);
    answered_ = answered_ || parser->got_some();
    if (error) co_return std::unexpected<Error>(exchange_error(error));
    const unsigned status = parser->get().result_int();
    if (status >= 200) break;
    // 101 changes to a protocol that was not asked for.
    if (status == 101 || interim == kInterimResponsesMax) co_return bad_response("interim answers without end");
  }
  ClientResponse response;
  response.status = static_cast<int>(parser->get().result_int());
  // Copied before the body is read: Beast merges trailers into the parser's fields.
  for (const auto& field : parser->get()) {
    response.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  if (!has_clear_framing(response.headers)) co_return bad_response("where its body ends is not clear");

  // As much as there is to come, if that is said: most answers are a word or nothing.
  const auto length = parser->content_length();
  std::string part(static_cast<std::size_t>(std::clamp<std::uint64_t>(length.value_or(kPartBytes), 1, kPartBytes)), 0);
  while (!parser->is_done()) {
    auto& body = parser->get().body();
    body.data = part.data();
    body.size = part.size();
    auto [error, count] = co_await beast::http::async_read(stream, buffer_, *parser, kAwait);
    const std::size_t got = part.size() - body.size;
    const std::size_t room = response_bytes_max - response.body.size();
    response.body.append(part.data(), std::min(got, room));
    if (got > room) {
      if (long_answer == LongAnswer::kCut) co_return response;
      co_return fail("response_too_large", "the response is larger than the caller takes");
    }
    if (error && error != beast::http::error::need_buffer) co_return std::unexpected<Error>(exchange_error(error));
  }
  reusable_ = written_ && parser->get().keep_alive() && !parser->need_eof() && buffer_.size() == 0;
  co_return response;
}

bool Link::is_still_open() {
  if (!socket_.is_open() || buffer_.size() > 0) return false;
  if (tls_ && ::SSL_pending(tls_->native_handle()) > 0) return false;
  char byte = 0;
  return ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Link::close() {
  reusable_ = false;
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace resultsync::http
