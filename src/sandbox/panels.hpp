// What an invented laboratory measures, with LOINC codes, units and ordinary reference ranges; and the few panels that
// the generator's events are made of. catalogue.hpp has the rest.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace resultsync::sandbox {

// How a laboratory says what is normal.
enum class RangeForm {
  kBoth,   // 0.45-4.50
  kBelow,  // <150: only `high` counts
  kAbove,  // >39: only `low` counts
  kWords,  // the value itself is a word
};

struct Analyte {
  std::string_view loinc;
  std::string_view name;
  std::string_view unit;  // UCUM
  std::int64_t low = 0;   // reference range, in units of the last decimal: 4.5 with one decimal is 45
  std::int64_t high = 0;
  int decimals = 0;
  // What the catalogue's laboratories add; the panels of the generator do without.
  RangeForm range = RangeForm::kBoth;
  std::string_view local = {};    // the laboratory's own code; empty: it sends LOINC alone
  std::int64_t panic_low = 0;     // below it LL; 0: there is none
  std::int64_t panic_high = 0;    // above it HH; 0: there is none
  std::string_view usual = {};    // kWords: what is normal, "Negative"
  std::string_view unusual = {};  // kWords: and what is not, "Positive"
};

struct Panel {
  std::string_view code;
  std::string_view name;
  std::span<const Analyte> analytes;
};

std::span<const Panel> panels();

}  // namespace resultsync::sandbox
