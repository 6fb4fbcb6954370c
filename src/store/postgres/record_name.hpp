// The name of a record from its commit on: its place in its stream. Its Sequence, the place in the order of all
// records, comes later (line.hpp). Both are told apart by one bit, so that either may stand where a Sequence does.
// Pure.
//
//   bit 62: it is a name   bits 32 to 61: the stream   bits 0 to 31: the number
#pragma once

#include <cstdint>
#include <optional>

#include "base/sequence.hpp"

namespace resultsync::store::postgres {

struct RecordName {
  std::int64_t stream = 0;
  std::int64_t number = 0;
  bool operator==(const RecordName&) const = default;
};

inline constexpr std::uint64_t kNameBit = std::uint64_t{1} << 62U;
inline constexpr std::int64_t kNumberMax = (std::int64_t{1} << 32) - 1;  // then a stream is full, and another is begun
inline constexpr std::int64_t kStreamMax = (std::int64_t{1} << 30) - 1;

inline Sequence as_sequence(RecordName name) {
  return {kNameBit | static_cast<std::uint64_t>(name.stream) << 32U | static_cast<std::uint64_t>(name.number)};
}
inline std::optional<RecordName> as_name(Sequence sequence) {
  if ((sequence.value & kNameBit) == 0) return std::nullopt;
  return RecordName{static_cast<std::int64_t>((sequence.value & ~kNameBit) >> 32U),
                    static_cast<std::int64_t>(sequence.value & 0xFFFF'FFFFU)};
}

}  // namespace resultsync::store::postgres
