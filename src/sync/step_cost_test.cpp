#include "sync/step_cost.hpp"

#include <gtest/gtest.h>

namespace resultsync::sync {
namespace {

using namespace std::chrono_literals;

// A step that began at record 100, and took 50 ms.
class StepCostTest : public testing::Test {
 protected:
  const std::chrono::steady_clock::time_point begun_{1h};
  const StepCost cost_{Sequence{100}, begun_, {.ran = 7s, .waited = 9s}};

  [[nodiscard]] std::chrono::milliseconds rest(StepCost::After after, std::chrono::nanoseconds ran,
                                               std::chrono::nanoseconds waited,
                                               std::chrono::nanoseconds took = 50ms) const {
    return cost_.rest(after, begun_ + took, {.ran = 7s + ran, .waited = 9s + waited});
  }
};

TEST_F(StepCostTest, who_waits_for_processors_while_more_comes_than_it_applies_gives_way) {
  EXPECT_EQ(rest({.log_end = {164}, .applied = 32}, 10ms, 11ms), 200ms);
  EXPECT_EQ(rest({.log_end = {164}, .applied = 32}, 8ms, 2001us), 200ms) << "a fifth of its time";
}

TEST_F(StepCostTest, who_has_its_processor_goes_on) {
  EXPECT_EQ(rest({.log_end = {900}, .applied = 32}, 8ms, 2ms), 0ms);
  EXPECT_EQ(rest({.log_end = {900}, .applied = 32}, 40ms, 2ms), 0ms);
}

TEST_F(StepCostTest, who_keeps_up_goes_on) {
  EXPECT_EQ(rest({.log_end = {132}, .applied = 32}, 10ms, 20ms), 0ms);
  EXPECT_EQ(rest({.log_end = {148}, .applied = 32}, 10ms, 20ms), 0ms) << "an uneven step is not a burst";
  EXPECT_EQ(rest({.log_end = {149}, .applied = 32}, 10ms, 20ms), 200ms);
  EXPECT_EQ(rest({.log_end = {100}, .applied = 0}, 10ms, 20ms), 0ms);
}

TEST_F(StepCostTest, of_what_came_only_its_own_share_counts) {
  EXPECT_EQ(rest({.log_end = {196}, .applied = 32, .share = 0.5}, 10ms, 20ms), 0ms);
  EXPECT_EQ(rest({.log_end = {198}, .applied = 32, .share = 0.5}, 10ms, 20ms), 200ms);
}

TEST_F(StepCostTest, no_rest_is_longer_than_a_second) {
  EXPECT_EQ(rest({.log_end = {900}, .applied = 32}, 10ms, 20ms, 10min), 1s);
}

TEST_F(StepCostTest, where_the_kernel_counts_nothing_nobody_gives_way) {
  EXPECT_EQ(rest({.log_end = {900}, .applied = 32}, 0ms, 0ms), 0ms);
}

TEST_F(StepCostTest, an_end_that_an_older_look_told_is_no_growth) {
  EXPECT_EQ(rest({.log_end = {90}, .applied = 0}, 10ms, 20ms), 0ms);
}

TEST(ProcessorTimeTest, grows_while_the_thread_runs) {
  const auto before = runtime::processor_time();
  if (before.ran == 0ns) GTEST_SKIP() << "this kernel does not count";
  while (runtime::processor_time().ran < before.ran + 5ms) {
  }
  EXPECT_GE(runtime::processor_time().waited, before.waited);
}

}  // namespace
}  // namespace resultsync::sync
