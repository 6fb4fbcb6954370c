#include "results/number.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>

namespace resultsync::results {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::size_t digits_at(std::string_view text, std::size_t from) {
  std::size_t at = from;
  while (at < text.size() && is_digit(text[at])) ++at;
  return at - from;
}

// Without its commas, where they can be nothing but thousands separators: two of them, or one and a decimal point.
std::optional<std::string> without_separators(std::string_view digits) {
  const std::size_t point = digits.find('.');
  const std::string_view whole = digits.substr(0, point);
  std::size_t at = digits_at(whole, 0);
  if (at < 1 || at > 3) return std::nullopt;
  std::size_t commas = 0;
  while (at < whole.size()) {
    if (whole[at] != ',' || digits_at(whole, at + 1) != 3) return std::nullopt;
    at += 4;
    ++commas;
  }
  const bool certain = commas > 1 || (commas == 1 && point != std::string_view::npos);
  if (!certain || digits.find(',', whole.size()) != std::string_view::npos) return std::nullopt;
  std::string plain;
  std::ranges::copy_if(digits, std::back_inserter(plain), [](char c) { return c != ','; });
  return plain;
}

// As nearly all numbers are written: digits without a leading zero, a point with digits behind it or none, nothing
// else.
bool is_canonical(std::string_view text) {
  const std::size_t whole = digits_at(text, 0);
  if (whole == 0 || (whole > 1 && text[0] == '0') || text.size() > kDecimalDigitsMax) return false;
  if (whole == text.size()) return true;
  return text[whole] == '.' && whole + 1 < text.size() && digits_at(text, whole + 1) == text.size() - whole - 1;
}

// sign × 0.digits × 10^exponent, with digits[0] != '0'; no digits is zero.
struct Scientific {
  bool negative = false;
  std::string digits;
  int exponent = 0;
};

Scientific scientific(std::string_view text) {
  Scientific result;
  if (!text.empty() && text[0] == '-') {
    result.negative = true;
    text.remove_prefix(1);
  }
  const std::size_t e = text.find('e');
  int shift = 0;
  if (e != std::string_view::npos) std::from_chars(text.data() + e + 1, text.data() + text.size(), shift);
  text = text.substr(0, e);
  const std::size_t point = std::min(text.find('.'), text.size());
  result.exponent = static_cast<int>(point) + shift;
  for (const char c : text) {
    if (c != '.') result.digits += c;
  }
  const std::size_t zeros = std::min(result.digits.find_first_not_of('0'), result.digits.size());
  result.digits.erase(0, zeros);
  result.exponent -= static_cast<int>(zeros);
  while (!result.digits.empty() && result.digits.back() == '0') result.digits.pop_back();
  if (result.digits.empty()) result = {};
  return result;
}

// A number of few digits without an exponent as an integer and a power of ten; nearly all that laboratories send are.
struct Small {
  std::int64_t digits = 0;
  std::size_t places = 0;  // after the point
};
std::optional<Small> small(std::string_view text) {
  constexpr std::size_t kDigitsMax = 9;  // so that 10^9 times more still fits
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  if (text.size() > kDigitsMax) return std::nullopt;
  Small result;
  bool after_point = false;
  for (const char c : text) {
    if (c == '.') {
      after_point = true;
      continue;
    }
    if (!is_digit(c)) return std::nullopt;
    result.digits = result.digits * 10 + (c - '0');
    if (after_point) ++result.places;
  }
  if (negative) result.digits = -result.digits;
  return result;
}

std::strong_ordering compare(Small a, Small b) {
  for (; a.places < b.places; ++a.places) a.digits *= 10;
  for (; b.places < a.places; ++b.places) b.digits *= 10;
  return a.digits <=> b.digits;
}

// "> OR = 60" and "<or=5": the rest of the sign is taken off `text`, which stands behind the first part of it.
Comparator or_equal(Comparator comparator, std::string_view& text) {
  const bool strict = comparator == Comparator::less || comparator == Comparator::greater;
  if (!strict || text.size() < 2 || (text[0] | 0x20) != 'o' || (text[1] | 0x20) != 'r') return comparator;
  const std::string_view rest = trim(text.substr(2));
  if (!rest.starts_with('=')) return comparator;
  text = trim(rest.substr(1));
  return comparator == Comparator::less ? Comparator::less_or_equal : Comparator::greater_or_equal;
}

}  // namespace

double Decimal::approximate() const {
  return std::strtod(text.c_str(), nullptr);
}

std::strong_ordering compare(const Decimal& a, const Decimal& b) {
  const std::optional<Small> small_a = small(a.text);
  const std::optional<Small> small_b = small_a ? small(b.text) : std::nullopt;
  if (small_b) return compare(*small_a, *small_b);
  const Scientific x = scientific(a.text);
  const Scientific y = scientific(b.text);
  const int x_sign = x.digits.empty() ? 0 : x.negative ? -1 : 1;
  const int y_sign = y.digits.empty() ? 0 : y.negative ? -1 : 1;
  if (x_sign != y_sign || x_sign == 0) return x_sign <=> y_sign;
  const std::strong_ordering size = x.exponent != y.exponent ? x.exponent <=> y.exponent : x.digits <=> y.digits;
  return x_sign > 0 ? size : 0 <=> size;
}

std::optional<Decimal> read_decimal(std::string_view text) {
  text = trim(text);
  if (is_canonical(text)) return Decimal{std::string(text)};
  std::string result;
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) {
    if (text[0] == '-') result = "-";
    text.remove_prefix(1);
  }
  std::string plain;
  if (text.find(',') != std::string_view::npos) {
    const std::optional<std::string> joined = without_separators(text);
    if (!joined) return std::nullopt;
    plain = *joined;
    text = plain;
  }
  const std::size_t whole = digits_at(text, 0);
  std::size_t at = whole;
  std::string_view fraction;
  if (at < text.size() && text[at] == '.') {
    fraction = text.substr(at + 1, digits_at(text, at + 1));
    at += 1 + fraction.size();
  }
  if (whole + fraction.size() == 0 || whole + fraction.size() > kDecimalDigitsMax) return std::nullopt;
  const std::string_view integer = text.substr(0, whole);
  const std::size_t zeros = std::min(integer.find_first_not_of('0'), integer.size());
  result += zeros == integer.size() ? "0" : integer.substr(zeros);
  if (!fraction.empty()) result.append(".").append(fraction);
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    const bool negative = at < text.size() && text[at] == '-';
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    const std::size_t exponent = digits_at(text, at);
    if (exponent < 1 || exponent > 2) return std::nullopt;
    result.append(negative ? "e-" : "e").append(text.substr(at, exponent));
    at += exponent;
  }
  if (at != text.size()) return std::nullopt;
  return Decimal{std::move(result)};
}

std::string_view comparator_sign(Comparator comparator) {
  switch (comparator) {
    case Comparator::less:
      return "<";
    case Comparator::less_or_equal:
      return "<=";
    case Comparator::greater:
      return ">";
    case Comparator::greater_or_equal:
      return ">=";
    case Comparator::not_equal:
      return "<>";
    case Comparator::none:
      break;
  }
  return "";
}

Comparator take_comparator(std::string_view& text) {
  struct Sign {
    std::string_view sign;
    Comparator comparator;
  };
  static constexpr Sign kSigns[] = {
      {"<>", Comparator::not_equal},
      {"<=", Comparator::less_or_equal},
      {"=<", Comparator::less_or_equal},
      {">=", Comparator::greater_or_equal},
      {"=>", Comparator::greater_or_equal},
      {"\u2264", Comparator::less_or_equal},
      {"\u2265", Comparator::greater_or_equal},
      {"<", Comparator::less},
      {">", Comparator::greater},
  };
  const std::string_view trimmed = trim(text);
  const bool may_be_one = !trimmed.empty() && std::string_view("<>=\u2264").find(trimmed[0]) != std::string_view::npos;
  if (!may_be_one) {
    text = trimmed;
    return Comparator::none;
  }
  for (const Sign& sign : kSigns) {
    if (!trimmed.starts_with(sign.sign)) continue;
    text = trim(trimmed.substr(sign.sign.size()));
    return or_equal(sign.comparator, text);
  }
  text = trimmed;
  return Comparator::none;
}

}  // namespace resultsync::results
