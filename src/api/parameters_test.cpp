#include "api/parameters.hpp"

#include <gtest/gtest.h>

#include <array>

namespace resultsync::api {
namespace {

constexpr std::array<std::string_view, 4> kKnown{"limit", "practitioner", "body", "since"};

Parameters parsed(std::string_view query) {
  auto parameters = Parameters::parse(query, kKnown);
  EXPECT_TRUE(parameters.has_value()) << query;
  return parameters ? *parameters : Parameters{};
}
std::string refused(std::string_view query) {
  const auto parameters = Parameters::parse(query, kKnown);
  return parameters ? "taken" : std::string(parameters.error().code);
}

TEST(Parameters, are_decoded_once) {
  EXPECT_EQ(parsed("practitioner=a%2520b+c%2Fd").text("practitioner"), "a%20b c/d");
  EXPECT_EQ(parsed("&&practitioner=&").text("practitioner"), "");
  EXPECT_EQ(parsed("").text("practitioner"), std::nullopt);
  EXPECT_EQ(parsed("practitioner=a=b").text("practitioner"), "a=b");
}

TEST(Parameters, that_are_not_known_or_stand_twice_are_refused) {
  EXPECT_EQ(refused("practicioner=anna"), "unknown_parameter");
  EXPECT_EQ(refused("Limit=1"), "unknown_parameter");
  EXPECT_EQ(refused("limit=1&limit=1"), "bad_parameter");
  EXPECT_EQ(refused("limit=1&%6Cimit=2"), "bad_parameter");
  EXPECT_EQ(refused("practitioner=%"), "bad_parameter");
  EXPECT_EQ(refused("practitioner=%FF"), "bad_parameter");
  EXPECT_EQ(refused("%zz=1"), "unknown_parameter");
}

TEST(Parameters, numbers_hold_their_bounds) {
  const auto limit = [](std::string_view query) { return parsed(query).whole_number("limit", kLimit); };
  EXPECT_EQ(limit("").value(), 100);
  EXPECT_EQ(limit("limit=1").value(), 1);
  EXPECT_EQ(limit("limit=1000").value(), 1000);
  for (const char* query : {"limit=0", "limit=1001", "limit=-1", "limit=", "limit=1.0", "limit=%201", "limit=1e2",
                            "limit=99999999999999999999"}) {
    ASSERT_FALSE(limit(query).has_value()) << query;
    EXPECT_EQ(limit(query).error().errors.front().member, "limit");
  }
}

TEST(Parameters, flags_and_times) {
  EXPECT_TRUE(parsed("body").flag("body").value());
  EXPECT_TRUE(parsed("body=1").flag("body").value());
  EXPECT_FALSE(parsed("body=false").flag("body").value());
  EXPECT_FALSE(parsed("").flag("body").value());
  EXPECT_FALSE(parsed("body=yes").flag("body").has_value());
  EXPECT_EQ(parsed("since=2024-06-13T20:28:50Z").time("since").value(), Timestamp::from_seconds(1718310530));
  EXPECT_EQ(parsed("").time("since").value(), std::nullopt);
  EXPECT_FALSE(parsed("since=yesterday").time("since").has_value());
}

TEST(Parameters, an_error_does_not_repeat_what_was_sent) {
  const auto number = parsed("limit=4111-secret").whole_number("limit", kLimit);
  ASSERT_FALSE(number.has_value());
  EXPECT_EQ(render(number.error(), "req_1").body.find("secret"), std::string::npos);
}

}  // namespace
}  // namespace resultsync::api
