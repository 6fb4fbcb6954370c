#include "api/waiters.hpp"

#include <gtest/gtest.h>

#include <future>

namespace resultsync::api {
namespace {

using Ended = FeedWaiters::Ended;
using namespace std::chrono_literals;

class WaitersTest : public testing::Test {
 protected:
  void set_position(std::int64_t position) {
    const std::lock_guard lock(mutex_);
    position_ = position;
  }
  FeedWaiters::Waiter waiter(std::int64_t seen, std::chrono::milliseconds patience, std::promise<Ended>& ended) {
    return {{{AppPractitionerId("anna"), seen}},
            waiters_.generation(),
            std::chrono::steady_clock::now() + patience,
            [&ended](Ended how) { ended.set_value(how); }};
  }

  std::mutex mutex_;
  std::int64_t position_ = 5;
  runtime::Metrics metrics_;
  FeedWaiters waiters_{2,
                       [this](const std::set<AppPractitionerId>& ids) {
                         const std::lock_guard lock(mutex_);
                         FeedWaiters::Positions positions;
                         for (const auto& id : ids) {
                           if (id.text() == "anna") positions[id] = position_;
                         }
                         return positions;
                       },
                       metrics_.gauge("waiters", "waiters")};
};

TEST_F(WaitersTest, news_end_the_wait) {
  std::promise<Ended> ended;
  auto parked = waiter(5, 1min, ended);
  ASSERT_TRUE(waiters_.park(parked));
  auto future = ended.get_future();
  waiters_.wake();  // of somebody else's feed
  EXPECT_EQ(future.wait_for(50ms), std::future_status::timeout);
  set_position(6);
  waiters_.wake();
  EXPECT_EQ(future.get(), Ended::kNews);
}

TEST_F(WaitersTest, time_ends_the_wait) {
  std::promise<Ended> late;
  std::promise<Ended> soon;
  auto first = waiter(5, 1min, late);
  auto second = waiter(5, 20ms, soon);
  ASSERT_TRUE(waiters_.park(first));
  ASSERT_TRUE(waiters_.park(second));
  EXPECT_EQ(soon.get_future().get(), Ended::kTime);
  EXPECT_EQ(late.get_future().wait_for(0ms), std::future_status::timeout);
  waiters_.stop();  // ends the one that still waits while its promise is here
}

TEST_F(WaitersTest, news_between_the_look_and_the_parking_are_not_missed) {
  std::promise<Ended> ended;
  auto parked = waiter(5, 1min, ended);
  set_position(6);
  waiters_.wake();
  ASSERT_TRUE(waiters_.park(parked));
  EXPECT_EQ(ended.get_future().get(), Ended::kNews);
}

TEST_F(WaitersTest, one_who_is_no_longer_connected_is_woken) {
  std::promise<Ended> ended;
  auto parked = waiter(5, 1min, ended);
  parked.feeds.front().practitioner = AppPractitionerId("gone");
  ASSERT_TRUE(waiters_.park(parked));
  waiters_.wake();
  EXPECT_EQ(ended.get_future().get(), Ended::kNews);
}

TEST_F(WaitersTest, are_bounded) {
  std::promise<Ended> first_ended, second_ended, third_ended;
  auto first = waiter(5, 1min, first_ended);
  auto second = waiter(5, 1min, second_ended);
  auto third = waiter(5, 1min, third_ended);
  ASSERT_TRUE(waiters_.park(first));
  ASSERT_TRUE(waiters_.park(second));
  EXPECT_FALSE(waiters_.park(third));
  waiters_.stop();
  EXPECT_EQ(first_ended.get_future().get(), Ended::kStopped);
  EXPECT_EQ(second_ended.get_future().get(), Ended::kStopped);
  ASSERT_TRUE(waiters_.park(third)) << "after the end nobody waits";
  EXPECT_EQ(third_ended.get_future().get(), Ended::kStopped);
}

}  // namespace
}  // namespace resultsync::api
