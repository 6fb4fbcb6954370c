// What the invented laboratory measures: a few panels with LOINC codes, units and ordinary reference ranges.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace resultsync::sandbox {

struct Analyte {
  std::string_view loinc;
  std::string_view name;
  std::string_view unit;  // UCUM
  std::int64_t low = 0;   // reference range, in units of the last decimal: 4.5 with one decimal is 45
  std::int64_t high = 0;
  int decimals = 0;
};

struct Panel {
  std::string_view code;
  std::string_view name;
  std::span<const Analyte> analytes;
};

std::span<const Panel> panels();

}  // namespace resultsync::sandbox
