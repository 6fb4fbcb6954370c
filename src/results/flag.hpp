// Abnormal flags: those that the lab sent (OBX-8, HL7 table 0078), and apart from them, what the range says of the
// value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "results/few.hpp"
#include "results/range.hpp"
#include "results/unit.hpp"
#include "results/value.hpp"

namespace resultsync::results {

struct FlagMeaning {
  enum class Level : std::uint8_t { none, normal, abnormal, critical };
  enum class Side : std::int8_t { low = -1, neither = 0, high = 1 };
  std::string_view code;  // table 0078; "" for a code that is not in it
  std::string_view text;  // "Below lower panic limits"
  Level level = Level::none;
  Side side = Side::neither;
};

struct Flag {
  std::string code;            // as sent
  std::string text;            // as sent; may be empty
  const FlagMeaning* meaning;  // never null

  bool operator==(const Flag& other) const { return code == other.code; }
};

const FlagMeaning& find_flag(std::string_view code);  // any case; the row "" if unknown
Few<Flag> read_flags(const hl7::Field& obx_8);

// The codes that laboratories use in OBX-8 for what they would telephone about, beside LL, HH and AA of table 0078:
// data, given by whoever knows the laboratories.
class PanicFlags {
 public:
  static constexpr std::size_t kFlagsMax = 100;

  // "PP": of every laboratory; "ACME:PP": of the one whose messages name ACME as their sending facility (MSH-4). Case
  // does not matter. Errors: `bad_flag`: no code, one that no OBX-8 can hold, too many, or one of table 0078 that says
  // that nothing is wrong.
  static Result<PanicFlags> parse(const std::vector<std::string>& texts);

  [[nodiscard]] bool holds(std::string_view code, std::string_view lab) const;

 private:
  struct One {
    std::string lab;  // empty: every one
    std::string code;
  };
  std::vector<One> flags_;
};

// Computed by us, never mixed with what was sent.
struct Assessment {
  enum class Place : std::uint8_t { unknown, below, within, above };
  enum class Agreement : std::uint8_t {
    not_compared,  // the place is unknown, or the lab's flag says nothing of the range
    agrees,
    disagrees,    // to be shown: the lab says H, the range says L
    not_flagged,  // outside the range, and the lab sent no flag
  };
  Place place = Place::unknown;
  Agreement agreement = Agreement::not_compared;
  // Why the place is unknown, else "": no_number, no_range, text_range, several_ranges, other_unit,
  // comparator_overlaps.
  std::string_view reason;

  bool operator==(const Assessment&) const = default;
};

Assessment assess(const Few<Value>& values, const Unit& unit, const ReferenceRanges& ranges, const Subject& subject,
                  const Few<Flag>& flags);

std::string_view place_name(Assessment::Place place);  // "unknown", "below", "within", "above"
std::string_view agreement_name(
    Assessment::Agreement agreement);                   // "not_compared", "agrees", "disagrees", "not_flagged"
std::string_view level_name(FlagMeaning::Level level);  // "none", "normal", "abnormal", "critical"

}  // namespace resultsync::results
