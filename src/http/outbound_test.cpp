#include "http/outbound.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <deque>
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

// Names and what they resolve to, one answer after the other; the last one stays.
class Names {
 public:
  explicit Names(std::map<std::string, std::vector<std::vector<std::string>>> answers) : answers_(std::move(answers)) {}
  Resolve resolve() {
    return [this](const std::string& host) -> Result<std::vector<IpAddress>> {
      const std::lock_guard lock(mutex_);
      const auto found = answers_.find(host);
      if (found == answers_.end()) return fail("not_found", "no such name");
      const std::size_t turn = asked_[host]++;
      Result<std::vector<IpAddress>> addresses{std::in_place};
      for (const std::string& text : found->second[std::min(turn, found->second.size() - 1)]) {
        addresses->push_back(IpAddress::parse(text).value());
      }
      return addresses;
    };
  }
  std::size_t asked(const std::string& host) {
    const std::lock_guard lock(mutex_);
    return asked_[host];
  }

 private:
  std::mutex mutex_;
  const std::map<std::string, std::vector<std::vector<std::string>>> answers_;
  std::map<std::string, std::size_t> asked_;
};

// Every way to write, to resolve to, or to hide an address of ours that anybody has thought of: none makes a
// connection. PORT is that of a socket which listens on all of this machine's addresses.
TEST(OutboundGuard, no_spelling_of_a_forbidden_address_makes_a_connection) {
  Trap trap;
  Names names({{"localhost", {{"127.0.0.1"}}},
               {"localhost.", {{"127.0.0.1"}}},
               {"inside.example", {{"10.0.0.7"}}},
               {"loop.example", {{"127.0.0.1"}}},
               {"loop6.example", {{"::1"}}},
               {"mapped.example", {{"::ffff:127.0.0.1"}}},
               {"compatible.example", {{"::127.0.0.1"}}},
               {"nat64.example", {{"64:ff9b::127.0.0.1"}}},
               {"6to4.example", {{"2002:7f00:1::1"}}},
               {"teredo.example", {{"2001:0:4136:e378:8000:63bf:80ff:fffe"}}},
               {"zero.example", {{"0.0.0.0"}}},
               {"any6.example", {{"::"}}},
               {"metadata.example", {{"169.254.169.254"}}},
               {"cloud.example", {{"168.63.129.16"}}},
               {"mixed.example", {{"198.41.0.4", "127.0.0.1"}}},
               {"mixed6.example", {{"2606:4700::1111", "::1"}}},
               {"xn--lcalhost-n4a.example", {{"127.0.0.1"}}},
               {"empty.example", {{}}}});
  const auto outbound = start({.resolve = names.resolve()});
  const std::vector<std::string> hosts{
      // The plain ones.
      "127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1",
      "169.254.169.254", "100.64.0.1", "192.0.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "[::1]",
      "[::]",
      // Old spellings of IPv4: decimal, octal, hexadecimal, fewer than four numbers, leading zeros, a dot at the end.
      "2130706433", "017700000001", "0x7f000001", "0x7F000001", "0X7f.0x0.0x0.0x1", "0177.0.0.1", "0x7f.0.0.1", "127.1",
      "127.0.1", "0127.0.0.1", "127.0.0.01", "00127.0.0.1", "127.0.0.1.", "2130706433.", "0", "0x0", "4294967296",
      "1.2.3.4.5", "127.0.0.0x1", "127..0.1",
      // IPv4 inside IPv6.
      "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::FFFF:127.0.0.1]", "[::127.0.0.1]",
      "[::ffff:0:127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
      "[::ffff:0177.0.0.1]", "[::ffff:127.1]",
      // Other forms of IPv6.
      "[0:0:0:0:0:0:0:1]", "[0000:0000:0000:0000:0000:0000:0000:0001]", "[fe80::1]", "[fe80::1%25lo]", "[fe80::1%lo]",
      "[::1%251]", "[fc00::1]", "[fd00:ec2::254]", "[fec0::1]", "[ff02::1]", "[::1", "::1", "[[::1]]", "[::1].",
      "[v1.::1]", "[]",
      // What hides the host.
      "a@127.0.0.1", "8.8.8.8@127.0.0.1", "a:b@127.0.0.1", "8.8.8.8:80@127.0.0.1", "127.0.0.1%00.example",
      "127%2e0%2e0%2e1", "%31%32%37.0.0.1", "127.0.0.1\\.example", "127.0.0.1\t", "127.0.0.1\r\nX: y", "127。0。0。1",
      "①②⑦.⓪.⓪.①", "ⓛocalhost",
      "l\xc3\xb6"
      "calhost",
      // Names.
      "localhost", "LOCALHOST", "localhost.", "inside.example", "loop.example", "loop6.example", "mapped.example",
      "compatible.example", "nat64.example", "6to4.example", "teredo.example", "zero.example", "any6.example",
      "metadata.example", "cloud.example", "mixed.example", "mixed6.example", "xn--lcalhost-n4a.example",
      "empty.example", "unknown.example"};
  const std::string port = ":" + std::to_string(trap.port());
  std::size_t tried = 0;
  for (const std::string& host : hosts) {
    for (const std::string& url : {"http://" + host + port + "/", "https://" + host + port + "/x?y=http://8.8.8.8"}) {
      const auto response = outbound->send_and_wait(
          {.url = url, .total_timeout = seconds{5}, .allow_http = true, .ports = {trap.port()}});
      ASSERT_FALSE(response.has_value()) << url;
      const std::string_view code = response.error().code;
      EXPECT_TRUE(code == "bad_url" || code == "address_refused" || code == "resolve_failed") << url << ": " << code;
      EXPECT_FALSE(code == "resolve_failed" && !host.starts_with("empty") && !host.starts_with("unknown") &&
                   host != "LOCALHOST")
          << url;
      ++tried;
    }
  }
  EXPECT_GE(tried, 120U);
  EXPECT_EQ(trap.caught(), 0);
  EXPECT_EQ(outbound->connections(), 0U);
}

TEST(OutboundGuard, odd_schemes_and_ports_make_no_connection) {
  Trap trap;
  const std::string host = "127.0.0.1:" + std::to_string(trap.port());
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  for (const std::string& url : std::vector<std::string>{
           "ftp://" + host, "file:///etc/passwd", "gopher://" + host + "/_x", "//" + host, host, "http:" + host,
           "http:///" + host, "javascript:alert(1)", "http://" + host + "/\r\nX: y", "http://127.0.0.1:0/",
           "http://127.0.0.1:65536/", "http://127.0.0.1:" + std::to_string(trap.port() + 65'536) + "/",
           "http://127.0.0.1:-1/", "http://127.0.0.1: 80/"}) {
    EXPECT_EQ(outcome(outbound->send_and_wait({.url = url, .allow_http = true})), "bad_url") << url;
  }
  EXPECT_EQ(outcome(outbound->send_and_wait({.url = "http://" + host})), "bad_url") << "plain http without a word";
  for (const int port : {1, 22, 23, 25, 53, 81, 110, 143, 445, 587, 993, 1023}) {
    EXPECT_EQ(outcome(outbound->send_and_wait({.url = "http://127.0.0.1:" + std::to_string(port), .allow_http = true})),
              "address_refused");
  }
  EXPECT_EQ(outcome(outbound->send_and_wait({.url = "https://127.0.0.1:80"})), "address_refused")
      << "80 is for plain http";
  EXPECT_EQ(outcome(outbound->send_and_wait({.url = "http://" + host, .allow_http = true, .ports = {443}})),
            "address_refused");
  EXPECT_EQ(trap.caught(), 0);
}

// 127.0.0.2 stands for what may be reached, 127.0.0.1 for what may not.
TEST(OutboundGuard, a_name_that_answers_differently_the_second_time_gains_nothing) {
  std::atomic<int> allowed = 0;
  const auto outside = serve(
      [&](const Request&, Responder respond) {
        ++allowed;
        respond({.close = true});
      },
      {.address = "127.0.0.2:0"});
  std::atomic<int> reached = 0;
  const auto inside = serve(
      [&](const Request&, Responder respond) {
        ++reached;
        respond({});
      },
      {.address = "127.0.0.1:" + std::to_string(outside->port())});
  Names names({{"rebind.example", {{"127.0.0.2"}, {"127.0.0.1"}}}, {"mixed.example", {{"127.0.0.2", "127.0.0.1"}}}});
  const auto outbound =
      start({.policy = allowing({"127.0.0.2"}), .remember_addresses = milliseconds{0}, .resolve = names.resolve()});
  const auto send = [&](const std::string& host) {
    return outcome(
        outbound->send_and_wait({.url = "http://" + host + ":" + std::to_string(outside->port()), .allow_http = true}));
  };
  EXPECT_EQ(send("rebind.example"), "200");
  EXPECT_EQ(names.asked("rebind.example"), 1U) << "what was checked is what was connected to";
  EXPECT_EQ(send("rebind.example"), "address_refused");
  EXPECT_EQ(send("mixed.example"), "address_refused");
  EXPECT_EQ(allowed, 1);
  EXPECT_EQ(reached, 0);
}

TEST(OutboundGuard, a_redirect_is_an_answer_and_not_followed) {
  Trap trap;
  const auto server = serve([&](const Request& request, Responder respond) {
    Response response{.status = std::stoi(request.path.substr(1))};
    response.set_header("Location", "http://127.0.0.1:" + std::to_string(trap.port()) + "/");
    respond(std::move(response));
  });
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  for (const int status : {300, 301, 302, 303, 307, 308}) {
    const auto response = outbound->send_and_wait(
        {.url = "http://" + server->address() + "/" + std::to_string(status), .allow_http = true});
    EXPECT_EQ(outcome(response), std::to_string(status));
  }
  EXPECT_EQ(trap.caught(), 0);
}

TEST(OutboundGuard, a_proxy_of_the_environment_is_not_used) {
  Trap trap;
  const std::string proxy = "http://127.0.0.1:" + std::to_string(trap.port());
  ::setenv("http_proxy", proxy.c_str(), 1);
  ::setenv("ALL_PROXY", proxy.c_str(), 1);
  const auto server = serve([](const Request&, Responder respond) { respond({}); });
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  EXPECT_EQ(outcome(outbound->send_and_wait(to(*server))), "200");
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
  EXPECT_EQ(trap.caught(), 0);
}

// A server that says exactly these bytes to each connection, in pieces of `piece` bytes with a pause after each.
class Script {
 public:
  struct Pace {
    std::size_t piece = std::string::npos;
    milliseconds pause{0};
    bool close = true;
  };
  explicit Script(std::string answer) : Script(std::move(answer), Pace{}) {}
  Script(std::string answer, Pace pace) : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening_, 8), 0);
    socklen_t length = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, answer = std::move(answer), pace](const std::stop_token& stop) {
      std::vector<int> open;
      while (!stop.stop_requested()) {
        const int connection = ::accept(listening_, nullptr, nullptr);
        if (connection < 0) break;
        ++accepted_;
        char request[4096];
        if (::recv(connection, request, sizeof request, 0) > 0) say(connection, answer, pace, stop);
        if (pace.close) {
          ::close(connection);
        } else {
          open.push_back(connection);
        }
      }
      for (const int connection : open) ::close(connection);
    });
  }
  ~Script() {
    thread_.request_stop();
    ::shutdown(listening_, SHUT_RDWR);
    thread_.join();
    ::close(listening_);
  }
  [[nodiscard]] OutboundRequest request(milliseconds total_timeout = seconds{10}) const {
    return {
        .url = "http://127.0.0.1:" + std::to_string(port_) + "/", .total_timeout = total_timeout, .allow_http = true};
  }
  [[nodiscard]] int accepted() const { return accepted_; }

 private:
  static void say(int connection, std::string_view answer, const Pace& pace, const std::stop_token& stop) {
    while (!answer.empty() && !stop.stop_requested()) {
      const std::string_view piece = answer.substr(0, pace.piece);
      if (::send(connection, piece.data(), piece.size(), MSG_NOSIGNAL) <= 0) return;
      answer.remove_prefix(piece.size());
      if (pace.pause.count() > 0) std::this_thread::sleep_for(pace.pause);
    }
  }

  int listening_;
  std::uint16_t port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::jthread thread_;
};

TEST(Outbound, an_answer_that_drips_ends_at_the_time_limit) {
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  const auto timed = [&](const Script& script) {
    const auto before = std::chrono::steady_clock::now();
    const auto code = outcome(outbound->send_and_wait(script.request(milliseconds{300})));
    EXPECT_LT(std::chrono::steady_clock::now() - before, seconds{5});
    return code;
  };
  EXPECT_EQ(timed(Script("HTTP/1.1 200 OK\r\nX: " + std::string(1000, 'x'), {.piece = 1, .pause = milliseconds{20}})),
            "timeout");
  EXPECT_EQ(timed(Script("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + std::string(1000, 'x'),
                         {.piece = 1, .pause = milliseconds{20}})),
            "timeout");
  EXPECT_EQ(timed(Script("", {.close = false})), "timeout");
}

TEST(Outbound, an_answer_that_is_none_is_named) {
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  const auto said = [&](const std::string& answer) {
    const Script script(answer);
    return outcome(outbound->send_and_wait(script.request()));
  };
  EXPECT_EQ(said(""), "connection_lost");
  EXPECT_EQ(said("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), "connection_lost");
  EXPECT_EQ(said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "connection_lost");
  EXPECT_EQ(said("SSH-2.0-OpenSSH\r\n\r\n"), "bad_response");
  EXPECT_EQ(said("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "bad_response");
  EXPECT_EQ(said("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx"), "bad_response");
  EXPECT_EQ(said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"),
            "bad_response");
  EXPECT_EQ(said("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            "bad_response");
  EXPECT_EQ(said("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"), "response_too_large");
  EXPECT_EQ(said("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "200");
}

TEST(Outbound, a_long_answer_fails_or_is_cut) {
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  const std::string five = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  const std::string six = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\n";
  for (const LongAnswer long_answer : {LongAnswer::kFail, LongAnswer::kCut}) {
    for (const std::string& answer : {five, six}) {
      const Script script(answer);
      auto request = script.request();
      request.response_bytes_max = 5;
      request.long_answer = long_answer;
      const auto response = outbound->send_and_wait(std::move(request));
      if (answer == six && long_answer == LongAnswer::kFail) {
        EXPECT_EQ(outcome(response), "response_too_large");
      } else {
        EXPECT_EQ(response.value().body, "hello");
      }
    }
  }
  // Also one without end: what is cut is not waited for.
  const Script endless("HTTP/1.1 200 OK\r\n\r\n" + std::string(8 << 20, 'x'), {.close = false});
  auto request = endless.request();
  request.long_answer = LongAnswer::kCut;
  EXPECT_EQ(outbound->send_and_wait(std::move(request)).value().body.size(), 64U * 1024);
}

TEST(Outbound, a_connection_is_kept_and_used_again) {
  std::mutex mutex;
  std::vector<std::string> peers;
  const auto server = serve([&](const Request& request, Responder respond) {
    const std::lock_guard lock(mutex);
    peers.push_back(request.peer);
    respond({.close = request.path == "/close"});
  });
  const auto outbound = start({.policy = allowing({"127.0.0.1"})});
  EXPECT_EQ(outcome(outbound->send_and_wait(to(*server))), "200");
  EXPECT_EQ(outbound->connections(), 1U);
  EXPECT_EQ(outcome(outbound->send_and_wait(to(*server))), "200");
  auto closing = to(*server);
  closing.url = "http://" + server->address() + "/close";
  EXPECT_EQ(outcome(outbound->send_and_wait(closing)), "200");
  EXPECT_EQ(outbound->connections(), 0U);
  EXPECT_EQ(outcome(outbound->send_and_wait(to(*server))), "200");
  ASSERT_EQ(peers.size(), 4U);
  EXPECT_EQ(peers[0], peers[1]);
  EXPECT_EQ(peers[1], peers[2]);
  EXPECT_NE(peers[2], peers[3]);
}

TEST(Outbound, what_is_beyond_the_connections_waits_its_turn) {
  std::mutex mutex;
  std::deque<Responder> held;
  std::condition_variable changed;
  const auto server = serve([&](const Request&, Responder respond) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(respond));
    changed.notify_all();
  });
  const auto outbound = start({.policy = allowing({"127.0.0.1"}), .connections_max = 2, .waiting_max = 3});
  std::vector<std::future<std::string>> outcomes;
  for (int i = 0; i < 6; ++i) {
    auto promise = std::make_shared<std::promise<std::string>>();
    outcomes.push_back(promise->get_future());
    outbound->send(to(*server),
                   [promise](const Result<ClientResponse>& response) { promise->set_value(outcome(response)); });
  }
  EXPECT_EQ(outcomes[5].get(), "overloaded");
  for (int answered = 0; answered < 5; ++answered) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, seconds{10}, [&] { return !held.empty(); }));
    EXPECT_LE(held.size(), 2U);
    EXPECT_LE(server->connections(), 2U);
    Responder respond = std::move(held.front());
    held.pop_front();
    respond({});
  }
  for (int i = 0; i < 5; ++i) EXPECT_EQ(outcomes[static_cast<std::size_t>(i)].get(), "200");
}

TEST(Outbound, many_exchanges_go_on_at_once) {
  const auto server = serve([](Request request, Responder respond) { respond({.body = std::move(request.body)}); });
  const auto outbound = start({.threads = 2, .policy = allowing({"127.0.0.1"}), .connections_max = 64});
  constexpr int kCount = 2000;
  std::atomic<int> right = 0;
  std::promise<void> all;
  std::atomic<int> left = kCount;
  for (int i = 0; i < kCount; ++i) {
    outbound->send(to(*server, std::to_string(i)), [&, i](const Result<ClientResponse>& response) {
      if (response && response->body == std::to_string(i)) ++right;
      if (--left == 0) all.set_value();
    });
  }
  ASSERT_EQ(all.get_future().wait_for(seconds{60}), std::future_status::ready);
  EXPECT_EQ(right, kCount);
  EXPECT_LE(outbound->connections(), 64U);
}

TEST(Outbound, stopping_ends_what_is_in_flight_and_what_waits) {
  Trap trap;  // takes the connection and never answers
  std::promise<void> release;
  const auto outbound = start({.policy = allowing({"127.0.0.1"}),
                               .connections_max = 2,
                               .resolve = [&](const std::string&) -> Result<std::vector<IpAddress>> {
                                 release.get_future().wait();
                                 return fail("late", "too late");
                               }});
  std::vector<std::future<std::string>> outcomes;
  for (const std::string& host : {"slow.example", "127.0.0.1", "127.0.0.1"}) {
    auto promise = std::make_shared<std::promise<std::string>>();
    outcomes.push_back(promise->get_future());
    outbound->send({.url = "http://" + host + ":" + std::to_string(trap.port()), .allow_http = true},
                   [promise](const Result<ClientResponse>& response) { promise->set_value(outcome(response)); });
  }
  const auto before = std::chrono::steady_clock::now();
  outbound->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds{5});
  for (auto& each : outcomes) EXPECT_EQ(each.get(), "stopped");
  EXPECT_EQ(outcome(outbound->send_and_wait({.url = "http://127.0.0.1:1", .allow_http = true})), "stopped");
  EXPECT_EQ(outbound->connections(), 0U);
  release.set_value();
}

TEST(Outbound, a_kept_connection_that_ends_is_replaced_for_who_can_be_repeated) {
  // Answers the first request of a connection, and closes at the second without a word.
  const auto once_each = [](bool repeatable, const std::string& method) {
    const auto server = serve([](const Request&, Responder respond) { respond({}); }, {.idle_timeout = seconds{1}});
    const auto outbound = start({.policy = allowing({"127.0.0.1"})});
    for (int i = 0; i < 3; ++i) {
      auto request = to(*server);
      request.method = method;
      request.repeatable = repeatable;
      if (outcome(outbound->send_and_wait(std::move(request))) != "200") return false;
    }
    return true;
  };
  EXPECT_TRUE(once_each(true, "POST"));
  EXPECT_TRUE(once_each(false, "GET"));
}

}  // namespace
}  // namespace resultsync::http
