// TLS on both sides: listeners that show a certificate and read it anew, clients that believe only what they can
// verify.
#include "http/tls.hpp"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>

#include "http/client.hpp"
#include "http/outbound.hpp"
#include "http/server.hpp"
#include "http/testing/certificates.hpp"
#include "http/testing/raw_client.hpp"

namespace resultsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Certificates;

std::unique_ptr<Server> serve(const TlsFiles& files, Handler handler, ServerOptions options = {}) {
  options.threads = 1;
  options.tls = files;
  auto server = Server::start(std::move(options), std::move(handler));
  EXPECT_TRUE(server.has_value()) << server.error().text();
  return std::move(*server);
}
void echo(Request request, Responder respond) {
  respond({.body = request.body.empty() ? request.target : std::move(request.body)});
}
std::string url_of(const Server& server, const std::string& target = "/") {
  return "https://" + server.address() + target;
}
std::string outcome(const Result<ClientResponse>& response) {
  return response ? std::to_string(response->status)
                  : std::string(response.error().code) + ": " + response.error().cause;
}

// A client that says exactly these bytes inside of TLS.
class RawTls {
 public:
  struct Wish {
    int version_max = TLS1_3_VERSION;
    std::string alpn = {};  // in wire format
  };
  RawTls(std::uint16_t port, const Wish& wish) : context_(::SSL_CTX_new(::TLS_client_method()), ::SSL_CTX_free) {
    ::signal(SIGPIPE, SIG_IGN);
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{10, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ::SSL_CTX_set_max_proto_version(context_.get(), wish.version_max);
    ::SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    ::SSL_CTX_set_security_level(context_.get(), 0);
    tls_.reset(::SSL_new(context_.get()));
    if (!wish.alpn.empty()) {
      ::SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(wish.alpn.data()),
                            static_cast<unsigned>(wish.alpn.size()));
    }
    ::SSL_set_fd(tls_.get(), socket_);
    connected_ = ::SSL_connect(tls_.get()) == 1;
    ::ERR_clear_error();
  }
  explicit RawTls(std::uint16_t port) : RawTls(port, Wish{}) {}
  ~RawTls() {
    tls_.reset();
    ::close(socket_);
  }
  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] std::string alpn() const {
    const unsigned char* chosen = nullptr;
    unsigned length = 0;
    ::SSL_get0_alpn_selected(tls_.get(), &chosen, &length);
    return {reinterpret_cast<const char*>(chosen), length};
  }
  [[nodiscard]] long serial() const {
    const std::unique_ptr<X509, void (*)(X509*)> peer(::SSL_get1_peer_certificate(tls_.get()), ::X509_free);
    return ::ASN1_INTEGER_get(::X509_get0_serialNumber(peer.get()));
  }
  // The status of the answer, 0 if there is none.
  int ask(std::string_view bytes) {
    ::SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()));
    char answer[4096];
    const int count = ::SSL_read(tls_.get(), answer, sizeof answer);
    ::ERR_clear_error();
    return count > 12 ? std::stoi(std::string(answer + 9, 3)) : 0;
  }
  bool closed_by_server() {
    char byte = 0;
    const int count = ::SSL_read(tls_.get(), &byte, 1);
    const bool closed = count <= 0 && ::SSL_get_error(tls_.get(), count) == SSL_ERROR_ZERO_RETURN;
    ::ERR_clear_error();
    return closed;
  }

 private:
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  std::unique_ptr<SSL, void (*)(SSL*)> tls_{nullptr, ::SSL_free};
  int socket_ = -1;
  bool connected_ = false;
};

TEST(Tls, a_request_and_its_answer_go_through_it) {
  const Certificates certificates;
  const auto server = serve(certificates.issue("server"), echo);
  const std::string large(3 << 20, 'x');
  auto connection = Connection::open(url_of(*server), seconds{10}, certificates.ca_file());
  ASSERT_TRUE(connection.has_value()) << connection.error().text();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ((*connection)->send({.url = "/one"}).value().body, "/one");
    EXPECT_EQ((*connection)->send({.method = "POST", .url = "/", .body = large}).value().body, large);
  }
  EXPECT_EQ(send({.url = url_of(*server, "/two"), .ca_file = certificates.ca_file()}).value().body, "/two");
}

TEST(Tls, a_client_says_why_it_does_not_believe_a_server) {
  const Certificates certificates;
  const Certificates others;
  const auto said = [&](const TlsFiles& files, const std::string& ca_file) {
    const auto server = serve(files, echo);
    return outcome(send({.url = url_of(*server), .timeout = seconds{10}, .ca_file = ca_file}));
  };
  EXPECT_EQ(said(certificates.issue("good"), certificates.ca_file()), "200");
  EXPECT_NE(said(certificates.issue("good"), others.ca_file()).find("signed by nobody who is trusted here"),
            std::string::npos);
  EXPECT_NE(said(certificates.issue("old", {.valid_from_s = -7200, .valid_to_s = -3600}), certificates.ca_file())
                .find("has expired"),
            std::string::npos);
  EXPECT_NE(said(certificates.issue("new", {.valid_from_s = 3600, .valid_to_s = 7200}), certificates.ca_file())
                .find("is not valid yet"),
            std::string::npos);
  EXPECT_NE(said(certificates.issue("other", {.names = "DNS:other.example"}), certificates.ca_file())
                .find("is for another name"),
            std::string::npos);
  EXPECT_NE(said(certificates.issue("good"), "").find("tls_failed"), std::string::npos)
      << "the system's store knows nothing of it";
  const auto plain = Server::start({.threads = 1}, echo).value();
  EXPECT_NE(outcome(send({.url = url_of(*plain), .timeout = seconds{10}, .ca_file = certificates.ca_file()}))
                .find("does not speak TLS"),
            std::string::npos);
  EXPECT_EQ(send({.url = "https://127.0.0.1:1/", .ca_file = certificates.folder() + "/none.pem"}).error().code,
            "bad_ca_file");
}

TEST(Tls, an_outbound_request_verifies_the_name_it_asked_for) {
  const Certificates certificates;
  const auto server = serve(certificates.issue("server", {.names = "DNS:hooks.example"}), echo);
  const auto outbound = Outbound::start({.policy = AddressPolicy::with_allowed({"127.0.0.1"}).value(),
                                         .ca_file = certificates.ca_file(),
                                         .resolve = [](const std::string&) -> Result<std::vector<IpAddress>> {
                                           return std::vector<IpAddress>{IpAddress::parse("127.0.0.1").value()};
                                         }})
                            .value();
  const auto send_to = [&](const std::string& host) {
    return outcome(
        outbound->send_and_wait({.url = "https://" + host + ":" + std::to_string(server->port()) + "/", .body = "x"}));
  };
  EXPECT_EQ(send_to("hooks.example"), "200");
  EXPECT_EQ(send_to("hooks.example."), "200");
  EXPECT_EQ(send_to("hooks.example"), "200");
  EXPECT_EQ(outbound->connections(), 2U) << "kept: one for each spelling";
  EXPECT_NE(send_to("other.example").find("is for another name"), std::string::npos);
  EXPECT_NE(send_to("127.0.0.1").find("is for another name"), std::string::npos);
}

TEST(TlsListener, speaks_1_2_and_1_3_and_http_1_1_only) {
  const Certificates certificates;
  const auto server = serve(certificates.issue("server"), echo);
  EXPECT_FALSE(RawTls(server->port(), {.version_max = TLS1_1_VERSION}).connected());
  EXPECT_TRUE(RawTls(server->port(), {.version_max = TLS1_2_VERSION}).connected());
  EXPECT_TRUE(RawTls(server->port(), {.version_max = TLS1_3_VERSION}).connected());
  EXPECT_FALSE(RawTls(server->port(), {.alpn = "\x02h2"}).connected());
  EXPECT_EQ(RawTls(server->port(), {.alpn = "\x02h2\x08http/1.1"}).alpn(), "http/1.1");
}

TEST(TlsListener, has_the_same_guards_as_a_plain_one) {
  const Certificates certificates;
  const auto server = serve(certificates.issue("server"), echo, {.head_bytes_max = 4096, .body_bytes_max = 10});
  const auto said = [&](std::string_view bytes) {
    RawTls client(server->port());
    const int status = client.ask(bytes);
    EXPECT_TRUE(status < 400 || client.closed_by_server()) << bytes.substr(0, 100);
    return status;
  };
  EXPECT_EQ(said("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
  EXPECT_EQ(said("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), 200);
  EXPECT_EQ(said("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            400);
  EXPECT_EQ(said("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), 400);
  EXPECT_EQ(said("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(said("GET / HTTP/1.1\nHost: a\n\n"), 400);
  EXPECT_EQ(said("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n"), 413);
  EXPECT_EQ(said("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(5000, 'x') + "\r\n\r\n"), 431);
}

TEST(TlsListener, a_handshake_has_the_time_of_a_head) {
  const Certificates certificates;
  const auto server = serve(certificates.issue("server"), echo, {.head_timeout = seconds{1}});
  testing::RawClient silent(server->port());
  testing::RawClient dripping(server->port());
  testing::RawClient plain(server->port());
  dripping.send(std::string_view("\x16\x03\x01\x02\x00\x01", 6));  // the beginning of a client's hello
  EXPECT_TRUE(silent.closed_by_server());
  EXPECT_TRUE(dripping.closed_by_server());
  plain.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(plain.read_response().has_value());
  EXPECT_EQ(RawTls(server->port()).ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
}

TEST(TlsListener, a_new_certificate_is_shown_to_new_connections_and_drops_no_old_one) {
  const Certificates certificates;
  const TlsFiles files = certificates.issue("server", {.serial = 10});
  const auto server = serve(files, echo);
  RawTls old(server->port());
  EXPECT_EQ(old.serial(), 10);
  certificates.issue("server", {.serial = 11});
  ASSERT_TRUE(server->reload_tls().has_value());
  RawTls fresh(server->port());
  EXPECT_EQ(fresh.serial(), 11);
  EXPECT_EQ(old.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);
  EXPECT_EQ(fresh.ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 200);

  // What cannot be used changes nothing.
  std::ofstream(files.certificate) << "nonsense";
  const auto reloaded = server->reload_tls();
  ASSERT_FALSE(reloaded.has_value());
  EXPECT_EQ(reloaded.error().code, "bad_certificate");
  EXPECT_EQ(RawTls(server->port()).serial(), 11);
}

TEST(TlsListener, does_not_start_with_a_certificate_that_is_none) {
  const Certificates certificates;
  const TlsFiles one = certificates.issue("one");
  const TlsFiles two = certificates.issue("two");
  for (const TlsFiles& bad : {TlsFiles{certificates.folder() + "/none.pem", one.key},
                              TlsFiles{one.certificate, certificates.folder() + "/none.key"},
                              TlsFiles{one.certificate, two.key}, TlsFiles{one.key, one.key}}) {
    const auto server = Server::start({.tls = bad}, echo);
    ASSERT_FALSE(server.has_value());
    EXPECT_EQ(server.error().code, "bad_certificate");
  }
}

}  // namespace
}  // namespace resultsync::http
