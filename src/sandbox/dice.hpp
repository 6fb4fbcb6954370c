// Chance that comes out the same on every machine: the standard fixes mt19937_64 to the bit, but none of its
// distributions.
#pragma once

#include <cstdint>
#include <random>

namespace resultsync::sandbox {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  // A number from 0 to `count` - 1; `count` is at least 1. The bias of the remainder (count / 2^64) is of no matter
  // here.
  std::uint64_t below(std::uint64_t count) { return engine_() % count; }
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(most - least) + 1));
  }
  bool chance(unsigned permille) { return below(1000) < permille; }
  template <class Items>
  const auto& one_of(const Items& items) {
    return items[below(items.size())];
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace resultsync::sandbox
