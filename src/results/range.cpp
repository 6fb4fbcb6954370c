#include "results/range.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <vector>

namespace resultsync::results {
namespace {

constexpr std::size_t kRangeBytesMax = 2000;  // longer texts are explanations, and stay text
constexpr std::size_t kLinesMax = 40;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\n\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Dashes and minus signs of typographers are hyphens.
std::string plain_dashes(std::string_view text) {
  if (text.find('\xe2') == std::string_view::npos) return std::string(text);  // each of them begins with it
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    bool found = false;
    for (const std::string_view dash : {"\u2212", "\u2013", "\u2014", "\u2010", "\u2011"}) {
      if (!text.substr(at).starts_with(dash)) continue;
      result += '-';
      at += dash.size();
      found = true;
      break;
    }
    if (!found) result += text[at++];
  }
  return result;
}

// Takes a number off the front: an optional sign, digits, commas and points.
std::optional<Decimal> take_number(std::string_view& text) {
  std::size_t end = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  const std::size_t first = end;
  while (end < text.size() &&
         (is_digit(text[end]) ||
          ((text[end] == '.' || text[end] == ',') && end + 1 < text.size() && is_digit(text[end + 1])) ||
          (text[end] == '.' && end > first))) {
    ++end;
  }
  if (end == first) return std::nullopt;
  std::optional<Decimal> number = read_decimal(text.substr(0, end));
  if (number) text.remove_prefix(end);
  return number;
}

// "-", "to", "through" between two bounds.
bool take_separator(std::string_view& text) {
  std::string_view rest = trim(text);
  if (rest.starts_with('-')) {
    text = trim(rest.substr(1));
    return true;
  }
  for (const std::string_view word : {"to ", "TO ", "To "}) {
    if (!rest.starts_with(word)) continue;
    text = trim(rest.substr(word.size()));
    return true;
  }
  return false;
}

// What may stand behind the bounds: a unit, which begins with a letter, %, { , [ or / and has no number or comparator
// after a space.
bool is_unit_text(std::string_view text) {
  if (text.empty()) return true;
  if (text.size() > 30) return false;
  const char c = text[0];
  const bool starts = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '%' || c == '{' || c == '[' ||
                      c == '/' || text.starts_with("\u00b5") || text.starts_with("\u03bc") || text.starts_with("10^") ||
                      text.starts_with("10*") || text.starts_with("x10");
  if (!starts) return false;
  return text.find_first_of(" <>=:;,") == std::string_view::npos;
}

bool one_sided(Comparator comparator, Decimal number, ReferenceRange& range) {
  switch (comparator) {
    case Comparator::less:
    case Comparator::less_or_equal:
      range.high = Bound{std::move(number), comparator == Comparator::less_or_equal};
      return true;
    case Comparator::greater:
    case Comparator::greater_or_equal:
      range.low = Bound{std::move(number), comparator == Comparator::greater_or_equal};
      return true;
    case Comparator::none:
    case Comparator::not_equal:
      break;
  }
  return false;
}

// A comparator, or the words for one.
Comparator take_bound_comparator(std::string_view& text) {
  struct Words {
    std::string_view words;
    Comparator comparator;
  };
  static constexpr Words kWords[] = {{"less than or equal to ", Comparator::less_or_equal},
                                     {"greater than or equal to ", Comparator::greater_or_equal},
                                     {"less than ", Comparator::less},
                                     {"greater than ", Comparator::greater},
                                     {"more than ", Comparator::greater},
                                     {"at least ", Comparator::greater_or_equal},
                                     {"at most ", Comparator::less_or_equal},
                                     {"below ", Comparator::less},
                                     {"above ", Comparator::greater}};
  if (text.empty() || is_digit(text[0])) return Comparator::none;
  if (const Comparator sign = take_comparator(text); sign != Comparator::none) return sign;
  for (const auto& [words, comparator] : kWords) {
    if (lower(text.substr(0, words.size())) != words) continue;
    text = trim(text.substr(words.size()));
    return comparator;
  }
  return Comparator::none;
}

// Sets bounds and unit from a text that is bounds and nothing else; of any other text nothing, and says so.
bool read_bounds(std::string_view text, ReferenceRange& range) {
  text = trim(text);
  if (text.size() > 2 && ((text.front() == '(' && text.back() == ')') || (text.front() == '[' && text.back() == ']'))) {
    if (text.find_first_of("()[]", 1) == text.size() - 1) text = trim(text.substr(1, text.size() - 2));
  }
  const Comparator first_sign = take_bound_comparator(text);
  std::optional<Decimal> first = take_number(text);
  if (!first) return false;
  std::string_view rest = trim(text);
  if (rest.starts_with('%') && (rest.size() > 1)) {  // "4% - 6%"
    std::string_view after = trim(rest.substr(1));
    if (after.starts_with('-')) rest = after;
  }
  if (!take_separator(rest)) {
    if (!is_unit_text(rest) || !one_sided(first_sign, std::move(*first), range)) return false;
    range.unit = rest;
    return true;
  }
  const Comparator second_sign = take_comparator(rest);
  std::optional<Decimal> second = take_number(rest);
  rest = trim(rest);
  if (!second || !is_unit_text(rest)) return false;
  const bool low_ok =
      first_sign == Comparator::none || first_sign == Comparator::greater || first_sign == Comparator::greater_or_equal;
  const bool high_ok =
      second_sign == Comparator::none || second_sign == Comparator::less || second_sign == Comparator::less_or_equal;
  if (!low_ok || !high_ok || compare(*first, *second) > 0) return false;
  range.low = Bound{std::move(*first), first_sign != Comparator::greater};
  range.high = Bound{std::move(*second), second_sign != Comparator::less};
  range.unit = rest;
  return true;
}

struct Applicability {
  Sex sex = Sex::any;
  std::optional<AgeSpan> age;
};

// Of a unit of age and nothing else; 0 for any other text.
double years_in(std::string_view unit) {
  struct Unit {
    std::string_view name;
    double years;
  };
  static constexpr double kMonth = 1.0 / 12, kWeek = 7.0 / 365.25, kDay = 1.0 / 365.25;
  static constexpr Unit kUnits[] = {
      {"y", 1},          {"yr", 1},          {"yrs", 1},     {"year", 1},     {"years", 1},    {"yo", 1},
      {"y/o", 1},        {"m", kMonth},      {"mo", kMonth}, {"mos", kMonth}, {"mth", kMonth}, {"mths", kMonth},
      {"month", kMonth}, {"months", kMonth}, {"w", kWeek},   {"wk", kWeek},   {"wks", kWeek},  {"week", kWeek},
      {"weeks", kWeek},  {"d", kDay},        {"dy", kDay},   {"day", kDay},   {"days", kDay}};
  for (const std::string_view ending : {" of age", " old", "."}) {
    if (unit.ends_with(ending)) unit = trim(unit.substr(0, unit.size() - ending.size()));
  }
  const Unit* found = std::ranges::find(kUnits, unit, &Unit::name);
  return found == std::end(kUnits) ? 0.0 : found->years;
}

// "0-12 months", "> 18 years", "18+ y", "5 yrs": all of `text`, or nothing.
std::optional<AgeSpan> read_age(std::string_view text) {
  text = trim(text);
  if (text.starts_with("age")) text = trim(text.substr(text.starts_with("aged") || text.starts_with("ages") ? 4 : 3));
  const Comparator sign = take_comparator(text);
  const std::optional<Decimal> first = take_number(text);
  if (!first) return std::nullopt;
  text = trim(text);
  const bool open = text.starts_with('+');
  if (open) text = trim(text.substr(1));
  std::optional<Decimal> second;
  if (take_separator(text)) {
    second = take_number(text);
    if (!second) return std::nullopt;
  }
  const double unit = years_in(trim(text));
  if (unit == 0.0) return std::nullopt;
  const double from = first->approximate() * unit;
  AgeSpan span;
  if (second) {
    // "2-12 years" takes in a child of twelve and a half.
    span.from = from;
    span.to = (second->approximate() + 1) * unit;
  } else if (sign == Comparator::less) {
    span.to = from;
  } else if (sign == Comparator::less_or_equal) {
    span.to = from + unit;
  } else if (sign == Comparator::greater) {
    span.from = from + (open ? 0.0 : unit);
  } else if (sign == Comparator::greater_or_equal || open) {
    span.from = from;
  } else {
    span.from = from;
    span.to = from + unit;
  }
  return span;
}

// Labels that say for whom a line is; nothing for every other label, because "Optimal" and "Deficient" bound no normal
// range.
std::optional<Applicability> read_label(std::string_view label) {
  const std::string words = lower(trim(label));
  if (words.empty()) return Applicability{};
  Applicability result;
  constexpr std::pair<std::string_view, Sex> kSexes[] = {
      {"females", Sex::female}, {"female", Sex::female}, {"women", Sex::female}, {"woman", Sex::female},
      {"males", Sex::male},     {"male", Sex::male},     {"men", Sex::male},     {"man", Sex::male},
      {"f", Sex::female},       {"m", Sex::male}};
  std::string rest;
  for (std::size_t at = 0; at < words.size();) {
    std::size_t end = at;
    while (end < words.size() && words[end] >= 'a' && words[end] <= 'z') ++end;
    const std::string_view word = std::string_view(words).substr(at, end - at);
    const bool after_number = at > 0 && !rest.empty() &&
                              (is_digit(words[at - 1]) || (words[at - 1] == ' ' && at > 1 && is_digit(words[at - 2])));
    const auto* sex = std::ranges::find(kSexes, word, &std::pair<std::string_view, Sex>::first);
    if (end > at && sex != std::end(kSexes) && !after_number) {
      if (result.sex != Sex::any) return std::nullopt;
      result.sex = sex->second;
    } else if (word == "normal" || word == "reference" || word == "range" || word == "all") {
      // says nothing about whom
    } else if (word == "adult" || word == "adults") {
      result.age = AgeSpan{18.0, std::nullopt};
    } else if (end > at) {
      rest += word;
    } else {
      rest += words[end++];
    }
    at = end;
  }
  std::erase_if(rest, [](char c) { return c == '(' || c == ')'; });
  const std::string_view left = trim(rest);
  if (left.find_first_not_of(",. ") == std::string_view::npos) return result;
  if (result.age) return std::nullopt;
  result.age = read_age(trim(left.substr(std::min(left.find_first_not_of(", "), left.size()))));
  if (!result.age) return std::nullopt;
  return result;
}

ReferenceRange read_line(std::string_view line) {
  ReferenceRange range;
  range.text = trim(line);
  const std::string plain = plain_dashes(range.text);
  std::string_view label;
  std::string_view rest = plain;
  if (const std::size_t colon = plain.rfind(':'); colon != std::string::npos) {
    label = trim(std::string_view(plain).substr(0, colon));
    rest = std::string_view(plain).substr(colon + 1);
    if (!label.empty() && is_digit(label.back()) && !rest.empty() && is_digit(rest.front())) return range;  // a titre
  } else if (const std::size_t digit = plain.find_first_of("0123456789<>"); digit != std::string::npos && digit > 0) {
    // "Male 13-17", "M 13-17": a word and a space before the bounds.
    const std::string_view before = std::string_view(plain).substr(0, digit);
    const std::string_view word = trim(before);
    const std::optional<Applicability> whom = word.empty() ? std::nullopt : read_label(word);
    if (whom && before.back() == ' ' && (whom->sex != Sex::any || whom->age)) {
      label = word;
      rest = std::string_view(plain).substr(digit);
    }
  }
  range.applies_to = label;
  const std::optional<Applicability> whom = read_label(label);
  if (!whom || !read_bounds(rest, range)) return range;
  range.sex = whom->sex;
  range.age = whom->age;
  return range;
}

// Nothing but numbers, signs and comparators, as most ranges are: no label, no unit, no list.
bool is_bare(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return is_digit(c) || c == '.' || c == '-' || c == ' ' || c == '<' || c == '>' || c == '='; });
}

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find_first_of(separators, at), text.size());
    if (const std::string_view part = trim(text.substr(at, end - at)); !part.empty()) parts.push_back(part);
    at = end + 1;
  }
  return parts;
}

bool all_structured(const std::vector<ReferenceRange>& lines) {
  return std::ranges::all_of(lines, &ReferenceRange::structured);
}

std::vector<ReferenceRange> read_lines(std::string_view text, std::string_view separators) {
  const std::vector<std::string_view> parts = split(text, separators);
  std::vector<ReferenceRange> lines;
  lines.reserve(parts.size());
  for (const std::string_view part : parts) lines.push_back(read_line(part));
  return lines;
}

bool fits(const ReferenceRange& range, const Subject& subject) {
  if (!range.structured()) return false;
  if (range.sex != Sex::any && range.sex != subject.sex) return false;
  if (!range.age) return true;
  if (!subject.age_years) return false;
  return (!range.age->from || *subject.age_years >= *range.age->from) &&
         (!range.age->to || *subject.age_years < *range.age->to);
}

}  // namespace

ReferenceRanges read_ranges(std::string_view text) {
  ReferenceRanges ranges;
  ranges.text = text;
  const std::string_view trimmed = trim(text);
  if (trimmed.empty()) return ranges;
  if (is_bare(trimmed)) {
    ReferenceRange& only = ranges.lines.emplace_back();
    only.text = trimmed;
    read_bounds(trimmed, only);
    return ranges;
  }
  if (text.size() <= kRangeBytesMax) {
    // The widest reading in which every part is a range; else the text is one line.
    for (const std::string_view separators : {"", ";\n~", ";\n~|,"}) {
      ranges.lines = read_lines(text, separators);
      if (!ranges.lines.empty() && ranges.lines.size() <= kLinesMax && all_structured(ranges.lines)) return ranges;
    }
    // Several lines, of which only some have bounds: each stands for itself.
    ranges.lines = read_lines(text, ";\n~");
    const bool some = std::ranges::any_of(ranges.lines, &ReferenceRange::structured);
    if (some && ranges.lines.size() <= kLinesMax) {
      // A bare range among labels that could not be read ("Optimal <70; 70-100") is not known to be the normal one.
      const bool bare = std::ranges::any_of(
          ranges.lines, [](const ReferenceRange& line) { return line.structured() && line.applies_to.empty(); });
      if (!bare) return ranges;
    }
  }
  ReferenceRange whole;
  whole.text = trim(text);
  ranges.lines.assign(1, std::move(whole));
  return ranges;
}

const ReferenceRange* choose_range(const ReferenceRanges& ranges, const Subject& subject) {
  const ReferenceRange* chosen = nullptr;
  for (const ReferenceRange& line : ranges.lines) {
    if (!fits(line, subject)) continue;
    if (chosen != nullptr) return nullptr;
    chosen = &line;
  }
  return chosen;
}

}  // namespace resultsync::results
