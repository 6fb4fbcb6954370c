#include "http/client.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include "http/server.hpp"

namespace resultsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A server that says exactly these bytes, one string for each connection, whatever it is asked.
class Script {
 public:
  enum class Ending { kClose, kReset, kStayOpen };
  Script(std::vector<std::string> answers, Ending ending)
      : listening_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listening_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening_, 8), 0);
    socklen_t length = sizeof address;
    ::getsockname(listening_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this, answers = std::move(answers), ending] {
      for (const std::string& answer : answers) {
        const int connection = ::accept(listening_, nullptr, nullptr);
        if (connection < 0) return;
        connections_.push_back(connection);
        char request[4096];
        const ssize_t count = ::recv(connection, request, sizeof request, 0);
        if (count > 0) requests_.emplace_back(request, static_cast<std::size_t>(count));
        ::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
        if (ending == Ending::kReset) {
          const linger at_once{1, 0};
          ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        }
        if (ending != Ending::kStayOpen) {
          ::close(connection);
          connections_.pop_back();
        }
      }
    });
  }
  ~Script() {
    ::shutdown(listening_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    for (const int connection : connections_) ::close(connection);
    ::close(listening_);
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/x"; }
  // What was asked, once every answer was given.
  std::vector<std::string> requests() {
    thread_.join();
    return requests_;
  }

 private:
  int listening_;
  std::uint16_t port_ = 0;
  std::vector<int> connections_;       // of the thread until it is joined
  std::vector<std::string> requests_;  // of the thread until it is joined
  std::jthread thread_;
};

ClientRequest get(const std::string& url) {
  return {.url = url, .timeout = seconds{10}};
}

std::string outcome(const std::string& answer, Script::Ending ending = Script::Ending::kClose,
                    ClientRequest request = {}) {
  Script script({answer}, ending);
  request.url = script.url();
  const auto response = send(request);
  return response ? std::to_string(response->status) + " " + response->body : std::string(response.error().code);
}

std::unique_ptr<Server> serve(Handler handler, ServerOptions options = {}) {
  options.threads = 1;
  auto server = Server::start(std::move(options), std::move(handler));
  EXPECT_TRUE(server.has_value());
  return std::move(*server);
}
std::string url_of(const Server& server, const std::string& target = "/") {
  return "http://" + server.address() + target;
}

TEST(Url, is_taken_apart) {
  const Url full = parse_url("HTTP://a.example:8080/p%20q?x=1#part").value();
  EXPECT_EQ(full.scheme, "http");
  EXPECT_EQ(full.host, "a.example");
  EXPECT_EQ(full.port, 8080);
  EXPECT_EQ(full.target, "/p%20q?x=1");
  const Url bare = parse_url("https://[::1]").value();
  EXPECT_EQ(bare.host, "::1");
  EXPECT_EQ(bare.port, 443);
  EXPECT_EQ(bare.target, "/");
  EXPECT_EQ(parse_url("http://a.example?x").value().target, "/?x");
  for (const char* bad :
       {"", "a.example", "ftp://a.example", "http://", "http:///x", "http://u@a.example/", "http://u:p@a.example/",
        "http://a.example:0/", "http://a.example:65536/", "http://a.example:/", "http://a b/", "http://a.example/ x",
        "http://a.example/\r\nX: 1", "http://a.example/\xc3\xa4"}) {
    const auto url = parse_url(bad);
    ASSERT_FALSE(url.has_value()) << bad;
    EXPECT_EQ(url.error().code, "bad_url");
  }
}

TEST(HttpClient, sends_a_request_and_reads_the_answer) {
  Request seen;
  const auto server = serve([&](Request request, Responder respond) {
    seen = std::move(request);
    Response response{.status = 201, .content_type = "text/plain", .body = "made"};
    response.set_header("Location", "/things/1");
    respond(std::move(response));
  });
  const auto response = send({.method = "POST",
                              .url = url_of(*server, "/things?x=1"),
                              .headers = {{"X-One", "1"}},
                              .body = std::string(1 << 20, 'b')});
  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "made");
  EXPECT_EQ(response->headers.only("location"), "/things/1");
  EXPECT_EQ(seen.target, "/things?x=1");
  EXPECT_EQ(seen.headers.only("X-One"), "1");
  EXPECT_EQ(seen.headers.only("Host"), server->address());
  EXPECT_EQ(seen.headers.only("Connection"), "close");
  EXPECT_EQ(seen.body.size(), 1U << 20);
}

TEST(HttpClient, sends_nothing_that_would_break_its_framing) {
  const std::string url = "http://127.0.0.1:9/";
  EXPECT_EQ(send({.url = url, .headers = {{"X", "a\r\nY: b"}}}).error().code, "bad_request");
  EXPECT_EQ(send({.url = url, .headers = {{"X Y", "a"}}}).error().code, "bad_request");
  EXPECT_EQ(send({.url = url, .headers = {{"content-length", "1"}}}).error().code, "bad_request");
  EXPECT_EQ(send({.method = "GET /", .url = url}).error().code, "bad_request");
}

TEST(HttpClient, says_what_kept_it_from_an_answer) {
  EXPECT_EQ(send({.url = "nonsense"}).error().code, "bad_url");
  std::string closed_port;
  {
    const auto server = serve([](const Request&, const Responder&) {});
    closed_port = url_of(*server);
  }
  EXPECT_EQ(send({.url = closed_port}).error().code, "connect_failed");
}

TEST(HttpClient, has_one_deadline_for_everything) {
  const auto timed = [](const std::string& answer) {
    const auto before = std::chrono::steady_clock::now();
    const std::string code = outcome(answer, Script::Ending::kStayOpen, {.timeout = milliseconds{200}});
    EXPECT_LT(std::chrono::steady_clock::now() - before, seconds{5});
    return code;
  };
  EXPECT_EQ(timed(""), "timeout");
  EXPECT_EQ(timed("HTTP/1.1 200 OK\r\nContent-Le"), "timeout");
  EXPECT_EQ(timed("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), "timeout");
  // A server that reads nothing of a large body.
  EXPECT_EQ(outcome("", Script::Ending::kStayOpen,
                    {.method = "POST", .body = std::string(32 << 20, 'b'), .timeout = milliseconds{200}}),
            "timeout");
}

TEST(HttpClient, a_cut_off_answer_is_no_answer) {
  EXPECT_EQ(outcome(""), "connection_lost");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\n"), "connection_lost");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"), "connection_lost");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "connection_lost");
  EXPECT_EQ(outcome("", Script::Ending::kReset), "connection_lost");
}

TEST(HttpClient, reads_every_framing_of_an_answer) {
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), "200 hello");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n"),
            "200 hello");
  EXPECT_EQ(outcome("HTTP/1.0 200 OK\r\n\r\nuntil the end"), "200 until the end");
  EXPECT_EQ(outcome("HTTP/1.1 204 No Content\r\n\r\n", Script::Ending::kStayOpen), "204 ");
  EXPECT_EQ(outcome("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Script::Ending::kStayOpen), "304 ");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", Script::Ending::kStayOpen, {.method = "HEAD"}),
            "200 ");
  EXPECT_EQ(outcome("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
                    "OK\r\nContent-Length: 2\r\n\r\nok"),
            "200 ok");
}

TEST(HttpClient, refuses_answers_that_are_not_http) {
  EXPECT_EQ(outcome("SSH-2.0-OpenSSH\r\n\r\n"), "bad_response");
  EXPECT_EQ(outcome("HTTP/1.1 abc OK\r\n\r\n"), "bad_response");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"), "bad_response");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), "bad_response");
  EXPECT_EQ(outcome("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "bad_response");
  std::string endless;
  for (int i = 0; i < 20; ++i) endless += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(outcome(endless), "bad_response");
}

TEST(HttpClient, an_answer_has_a_largest_size) {
  const ClientRequest small{.response_bytes_max = 5};
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Script::Ending::kClose, small), "200 hello");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", Script::Ending::kClose, small),
            "response_too_large");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello!\r\n0\r\n\r\n",
                    Script::Ending::kClose, small),
            "response_too_large");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\n\r\nhello!", Script::Ending::kClose, small), "response_too_large");
  EXPECT_EQ(outcome("HTTP/1.1 200 OK\r\nX: " + std::string(100'000, 'x') + "\r\n\r\n"), "response_too_large");
}

TEST(HttpClient, an_answer_that_comes_before_the_body_was_sent_is_heard) {
  ServerOptions options;
  options.body_bytes_max = 1000;
  const auto server = serve([](const Request&, const Responder&) {}, options);
  const auto response = send({.method = "POST", .url = url_of(*server), .body = std::string(8 << 20, 'b')});
  ASSERT_TRUE(response.has_value()) << response.error().text();
  EXPECT_EQ(response->status, 413);
}

TEST(HttpConnection, is_used_again) {
  std::vector<std::string> peers;
  const auto server = serve([&](const Request& request, Responder respond) {
    peers.push_back(request.peer);
    respond({.body = request.target});
  });
  auto connection = Connection::open(url_of(*server), seconds{10});
  ASSERT_TRUE(connection.has_value());
  EXPECT_EQ((*connection)->send(get("/one")).value().body, "/one");
  EXPECT_EQ((*connection)->send(get(url_of(*server, "/two"))).value().body, "/two");
  EXPECT_EQ((*connection)->send(get("http://other.example/")).error().code, "bad_url");
  EXPECT_EQ((*connection)->send({.method = "HEAD", .url = "/three"}).value().body, "");
  EXPECT_EQ((*connection)->send(get("/four")).value().body, "/four");
  ASSERT_EQ(peers.size(), 4U);
  EXPECT_EQ(peers[0], peers[3]);
}

TEST(HttpConnection, is_opened_again_when_the_server_has_closed_it) {
  const auto server = serve([](const Request&, Responder respond) { respond({.body = "ok", .close = true}); });
  auto connection = Connection::open(url_of(*server), seconds{10});
  ASSERT_TRUE(connection.has_value());
  for (int i = 0; i < 3; ++i) EXPECT_EQ((*connection)->send({.method = "POST", .url = "/"}).value().body, "ok");
}

TEST(HttpConnection, a_request_that_may_have_been_handled_is_not_sent_twice) {
  // The first answer keeps the connection; what follows on it is lost, and only then a second connection would answer.
  for (const char* method : {"POST", "GET"}) {
    Script script({"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
                  Script::Ending::kClose);
    auto connection = Connection::open(script.url(), seconds{10});
    ASSERT_TRUE(connection.has_value());
    ASSERT_TRUE((*connection)->send({.method = method, .url = "/1"}).has_value());
    // The script has closed by now or is about to: both ways a POST is sent at most once.
    const auto second = (*connection)->send({.method = method, .url = "/2"});
    if (!second) {
      EXPECT_EQ(second.error().code, "connection_lost");
      EXPECT_STREQ(method, "POST");
      ASSERT_TRUE(send(get(script.url())).has_value());  // lets the script end
    }
    EXPECT_EQ(script.requests().size(), 2U);
  }
}

}  // namespace
}  // namespace resultsync::http
