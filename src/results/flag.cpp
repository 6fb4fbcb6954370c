#include "results/flag.hpp"

#include <algorithm>

namespace resultsync::results {
namespace {

using Level = FlagMeaning::Level;
using Side = FlagMeaning::Side;

// HL7 table 0078 (v2.8.2). Only flags that speak of a range have a side; susceptibility and detection have neither
// level nor side.
constexpr FlagMeaning kFlags[] = {
    {"", "", Level::none, Side::neither},
    {"N", "Normal", Level::normal, Side::neither},
    {"L", "Below low normal", Level::abnormal, Side::low},
    {"H", "Above high normal", Level::abnormal, Side::high},
    {"LL", "Below lower panic limits", Level::critical, Side::low},
    {"HH", "Above upper panic limits", Level::critical, Side::high},
    {"LU", "Significantly low", Level::abnormal, Side::low},
    {"HU", "Significantly high", Level::abnormal, Side::high},
    {"<", "Below absolute low-off instrument scale", Level::abnormal, Side::low},
    {">", "Above absolute high-off instrument scale", Level::abnormal, Side::high},
    {"A", "Abnormal", Level::abnormal, Side::neither},
    {"AA", "Very abnormal", Level::critical, Side::neither},
    {"U", "Significant change up", Level::none, Side::neither},
    {"D", "Significant change down", Level::none, Side::neither},
    {"B", "Better", Level::none, Side::neither},
    {"W", "Worse", Level::none, Side::neither},
    {"S", "Susceptible", Level::none, Side::neither},
    {"SDD", "Susceptible-dose dependent", Level::none, Side::neither},
    {"I", "Intermediate", Level::none, Side::neither},
    {"R", "Resistant", Level::none, Side::neither},
    {"NS", "Non-susceptible", Level::none, Side::neither},
    {"MS", "Moderately susceptible", Level::none, Side::neither},
    {"VS", "Very susceptible", Level::none, Side::neither},
    {"SYN-R", "Synergy - resistant", Level::none, Side::neither},
    {"SYN-S", "Synergy - susceptible", Level::none, Side::neither},
    {"POS", "Positive", Level::none, Side::neither},
    {"NEG", "Negative", Level::none, Side::neither},
    {"IND", "Indeterminate", Level::none, Side::neither},
    {"DET", "Detected", Level::none, Side::neither},
    {"ND", "Not detected", Level::none, Side::neither},
    {"RR", "Reactive", Level::none, Side::neither},
    {"WR", "Weakly reactive", Level::none, Side::neither},
    {"NR", "Non-reactive", Level::none, Side::neither},
    {"AC", "Anti-complementary substances present", Level::none, Side::neither},
    {"TOX", "Cytotoxic substance present", Level::none, Side::neither},
    {"QCF", "Quality control failure", Level::none, Side::neither},
    {"CAR", "Carrier", Level::none, Side::neither},
    {"EXP", "Expected", Level::none, Side::neither},
    {"UNE", "Unexpected", Level::none, Side::neither},
    {"OBX", "Interpretation qualifiers in separate OBX segments", Level::none, Side::neither},
};

bool equal_fold(std::string_view a, std::string_view b) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  return std::ranges::equal(a, b, {}, upper, upper);
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// What stands between the delimiters of a message (HL7 v2.5.1 §2.7), and no white space.
bool may_be_code(std::string_view text) {
  constexpr std::size_t kCodeBytesMax = 20;
  return !text.empty() && text.size() <= kCodeBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f && c != '|' && c != '^' && c != '&'; });
}

using Place = Assessment::Place;
using Agreement = Assessment::Agreement;

bool under(const Decimal& value, const Bound& low) {
  const auto order = compare(value, low.value);
  return order < 0 || (order == 0 && !low.inclusive);
}
bool over(const Decimal& value, const Bound& high) {
  const auto order = compare(value, high.value);
  return order > 0 || (order == 0 && !high.inclusive);
}

// A result under a detection limit is not negative: a range that begins at zero says nothing more of it.
bool bounds_below(const std::optional<Bound>& low) {
  return low && compare(low->value, Decimal{"0"}) != 0;
}

Place place_of(const Quantity& quantity, const ReferenceRange& range) {
  const Decimal& number = quantity.number;
  switch (quantity.comparator) {
    case Comparator::none:
      if (range.low && under(number, *range.low)) return Place::below;
      if (range.high && over(number, *range.high)) return Place::above;
      return Place::within;
    case Comparator::less:
      if (range.low && compare(number, range.low->value) <= 0)
        return compare(number, Decimal{"0"}) == 0 ? Place::unknown : Place::below;
      if (range.high && compare(number, range.high->value) <= 0 && !bounds_below(range.low)) return Place::within;
      return Place::unknown;
    case Comparator::less_or_equal:
      if (range.low && under(number, *range.low)) return Place::below;
      if (range.high && !over(number, *range.high) && !bounds_below(range.low)) return Place::within;
      return Place::unknown;
    case Comparator::greater:
      if (range.high && compare(number, range.high->value) >= 0) return Place::above;
      if (range.low && !range.high && compare(number, range.low->value) >= 0) return Place::within;
      return Place::unknown;
    case Comparator::greater_or_equal:
      if (range.high && over(number, *range.high)) return Place::above;
      if (range.low && !range.high && !under(number, *range.low)) return Place::within;
      return Place::unknown;
    case Comparator::not_equal:
      break;
  }
  return Place::unknown;
}

bool same_unit(const Unit& unit, std::string_view range_unit) {
  if (range_unit.empty()) return true;
  if (unit.text() == range_unit) return true;
  const Unit other = read_unit(range_unit);
  return !unit.ucum.empty() && unit.ucum == other.ucum;
}

Agreement agreement_of(Place place, const Few<Flag>& flags) {
  if (place == Place::unknown) return Agreement::not_compared;
  if (flags.empty()) return place == Place::within ? Agreement::agrees : Agreement::not_flagged;
  bool speaks = false;
  bool normal = true;
  bool low = false, high = false;
  for (const Flag& flag : flags) {
    if (flag.meaning->level == Level::none) continue;
    speaks = true;
    normal = normal && flag.meaning->level == Level::normal;
    low = low || flag.meaning->side == Side::low;
    high = high || flag.meaning->side == Side::high;
  }
  if (!speaks) return Agreement::not_compared;
  if (normal || place == Place::within)
    return normal && place == Place::within ? Agreement::agrees : Agreement::disagrees;
  if (!low && !high) return Agreement::agrees;
  return (place == Place::below ? low && !high : high && !low) ? Agreement::agrees : Agreement::disagrees;
}

}  // namespace

const FlagMeaning& find_flag(std::string_view code) {
  code = trim(code);
  for (const FlagMeaning& flag : kFlags) {
    if (!code.empty() && equal_fold(flag.code, code)) return flag;
  }
  return kFlags[0];
}

Few<Flag> read_flags(const hl7::Field& obx_8) {
  Few<Flag> flags;
  for (const hl7::Repetition repetition : obx_8.repetitions()) {
    const auto parts = repetition.components();
    if (repetition.valued() && ++parts.begin() == parts.end()) {  // a code alone, as nearly always
      std::string code = repetition.text();
      const FlagMeaning& meaning = find_flag(code);
      if (!code.empty()) flags.push_back({std::move(code), {}, &meaning});
      continue;
    }
    const Codes codes = read_codes(repetition);
    if (codes.empty()) continue;
    const Coding* coding = codes.preferred();
    std::string code = coding == nullptr ? "" : coding->code;
    const FlagMeaning& meaning = find_flag(code);
    flags.push_back({std::move(code),
                     std::string(coding == nullptr || coding->text.empty() ? codes.original_text : coding->text),
                     &meaning});
  }
  return flags;
}

Result<PanicFlags> PanicFlags::parse(const std::vector<std::string>& texts) {
  PanicFlags panic;
  if (texts.size() > kFlagsMax) return fail("bad_flag", "there are too many flags", "at most 100");
  for (const std::string& text : texts) {
    const std::size_t colon = text.rfind(':');
    const std::string_view code = std::string_view(text).substr(colon == std::string::npos ? 0 : colon + 1);
    const std::string_view lab =
        colon == std::string::npos ? std::string_view() : trim(std::string_view(text).substr(0, colon));
    if (!may_be_code(code) || (colon != std::string::npos && lab.empty()))
      return fail("bad_flag", "'" + text + "' is neither a code of OBX-8 nor LAB:CODE");
    if (find_flag(code).level == Level::normal)
      return fail("bad_flag", "'" + text + "' is what laboratories flag normal values with");
    panic.flags_.push_back({std::string(lab), std::string(code)});
  }
  return panic;
}

bool PanicFlags::holds(std::string_view code, std::string_view lab) const {
  return std::ranges::any_of(flags_, [&](const One& one) {
    return equal_fold(one.code, trim(code)) && (one.lab.empty() || equal_fold(one.lab, trim(lab)));
  });
}

Assessment assess(const Few<Value>& values, const Unit& unit, const ReferenceRanges& ranges, const Subject& subject,
                  const Few<Flag>& flags) {
  Assessment result;
  const Quantity* quantity = values.size() == 1 ? values.front().as<Quantity>() : nullptr;
  if (quantity == nullptr) {
    result.reason = "no_number";
    return result;
  }
  if (ranges.empty()) {
    result.reason = "no_range";
    return result;
  }
  const ReferenceRange* range = choose_range(ranges, subject);
  if (range == nullptr) {
    result.reason = std::ranges::any_of(ranges.lines, &ReferenceRange::structured) ? "several_ranges" : "text_range";
    return result;
  }
  if (!same_unit(unit, range->unit)) {
    result.reason = "other_unit";
    return result;
  }
  result.place = place_of(*quantity, *range);
  if (result.place == Place::unknown) result.reason = "comparator_overlaps";
  result.agreement = agreement_of(result.place, flags);
  return result;
}

std::string_view place_name(Assessment::Place place) {
  switch (place) {
    case Place::below:
      return "below";
    case Place::within:
      return "within";
    case Place::above:
      return "above";
    case Place::unknown:
      break;
  }
  return "unknown";
}

std::string_view agreement_name(Assessment::Agreement agreement) {
  switch (agreement) {
    case Agreement::agrees:
      return "agrees";
    case Agreement::disagrees:
      return "disagrees";
    case Agreement::not_flagged:
      return "not_flagged";
    case Agreement::not_compared:
      break;
  }
  return "not_compared";
}

std::string_view level_name(FlagMeaning::Level level) {
  switch (level) {
    case Level::normal:
      return "normal";
    case Level::abnormal:
      return "abnormal";
    case Level::critical:
      return "critical";
    case Level::none:
      break;
  }
  return "none";
}

}  // namespace resultsync::results
