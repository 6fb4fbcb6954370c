#include "sandbox/report.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {

std::string_view stage_name(Stage stage) {
  constexpr std::string_view kNames[] = {"preliminary", "final", "corrected", "canceled"};
  return kNames[static_cast<int>(stage)];
}

char stage_letter(Stage stage) {
  return "PFCX"[static_cast<int>(stage)];
}

std::string_view flag_of(const Analyte& analyte, const Measurement& measurement) {
  if (measurement.pending) return "";
  const std::int64_t value = measurement.value;
  if (analyte.range == RangeForm::kWords) return value == 0 ? "" : "A";
  if (analyte.panic_low != 0 && value < analyte.panic_low) return "LL";
  if (analyte.panic_high != 0 && value > analyte.panic_high) return "HH";
  switch (analyte.range) {
    case RangeForm::kBelow:
      return !measurement.below_limit && value >= analyte.high ? "H" : "";
    case RangeForm::kAbove:
      return value <= analyte.low ? "L" : "";
    default:
      return value < analyte.low ? "L" : value > analyte.high ? "H" : "";
  }
}

std::string value_text(const Analyte& analyte, std::int64_t value) {
  if (analyte.range == RangeForm::kWords) return std::string(value == 0 ? analyte.usual : analyte.unusual);
  return as_decimal(value, analyte.decimals);
}

std::string value_text(const Analyte& analyte, const Measurement& measurement) {
  if (measurement.pending) return "Pending";
  return (measurement.below_limit ? "<" : "") + value_text(analyte, measurement.value);
}

std::string range_text(const Analyte& analyte) {
  switch (analyte.range) {
    case RangeForm::kBelow:
      return "<" + as_decimal(analyte.high, analyte.decimals);
    case RangeForm::kAbove:
      return ">" + as_decimal(analyte.low, analyte.decimals);
    case RangeForm::kWords:
      return std::string(analyte.usual);
    case RangeForm::kBoth:
      break;
  }
  return as_decimal(analyte.low, analyte.decimals) + "-" + as_decimal(analyte.high, analyte.decimals);
}

CivilTime civil(Timestamp time, int utc_offset_minutes) {
  const std::string text = format_timestamp({time.microseconds + std::int64_t{utc_offset_minutes} * 60'000'000});
  const auto part = [&](std::size_t at, std::size_t length) { return std::atoi(text.substr(at, length).c_str()); };
  return {part(0, 4), part(5, 2), part(8, 2), part(11, 2), part(14, 2), part(17, 2)};
}

std::string network_time(Timestamp time, int utc_offset_minutes) {
  std::string text = format_timestamp({time.microseconds + std::int64_t{utc_offset_minutes} * 60'000'000});
  text.pop_back();  // Z
  const int distance = std::abs(utc_offset_minutes);
  return fmt::format("{}{}{:02}:{:02}", text, utc_offset_minutes < 0 ? '-' : '+', distance / 60, distance % 60);
}

}  // namespace resultsync::sandbox
