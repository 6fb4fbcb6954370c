#include "delivery/schedule.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace resultsync::delivery {
namespace {

using namespace std::chrono_literals;

TEST(Schedule, is_that_of_standard_webhooks_and_ends) {
  const Schedule schedule;
  const std::vector<Microseconds> expected{0s, 5s, 5min, 30min, 2h, 5h, 10h, 14h, 20h, 24h};
  ASSERT_EQ(schedule.attempts(), expected.size());
  for (std::size_t tries = 0; tries < expected.size(); ++tries) {
    EXPECT_EQ(schedule.delay(static_cast<std::int64_t>(tries), 0.5, {}), expected[tries]) << "after " << tries;
  }
  EXPECT_FALSE(schedule.delay(10, 0.5, {}).has_value()) << "ten attempts, and no further one";
}

RC_GTEST_PROP(Schedule, jitter_stays_within_a_fifth_either_side, ()) {
  const Schedule schedule;
  const auto tries = *rc::gen::inRange(1, 10);
  const double dice = static_cast<double>(*rc::gen::inRange(0, 1'000'001)) / 1e6;
  const auto middle = static_cast<double>(schedule.delay(tries, 0.5, {})->count());
  const auto drawn = static_cast<double>(schedule.delay(tries, dice, {})->count());
  RC_ASSERT(drawn >= middle * 0.8 - 1);
  RC_ASSERT(drawn <= middle * 1.2 + 1);
}

TEST(Schedule, a_receiver_may_ask_for_more_time_within_bounds_and_never_for_less) {
  const Schedule schedule;
  EXPECT_EQ(schedule.delay(1, 0.5, 60s), 60s);
  EXPECT_EQ(schedule.delay(2, 0.5, 1s), 5min) << "never sooner than our own delay";
  EXPECT_EQ(schedule.delay(1, 0.5, 24h * 365), Schedule::kRetryAfterMax);
}

TEST(Schedule, is_read_strictly) {
  const auto schedule = Schedule::parse({"0s", "250ms", "5m", "2h", "1d"});
  ASSERT_TRUE(schedule.has_value());
  EXPECT_EQ(schedule->delay(1, 0.5, {}), 250ms);
  EXPECT_EQ(schedule->delay(4, 0.5, {}), 24h);
  for (const char* bad : {"", "5", "s", "-1s", "5 s", "1w", "31d", "99999999999999999999s", "0.5s", "5S"}) {
    EXPECT_FALSE(Schedule::parse({bad}).has_value()) << bad;
  }
  EXPECT_TRUE(Schedule::parse({"30d"}).has_value());
  EXPECT_FALSE(Schedule::parse({}).has_value());
  EXPECT_TRUE(Schedule::parse(std::vector<std::string>(Schedule::kAttemptsMax, "1s")).has_value());
  EXPECT_FALSE(Schedule::parse(std::vector<std::string>(Schedule::kAttemptsMax + 1, "1s")).has_value());
}

TEST(RetryAfter, is_seconds_or_a_date) {
  const Timestamp now = parse_timestamp("1994-11-06T08:49:00Z")->time;
  EXPECT_EQ(parse_retry_after("120", now), 120s);
  EXPECT_EQ(parse_retry_after("0", now), 0s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now), 37s);
  EXPECT_EQ(parse_retry_after("Sun, 06 Nov 1994 08:48:00 GMT", now), 0s) << "the past is now";
  for (const char* bad : {"", "-1", "1.5", "soon", "1e3", "9999999999", "Sun, 06 Foo 1994 08:49:37 GMT",
                          "Sun, 06 ovD 1994 08:49:37 GMT", "06 Nov 1994 08:49:37"}) {
    EXPECT_FALSE(parse_retry_after(bad, now).has_value()) << bad;
  }
}

// A wall clock that jumps beside a monotonic one that does not.
class JumpingClock final : public runtime::Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return wall; }
  [[nodiscard]] std::chrono::steady_clock::time_point monotonic() const override { return steady; }
  Timestamp wall = Timestamp::from_seconds(1'800'000'000);
  std::chrono::steady_clock::time_point steady;
};

TEST(SteadyClock, a_jump_of_the_wall_clock_moves_no_schedule) {
  JumpingClock clock;
  const SteadyClock steady(clock);
  const Timestamp start = steady.now();
  clock.steady += 10s;
  for (const std::int64_t jump : {86'400, -86'400}) {
    clock.wall.microseconds += jump * 1'000'000;
    EXPECT_EQ(steady.now().microseconds - start.microseconds, 10'000'000) << "after a jump by " << jump << " s";
  }
}

}  // namespace
}  // namespace resultsync::delivery
