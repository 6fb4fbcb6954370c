#include "http/outbound.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "http/server.hpp"

namespace resultsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::unique_ptr<Server> serve(Handler handler, ServerOptions options = {}) {
  options.threads = 1;
  auto server = Server::start(std::move(options), std::move(handler));
  EXPECT_TRUE(server.has_value());
  return std::move(*server);
}
std::unique_ptr<Outbound> start(Outbound::Options options = {}) {
  auto outbound = Outbound::start(std::move(options));
  EXPECT_TRUE(outbound.has_value());
  return std::move(*outbound);
}
AddressPolicy allowing(const std::vector<std::string>& entries) {
  return AddressPolicy::with_allowed(entries).value();
}
OutboundRequest to(const Server& server, std::string body = "{}") {
  return {.url = "http://" + server.address() + "/hook", .body = std::move(body), .allow_http = true};
}
std::string outcome(const Result<ClientResponse>& response) {
  return response ? std::to_string(response->status) : std::string(response.error().code);
}

// Counts who connects to it, on every loopback address, and never answers.
class Trap {
 public:
  Trap() : listening_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const int off = 0;
    ::setsockopt(listening_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    EXPECT_EQ(::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening_, 128), 0);
    socklen_t length = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin6_port);
  }
  ~Trap() { ::close(listening_); }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  // Connections that the kernel has completed, whether anybody has asked for them or not.
  int caught() {
    int count = 0;
    while (true) {
      const int connection = ::accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (connection < 0) return count;
      ::close(connection);
      ++count;
    }
  }

 private:
  int listening_;
  std::uint16_t port_ = 0;
};

TEST(Outbound, sends_and_is_answered) {
  Request seen;
  const auto server = serve([&](Request request, Responder respond) {
    seen = std::move(request);
    respond({.status = 201, .body = "made"});
  });
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  auto request = to(*server, std::string(1 << 20, 'b'));
  request.headers = {{"webhook-id", "msg_1"}};
  const auto response = outbound->send_and_wait(std::move(request));
  ASSERT_TRUE(response.has_value()) << response.error().text();
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "made");
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.headers.only("webhook-id"), "msg_1");
  EXPECT_EQ(seen.headers.only("Host"), server->address());
  EXPECT_EQ(seen.body.size(), 1U << 20);
}

TEST(Outbound, a_loopback_address_is_refused_before_anything_connects) {
  Trap trap;
  const auto outbound = start();
  EXPECT_EQ(
      outcome(outbound->send_and_wait({.url = "http://127.0.0.1:" + std::to_string(trap.port()), .allow_http = true})),
      "address_refused");
  EXPECT_EQ(trap.caught(), 0);
}

}  // namespace
}  // namespace resultsync::http
