#include "http/server.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "http/testing/raw_client.hpp"
#include "runtime/threads.hpp"

namespace resultsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::RawClient;
using testing::RawResponse;

// What a listener refused, counted from its threads.
struct Refusals {
  std::array<std::atomic<int>, 6> counts{};
  [[nodiscard]] int of(Refusal refusal) const { return counts[static_cast<std::size_t>(refusal)]; }
};

// Requests that a test answers when it likes to, from its own thread.
class Desk {
 public:
  void put(Request request, Responder responder) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.emplace_back(std::move(request), std::move(responder));
    }
    arrived_.notify_all();
  }
  std::pair<Request, Responder> take() {
    std::unique_lock lock(mutex_);
    arrived_.wait(lock, [this] { return !waiting_.empty(); });
    auto taken = std::move(waiting_.front());
    waiting_.pop_front();
    return taken;
  }

 private:
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::pair<Request, Responder>> waiting_;
};

Response text(std::string body) {
  return {.content_type = "text/plain", .body = std::move(body)};
}

// Says back what it understood: "POST /path 5 hello".
void echo(Request request, Responder respond) {
  respond(text(request.method + " " + request.path + " " + std::to_string(request.body.size()) + " " + request.body));
}

std::unique_ptr<Server> serve(Handler handler, ServerOptions options = {}) {
  options.threads = 1;
  auto server = Server::start(std::move(options), std::move(handler));
  EXPECT_TRUE(server.has_value());
  return std::move(*server);
}

ServerOptions counting(const std::shared_ptr<Refusals>& refusals, ServerOptions options = {}) {
  options.on_refusal = [refusals](Refusal refusal) { ++refusals->counts[static_cast<std::size_t>(refusal)]; };
  return options;
}

std::string post(std::string_view body, std::string_view path = "/p") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}
const std::string kGet = "GET /probe HTTP/1.1\r\nHost: a.example\r\n\r\n";
const std::string kHead = "POST /p HTTP/1.1\r\nHost: a.example\r\n";
const std::string kChunked = kHead + "Transfer-Encoding: chunked\r\n\r\n";

enum class Then { kKeeps, kCloses };
struct Vector {
  const char* name;
  std::string bytes;
  std::vector<int> statuses;
  Then then;
};

std::string repeated(char c, std::size_t count) {
  return std::string(count, c);
}

// What two readers of the same bytes have been seen to disagree about, and what a good client sends (RFC 9112).
std::vector<Vector> vectors() {
  using enum Then;
  const std::string next = kGet;  // what a smuggler would have read as a request of its own
  return {
      {"good_cl", kHead + "Content-Length: 5\r\n\r\nhello", {200}, kKeeps},
      {"good_chunked", kChunked + "5\r\nhello\r\n0\r\n\r\n", {200}, kKeeps},
      {"good_chunked_with_trailer", kChunked + "5\r\nhello\r\n0\r\nX-Signature: forged\r\n\r\n", {200}, kKeeps},
      {"no_body", kHead + "\r\n", {200}, kKeeps},
      {"cl_and_te", kHead + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + next, {400}, kCloses},
      {"te_then_cl", kHead + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + next, {400}, kCloses},
      {"dup_cl_differ", kHead + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!" + next, {400}, kCloses},
      {"dup_cl_equal", kHead + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", {400}, kCloses},
      {"cl_list", kHead + "Content-Length: 5, 5\r\n\r\nhello", {400}, kCloses},
      {"cl_plus", kHead + "Content-Length: +5\r\n\r\nhello", {400}, kCloses},
      {"cl_neg", kHead + "Content-Length: -5\r\n\r\nhello", {400}, kCloses},
      {"cl_hex", kHead + "Content-Length: 0x5\r\n\r\nhello", {400}, kCloses},
      {"cl_underscore", kHead + "Content-Length: 1_0\r\n\r\nhello", {400}, kCloses},
      {"cl_empty", kHead + "Content-Length:\r\n\r\n", {400}, kCloses},
      {"cl_overflow", kHead + "Content-Length: 18446744073709551621\r\n\r\nhello", {400}, kCloses},
      {"space_before_colon", kHead + "Content-Length : 5\r\n\r\nhello", {400}, kCloses},
      {"te_unknown", kHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", {400}, kCloses},
      {"te_dup", kHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}, kCloses},
      {"te_chunked_gzip", kHead + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", {400}, kCloses},
      {"te_gzip_chunked", kHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", {400}, kCloses},
      {"te_comma_chunked", kHead + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n", {400}, kCloses},
      {"te_vertical_tab",
       kHead + "Transfer-Encoding: \x0b"
               "chunked\r\n\r\n0\r\n\r\n",
       {400},
       kCloses},
      {"te_identity", kHead + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", {400}, kCloses},
      {"http10_chunked",
       "POST /p HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
       {400},
       kCloses},
      {"chunk_neg", kChunked + "-5\r\nhello\r\n0\r\n\r\n", {400}, kCloses},
      {"chunk_plus", kChunked + "+5\r\nhello\r\n0\r\n\r\n", {400}, kCloses},
      {"chunk_0x", kChunked + "0x5\r\nhello\r\n0\r\n\r\n", {400}, kCloses},
      {"chunk_space", kChunked + "5 \r\nhello\r\n0\r\n\r\n", {400}, kCloses},
      {"chunk_overflow", kChunked + "10000000000000005\r\nhello\r\n0\r\n\r\n", {400}, kCloses},
      {"chunk_bad_crlf", kChunked + "5\r\nhelloXX0\r\n\r\n", {400}, kCloses},
      {"chunk_bare_lf", kChunked + "5\nhello\n0\n\n", {400}, kCloses},
      {"chunk_ext_1MB", kChunked + "5;" + repeated('x', 1 << 20) + "\r\nhello\r\n0\r\n\r\n", {400}, kCloses},
      {"trailer_1MB", kChunked + "0\r\nX: " + repeated('x', 1 << 20) + "\r\n\r\n", {400}, kCloses},
      {"trailer_not_a_field", kChunked + "0\r\nGET / HTTP/1.1\r\n\r\n", {400}, kCloses},
      {"no_host", "GET / HTTP/1.1\r\n\r\n", {400}, kCloses},
      {"two_hosts", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", {400}, kCloses},
      {"empty_host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", {400}, kCloses},
      {"host_with_path", "GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n", {400}, kCloses},
      {"obs_fold", kHead + "X: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", {400}, kCloses},
      {"bare_cr", kHead + "X: a\rContent-Length: 5\r\n\r\nhello", {400}, kCloses},
      {"bare_lf", "GET / HTTP/1.1\nHost: a.example\n\n", {400}, kCloses},
      {"bare_lf_in_fields", kHead + "X: a\nContent-Length: 5\r\n\r\nhello", {400}, kCloses},
      {"nul_header", kHead + std::string("X: a\0b\r\n\r\n", 10), {400}, kCloses},
      {"ws_before_field", "POST /p HTTP/1.1\r\n Host: a.example\r\n\r\n", {400}, kCloses},
      {"empty_field_name", kHead + ": x\r\n\r\n", {400}, kCloses},
      {"field_without_colon", kHead + "Content-Length\r\n\r\n", {400}, kCloses},
      {"bad_version", "GET / HTTP/1.3\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"version_2", "GET / HTTP/2.0\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"version_long", "GET / HTTP/1.10\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"version_absent", "GET /\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"lower_case_method", "get / HTTP/1.1\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"tls_greeting", std::string("\x16\x03\x01\x02\x00\x01", 6), {400}, kCloses},
      {"absolute_uri", "GET http://a.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n", {200}, kKeeps},
      {"absolute_uri_other_host", "GET http://b.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"target_nul", "GET /%00 HTTP/1.1\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"target_bad_escape", "GET /%zz HTTP/1.1\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"target_not_utf8", "GET /%ff HTTP/1.1\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"query_bad_escape", "GET /?a=%zz HTTP/1.1\r\nHost: a.example\r\n\r\n", {400}, kCloses},
      {"target_dots_are_text", "GET /a/../%2e%2e/b HTTP/1.1\r\nHost: a.example\r\n\r\n", {200}, kKeeps},
      {"pipelined2", post("one") + post("two"), {200, 200}, kKeeps},
      {"empty_line_between", post("one") + "\r\n" + post("two"), {200, 200}, kKeeps},
      {"two_empty_lines_between", post("one") + "\r\n\r\n" + post("two"), {200, 400}, kCloses},
      {"expect100", kHead + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", {100, 200}, kKeeps},
      {"expect100_no_body", kHead + "Expect: 100-continue\r\n\r\n", {200}, kKeeps},
      {"expect_other", kHead + "Expect: 200-ok\r\nContent-Length: 5\r\n\r\nhello", {417}, kCloses},
      {"expect100_http10",
       "POST /p HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
       {200},
       kCloses},
      {"big_header", kHead + "X: " + repeated('x', 64 * 1024) + "\r\n\r\n", {431}, kCloses},
      {"big_request_line", "GET /" + repeated('x', 64 * 1024) + " HTTP/1.1\r\nHost: a.example\r\n\r\n", {431}, kCloses},
      {"big_body_cl", kHead + "Content-Length: 99999999999\r\n\r\n", {413}, kCloses},
      {"http10", "GET / HTTP/1.0\r\n\r\n", {200}, kCloses},
      {"http10_keep_alive", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {200}, kKeeps},
      {"close_is_honoured", "GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n" + next, {200}, kCloses},
  };
}

TEST(HttpServer, answers_each_correctness_vector_as_wanted) {
  const auto server = serve(echo);
  for (const Vector& vector : vectors()) {
    SCOPED_TRACE(vector.name);
    RawClient client(server->port());
    client.send(vector.bytes);
    for (const int status : vector.statuses) {
      const auto response = client.read_response();
      ASSERT_TRUE(response.has_value()) << "no answer where there should be " << status;
      EXPECT_EQ(response->status, status) << response->head << response->body;
      if (status >= 400) {
        EXPECT_TRUE(response->has("Connection: close\r\n"));
      }
    }
    if (vector.then == Then::kCloses) {
      EXPECT_TRUE(client.closed_by_server());
    } else {
      client.send(kGet);
      const auto probe = client.read_response();
      ASSERT_TRUE(probe.has_value()) << "the connection should have been kept";
      EXPECT_EQ(probe->body, "GET /probe 0 ") << "the next request was not read from its first byte";
    }
  }
}

TEST(HttpServer, reads_a_request_the_same_however_its_bytes_are_split) {
  const auto server = serve(echo);
  const std::string wire = kChunked + "3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: 1\r\n\r\n";
  RawClient client(server->port());
  for (std::size_t split = 1; split < wire.size(); ++split) {
    client.send(std::string_view(wire).substr(0, split));
    std::this_thread::yield();
    client.send(std::string_view(wire).substr(split));
    const auto response = client.read_response();
    ASSERT_TRUE(response.has_value()) << split;
    ASSERT_EQ(response->body, "POST /p 5 hello") << split;
  }
  for (const char byte : wire) client.send({&byte, 1});
  EXPECT_EQ(client.read_response().value().body, "POST /p 5 hello");
}

TEST(HttpServer, a_trailer_never_becomes_a_header) {
  const auto server = serve([](const Request& request, Responder respond) {
    respond(text(std::to_string(request.headers.count("X-Signature"))));
  });
  RawClient client(server->port());
  client.send(kChunked + "0\r\nX-Signature: forged\r\n\r\n");
  EXPECT_EQ(client.read_response().value().body, "0");
}

TEST(HttpServer, tells_the_handler_what_was_sent) {
  Request seen;
  const auto server = serve([&](Request request, Responder respond) {
    seen = std::move(request);
    respond({});
  });
  RawClient client(server->port());
  client.send(
      "PUT /a%20b/c?x=%31 HTTP/1.1\r\nHost: a.example\r\nX-One: 1\r\nx-two:  2\t\r\nContent-Length: 2\r\n\r\nok");
  ASSERT_TRUE(client.read_response().has_value());
  EXPECT_EQ(seen.method, "PUT");
  EXPECT_EQ(seen.target, "/a%20b/c?x=%31");
  EXPECT_EQ(seen.path, "/a b/c");
  EXPECT_EQ(seen.query("x"), "1");
  EXPECT_EQ(seen.headers.only("X-Two"), "2");
  EXPECT_EQ(seen.headers.all().size(), 4U);
  EXPECT_EQ(seen.body, "ok");
  EXPECT_TRUE(seen.peer.starts_with("127.0.0.1:"));
}

TEST(HttpServer, a_head_has_a_largest_size) {
  const auto refusals = std::make_shared<Refusals>();
  ServerOptions options;
  options.head_bytes_max = 1000;
  const auto server = serve(echo, counting(refusals, options));
  const auto head_of = [](std::size_t size) {
    const std::string start = "GET /probe HTTP/1.1\r\nHost: a.example\r\nX: ";
    return start + repeated('x', size - start.size() - 4) + "\r\n\r\n";
  };
  RawClient fits(server->port());
  fits.send(head_of(1000) + head_of(1000));
  EXPECT_EQ(fits.read_response().value().status, 200);
  EXPECT_EQ(fits.read_response().value().status, 200);
  RawClient too_large(server->port());
  too_large.send(head_of(1001));
  EXPECT_EQ(too_large.read_response().value().status, 431);
  EXPECT_TRUE(too_large.closed_by_server());
  EXPECT_EQ(refusals->of(Refusal::kHeaderTooLarge), 1);
}

TEST(HttpServer, a_body_has_a_largest_size) {
  const auto refusals = std::make_shared<Refusals>();
  ServerOptions options;
  options.body_bytes_max = 200'000;
  const auto server = serve(
      [](const Request& request, Responder respond) {
        const bool whole = request.body == repeated('b', request.body.size());
        respond(text(std::to_string(request.body.size()) + (whole ? "" : " garbled")));
      },
      counting(refusals, options));
  const auto chunked = [](std::size_t size) {
    std::string wire = kChunked;
    for (std::size_t sent = 0; sent < size; sent += 1000) {
      const std::size_t count = std::min<std::size_t>(1000, size - sent);
      char hex[16];
      wire += std::string(hex, static_cast<std::size_t>(std::snprintf(hex, sizeof hex, "%zx", count))) + "\r\n" +
              repeated('b', count) + "\r\n";
    }
    return wire + "0\r\n\r\n";
  };
  RawClient fits(server->port());
  fits.send(post(repeated('b', 200'000)) + chunked(200'000));
  EXPECT_EQ(fits.read_response().value().body, "200000");
  EXPECT_EQ(fits.read_response().value().body, "200000");

  RawClient too_large(server->port());
  too_large.send(post(repeated('b', 200'001)));  // all of it: the answer must not be lost to a reset
  EXPECT_EQ(too_large.read_response().value().status, 413);
  EXPECT_TRUE(too_large.closed_by_server());
  RawClient too_large_chunked(server->port());
  too_large_chunked.send(chunked(200'001) + repeated('b', 3'000'000));
  EXPECT_EQ(too_large_chunked.read_response().value().status, 413);
  EXPECT_EQ(refusals->of(Refusal::kBodyTooLarge), 2);
}

TEST(HttpServer, a_slow_head_gets_408) {
  const auto refusals = std::make_shared<Refusals>();
  ServerOptions options;
  options.head_timeout = seconds{1};
  const auto server = serve(echo, counting(refusals, options));
  RawClient slow(server->port());
  slow.send("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(slow.read_response().value().status, 408);
  EXPECT_TRUE(slow.closed_by_server());
  RawClient silent(server->port());
  EXPECT_EQ(silent.read_response().value().status, 408);
  EXPECT_EQ(refusals->of(Refusal::kTimeout), 2);
}

TEST(HttpServer, a_slow_body_gets_408) {
  ServerOptions options;
  options.body_timeout = seconds{1};
  const auto server = serve(echo, options);
  RawClient slow(server->port());
  slow.send(kHead + "Content-Length: 5\r\n\r\nhe");
  EXPECT_EQ(slow.read_response().value().status, 408);
  EXPECT_TRUE(slow.closed_by_server());
  RawClient slow_chunks(server->port());
  slow_chunks.send(kChunked + "5\r\nhe");
  EXPECT_EQ(slow_chunks.read_response().value().status, 408);
}

TEST(HttpServer, an_idle_connection_is_closed_without_a_word) {
  ServerOptions options;
  options.idle_timeout = seconds{1};
  const auto server = serve(echo, options);
  RawClient client(server->port());
  client.send(kGet);
  EXPECT_EQ(client.read_response().value().status, 200);
  EXPECT_TRUE(client.closed_by_server());
}

TEST(HttpServer, a_connection_that_was_idle_for_long_still_works) {
  const auto server = serve(echo);
  RawClient client(server->port());
  client.send(kGet);
  ASSERT_TRUE(client.read_response().has_value());
  client.set_patience(milliseconds{2'500});
  EXPECT_FALSE(client.closed_by_server());  // long enough for the server to let the read buffer go
  client.set_patience(seconds{10});
  client.send(post("after a rest") + post("and at once"));
  EXPECT_EQ(client.read_response().value().body, "POST /p 12 after a rest");
  EXPECT_EQ(client.read_response().value().body, "POST /p 11 and at once");
}

TEST(HttpServer, a_client_that_does_not_take_its_answer_is_dropped) {
  ServerOptions options;
  options.write_timeout = seconds{1};
  options.body_bytes_per_second_min = 100 * 1024 * 1024;
  const auto server = serve([](const Request&, Responder respond) { respond(text(repeated('x', 32 << 20))); }, options);
  RawClient client(server->port(), 4096);
  client.send(kGet);
  for (int i = 0; i < 100 && server->connections() == 0; ++i) std::this_thread::sleep_for(milliseconds{10});
  for (int i = 0; i < 500 && server->connections() > 0; ++i) std::this_thread::sleep_for(milliseconds{10});
  EXPECT_EQ(server->connections(), 0U);
}

TEST(HttpServer, writes_large_answers_whole) {
  std::string large;
  for (int i = 0; large.size() < (8U << 20); ++i) large += std::to_string(i) + ",";
  const auto server = serve([&](const Request&, Responder respond) { respond(text(large)); });
  RawClient client(server->port(), 8192);
  client.send(kGet + kGet);
  EXPECT_EQ(client.read_response().value().body, large);
  EXPECT_EQ(client.read_response().value().body, large);
}

TEST(HttpServer, tells_a_client_to_go_on_before_it_sends_its_body) {
  const auto server = serve(echo);
  RawClient client(server->port());
  client.send(kHead + "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.read_response().value().head, "HTTP/1.1 100 Continue\r\n");
  client.send("hello");
  EXPECT_EQ(client.read_response().value().body, "POST /p 5 hello");
  client.send(kHead + "Expect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n");
  EXPECT_EQ(client.read_response().value().status, 413);
}

TEST(HttpServer, head_is_answered_without_a_body) {
  const auto server = serve(echo);
  RawClient client(server->port());
  client.expect_head_only();
  client.send("HEAD /a HTTP/1.1\r\nHost: a.example\r\n\r\n" + kGet);
  const auto response = client.read_response();
  EXPECT_TRUE(response.value().has("Content-Length: 10\r\n"));
  EXPECT_EQ(client.read_response().value().status, 200);
}

TEST(HttpServer, an_answer_without_content_has_no_body_and_keeps_the_connection) {
  const auto server = serve([](const Request& request, Responder respond) {
    respond({.status = request.path == "/probe" ? 200 : 204, .body = "x"});
  });
  RawClient client(server->port());
  client.send(post("") + kGet);
  const auto response = client.read_response();
  EXPECT_EQ(response.value().status, 204);
  EXPECT_FALSE(response->has("Content-Length"));
  EXPECT_EQ(client.read_response().value().body, "x");
}

TEST(HttpServer, a_handler_may_answer_from_another_thread_and_order_is_kept) {
  runtime::Workers workers("answers", 4, 1000);
  const auto server = serve([&](Request request, Responder respond) {
    const bool taken = workers.submit(
        [request = std::move(request), respond = std::move(respond)]() mutable { respond(text(request.body)); });
    EXPECT_TRUE(taken);
  });
  RawClient client(server->port());
  std::string wire;
  for (int i = 0; i < 200; ++i) wire += post(std::to_string(i));
  client.send(wire);
  for (int i = 0; i < 200; ++i) ASSERT_EQ(client.read_response().value().body, std::to_string(i));
}

TEST(HttpServer, a_dropped_responder_gives_500) {
  const auto server = serve([](const Request&, const Responder&) {});
  RawClient client(server->port());
  client.send(kGet + kGet);
  EXPECT_EQ(client.read_response().value().status, 500);
  EXPECT_EQ(client.read_response().value().status, 500);
}

TEST(HttpServer, an_answer_to_a_client_that_has_gone_is_harmless) {
  Desk desk;
  const auto server =
      serve([&](Request request, Responder respond) { desk.put(std::move(request), std::move(respond)); });
  std::optional<std::pair<Request, Responder>> late;
  {
    RawClient client(server->port());
    client.send(kGet);
    late.emplace(desk.take());
  }
  late->second(text("nobody hears this"));
  RawClient client(server->port());
  client.send(kGet);
  desk.take().second(text("but the next is heard"));
  EXPECT_EQ(client.read_response().value().body, "but the next is heard");
}

TEST(HttpServer, an_answer_may_come_after_the_server_has_gone) {
  Desk desk;
  auto server = serve([&](Request request, Responder respond) { desk.put(std::move(request), std::move(respond)); });
  RawClient client(server->port());
  client.send(post("hello"));
  auto [request, respond] = desk.take();
  server.reset();
  respond(text("too late"));
  EXPECT_FALSE(client.read_response().has_value());
}

TEST(HttpServer, the_bodies_in_flight_are_bounded) {
  const auto refusals = std::make_shared<Refusals>();
  Desk desk;
  ServerOptions options;
  options.body_bytes_in_flight_max = 20'000;
  const auto server =
      serve([&](Request request, Responder respond) { desk.put(std::move(request), std::move(respond)); },
            counting(refusals, options));
  RawClient first(server->port());
  RawClient second(server->port());
  first.send(post(repeated('b', 10'000)));
  auto held = desk.take();
  second.send(post(repeated('b', 10'001)));
  const auto refused = second.read_response();
  EXPECT_EQ(refused.value().status, 503);
  EXPECT_TRUE(refused->has("Retry-After: 1\r\n"));
  EXPECT_EQ(refusals->of(Refusal::kOverloaded), 1);

  RawClient third(server->port());
  third.send(post(repeated('b', 10'000)));  // exactly what is left
  desk.take().second({});
  EXPECT_EQ(third.read_response().value().status, 200);
  held.second({});
  EXPECT_EQ(first.read_response().value().status, 200);
  RawClient fourth(server->port());
  fourth.send(post(repeated('b', 20'000)));  // all of it was given back
  desk.take().second({});
  EXPECT_EQ(fourth.read_response().value().status, 200);
}

TEST(HttpServer, one_connection_too_many_is_told_so) {
  const auto refusals = std::make_shared<Refusals>();
  ServerOptions options;
  options.connections_max = 1;
  const auto server = serve(echo, counting(refusals, options));
  auto first = std::make_unique<RawClient>(server->port());
  first->send(kGet);
  EXPECT_EQ(first->read_response().value().status, 200);
  RawClient second(server->port());
  second.send(kGet);
  EXPECT_EQ(second.read_response().value().status, 503);
  EXPECT_TRUE(second.closed_by_server());
  EXPECT_EQ(refusals->of(Refusal::kTooManyConnections), 1);
}

TEST(HttpServer, stop_answers_what_is_in_flight_and_closes_what_is_idle) {
  Desk desk;
  const auto server = serve([&](Request request, Responder respond) {
    if (request.path == "/probe") return respond({});
    desk.put(std::move(request), std::move(respond));
  });
  RawClient idle(server->port());
  idle.send(kGet);
  ASSERT_TRUE(idle.read_response().has_value());
  RawClient in_flight(server->port());
  in_flight.send(post("hello"));
  auto [request, respond] = desk.take();

  std::jthread stopping([&] { server->stop(seconds{10}); });
  EXPECT_TRUE(idle.closed_by_server());
  respond(text("done"));
  const auto response = in_flight.read_response();
  EXPECT_EQ(response.value().body, "done");
  EXPECT_TRUE(response->has("Connection: close\r\n"));
  EXPECT_TRUE(in_flight.closed_by_server());
  EXPECT_FALSE(RawClient(server->port()).connected());
}

TEST(HttpServer, stop_waits_no_longer_than_it_was_told) {
  Desk desk;
  const auto server =
      serve([&](Request request, Responder respond) { desk.put(std::move(request), std::move(respond)); });
  RawClient client(server->port());
  client.send(post("hello"));
  const auto held = desk.take();
  const auto before = std::chrono::steady_clock::now();
  server->stop(milliseconds{300});
  EXPECT_LT(std::chrono::steady_clock::now() - before, seconds{3});
  EXPECT_FALSE(client.read_response().has_value());
}

TEST(HttpServer, stop_under_load_breaks_no_answer_that_it_began) {
  runtime::Workers workers("answers", 2, 10'000);
  std::atomic<int> handled = 0;
  ServerOptions options;
  options.threads = 2;
  auto server = Server::start(options, [&](Request request, Responder respond) {
    ++handled;
    const bool taken = workers.submit([request = std::move(request), respond = std::move(respond)]() mutable {
      respond(text(std::move(request.body)));
    });
    EXPECT_TRUE(taken);
  });
  ASSERT_TRUE(server.has_value());
  std::atomic<int> answered = 0;
  std::vector<std::jthread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&] {
      RawClient client((*server)->port());
      while (client.send(post("hello"))) {
        const auto response = client.read_response();
        if (!response) return;
        EXPECT_EQ(response->body, "hello");
        ++answered;
        if (response->has("Connection: close\r\n")) return;
      }
    });
  }
  while (answered < 200) std::this_thread::yield();
  (*server)->stop(seconds{10});
  clients.clear();
  EXPECT_EQ(answered, handled) << "every request that reached the handler was answered";
}

TEST(HttpServer, says_why_it_cannot_listen) {
  const auto first = serve(echo);
  ServerOptions options;
  options.threads = 2;  // sharing a port among loops must not mean sharing it with strangers
  options.address = first->address();
  const auto second = Server::start(options, echo);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, "address_in_use");
  for (const char* address :
       {"", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:99999", "nowhere.example:80", "::1:80", ":80"}) {
    options.address = address;
    const auto bad = Server::start(options, echo);
    ASSERT_FALSE(bad.has_value()) << address;
    EXPECT_EQ(bad.error().code, "bad_address") << address;
  }
}

}  // namespace
}  // namespace resultsync::http
