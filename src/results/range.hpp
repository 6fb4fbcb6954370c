// Reference ranges (OBX-7): the text always, and its bounds where it says them without doubt.
//
//   3.5-5.0   3.5 - 5.0   4.3 to 6.2      low and high, both inclusive
//   -2.0 to 2.0   -2--1                   a leading minus is a sign
//   <5  <=5.0  >5  > OR = 60  ≥60           one bound; < and > exclude it: `>5` is low = 5, exclusive
//   >=3.5 to <5.0   <0.50 IU/mL           comparators on both; the unit that stands behind
//   M: 13-17; F: 12-16                    one line for each sex
//   Adult: 1-5; 0-12 months: 2-6          one line for each age, where it has numbers
//   Negative   70_105   <1:40   Optimal <70; high >100     text only
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/moment.hpp"
#include "results/number.hpp"

namespace resultsync::results {

enum class Sex : std::uint8_t { any, male, female };

struct Bound {
  Decimal value;
  bool inclusive = true;
  bool operator==(const Bound&) const = default;
};

struct AgeSpan {  // years, as fractions for months, weeks and days; `to` is excluded unless the text says otherwise
  std::optional<double> from, to;
  bool operator==(const AgeSpan&) const = default;
};

struct ReferenceRange {
  std::string text;        // of this line
  std::string applies_to;  // the words before the bounds: "M", "Adult"; empty if for everybody
  Sex sex = Sex::any;
  std::optional<AgeSpan> age;
  std::optional<Bound> low, high;
  std::string unit;  // as it stands in the text; empty: that of the value

  [[nodiscard]] bool structured() const { return low || high; }
  bool operator==(const ReferenceRange&) const = default;
};

struct ReferenceRanges {
  std::string text;                   // OBX-7 whole
  std::vector<ReferenceRange> lines;  // at least one unless the text is empty; together they say what the text says

  [[nodiscard]] bool empty() const { return text.empty(); }
  bool operator==(const ReferenceRanges&) const = default;
};

ReferenceRanges read_ranges(std::string_view text);

// Whom a range is chosen for. An unknown sex or age fits only lines that do not ask for it.
struct Subject {
  Sex sex = Sex::any;
  std::optional<double> age_years;
};
// The one structured line that fits; null if none or several do.
const ReferenceRange* choose_range(const ReferenceRanges& ranges, const Subject& subject);

}  // namespace resultsync::results
