#include "api/kept_totals.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace resultsync::api {
namespace {

// Set by one thread while others read it.
class SharedClock final : public runtime::Clock {
 public:
  [[nodiscard]] Timestamp now() const override { return {microseconds_}; }
  [[nodiscard]] std::chrono::steady_clock::time_point monotonic() const override {
    return std::chrono::steady_clock::time_point{std::chrono::microseconds{microseconds_}};
  }
  void pass(std::int64_t milliseconds) { microseconds_ += milliseconds * 1'000; }

 private:
  std::atomic<std::int64_t> microseconds_ = 1'000'000'000;
};

class KeptTotalsTest : public testing::Test {
 protected:
  // What get() gives when counting would give this many events, and take so long.
  std::int64_t get(std::int64_t events, std::int64_t milliseconds) {
    events_ = events;
    milliseconds_ = milliseconds;
    const auto got = kept_.get();
    if (!got || !*got) return -1;
    at_ = (*got)->at;
    return (*got)->totals.events;
  }
  void pass(std::int64_t milliseconds) { clock_.pass(milliseconds); }

  SharedClock clock_;
  std::atomic<std::int64_t> events_ = 0;
  std::atomic<std::int64_t> milliseconds_ = 0;
  std::atomic<bool> fails_ = false;
  std::atomic<int> counted_ = 0;
  Timestamp at_;
  KeptTotals kept_{clock_, [this]() -> Result<store::Totals> {
                     ++counted_;
                     pass(milliseconds_);
                     if (fails_) return fail("io_error", "the disk is gone");
                     store::Totals totals;
                     totals.events = events_;
                     return totals;
                   }};
};

TEST_F(KeptTotalsTest, what_is_counted_quickly_is_counted_each_time) {
  EXPECT_EQ(get(1, 100), 1);
  EXPECT_EQ(get(2, 0), 2);
  EXPECT_EQ(get(3, 0), 3);
}

TEST_F(KeptTotalsTest, what_takes_long_is_kept_for_twenty_times_as_long_and_says_of_when_it_is) {
  const Timestamp first = clock_.now();
  EXPECT_EQ(get(1, 2'000), 1);
  EXPECT_EQ(at_.microseconds, first.microseconds);
  pass(37'999);
  EXPECT_EQ(get(2, 2'000), 1);
  EXPECT_EQ(at_.microseconds, first.microseconds);
  EXPECT_EQ(counted_, 1);
  pass(1);
  const Timestamp second = clock_.now();
  EXPECT_EQ(get(3, 50), 3);
  EXPECT_EQ(at_.microseconds, second.microseconds);
  EXPECT_EQ(get(4, 50), 4) << "quick again";
}

TEST_F(KeptTotalsTest, a_failure_is_not_kept) {
  fails_ = true;
  milliseconds_ = 2'000;
  EXPECT_EQ(kept_.get().error().code, "io_error");
  fails_ = false;
  EXPECT_EQ(get(1, 2'000), 1);
  pass(60'000);
  fails_ = true;
  EXPECT_FALSE(kept_.get()) << "not what it was a minute ago";
  EXPECT_FALSE(kept_.get());
}

// Each count begins when it is told to, and takes long by a clock that everybody reads.
class SlowTotals : public testing::Test {
 protected:
  explicit SlowTotals(std::chrono::milliseconds patience = std::chrono::minutes(1))
      : kept_(
            clock_,
            [this]() -> Result<store::Totals> {
              begun_.fetch_add(1);
              begun_.notify_all();
              for (int may = may_end_; may < begun_; may = may_end_) may_end_.wait(may);
              clock_.pass(2'000);
              store::Totals totals;
              totals.events = begun_;
              return totals;
            },
            patience) {}
  ~SlowTotals() override { let_end(1'000); }
  void let_end(int counts) {
    may_end_ = counts;
    may_end_.notify_all();
  }
  void pass_a_minute() { clock_.pass(60'000); }

  SharedClock clock_;
  std::atomic<int> begun_ = 0;
  std::atomic<int> may_end_ = 0;
  KeptTotals kept_;
};

TEST_F(SlowTotals, those_who_ask_meanwhile_get_what_one_count_found) {
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto got = kept_.get();
        right += got && *got && (*got)->totals.events == 1 ? 1 : 0;
      });
    }
    begun_.wait(0);
    let_end(1);
  }
  EXPECT_EQ(right, 8);
  EXPECT_EQ(begun_, 1);
}

class ImpatientTotals : public SlowTotals {
 protected:
  ImpatientTotals() : SlowTotals(std::chrono::milliseconds(1)) {}
};

TEST_F(ImpatientTotals, nobody_waits_for_long_and_what_there_is_says_of_when_it_is) {
  const auto none = kept_.get();
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none) << "none yet";
  const Timestamp first = clock_.now();
  begun_.wait(0);
  let_end(1);
  auto kept = kept_.get();
  while (kept && !*kept) kept = kept_.get();
  ASSERT_TRUE(kept);
  EXPECT_EQ((*kept)->totals.events, 1);
  EXPECT_EQ((*kept)->at.microseconds, first.microseconds);

  pass_a_minute();
  EXPECT_EQ((*kept_.get())->totals.events, 1) << "older than it should be, and all there is";
  begun_.wait(1);
  let_end(2);
  while ((*kept_.get())->totals.events == 1) std::this_thread::yield();
  EXPECT_EQ((*kept_.get())->totals.events, 2);
  EXPECT_EQ(begun_, 2);
}

}  // namespace
}  // namespace resultsync::api
