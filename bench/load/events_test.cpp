#include "bench/load/events.hpp"

#include <set>

#include <gtest/gtest.h>
#include <openssl/hmac.h>
#include <simdjson.h>

namespace resultsync::bench {
namespace {

constexpr std::int64_t kNow = 1'790'000'000;

EventFactory factory(unsigned clinics, std::string secret = "whsec_example") {
  EventSource source;
  source.tag = "t1";
  source.secret = std::move(secret);
  source.clinics = clinics;
  return EventFactory(source);
}

std::string body_of(const std::string& request) {
  return request.substr(request.find("\r\n\r\n") + 4);
}

std::string header_of(const std::string& request, const std::string& name) {
  const auto start = request.find(name + ": ") + name.size() + 2;
  return request.substr(start, request.find("\r\n", start) - start);
}

// The signature made the plain way, by the library's one-shot function.
std::string expected_signature(const std::string& secret, std::int64_t t, const std::string& body) {
  const std::string message = std::to_string(t) + "." + body;
  unsigned char mac[32];
  unsigned size = 0;
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), mac, &size);
  std::string hex;
  for (const unsigned char byte : mac) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return "t=" + std::to_string(t) + ",v1=" + hex;
}

TEST(EventFactory, each_signature_is_the_hmac_of_time_and_body) {
  for (const std::string& secret : {std::string("short"), std::string(64, 'b'), std::string(100, 'l')}) {
    EventFactory events = factory(3, secret);
    std::string request;
    for (std::uint64_t number = 0; number < 300; ++number) {
      const std::int64_t t = kNow + static_cast<std::int64_t>(number / 100);
      events.write_request(number, Signature::kValid, t, request);
      ASSERT_EQ(header_of(request, "Rupa-Signature"), expected_signature(secret, t, body_of(request)))
          << "event " << number;
    }
  }
}

TEST(EventFactory, a_forged_signature_is_wrong) {
  EventFactory events = factory(1);
  std::string request;
  events.write_request(7, Signature::kForged, kNow, request);
  EXPECT_NE(header_of(request, "Rupa-Signature"), expected_signature("whsec_example", kNow, body_of(request)));
}

TEST(EventFactory, every_event_is_whole_json_with_ids_of_its_own_and_the_length_it_says) {
  EventFactory events = factory(2);
  simdjson::dom::parser parser;
  std::set<std::string> ids;
  std::string request;
  for (std::uint64_t number = 0; number < 500; ++number) {
    events.write_request(number, Signature::kValid, kNow, request);
    const std::string body = body_of(request);
    ASSERT_EQ(std::to_string(body.size()), header_of(request, "Content-Length"));
    ASSERT_EQ(body.find("##"), std::string::npos);
    simdjson::dom::element event;
    ASSERT_EQ(parser.parse(body).get(event), simdjson::SUCCESS) << body;
    const auto text = [&event](const char* pointer) {
      return std::string(event.at_pointer(pointer).get_string().value());
    };
    ASSERT_EQ(text("/id"), events.event_id(number));
    ids.insert(text("/id"));
    ids.insert(text("/data/object/id"));
    ASSERT_EQ(text("/data/object/relationships/ordered_tests/data/0/id"), text("/data/included/1/id"));
    ASSERT_EQ(text("/data/included/0/relationships/clinic/data/id"),
              number % 2 == 0 ? "cli_bench00000" : "cli_bench00001");
  }
  EXPECT_EQ(ids.size(), 1000U);
}

TEST(EventFactory, the_same_number_gives_the_same_body_at_any_time) {
  EventFactory events = factory(1);
  std::string first;
  std::string again;
  events.write_request(41, Signature::kValid, kNow, first);
  events.write_request(42, Signature::kValid, kNow, again);
  events.write_request(41, Signature::kValid, kNow + 5, again);
  EXPECT_EQ(body_of(first), body_of(again));
}

TEST(EventFactory, bodies_have_the_size_of_the_networks_events) {
  EventFactory events = factory(1);
  std::string request;
  std::size_t bytes = 0;
  for (std::uint64_t number = 0; number < 960; ++number) {
    events.write_request(number, Signature::kValid, kNow, request);
    bytes += body_of(request).size();
  }
  EXPECT_GT(bytes / 960, 2'700U);
  EXPECT_LT(bytes / 960, 3'100U);
}

}  // namespace
}  // namespace resultsync::bench
