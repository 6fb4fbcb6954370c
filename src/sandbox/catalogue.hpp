// What can be ordered: invented laboratories, each with its own way of writing HL7, and their tests. Data only; the
// same on every machine and for every seed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "sandbox/panels.hpp"

namespace resultsync::sandbox {

// How a laboratory writes its ORU^R01.
enum class Dialect {
  kModern,     // 2.5.1, LOINC and local codes, UCUM, SPM, UTF-8
  kOld,        // 2.3, local codes only, units in capitals, times without a zone, no MSH-18
  kLatin1,     // 2.4, ISO 8859-1 as MSH-18 says, LOINC as the alternate code
  kEmbedding,  // 2.5.1, local codes, and the report as PDF in an OBX of type ED
};

struct LabCompany {
  std::string_view id;  // the last part of labco_…
  std::string_view name;
  std::string_view short_name;
  std::string_view clia;  // 99D…: a state that there is not
  std::string_view street;
  std::string_view city;  // "Fernbury, OR 97005"
  std::string_view phone;
  std::string_view director;
  std::string_view colour;  // of its letterhead, "2F6B3C"
  Dialect dialect = Dialect::kModern;
};

// What a result consists of.
enum class ResultKind {
  kMeasured,   // a table of analytes
  kCulture,    // microbiology: isolates, and each one's susceptibility as a child order
  kNarrative,  // a long text
};

struct LabTest {
  std::string_view id;  // the last part of labts_…
  std::string_view code;
  std::string_view name;
  std::size_t company = 0;  // index into lab_companies()
  std::string_view sample;  // "Blood"
  std::int64_t price_cents = 0;
  int turnaround_days = 1;
  ResultKind kind = ResultKind::kMeasured;
  std::span<const Analyte> analytes = {};  // kMeasured
};

std::span<const LabCompany> lab_companies();
std::span<const LabTest> lab_tests();

// An isolate of a culture and what was tried on it.
struct Antibiotic {
  std::string_view loinc;
  std::string_view name;
  std::string_view susceptible;  // a MIC that is susceptible, "<=0.25"
  std::string_view resistant;    // and one that is not
};
std::span<const std::string_view> organisms();
std::span<const Antibiotic> antibiotics();

}  // namespace resultsync::sandbox
