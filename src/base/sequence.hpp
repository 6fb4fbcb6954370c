// The place of a record in the event log: 1, 2, 3 … without gaps. 0 stands for "before the first".
#pragma once

#include <compare>
#include <cstdint>

namespace resultsync {

struct Sequence {
  std::uint64_t value = 0;
  auto operator<=>(const Sequence&) const = default;
  [[nodiscard]] Sequence next() const { return {value + 1}; }
};

}  // namespace resultsync
