#include "http/client.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <charconv>
#include <future>
#include <optional>

#include "http/address_policy.hpp"
#include "http/framing.hpp"
#include "http/link.hpp"
#include "http/request_head.hpp"
#include "http/tls.hpp"
#include "runtime/threads.hpp"

namespace resultsync::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Deadline = std::chrono::steady_clock::time_point;

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

class BlockingConnection final : public Connection {
 public:
  BlockingConnection(Url url, std::shared_ptr<TlsContext> tls) : url_(std::move(url)), tls_(std::move(tls)) {}
  ~BlockingConnection() override { disconnect(); }

  Result<ClientResponse> send(const ClientRequest& request) override {
    auto target = target_of(request.url);
    if (!target) return forward_error(std::move(target));
    return send(request, *target, std::chrono::steady_clock::now() + request.timeout, Afterwards::kKeep);
  }

  Result<ClientResponse> send(const ClientRequest& request, const std::string& target, Deadline deadline,
                              Afterwards afterwards) {
    auto head = request_head(request.method, url_, target, request.headers, request.body.size(), afterwards);
    if (!head) return forward_error(std::move(head));
    const auto wire = std::make_shared<const WireRequest>(std::move(*head), request.body, request.method == "HEAD");
    const bool reused = link_ && link_->is_still_open();
    if (!reused) {
      if (auto connected = connect(deadline); !connected) return forward_error(std::move(connected));
    }
    auto response = run(wire, request.response_bytes_max, deadline);
    // The server may have closed the connection while the request was on its way to it (RFC 9112 §9.3.1).
    const bool lost = !response && response.error().code == "connection_lost" && !answered_;
    if (!lost || !reused || !is_idempotent(request.method)) return response;
    if (auto connected = connect(deadline); !connected) return forward_error(std::move(connected));
    return run(wire, request.response_bytes_max, deadline);
  }

  Result<void> connect(Deadline deadline) {
    disconnect();
    auto endpoints = resolve(url_, deadline);
    if (!endpoints) return forward_error(std::move(endpoints));
    link_ = std::make_shared<Link>(io_.get_executor());
    auto connected = await(connect_link(*link_, std::move(*endpoints)), deadline);
    if (!connected) disconnect();
    if (connected || connected.error().code != "timeout") return connected;
    return fail("timeout", "the server did not take the connection in time");
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

  asio::awaitable<Result<void>> connect_link(Link& link, std::vector<tcp::endpoint> endpoints) {
    auto connected = co_await link.connect(std::move(endpoints));
    if (connected && tls_) connected = co_await link.secure(tls_, url_.host);
    co_return connected;
  }

  Result<ClientResponse> run(const std::shared_ptr<const WireRequest>& wire, std::size_t response_bytes_max,
                             Deadline deadline) {
    const auto link = link_;  // await() lets it go when the time is over
    auto response = await(link->exchange(wire, response_bytes_max, LongAnswer::kFail), deadline);
    answered_ = link->answered();
    if (!response || !link->reusable()) disconnect();
    if (response || response.error().code != "timeout") return response;
    return fail("timeout", "the server did not answer in time");
  }

  // Runs the loop until `work` has ended or the deadline has passed; then it ends by the closing of the link.
  template <class T>
  Result<T> await(asio::awaitable<Result<T>> work, Deadline deadline) {
    std::optional<Result<T>> outcome;
    asio::co_spawn(io_, std::move(work), [&outcome](const std::exception_ptr& error, Result<T> result) {
      if (error) std::rethrow_exception(error);
      outcome = std::move(result);
    });
    io_.restart();
    while (!outcome) {
      if (io_.run_one_until(deadline) > 0) continue;
      disconnect();  // also ends what is pending, before `outcome` goes
      return fail("timeout", "the time is over");
    }
    return std::move(*outcome);
  }

  // Closes the link and has every pending operation end now, while what it refers to is still there.
  void disconnect() {
    if (!link_) return;
    link_->close();
    io_.restart();
    io_.run();
    link_.reset();
  }

  const Url url_;
  const std::shared_ptr<TlsContext> tls_;  // null for http; shared with the link
  asio::io_context io_{1};
  std::shared_ptr<Link> link_;  // shared with its pending operations
  bool answered_ = false;
};

Result<std::unique_ptr<BlockingConnection>> connection_to(const Url& url, const std::string& ca_file) {
  if (url.scheme != "https") return std::make_unique<BlockingConnection>(url, nullptr);
  auto tls = client_tls(ca_file);
  if (!tls) return forward_error(std::move(tls));
  return std::make_unique<BlockingConnection>(url, std::move(*tls));
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
  if (authority.starts_with('[') ? !IpAddress::parse(url.host)
                                 : ends_in_number(url.host) && !IpAddress::parse(url.host)) {
    return bad("its host is a number in a spelling that not everybody reads alike");
  }
  url.target = target_start == std::string_view::npos ? "/" : std::string(rest.substr(target_start));
  if (url.target.starts_with('?')) url.target.insert(0, "/");
  if (!is_target(url.target)) return bad("its path holds characters that must be percent-encoded");
  return url;
}

Result<ClientResponse> send(const ClientRequest& request) {
  const auto deadline = std::chrono::steady_clock::now() + request.timeout;
  auto url = parse_url(request.url);
  if (!url) return forward_error(std::move(url));
  auto connection = connection_to(*url, request.ca_file);
  if (!connection) return forward_error(std::move(connection));
  return (*connection)->send(request, url->target, deadline, Afterwards::kClose);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& url, std::chrono::milliseconds timeout,
                                                     const std::string& ca_file) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  auto parsed = parse_url(url);
  if (!parsed) return forward_error(std::move(parsed));
  auto connection = connection_to(*parsed, ca_file);
  if (!connection) return forward_error(std::move(connection));
  if (auto connected = (*connection)->connect(deadline); !connected) return forward_error(std::move(connected));
  return connection;
}

}  // namespace resultsync::http
