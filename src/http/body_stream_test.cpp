#include "http/body_stream.hpp"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>

#include "http/client.hpp"
#include "http/server.hpp"
#include "http/testing/certificates.hpp"
#include "http/testing/raw_client.hpp"

namespace resultsync::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::RawClient;

// The writer's side of one streamed answer.
class Writer {
 public:
  std::shared_ptr<BodyStream> make() {
    stream_ = std::make_shared<BodyStream>([this](BodyStream::Told told) {
      const std::lock_guard lock(mutex_);
      told_.push_back(told);
      changed_.notify_all();
    });
    return stream_;
  }
  std::optional<BodyStream::Told> next() {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, seconds{20}, [&] { return !told_.empty(); })) return std::nullopt;
    const BodyStream::Told told = told_.front();
    told_.pop_front();
    return told;
  }
  bool wait_for(BodyStream::Told what) {
    while (const auto told = next()) {
      if (*told == what) return true;
    }
    return false;
  }
  BodyStream& operator*() const { return *stream_; }
  BodyStream* operator->() const { return stream_.get(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<BodyStream::Told> told_;
  std::shared_ptr<BodyStream> stream_;
};

std::unique_ptr<Server> serve(Writer& writer, ServerOptions options = {}) {
  options.threads = 1;
  auto stream = writer.make();
  auto server = Server::start(std::move(options), [stream](const Request&, Responder respond) {
    Response response{.content_type = "text/event-stream"};
    response.stream = stream;
    respond(std::move(response));
  });
  EXPECT_TRUE(server.has_value());
  return std::move(*server);
}

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

TEST(BodyStream, what_is_written_arrives_as_it_is_written) {
  Writer writer;
  const auto server = serve(writer);
  RawClient client(server->port());
  client.send(kGet);
  const auto head = client.read_response();
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->status, 200);
  EXPECT_TRUE(head->has("Transfer-Encoding: chunked\r\n"));
  EXPECT_TRUE(head->has("Connection: close\r\n"));
  EXPECT_FALSE(head->has("Content-Length"));
  ASSERT_TRUE(writer.wait_for(BodyStream::Told::kDrained)) << "the head is gone: there is room";
  EXPECT_TRUE(writer->write("one\n"));
  EXPECT_EQ(client.read_exactly(9), "4\r\none\n\r\n");
  ASSERT_TRUE(writer.wait_for(BodyStream::Told::kDrained));
  EXPECT_TRUE(writer->write("two\n"));
  writer->end();
  EXPECT_EQ(client.read_exactly(14), "4\r\ntwo\n\r\n0\r\n\r\n");
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_TRUE(writer.wait_for(BodyStream::Told::kGone));
  EXPECT_FALSE(writer->write("three"));
}

TEST(BodyStream, is_whole_for_a_client_also_over_tls_and_before_it_was_asked_for) {
  const testing::Certificates certificates;
  for (const bool tls : {false, true}) {
    Writer writer;
    ServerOptions options;
    if (tls) options.tls = certificates.issue("server");
    const auto server = serve(writer, options);
    EXPECT_TRUE(writer->write(std::string(1 << 20, 'x'))) << "alone, one write may be longer than what else may wait";
    writer->end();
    const auto response =
        send({.url = (tls ? "https://" : "http://") + server->address(), .ca_file = certificates.ca_file()});
    ASSERT_TRUE(response.has_value()) << response.error().text();
    EXPECT_EQ(response->body, std::string(1 << 20, 'x'));
  }
}

TEST(BodyStream, what_is_broken_off_is_not_taken_for_whole) {
  Writer writer;
  const auto server = serve(writer);
  ASSERT_TRUE(writer->write("the first half"));
  writer->break_off();
  EXPECT_FALSE(writer->write("more"));
  const auto answer = send({.url = "http://" + server->address() + "/"});
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().code == "connection_lost" || answer.error().code == "bad_response") << answer.error().code;
  EXPECT_TRUE(writer.wait_for(BodyStream::Told::kGone));
}

TEST(BodyStream, a_client_of_http_1_0_reads_to_the_end) {
  Writer writer;
  const auto server = serve(writer);
  RawClient client(server->port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  const auto head = client.read_response();
  ASSERT_TRUE(head.has_value());
  EXPECT_FALSE(head->has("Transfer-Encoding"));
  EXPECT_TRUE(writer->write("one\n"));
  writer->end();
  EXPECT_EQ(client.read_exactly(4), "one\n");
  EXPECT_TRUE(client.closed_by_server());
}

TEST(BodyStream, a_head_request_gets_the_head_and_lets_the_writer_go) {
  Writer writer;
  const auto server = serve(writer);
  RawClient client(server->port());
  client.expect_head_only();
  client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.read_response().value().status, 200);
  EXPECT_TRUE(writer.wait_for(BodyStream::Told::kGone));
}

TEST(BodyStream, the_writer_hears_that_the_client_has_gone) {
  Writer writer;
  const auto server = serve(writer);
  {
    RawClient client(server->port());
    client.send(kGet);
    ASSERT_TRUE(client.read_response().has_value());
  }
  EXPECT_TRUE(writer.wait_for(BodyStream::Told::kGone));
  EXPECT_TRUE(writer->is_gone());
}

TEST(BodyStream, a_slow_client_costs_no_more_than_the_bound_and_is_closed_when_it_takes_nothing) {
  Writer writer;
  const auto server = serve(writer, {.write_timeout = seconds{1}});
  RawClient client(server->port(), 4096);
  client.send(kGet);
  ASSERT_TRUE(client.read_response().has_value());
  // What the two sockets hold is taken first, and then nothing more.
  const std::string piece(64 * 1024, 'x');
  std::size_t taken = 0;
  std::optional<BodyStream::Told> told;
  do {
    while (writer->write(piece)) taken += piece.size();
    ASSERT_LT(taken, 64U << 20);
    told = writer.next();
  } while (told == BodyStream::Told::kDrained);
  EXPECT_EQ(told, BodyStream::Told::kGone) << "closed after the write timeout";
  EXPECT_EQ(server->connections(), 0U);
}

TEST(BodyStream, what_a_client_says_meanwhile_is_bounded) {
  Writer writer;
  const auto server = serve(writer);
  RawClient client(server->port());
  client.send(kGet);
  ASSERT_TRUE(client.read_response().has_value());
  client.send(std::string(1000, 'x'));
  EXPECT_TRUE(writer->write("still here\n"));
  EXPECT_EQ(client.read_exactly(16), "b\r\nstill here\n\r\n");
  client.send(std::string(1 << 20, 'x'));
  EXPECT_TRUE(writer.wait_for(BodyStream::Told::kGone));
}

TEST(BodyStream, ends_with_the_listener) {
  Writer writer;
  const auto server = serve(writer);
  RawClient client(server->port());
  client.send(kGet);
  ASSERT_TRUE(client.read_response().has_value());
  EXPECT_TRUE(writer->write("last\n"));
  server->stop(seconds{10});
  EXPECT_EQ(client.read_exactly(15), "5\r\nlast\n\r\n0\r\n\r\n");
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_TRUE(writer.wait_for(BodyStream::Told::kGone));
}

}  // namespace
}  // namespace resultsync::http
