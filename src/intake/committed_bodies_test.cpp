#include "intake/committed_bodies.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace resultsync::intake {
namespace {

Sha256 digest(int number) {
  return sha256(std::to_string(number));
}

TEST(CommittedBodies, finds_what_was_remembered_for_that_source_only) {
  CommittedBodies bodies(64);
  EXPECT_EQ(bodies.find(0, digest(1)), std::nullopt);
  bodies.remember(0, digest(1), {7});
  EXPECT_EQ(bodies.find(0, digest(1)), store::Sequence{7});
  EXPECT_EQ(bodies.find(1, digest(1)), std::nullopt);
  EXPECT_EQ(bodies.find(0, digest(2)), std::nullopt);
}

TEST(CommittedBodies, an_all_zero_digest_is_a_digest_like_any_other) {
  CommittedBodies bodies(8);
  EXPECT_EQ(bodies.find(0, Sha256{}), std::nullopt);
  bodies.remember(0, Sha256{}, {3});
  EXPECT_EQ(bodies.find(0, Sha256{}), store::Sequence{3});
}

TEST(CommittedBodies, the_oldest_makes_room) {
  CommittedBodies bodies(8);  // one bucket
  for (int i = 1; i <= 8; ++i) bodies.remember(0, digest(i), {static_cast<std::uint64_t>(i)});
  EXPECT_EQ(bodies.find(0, digest(1)), store::Sequence{1}) << "at the limit";
  bodies.remember(0, digest(9), {9});
  EXPECT_EQ(bodies.find(0, digest(1)), std::nullopt) << "one past it";
  for (int i = 2; i <= 9; ++i) EXPECT_EQ(bodies.find(0, digest(i)), store::Sequence{static_cast<std::uint64_t>(i)});
}

TEST(CommittedBodies, room_for_nothing_remembers_nothing) {
  CommittedBodies bodies(0);
  bodies.remember(0, digest(1), {1});
  EXPECT_EQ(bodies.find(0, digest(1)), std::nullopt);
}

TEST(CommittedBodies, several_threads_never_see_a_sequence_of_another_body) {
  CommittedBodies bodies(256);
  const auto work = [&](int offset) {
    for (int i = 0; i < 5'000; ++i) {
      const int number = (i * 7 + offset) % 600;
      bodies.remember(0, digest(number), {static_cast<std::uint64_t>(number) + 1});
      if (const auto found = bodies.find(0, digest(number))) {
        ASSERT_EQ(found->value, static_cast<std::uint64_t>(number) + 1);
      }
    }
  };
  std::jthread one(work, 0);
  std::jthread two(work, 300);
}

}  // namespace
}  // namespace resultsync::intake
