#include "http/message.hpp"

#include <gtest/gtest.h>

#include "http/response_head.hpp"
#include "http/target.hpp"

namespace resultsync::http {
namespace {

Request with_target(std::string target) {
  Request request;
  request.target = std::move(target);
  return request;
}

TEST(Headers, an_ambiguous_header_is_no_header) {
  Headers headers;
  headers.add("X-Signature", "a");
  headers.add("Other", "b");
  EXPECT_EQ(headers.only("x-signature"), "a");
  headers.add("x-SIGNATURE", "c");
  EXPECT_EQ(headers.only("X-Signature"), std::nullopt);
  EXPECT_EQ(headers.count("X-Signature"), 2U);
  EXPECT_EQ(headers.only("X"), std::nullopt);
}

TEST(Request, reads_its_query) {
  const Request request = with_target("/feed?a=1&b=x%20y+z&c&d=&e=1&e=2&%66=%26%3d&=5&g=1=2");
  EXPECT_EQ(request.query("a"), "1");
  EXPECT_EQ(request.query("b"), "x y z");
  EXPECT_EQ(request.query("c"), "");
  EXPECT_EQ(request.query("d"), "");
  EXPECT_EQ(request.query("e"), std::nullopt);
  EXPECT_EQ(request.query_count("e"), 2U);
  EXPECT_EQ(request.query("f"), "&=");
  EXPECT_EQ(request.query("g"), "1=2");
  EXPECT_EQ(request.query("h"), std::nullopt);
  EXPECT_EQ(with_target("/feed").query("a"), std::nullopt);
}

TEST(Target, is_decoded_once_and_strictly) {
  EXPECT_EQ(decode_path("/a%2Fb/../%2e%2E"), "/a/b/../..");
  EXPECT_EQ(decode_path("/%2541"), "/%41");
  EXPECT_EQ(decode_path("/%C3%A4+"), "/ä+");
  for (const char* bad : {"/%", "/%4", "/%g1", "/%00", "/%0a", "/%7f", "/%ff", "/%C0%80", "/%+1"}) {
    EXPECT_EQ(decode_path(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(decode_query_part("a%0Ab"), "a\nb");
  EXPECT_EQ(decode_query_part("%00"), std::nullopt);
}

TEST(Response, lets_no_value_break_its_framing) {
  Response response;
  response.set_header("Location", "/x\r\nSet-Cookie: a=b");
  response.set_header("Bad Name", "x");
  response.headers.push_back({"X-Direct", "a\nb"});
  response.headers.push_back({"X\r\nEvil", "1"});
  response.headers.push_back({"content-length", "999"});
  response.headers.push_back({"Date", "yesterday"});
  response.body = "hello";
  std::string head;
  append_response_head(head, response, Persistence::kClose, "");
  EXPECT_EQ(head,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\nLocation: invalid\r\nX-Direct: "
            "invalid\r\n"
            "Connection: close\r\n\r\n");
}

TEST(Response, has_no_length_where_there_is_no_body) {
  Response response;
  response.status = 204;
  response.body = "never sent";
  std::string head;
  append_response_head(head, response, Persistence::kKeepAlive, "");
  EXPECT_EQ(head, "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(Problem, is_an_rfc_9457_problem) {
  const Response response = problem(404, "no_such_order", "There is no such order.", "ord_1");
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(
      response.body,
      R"({"type":"urn:resultsync:problem:no_such_order","title":"There is no such order.","status":404,"detail":"ord_1"})");
}

TEST(Responder, answers_exactly_once) {
  std::vector<int> sent;
  const auto record = [&](Response response) { sent.push_back(response.status); };
  {
    Responder responder(record);
    responder(Response{.status = 201});
    responder(Response{.status = 202});
  }
  EXPECT_EQ(sent, std::vector<int>{201});
  {
    Responder first(record);
    const Responder moved_to(std::move(first));
  }
  EXPECT_EQ(sent, (std::vector<int>{201, 500}));
}

}  // namespace
}  // namespace resultsync::http
