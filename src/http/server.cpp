#include "http/server.hpp"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "http/server_loop.hpp"

namespace resultsync::http {
namespace {

using boost::asio::ip::tcp;

constexpr int kBacklog = 4096;  // the kernel caps it at net.core.somaxconn

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

Result<tcp::endpoint> parse_address(const std::string& text) {
  const auto bad = [&] {
    return fail("bad_address", "`" + text + "` is not an address like 127.0.0.1:8080 or [::1]:8080");
  };
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return bad();
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    return bad();
  }
  if (host == "localhost") host = "127.0.0.1";
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, port);
  if (read.ec != std::errc{} || read.ptr != end) return bad();
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error) return bad();
  return tcp::endpoint(address, port);
}

std::string describe(const tcp::endpoint& endpoint) {
  const std::string host = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + host + "]" : host) + ":" + std::to_string(endpoint.port());
}

std::unexpected<Error> listen_error(int error_number, const tcp::endpoint& endpoint) {
  if (error_number == EADDRINUSE) {
    return fail("address_in_use", "something else listens on " + describe(endpoint) + " already",
                std::strerror(error_number));
  }
  return fail("listen_failed", "cannot listen on " + describe(endpoint), std::strerror(error_number));
}

enum class Sharing { kAlone, kSharedByLoops };

// A bound socket, and in `endpoint` the port that it was given.
Result<Descriptor> bind_to(tcp::endpoint& endpoint, Sharing sharing) {
  Descriptor socket(::socket(endpoint.protocol().family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return listen_error(errno, endpoint);
  const int on = 1;
  // NODELAY is inherited by every accepted connection (Linux), which saves a call for each.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
      (sharing == Sharing::kSharedByLoops &&
       ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) ||
      ::bind(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
    return listen_error(errno, endpoint);
  }
  auto length = static_cast<socklen_t>(endpoint.capacity());
  if (::getsockname(socket.get(), endpoint.data(), &length) != 0) return listen_error(errno, endpoint);
  return socket;
}

Result<std::vector<Descriptor>> bind_all(tcp::endpoint& endpoint, unsigned count) {
  std::vector<Descriptor> sockets;
  {
    // SO_REUSEPORT would let us join another process's port in silence. One who binds alone is told of it.
    auto alone = bind_to(endpoint, Sharing::kAlone);
    if (!alone) return forward_error(std::move(alone));
    if (count == 1) sockets.push_back(std::move(*alone));
  }
  while (sockets.size() < count) {
    auto shared = bind_to(endpoint, Sharing::kSharedByLoops);
    if (!shared) return forward_error(std::move(shared));
    sockets.push_back(std::move(*shared));
  }
  for (const Descriptor& socket : sockets) {
    if (::listen(socket.get(), kBacklog) != 0) return listen_error(errno, endpoint);
  }
  return sockets;
}

class ListeningServer final : public Server {
 public:
  ListeningServer(ServerOptions options, Handler handler, const tcp::endpoint& endpoint,
                  std::vector<Descriptor> sockets, std::shared_ptr<TlsContext> tls)
      : endpoint_(endpoint) {
    listener_.tls = std::move(tls);
    listener_.budget = std::make_shared<BodyBudget>(options.body_bytes_in_flight_max);
    listener_.options = std::move(options);
    listener_.handler = std::move(handler);
    for (Descriptor& socket : sockets) {
      const std::string name = "http-" + std::to_string(endpoint.port()) + "-" + std::to_string(loops_.size());
      loops_.push_back(std::make_unique<Loop>(listener_, socket.release(), endpoint.address().is_v6(), name));
    }
  }

  [[nodiscard]] std::uint16_t port() const override { return endpoint_.port(); }
  [[nodiscard]] std::string address() const override { return describe(endpoint_); }
  [[nodiscard]] std::size_t connections() const override {
    return listener_.connections.load(std::memory_order_relaxed);
  }
  Result<void> reload_tls() override {
    if (!listener_.options.tls) return {};
    auto tls = server_tls(listener_.options.tls->certificate, listener_.options.tls->key);
    if (!tls) return forward_error(std::move(tls));
    listener_.tls = std::move(*tls);
    return {};
  }
  void stop(std::chrono::milliseconds patience) override {
    for (const auto& loop : loops_) loop->begin_stop(patience);
    for (const auto& loop : loops_) loop->join();
  }

 private:
  const tcp::endpoint endpoint_;
  Listener listener_;  // before the loops, which use it to their end
  std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler) {
  auto endpoint = parse_address(options.address);
  if (!endpoint) return forward_error(std::move(endpoint));
  std::shared_ptr<TlsContext> tls;
  if (options.tls) {
    auto made = server_tls(options.tls->certificate, options.tls->key);
    if (!made) return forward_error(std::move(made));
    tls = std::move(*made);
  }
  auto sockets = bind_all(*endpoint, std::max(1U, options.threads));
  if (!sockets) return forward_error(std::move(sockets));
  return std::make_unique<ListeningServer>(std::move(options), std::move(handler), *endpoint, std::move(*sockets),
                                           std::move(tls));
}

}  // namespace resultsync::http
