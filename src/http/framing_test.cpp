#include "http/framing.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace resultsync::http {
namespace {

std::string_view code_of(const std::string& head) {
  const auto read = check_request_head(head);
  return read ? "accepted" : read.error().code;
}

std::string get(const std::string& fields) {
  return "GET / HTTP/1.1\r\n" + fields + "\r\n";
}
std::string post(const std::string& fields) {
  return "POST / HTTP/1.1\r\nHost: a.example\r\n" + fields + "\r\n";
}

TEST(RequestHead, reads_what_a_client_sends) {
  const std::string head =
      "POST /webhook?x=1 HTTP/1.1\r\nHost: a.example:8080\r\nX-Sign: \t v=1 \r\nContent-Length: 12\r\n\r\n";
  const auto read = check_request_head(head);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->method, "POST");
  EXPECT_EQ(read->target, "/webhook?x=1");
  ASSERT_EQ(read->fields.size(), 3U);
  EXPECT_EQ(read->fields[1].name, "X-Sign");
  EXPECT_EQ(read->fields[1].value, "v=1");
  EXPECT_EQ(read->body, BodyFraming::kContentLength);
  EXPECT_EQ(read->content_length, 12U);
  EXPECT_TRUE(read->keep_alive);
}

TEST(RequestHead, refuses_what_could_be_read_in_two_ways) {
  EXPECT_EQ(code_of(post("Content-Length: 5\r\nContent-Length: 5\r\n")), "two_content_lengths");
  EXPECT_EQ(code_of(post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")), "ambiguous_length");
  for (const char* length : {"", "+5", "-5", "0x5", "5, 5", "5 5", "5\v", "1234567890123456", "٥"}) {
    EXPECT_NE(code_of(post("Content-Length: " + std::string(length) + "\r\n")), "accepted") << length;
  }
  EXPECT_EQ(code_of(post("Content-Length: 123456789012345\r\n")), "accepted");
  for (const char* coding : {"", "xchunked", "chunked, gzip", "gzip, chunked", "chunked, chunked", "chunked;q=1",
                             "identity", ",chunked", "\"chunked\"", "chunked ,"}) {
    EXPECT_EQ(code_of(post("Transfer-Encoding: " + std::string(coding) + "\r\n")), "bad_transfer_encoding") << coding;
  }
  EXPECT_EQ(code_of(post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), "bad_transfer_encoding");
  EXPECT_EQ(code_of(post("Transfer-Encoding: CHUNKED\r\n")), "accepted");
  EXPECT_EQ(code_of("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), "bad_transfer_encoding");
}

TEST(RequestHead, refuses_lines_that_are_not_lines) {
  EXPECT_EQ(code_of(post("X: a\r\n folded\r\n")), "folded_field");
  EXPECT_EQ(code_of("GET / HTTP/1.1\r\n Host: a.example\r\n\r\n"), "folded_field");
  EXPECT_EQ(code_of(post("X : a\r\n")), "bad_field_name");
  EXPECT_EQ(code_of(post(": a\r\n")), "bad_field_name");
  EXPECT_EQ(code_of(post("X\r\n")), "bad_field_name");
  EXPECT_EQ(code_of(post("X: a\rb\r\n")), "bad_field_value");
  EXPECT_EQ(code_of(post("X: a\nY: b\r\n")), "bare_line_feed");
  EXPECT_EQ(code_of(post(std::string("X: a\0b\r\n", 8))), "bad_field_value");
  EXPECT_EQ(code_of(post("X: a\x7f\r\n")), "bad_field_value");
  EXPECT_EQ(code_of(post("X: \xc3\xa4\r\n")), "accepted");  // obs-text, RFC 9110 §5.5
}

TEST(RequestHead, wants_one_valid_host) {
  EXPECT_EQ(code_of(get("")), "bad_host");
  EXPECT_EQ(code_of(get("Host: a.example\r\nHost: a.example\r\n")), "bad_host");
  for (const char* host :
       {"", "a b", "a@b", "a/b", "a:", "a:99999", "a:8o", "[::1", "[zz]", "a,b", "a:80:80", "[::1]x"}) {
    EXPECT_EQ(code_of(get("Host: " + std::string(host) + "\r\n")), "bad_host") << host;
  }
  for (const char* host : {"a.example", "a.example:0", "127.0.0.1:65535", "[::1]", "[::1]:8080", "a_b"}) {
    EXPECT_EQ(code_of(get("Host: " + std::string(host) + "\r\n")), "accepted") << host;
  }
  EXPECT_EQ(code_of("GET / HTTP/1.0\r\n\r\n"), "accepted");
}

TEST(RequestHead, reads_the_request_line_strictly) {
  const std::string rest = "\r\nHost: a.example\r\n\r\n";
  for (const char* line : {"GET /",
                           "GET  / HTTP/1.1",
                           "GET / HTTP/1.1 ",
                           " GET / HTTP/1.1",
                           "GET / x HTTP/1.1",
                           "get / HTTP/1.1",
                           "G(T / HTTP/1.1",
                           "GET / http/1.1",
                           "GET / HTTP/1.2",
                           "GET / HTTP/2.0",
                           "GET / HTTP/1.10",
                           "GET / HTTP/01.1",
                           "GET / XHTTP/1.1",
                           "GET x HTTP/1.1",
                           "GET * HTTP/1.1",
                           "GET /# HTTP/1.1",
                           "GET /\x80 HTTP/1.1",
                           "GET /\t HTTP/1.1",
                           "CONNECT a.example:80 HTTP/1.1",
                           "GET ftp://a.example/ HTTP/1.1",
                           "GET http://u@a.example/ HTTP/1.1",
                           "GET http:///x HTTP/1.1",
                           "GET http://a.example?x HTTP/1.1",
                           ""}) {
    EXPECT_NE(code_of(line + rest), "accepted") << line;
  }
  EXPECT_EQ(code_of("OPTIONS * HTTP/1.1" + rest), "accepted");
  EXPECT_EQ(code_of("GET http://b.example/ HTTP/1.1" + rest), "host_mismatch");
  const std::string absolute = "GET HTTP://A.example/x?y HTTP/1.1" + rest;
  const auto read = check_request_head(absolute);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->target, "/x?y");
}

TEST(RequestHead, takes_a_hundred_fields_and_not_one_more) {
  std::string fields;
  for (int i = 1; i < 100; ++i) fields += "X: 1\r\n";
  EXPECT_EQ(code_of(post(fields)), "accepted");
  EXPECT_EQ(code_of(post(fields + "X: 1\r\n")), "too_many_fields");
}

TEST(RequestHead, knows_who_wants_the_connection_kept) {
  const auto keeps = [](const std::string& head) { return check_request_head(head).value().keep_alive; };
  EXPECT_TRUE(keeps(get("Host: a\r\n")));
  EXPECT_FALSE(keeps(get("Host: a\r\nConnection: x, Close\r\n")));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n"));
  EXPECT_EQ(code_of(get("Host: a\r\nConnection: a b\r\n")), "bad_connection");
}

RC_GTEST_PROP(HeadScanner, finds_the_same_end_however_the_bytes_arrive, ()) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
  const std::string wire = head + "GET /next";
  HeadScanner scanner;
  std::size_t received = 0;
  while (true) {
    received = std::min(wire.size(), received + static_cast<std::size_t>(*rc::gen::inRange(1, 8)));
    const auto end = scanner.find_end(std::string_view(wire).substr(0, received));
    RC_ASSERT(end.has_value());
    RC_ASSERT(end->has_value() == (received >= head.size()));
    if (end->has_value()) {
      RC_ASSERT(**end == head.size());
      return;
    }
  }
}

TEST(HeadScanner, does_not_wait_for_what_cannot_become_a_head) {
  EXPECT_FALSE(HeadScanner().find_end("\x16\x03\x01").has_value());  // a TLS greeting
  EXPECT_FALSE(HeadScanner().find_end("GET / HTTP/1.1\n").has_value());
  EXPECT_FALSE(HeadScanner().find_end(" GET").has_value());
  EXPECT_TRUE(HeadScanner().find_end("GET / HT").has_value());
}

struct Decoded {
  std::string outcome;  // "done", "more", or an error code
  std::string data;
  std::size_t consumed = 0;
};

Decoded decode(std::string_view wire, std::size_t piece) {
  ChunkDecoder decoder;
  Decoded decoded{.outcome = "more", .data = {}};
  while (decoded.consumed < wire.size()) {
    const auto step = decoder.next(wire.substr(decoded.consumed, piece));
    if (!step) return {.outcome = std::string(step.error().code), .data = decoded.data};
    decoded.data += step->data;
    decoded.consumed += step->consumed;
    if (step->done) {
      decoded.outcome = "done";
      return decoded;
    }
  }
  return decoded;
}

TEST(ChunkDecoder, gives_the_same_however_the_bytes_are_split) {
  const std::string_view wire = "3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\nGET";
  for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
    const Decoded decoded = decode(wire, piece);
    EXPECT_EQ(decoded.outcome, "done") << piece;
    EXPECT_EQ(decoded.data, "abc0123456789") << piece;
    EXPECT_EQ(decoded.consumed, wire.size() - 3) << piece;
  }
}

TEST(ChunkDecoder, refuses_every_other_spelling) {
  const auto outcome = [](const std::string& wire) { return decode(wire, 1).outcome; };
  for (const char* size : {"0x3", "+3", "-3", " 3", "3 ", "3_0", "", "g", "100000000", "FFFFFFFFFFFFFFFFF"}) {
    EXPECT_EQ(outcome(std::string(size) + "\r\nabc\r\n0\r\n\r\n"), "bad_chunk_size") << size;
  }
  EXPECT_EQ(outcome("3\nabc\r\n0\r\n\r\n"), "bad_chunk_size");
  EXPECT_EQ(outcome("3\r\nabcX\r\n0\r\n\r\n"), "bad_chunk_end");
  EXPECT_EQ(outcome("3\r\nabc\n0\r\n\r\n"), "bad_chunk_end");
  EXPECT_EQ(outcome("3;a\nb\r\nabc\r\n0\r\n\r\n"), "bad_chunk_extension");
  EXPECT_EQ(outcome("0\r\nX : 1\r\n\r\n"), "bad_trailer");
  EXPECT_EQ(outcome("0\r\n X: 1\r\n\r\n"), "bad_trailer");
  EXPECT_EQ(outcome("0\r\nX: 1\n\r\n"), "bad_trailer");
  EXPECT_EQ(outcome("00000003\r\nabc\r\n000\r\n\r\n"), "done");
}

TEST(ChunkDecoder, bounds_extensions_and_trailers) {
  const auto extension = [](std::size_t bytes) {
    return decode("1;" + std::string(bytes, 'x') + "\r\na\r\n0\r\n\r\n", 7).outcome;
  };
  EXPECT_EQ(extension(kChunkExtensionBytesMax), "done");
  EXPECT_EQ(extension(kChunkExtensionBytesMax + 1), "bad_chunk_extension");
  std::string many;  // the bound is on all of them together
  for (int i = 0; i < 600; ++i) many += "1;xx\r\na\r\n";
  EXPECT_EQ(decode(many + "0\r\n\r\n", 7).outcome, "bad_chunk_extension");
  const auto trailer = [](std::size_t bytes) {
    return decode("0\r\nX:" + std::string(bytes - 2, 'x') + "\r\n\r\n", 7).outcome;
  };
  EXPECT_EQ(trailer(kTrailerBytesMax), "done");
  EXPECT_EQ(trailer(kTrailerBytesMax + 1), "bad_trailer");
}

}  // namespace
}  // namespace resultsync::http
