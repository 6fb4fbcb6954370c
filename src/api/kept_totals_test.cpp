#include "api/kept_totals.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace resultsync::api {
namespace {

class KeptTotalsTest : public testing::Test {
 protected:
  // What get() gives when counting would give this many events, and take so long.
  std::optional<KeptTotals::Counted> get(std::int64_t events, std::int64_t milliseconds) {
    return kept_.get([&] {
      ++counted_;
      pass(milliseconds);
      store::Totals totals;
      totals.events = events;
      return std::optional(totals);
    });
  }
  void pass(std::int64_t milliseconds) { clock_.set(Timestamp{clock_.now().microseconds + milliseconds * 1'000}); }

  runtime::ManualClock clock_{Timestamp{1'000'000'000}};
  KeptTotals kept_{clock_};
  int counted_ = 0;
};

TEST_F(KeptTotalsTest, what_is_counted_quickly_is_counted_each_time) {
  EXPECT_EQ(get(1, 100)->totals.events, 1);
  EXPECT_EQ(get(2, 0)->totals.events, 2);
  EXPECT_EQ(get(3, 0)->totals.events, 3);
}

TEST_F(KeptTotalsTest, what_takes_long_is_kept_for_twenty_times_as_long_and_says_of_when_it_is) {
  const Timestamp first = clock_.now();
  EXPECT_EQ(get(1, 2'000)->at.microseconds, first.microseconds);
  pass(37'999);
  EXPECT_EQ(get(2, 2'000)->totals.events, 1);
  EXPECT_EQ(get(2, 2'000)->at.microseconds, first.microseconds);
  EXPECT_EQ(counted_, 1);
  pass(1);
  const Timestamp second = clock_.now();
  EXPECT_EQ(get(3, 50)->totals.events, 3);
  EXPECT_EQ(get(4, 50)->totals.events, 4) << "quick again";
  EXPECT_GE(get(4, 50)->at.microseconds, second.microseconds);
}

TEST_F(KeptTotalsTest, a_failure_is_not_kept) {
  EXPECT_FALSE(kept_.get([&]() -> std::optional<store::Totals> {
    pass(2'000);
    return std::nullopt;
  }));
  EXPECT_EQ(get(1, 2'000)->totals.events, 1);
  pass(60'000);
  EXPECT_FALSE(kept_.get([] { return std::optional<store::Totals>(); })) << "not what it was a minute ago";
}

TEST(KeptTotals, who_asks_while_another_counts_gets_what_that_one_counted) {
  const runtime::SystemClock clock;
  KeptTotals kept(clock);
  std::atomic<int> counted = 0;
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto got = kept.get([&] {
          ++counted;
          const auto begun = clock.monotonic();
          while (clock.monotonic() - begun < std::chrono::milliseconds(120)) std::this_thread::yield();
          store::Totals totals;
          totals.events = 7;
          return std::optional(totals);
        });
        right += got && got->totals.events == 7 ? 1 : 0;
      });
    }
  }
  EXPECT_EQ(right, 8);
  EXPECT_LE(counted, 2);
}

TEST_F(KeptTotalsTest, who_asks_while_slow_totals_are_counted_again_does_not_wait) {
  ASSERT_EQ(get(1, 2'000)->totals.events, 1);
  pass(60'000);
  const auto again = kept_.get([&] {
    // Another thread, in the middle of this count.
    std::optional<KeptTotals::Counted> other;
    std::jthread([&] { other = kept_.get([]() -> std::optional<store::Totals> { return std::nullopt; }); }).join();
    EXPECT_TRUE(other && other->totals.events == 1);
    store::Totals totals;
    totals.events = 2;
    return std::optional(totals);
  });
  EXPECT_EQ(again->totals.events, 2);
}

}  // namespace
}  // namespace resultsync::api
