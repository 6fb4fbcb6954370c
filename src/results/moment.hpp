// Times of HL7 v2 (DT, TM, TS, DTM; HL7 v2.5.1 §2.A.22): as exact as they were sent, with their zone or its absence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/timestamp.hpp"

namespace resultsync::results {

enum class Precision : std::uint8_t { none, year, month, day, hour, minute, second, fraction };

// `text` is always what was sent. Where it is no time, precision is none and the numbers mean nothing.
struct Moment {
  std::string text;
  Precision precision = Precision::none;
  int year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0;
  std::string fraction;               // digits after the point, as sent
  std::optional<int> offset_minutes;  // east of UTC; nothing if no zone was sent: it is then the sender's local time

  [[nodiscard]] bool empty() const { return text.empty(); }
  [[nodiscard]] bool valid() const { return precision != Precision::none; }
  [[nodiscard]] bool has_time() const { return precision >= Precision::hour; }
  // "2024", "2024-05", "2024-05-07", "2024-05-07T10:30:00.5-05:00". A time without a zone gets `zone` if there is one
  // (HL7 v2.5.1 §2.A.22: the zone of MSH-7 speaks for the message), else stands without; "" if it is no time.
  [[nodiscard]] std::string iso(std::optional<int> zone = {}) const;
  // The instant, with a missing zone taken as `zone`; nothing for a text that is no time. Coarser times begin their
  // span.
  [[nodiscard]] std::optional<Timestamp> instant(int zone = 0) const;

  bool operator==(const Moment&) const = default;
};

Moment read_moment(std::string_view text);
std::string zone_text(int offset_minutes);  // "-05:00"

// TM: "HHMM[SS[.SSSS]][+/-ZZZZ]".
struct TimeOfDay {
  std::string text;
  bool valid = false;
  int hour = 0, minute = 0, second = 0;
  std::string fraction;
  std::optional<int> offset_minutes;
  [[nodiscard]] std::string iso() const;  // "10:30:00", without the zone; "" if not valid

  bool operator==(const TimeOfDay&) const = default;
};
TimeOfDay read_time_of_day(std::string_view text);

}  // namespace resultsync::results
