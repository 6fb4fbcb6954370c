// A moment in UTC, in microseconds since 1970-01-01: the resolution in which events are ordered (S2).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace resultsync {

struct Timestamp {
  std::int64_t microseconds = 0;
  auto operator<=>(const Timestamp&) const = default;

  static constexpr Timestamp from_seconds(std::int64_t seconds) { return {seconds * 1'000'000}; }
  [[nodiscard]] constexpr std::int64_t seconds() const {
    return microseconds >= 0 ? microseconds / 1'000'000 : -((-microseconds + 999'999) / 1'000'000);
  }
};

struct ParsedTimestamp {
  Timestamp time;
  bool had_zone = true;  // without an offset the time was read as UTC
};

// Reads an ISO 8601 / RFC 3339 date and time: `2021-01-01T00:00:00-08:00`, `...T13:28:50.776301-07:00`, `...Z`, also
// with a space or a lower-case `t`/`z`, offsets without a colon, and a date alone (midnight). Digits past the
// microsecond are cut off; second 60 is the next minute's first. Years 0001 to 9999. Error code: `bad_timestamp`.
Result<ParsedTimestamp> parse_timestamp(std::string_view text);

// `2021-01-01T08:00:00Z`, with six decimals if there are microseconds: `2024-06-13T20:28:50.776301Z`.
std::string format_timestamp(Timestamp time);

}  // namespace resultsync
