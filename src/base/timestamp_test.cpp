#include "base/timestamp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace resultsync {
namespace {

std::int64_t microseconds_of(std::string_view text) {
  const auto parsed = parse_timestamp(text);
  return parsed ? parsed->time.microseconds : -1;
}

TEST(Timestamp, reads_the_forms_that_the_network_sends) {
  EXPECT_EQ(microseconds_of("2021-01-01T00:00:00-08:00"), 1'609'488'000'000'000);
  EXPECT_EQ(microseconds_of("2024-06-13T13:28:50.776301-07:00"), 1'718'310'530'776'301);
  EXPECT_EQ(microseconds_of("2021-01-01T08:00:00Z"), 1'609'488'000'000'000);
  EXPECT_EQ(microseconds_of("2021-01-01 08:00:00.0000009z"), 1'609'488'000'000'000);
  EXPECT_EQ(microseconds_of("2021-01-01T08:00+0000"), 1'609'488'000'000'000);
}

TEST(Timestamp, says_when_a_time_had_no_zone) {
  EXPECT_TRUE(parse_timestamp("2021-01-01T00:00:00Z")->had_zone);
  EXPECT_FALSE(parse_timestamp("2021-01-01T00:00:00")->had_zone);
  EXPECT_FALSE(parse_timestamp("2021-01-01")->had_zone);
}

TEST(Timestamp, refuses_what_is_no_date_and_time) {
  for (const char* text :
       {"", "yesterday", "2021-13-01T00:00:00Z", "2021-02-30T00:00:00Z", "2021-01-01T24:00:00Z", "2021-01-01T00:60:00Z",
        "2021-01-01T00:00:00.Z", "2021-01-01T00:00:00Zjunk", "2021-01-01T00:00:00+25:00", "0000-01-01T00:00:00Z",
        "21-01-01T00:00:00Z", "2021-01-01T00:00:00+0", "1609488000"}) {
    EXPECT_FALSE(parse_timestamp(text).has_value()) << text;
  }
}

TEST(Timestamp, a_leap_second_is_the_first_of_the_next_minute) {
  EXPECT_EQ(microseconds_of("2016-12-31T23:59:60Z"), microseconds_of("2017-01-01T00:00:00Z"));
}

RC_GTEST_PROP(Timestamp, what_is_written_reads_back_the_same, ()) {
  const auto micros = *rc::gen::inRange<std::int64_t>(-62'135'596'800'000'000, 253'402'300'799'999'999);
  const auto parsed = parse_timestamp(format_timestamp(Timestamp{micros}));
  RC_ASSERT(parsed.has_value());
  RC_ASSERT(parsed->time.microseconds == micros);
}

}  // namespace
}  // namespace resultsync
