#include "http/client.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <charconv>
#include <future>
#include <optional>

#include "http/framing.hpp"
#include "runtime/threads.hpp"

namespace resultsync::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;
using Deadline = std::chrono::steady_clock::time_point;
using Parser = beast::http::response_parser<beast::http::string_body>;

constexpr std::uint32_t kResponseHeadBytesMax = 64 * 1024;
constexpr std::size_t kReadBufferBytes = 16 * 1024;
constexpr std::size_t kReadBufferBytesMax =
    128 * 1024;                          // bounds trailers and chunk extensions too, which Beast does not
constexpr int kInterimResponsesMax = 8;  // 1xx before the answer

bool is_target(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F && c != '#'; });
}

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> idempotent{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(idempotent, method) != idempotent.end();
}

std::string host_header(const Url& url) {
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const std::uint16_t usual = url.scheme == "https" ? 443 : 80;
  return url.port == usual ? host : host + ":" + std::to_string(url.port);
}

enum class Afterwards { kKeep, kClose };

Result<std::string> request_head(const ClientRequest& request, const Url& url, std::string_view target,
                                 Afterwards afterwards) {
  const auto bad = [](std::string_view what) {
    return fail("bad_request", "the request cannot be sent: " + std::string(what));
  };
  if (!is_token(request.method)) return bad("its method is not a token");
  if (!is_target(target)) return bad("its target holds characters that may not stand there");
  std::string head = request.method + " " + std::string(target) + " HTTP/1.1\r\n";
  bool has_host = false;
  for (const Header& field : request.headers) {
    if (!is_token(field.name) || !is_field_value(field.value)) return bad("a header would break its framing");
    if (same_name(field.name, "Content-Length") || same_name(field.name, "Transfer-Encoding") ||
        same_name(field.name, "Connection")) {
      return bad("Content-Length, Transfer-Encoding and Connection are not the caller's to set");
    }
    has_host = has_host || same_name(field.name, "Host");
    head.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (!has_host) head.append("Host: ").append(host_header(url)).append("\r\n");
  const bool always_with_length = request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (always_with_length || !request.body.empty()) {
    head.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  head.append(afterwards == Afterwards::kKeep ? "\r\n" : "Connection: close\r\n\r\n");
  return head;
}

using Addresses = Result<std::vector<tcp::endpoint>>;

// getaddrinfo() cannot be interrupted, so it runs on threads of its own and whoever asked waits no longer than it wants
// to.
Addresses resolve(const Url& url, Deadline deadline) {
  error_code not_numeric;
  const auto numeric = asio::ip::make_address(url.host, not_numeric);
  if (!not_numeric) return std::vector<tcp::endpoint>{{numeric, url.port}};

  static runtime::Workers resolvers("http-resolve", 2, 64);
  auto answer =
      std::make_shared<std::promise<Addresses>>();  // shared with the resolver, which may be the last to need it
  auto found = answer->get_future();
  const bool queued = resolvers.submit([answer, host = url.host, port = std::to_string(url.port)] {
    asio::io_context io;
    error_code error;
    std::vector<tcp::endpoint> endpoints;
    const auto results = tcp::resolver(io).resolve(host, port, tcp::resolver::numeric_service, error);
    for (const auto& result : results) endpoints.push_back(result.endpoint());
    if (error || endpoints.empty()) {
      answer->set_value(fail("connect_failed", "the host name was not found", error.message()));
    } else {
      answer->set_value(std::move(endpoints));
    }
  });
  if (!queued) return fail("connect_failed", "too many host names are being looked up");
  if (found.wait_until(deadline) != std::future_status::ready) {
    return fail("timeout", "the host name was not found in time");
  }
  return found.get();
}

// What happens to one request on the wire. Writing and reading go on together, because a server may refuse a large
// body, answer, and stop reading before all of it was sent.
struct Exchange {
  const ClientRequest& request;
  const std::string& head;
  std::optional<Parser> parser = {};
  Headers headers = {};  // copied before the body is read: Beast merges trailers into the parser's fields
  int interim = 0;
  bool answered = false;  // some byte of a response has come
  bool written = false;
  bool done = false;
  error_code error = {};
};

Error exchange_error(const error_code& error) {
  using beast::http::error::body_limit;
  using beast::http::error::buffer_overflow;
  using beast::http::error::end_of_stream;
  using beast::http::error::header_limit;
  using beast::http::error::partial_message;
  if (error == body_limit || error == header_limit || error == buffer_overflow) {
    return {"response_too_large", "the response is larger than the caller takes", {}};
  }
  const bool cut_off = error == end_of_stream || error == partial_message;
  const bool malformed = error.category() == beast::http::make_error_code(end_of_stream).category();
  if (malformed && !cut_off) return {"bad_response", "the response is not HTTP/1.1", error.message()};
  return {"connection_lost", "the connection ended before the response was whole", error.message()};
}

class BlockingConnection final : public Connection {
 public:
  explicit BlockingConnection(Url url) : url_(std::move(url)), socket_(io_), buffer_(kReadBufferBytesMax) {
    buffer_.reserve(kReadBufferBytes);
  }

  Result<ClientResponse> send(const ClientRequest& request) override {
    auto target = target_of(request.url);
    if (!target) return forward_error(std::move(target));
    return send(request, *target, std::chrono::steady_clock::now() + request.timeout, Afterwards::kKeep);
  }

  Result<ClientResponse> send(const ClientRequest& request, const std::string& target, Deadline deadline,
                              Afterwards afterwards) {
    const auto head = request_head(request, url_, target, afterwards);
    if (!head) return std::unexpected<Error>(head.error());
    const bool reused = is_still_open();
    if (!reused) {
      if (auto connected = connect(deadline); !connected) return forward_error(std::move(connected));
    }
    Exchange first{.request = request, .head = *head};
    auto response = run(first, deadline);
    // The server may have closed the connection while the request was on its way to it (RFC 9112 §9.3.1).
    const bool lost = !response && response.error().code == "connection_lost" && !first.answered;
    if (!lost || !reused || !is_idempotent(request.method)) return response;
    if (auto connected = connect(deadline); !connected) return forward_error(std::move(connected));
    Exchange second{.request = request, .head = *head};
    return run(second, deadline);
  }

  Result<void> connect(Deadline deadline) {
    disconnect();
    auto endpoints = resolve(url_, deadline);
    if (!endpoints) return forward_error(std::move(endpoints));
    error_code outcome;
    bool done = false;
    asio::async_connect(socket_, *endpoints, [&](const error_code& error, const tcp::endpoint&) {
      outcome = error;
      done = true;
    });
    if (!run_until(deadline, done)) {
      disconnect();
      return fail("timeout", "the server did not take the connection in time");
    }
    if (outcome) {
      disconnect();
      return fail("connect_failed", "there is no connection to the server", outcome.message());
    }
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    return {};
  }

 private:
  Result<std::string> target_of(const std::string& url) const {
    if (url.starts_with('/')) return url;
    auto parsed = parse_url(url);
    if (!parsed) return forward_error(std::move(parsed));
    if (parsed->scheme != url_.scheme || !same_name(parsed->host, url_.host) || parsed->port != url_.port) {
      return fail("bad_url", "the URL names another host than that of the connection");
    }
    return std::move(parsed->target);
  }

  // False if the server has closed the connection, or has sent what nobody asked for.
  bool is_still_open() {
    if (!socket_.is_open() || buffer_.size() > 0) return false;
    error_code error;
    char byte = 0;
    socket_.non_blocking(true, error);
    socket_.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    return error == asio::error::would_block;
  }

  Result<ClientResponse> run(Exchange& exchange, Deadline deadline) {
    const std::array<asio::const_buffer, 2> message{asio::buffer(exchange.head), asio::buffer(exchange.request.body)};
    asio::async_write(socket_, message, [&exchange](const error_code& error, std::size_t) {
      exchange.written = !error;  // a failure shows in the reading, which may still find an answer
    });
    read_head(exchange);
    const bool in_time = run_until(deadline, exchange.done);
    const bool keep = in_time && !exchange.error && exchange.written && exchange.parser->get().keep_alive();
    if (!keep) disconnect();  // also ends what is pending, before `exchange` goes
    if (!in_time) return fail("timeout", "the server did not answer in time");
    if (exchange.error) return std::unexpected<Error>(exchange_error(exchange.error));
    auto message_read = exchange.parser->release();
    return ClientResponse{.status = static_cast<int>(message_read.result_int()),
                          .headers = std::move(exchange.headers),
                          .body = std::move(message_read.body())};
  }

  void read_head(Exchange& exchange) {
    exchange.parser.emplace();
    exchange.parser->body_limit(exchange.request.response_bytes_max);
    exchange.parser->header_limit(kResponseHeadBytesMax);
    exchange.parser->skip(exchange.request.method == "HEAD");
    beast::http::async_read_header(
        socket_, buffer_, *exchange.parser, [this, &exchange](error_code error, std::size_t) {
          exchange.answered = exchange.answered || exchange.parser->got_some();
          const int status = error ? 0 : static_cast<int>(exchange.parser->get().result_int());
          if (!error && status < 200) {
            // An interim response; 101 changes to a protocol that was not asked for.
            if (status != 101 && ++exchange.interim <= kInterimResponsesMax) return read_head(exchange);
            error = beast::http::error::bad_status;
          }
          if (error) {
            exchange.error = error;
            exchange.done = true;
            return;
          }
          for (const auto& field : exchange.parser->get()) {
            exchange.headers.add(std::string(field.name_string()), std::string(field.value()));
          }
          read_body(exchange);
        });
  }

  void read_body(Exchange& exchange) {
    beast::http::async_read(socket_, buffer_, *exchange.parser, [&exchange](const error_code& error, std::size_t) {
      exchange.error = error;
      exchange.done = true;
    });
  }

  // False if the deadline passed before `done` was set.
  bool run_until(Deadline deadline, const bool& done) {
    io_.restart();
    while (!done) {
      if (io_.run_one_until(deadline) == 0) return false;
    }
    return true;
  }

  // Closes the socket and has every pending operation end now, while what it refers to is still there.
  void disconnect() {
    error_code ignored;
    socket_.close(ignored);
    buffer_.consume(buffer_.size());
    io_.restart();
    io_.run();
  }

  const Url url_;
  asio::io_context io_{1};
  tcp::socket socket_;
  beast::flat_buffer buffer_;  // bytes received and not yet parsed
};

Result<Url> parse_reachable_url(std::string_view text) {
  auto url = parse_url(text);
  if (url && url->scheme == "https")
    return fail("tls_not_built", "this build of the client speaks http only, not https");
  return url;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  const auto bad = [](std::string_view why) {
    return fail("bad_url", "the URL is not one to send to", std::string(why));
  };
  Url url;
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) return bad("it has no scheme");
  url.scheme = text.substr(0, scheme_end);
  std::ranges::transform(url.scheme, url.scheme.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (url.scheme != "http" && url.scheme != "https") return bad("its scheme is neither http nor https");
  url.port = url.scheme == "https" ? 443 : 80;

  std::string_view rest = text.substr(scheme_end + 3);
  rest = rest.substr(0, rest.find('#'));  // a fragment is the reader's own and is never sent
  const std::size_t target_start = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, target_start);
  if (authority.find('@') != std::string_view::npos) return bad("it holds a user name");
  if (!is_host(authority)) return bad("it has no valid host and port");
  const std::size_t host_end = authority.starts_with('[') ? authority.find(']') + 1 : authority.find(':');
  url.host = authority.substr(0, host_end);
  if (url.host.starts_with('[')) url.host = url.host.substr(1, url.host.size() - 2);
  if (host_end < authority.size()) {
    const std::string_view port = authority.substr(host_end + 1);
    std::from_chars(port.data(), port.data() + port.size(), url.port);  // is_host() has seen the digits
    if (url.port == 0) return bad("its port is 0");
  }
  url.target = target_start == std::string_view::npos ? "/" : std::string(rest.substr(target_start));
  if (url.target.starts_with('?')) url.target.insert(0, "/");
  if (!is_target(url.target)) return bad("its path holds characters that must be percent-encoded");
  return url;
}

Result<ClientResponse> send(const ClientRequest& request) {
  const auto deadline = std::chrono::steady_clock::now() + request.timeout;
  auto url = parse_reachable_url(request.url);
  if (!url) return forward_error(std::move(url));
  BlockingConnection connection(*url);
  return connection.send(request, url->target, deadline, Afterwards::kClose);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& url, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto parsed = parse_reachable_url(url);
  if (!parsed) return forward_error(std::move(parsed));
  auto connection = std::make_unique<BlockingConnection>(std::move(*parsed));
  if (auto connected = connection->connect(deadline); !connected) return forward_error(std::move(connected));
  return connection;
}

}  // namespace resultsync::http
