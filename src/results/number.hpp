// Numbers as labs write them, exact: no digit is lost to binary fractions, and nothing is guessed.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace resultsync::results {

// A decimal number; `text` is its JSON form with the digits as sent: "007" is 7, "+5" is 5, ".5" is 0.5, "5.0"
// stays 5.0.
struct Decimal {
  std::string text;

  [[nodiscard]] double approximate() const;
  bool operator==(const Decimal&) const = default;  // of the digits: 5.0 is not 5
};

// Exact comparison of the values: 5.0 is as large as 5.
std::strong_ordering compare(const Decimal& a, const Decimal& b);

// A plain number, or one with thousands separators that cannot mean anything else: "1,234,567" and "12,345.6" are read;
// "1,5" and "1,234" are not, because a decimal comma looks the same. At most kDecimalDigitsMax digits and exponents to
// ±99.
inline constexpr std::size_t kDecimalDigitsMax = 60;
std::optional<Decimal> read_decimal(std::string_view text);

enum class Comparator : unsigned char { none, less, less_or_equal, greater, greater_or_equal, not_equal };
std::string_view comparator_sign(Comparator comparator);  // "", "<", "<=", ">", ">=", "<>"
// Takes a comparator off the front of `text`, with white space around it: < > <= >= =< => ≤ ≥ <>.
Comparator take_comparator(std::string_view& text);

}  // namespace resultsync::results
