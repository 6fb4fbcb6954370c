#include "delivery/lane.hpp"

#include <gtest/gtest.h>

#include "delivery/secrets.hpp"

namespace resultsync::delivery {
namespace {

using namespace std::chrono_literals;
using Turn = Lane::Turn;

const Instant kStart = Instant(1h);
const BreakerOptions kBreaker{.failures = 3, .cooldown = 10s, .cooldown_max = 30s};

Lane lane_with(std::int64_t concurrency, std::int64_t rate = 0) {
  store::EndpointRow row;
  row.concurrency = concurrency;
  row.rate = rate;
  Lane lane(std::move(row), kStart);
  EndpointSecrets secrets;
  secrets.current.push_back(new_hmac_secret());
  lane.open("http://127.0.0.1/", secrets.keys(false).value());
  return lane;
}

TEST(Lane, has_room_for_as_many_requests_as_its_endpoint_takes_at_a_time) {
  Lane lane = lane_with(3);
  EXPECT_EQ(lane.room(kStart), 3U);
  lane.started(3);
  EXPECT_EQ(lane.room(kStart), 0U);
  lane.ended();
  EXPECT_EQ(lane.room(kStart), 1U);
}

TEST(Lane, keeps_to_its_rate) {
  Lane lane = lane_with(1'000, 50);
  std::size_t started = 0;
  for (auto now = kStart; now < kStart + 10s; now += 10ms) {
    const auto room = lane.room(now);
    lane.started(room);
    for (std::size_t i = 0; i < room; ++i) lane.ended();
    started += room;
  }
  EXPECT_GE(started, 495U);
  EXPECT_LE(started, 501U);
  Lane idle = lane_with(1'000, 50);
  EXPECT_LE(idle.room(kStart + 1h), 10U) << "what was not used long ago is no burst now";
}

TEST(Lane, opens_its_breaker_tries_one_at_a_time_and_recovers) {
  Lane lane = lane_with(8);
  EXPECT_EQ(lane.failed(kStart, kStart, kBreaker), Turn::kNone);
  EXPECT_EQ(lane.failed(kStart, kStart, kBreaker), Turn::kNone);
  EXPECT_EQ(lane.failed(kStart, kStart, kBreaker), Turn::kOpened);
  EXPECT_EQ(lane.room(kStart + 9s), 0U);
  EXPECT_EQ(lane.room(kStart + 10s), 1U) << "one probe";
  lane.started(1);
  EXPECT_EQ(lane.room(kStart + 11s), 0U);
  lane.ended();
  EXPECT_EQ(lane.failed(kStart + 10s, kStart + 11s, kBreaker), Turn::kStillOpen);
  EXPECT_EQ(lane.room(kStart + 30s), 0U) << "twice as long";
  EXPECT_EQ(lane.room(kStart + 31s), 1U);
  EXPECT_EQ(lane.failed(kStart + 31s, kStart + 31s, kBreaker), Turn::kStillOpen);
  EXPECT_EQ(lane.opens_at(), kStart + 61s) << "but never longer than the most";
  EXPECT_EQ(lane.succeeded(), Turn::kRecovered);
  EXPECT_EQ(lane.succeeded(), Turn::kNone) << "told once";
  EXPECT_EQ(lane.room(kStart + 61s), 8U);
}

TEST(Lane, what_was_under_way_when_the_breaker_opened_does_not_keep_it_open_for_longer) {
  Lane lane = lane_with(8);
  lane.started(8);
  for (int i = 0; i < 8; ++i) {
    lane.ended();
    lane.failed(kStart, kStart + 1s, kBreaker);
  }
  EXPECT_EQ(lane.room(kStart + 10s), 0U);
  EXPECT_EQ(lane.room(kStart + 11s), 1U) << "eight failed at once: one cool-down, not doubled by each";
  EXPECT_EQ(lane.failed(kStart + 11s, kStart + 12s, kBreaker), Turn::kStillOpen) << "a probe that fails does double it";
  EXPECT_EQ(lane.opens_at(), kStart + 32s);
}

TEST(Lane, a_success_between_failures_keeps_the_breaker_closed) {
  Lane lane = lane_with(8);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(lane.failed(kStart, kStart, kBreaker), Turn::kNone);
    EXPECT_EQ(lane.failed(kStart, kStart, kBreaker), Turn::kNone);
    EXPECT_EQ(lane.succeeded(), Turn::kNone);
  }
}

TEST(Lane, sends_nothing_while_paused_or_without_its_secret) {
  Lane lane = lane_with(8);
  auto paused = lane.row();
  paused.state = store::EndpointState::kPaused;
  lane.update(paused);
  EXPECT_EQ(lane.room(kStart), 0U);
  EXPECT_FALSE(lane.opens_at().has_value());
  Lane sealed(store::EndpointRow{}, kStart);
  EXPECT_EQ(sealed.room(kStart), 0U);
}

TEST(Lane, an_operator_who_resumes_it_closes_the_breaker) {
  Lane lane = lane_with(8);
  for (int i = 0; i < 3; ++i) lane.failed(kStart, kStart, kBreaker);
  auto resumed = lane.row();
  resumed.failing = false;
  lane.update(resumed);
  EXPECT_EQ(lane.room(kStart), 8U);
}

}  // namespace
}  // namespace resultsync::delivery
