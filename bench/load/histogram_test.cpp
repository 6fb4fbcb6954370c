#include "bench/load/histogram.hpp"

#include <gtest/gtest.h>

namespace resultsync::bench {
namespace {

TEST(Histogram, a_quantile_is_within_1_6_percent_of_the_exact_one) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.record(value * 100);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.50)), 5'000'000, 5'000'000 * 0.016);
  EXPECT_NEAR(static_cast<double>(histogram.quantile(0.999)), 9'990'000, 9'990'000 * 0.016);
}

TEST(Histogram, one_slow_answer_in_a_hundred_shows_at_p99_and_not_at_p90) {
  Histogram histogram;
  for (int i = 0; i < 99; ++i) histogram.record(10);
  histogram.record(1'000'000'000);
  EXPECT_EQ(histogram.quantile(0.90), 10U);
  EXPECT_EQ(histogram.quantile(0.99), 1'000'000'000U);
  EXPECT_EQ(histogram.max(), 1'000'000'000U);
}

TEST(Histogram, the_largest_value_has_a_bucket) {
  Histogram histogram;
  histogram.record(~std::uint64_t{0});
  EXPECT_EQ(histogram.quantile(1.0), ~std::uint64_t{0});
}

TEST(Histogram, an_empty_one_answers_zero) {
  EXPECT_EQ(Histogram().quantile(0.99), 0U);
}

}  // namespace
}  // namespace resultsync::bench
