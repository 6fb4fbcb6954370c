#include "store/postgres/append_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

#include "store/log/payload.hpp"

namespace resultsync::store::postgres {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kManyBytes = std::size_t{1} << 30;

EventLog::Committed nothing() {
  return [](const Result<Sequence>&) {};
}

Result<void> add(AppendQueue& queue, const std::string& payload) {
  auto committed = nothing();
  return queue.add(payload, committed);
}

std::vector<std::string> payloads_of(const Block& block) {
  std::string bytes = block.payloads;
  if (block.compressed) bytes = *log::decompress(block.compressed->codec, block.compressed->bytes);
  if (block.compressed && block.waiting.size() == 1) return {bytes};
  const auto views = log::payloads_of_block(bytes);
  EXPECT_TRUE(views);
  return {views->begin(), views->end()};
}

TEST(AppendQueue, what_waits_is_taken_in_order_as_blocks_that_are_full_at_most) {
  AppendQueue queue(10'000, kManyBytes);
  std::vector<std::string> added;
  for (int i = 0; i < 200; ++i) {
    added.push_back(std::to_string(i) + std::string(static_cast<std::size_t>(i % 7) * 700, 'x'));
    if (i % 60 == 59) added.back() += std::string(40'000, 'y');  // a block of its own
    ASSERT_TRUE(add(queue, added.back()));
  }
  const Blocks blocks = queue.take(kManyBytes);
  EXPECT_EQ(records_in(blocks), added.size());
  EXPECT_TRUE(queue.empty());
  std::vector<std::string> taken;
  for (const auto& block : blocks) {
    EXPECT_LE(block->payloads.size(), kBlockBytesMax);
    EXPECT_EQ(block->compressed.has_value(), block != blocks.back()) << "all but the last one were full";
    for (std::string& payload : payloads_of(*block)) taken.push_back(std::move(payload));
  }
  EXPECT_EQ(taken, added);
}

TEST(AppendQueue, one_record_alone_and_a_block_are_compressed_as_what_they_are) {
  AppendQueue queue(10, kManyBytes);
  ASSERT_TRUE(add(queue, std::string(500, 'a')));
  Blocks one = queue.take(kManyBytes);
  compress(*one.front());
  EXPECT_EQ(payloads_of(*one.front()), std::vector<std::string>{std::string(500, 'a')});
  ASSERT_TRUE(add(queue, std::string(500, 'a')));
  ASSERT_TRUE(add(queue, ""));
  Blocks two = queue.take(kManyBytes);
  ASSERT_EQ(two.size(), 1U);
  compress(*two.front());
  EXPECT_EQ(payloads_of(*two.front()), (std::vector<std::string>{std::string(500, 'a'), ""}));
}

TEST(AppendQueue, a_group_ends_with_the_block_that_it_has_room_for) {
  AppendQueue queue(1'000, kManyBytes);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(add(queue, std::string(3'000, 'x')));
  EXPECT_EQ(queue.take(1).size(), 1U) << "the first one whatever its size";
  const Blocks some = queue.take(3 * kBlockBytesMax);
  EXPECT_EQ(some.size(), 3U);
  const Blocks rest = queue.take(kManyBytes);
  EXPECT_EQ(records_in(some) + records_in(rest) + 10, 100U);
  EXPECT_TRUE(queue.take(kManyBytes).empty());
}

TEST(AppendQueue, refuses_what_is_over_its_limits_and_takes_again_what_was_made_room_for) {
  AppendQueue by_number(3, kManyBytes);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(add(by_number, "x"));
  EXPECT_EQ(add(by_number, "x").error().code, "overloaded");
  EXPECT_EQ(records_in(by_number.take(kManyBytes)), 3U);
  EXPECT_TRUE(add(by_number, "x"));

  AppendQueue by_bytes(1'000, 10'000);
  ASSERT_TRUE(add(by_bytes, std::string(20'000, 'x'))) << "one is taken whatever its size";
  EXPECT_EQ(add(by_bytes, "x").error().code, "overloaded");
  by_bytes.take(kManyBytes);
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(add(by_bytes, std::string(1'000, 'x'))) << i;
  EXPECT_EQ(add(by_bytes, std::string(1'000, 'x')).error().code, "overloaded");
  for (int round = 0; round < 100; ++round) {  // what is taken out is what was counted in
    by_bytes.take(kManyBytes);
    ASSERT_TRUE(add(by_bytes, std::string(9'000, 'x'))) << round;
  }
}

TEST(AppendQueue, a_closed_one_gives_what_it_has_and_takes_nothing) {
  AppendQueue queue(10, kManyBytes);
  ASSERT_TRUE(add(queue, "before"));
  EXPECT_FALSE(AppendQueue(1, 1).wait(1ms)) << "an empty one is waited for";
  EXPECT_TRUE(queue.pause(1ms));
  queue.close();
  EXPECT_FALSE(queue.pause(10'000ms)) << "at once";
  auto committed = nothing();
  EXPECT_EQ(queue.add("after", committed).error().code, "stopped");
  EXPECT_TRUE(committed) << "whoever is refused is still to be told";
  EXPECT_TRUE(queue.wait(0ms));
  EXPECT_EQ(records_in(queue.take(kManyBytes)), 1U);
  EXPECT_TRUE(queue.wait(0ms)) << "so that who takes finds out";
}

TEST(AppendQueue, many_add_while_one_takes_and_each_keeps_its_order) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2'000;
  AppendQueue queue(kThreads * kEach, kManyBytes);
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        ASSERT_TRUE(add(queue, std::to_string(t) + ":" + std::to_string(i) + ":" + std::string(2'000, 'x')));
      }
    });
  }
  std::vector<int> next(kThreads);
  for (int left = kThreads * kEach; left > 0;) {
    ASSERT_TRUE(queue.wait(10'000ms));
    for (const auto& block : queue.take(200'000)) {
      compress(*block);
      for (const std::string& payload : payloads_of(*block)) {
        const auto thread = static_cast<std::size_t>(payload[0] - '0');
        ASSERT_EQ(std::stoi(payload.substr(2)), next[thread]++);
        --left;
      }
    }
  }
}

}  // namespace
}  // namespace resultsync::store::postgres
