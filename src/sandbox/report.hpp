// What a laboratory says about one ordered test at one moment: the same facts for its HL7 message (dialects.hpp) and
// its printed report (paper.hpp). A value of its own: what was released never changes, whatever becomes of the world.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/timestamp.hpp"
#include "sandbox/catalogue.hpp"

namespace resultsync::sandbox {

struct Address {
  std::string street_1, street_2, city, state, zip;
};

enum class Stage { kPreliminary, kFinal, kCorrected, kCanceled };
std::string_view stage_name(Stage stage);  // "preliminary", …
char stage_letter(Stage stage);            // HL7 table 0123: P, F, C, X

// One analyte's outcome, in the order of the test's analytes.
struct Measurement {
  std::int64_t value = 0;              // in units of the analyte's last decimal; for words: 0 usual, 1 unusual
  bool pending = false;                // not measured yet
  bool below_limit = false;            // "<0.2": the value is the limit of detection
  std::optional<std::int64_t> before;  // corrected: what was reported earlier
  std::string note;                    // "Hemolyzed specimen."
};

struct Susceptibility {
  std::size_t antibiotic = 0;  // index into antibiotics()
  std::string mic;             // "<=0.25"
  char interpretation = 'S';   // S, I, R
};
struct Isolate {
  std::string organism;
  std::string quantity;  // ">100,000 CFU/mL"
  std::vector<Susceptibility> susceptibilities = {};
};

struct Person {
  std::string id, first_name, last_name, birthday /* YYYY-MM-DD */, gender /* "female", "male", "other" */;
  Address address;
  std::string phone;
};

struct LabReport {
  std::size_t test = 0;  // index into lab_tests()
  Stage stage = Stage::kFinal;
  int version = 1;                  // of the ordered test's results, as the laboratory counts its reports
  std::string order, ordered_test;  // the network's ids: placer order number, and the group's
  std::string accession;            // the laboratory's own number
  Person patient;
  std::string practitioner_first, practitioner_last, practitioner_npi;
  std::string clinic_name;
  bool fasting = false;
  Timestamp collected, received, reported;
  int utc_offset_minutes = 0;             // of the clinic, at those times
  std::vector<Measurement> measurements;  // kMeasured
  std::vector<Isolate> isolates;          // kCulture; empty: no growth
  std::vector<std::string> paragraphs;    // kNarrative
  std::string comment;                    // of the laboratory, about the whole report
};

// "H", "L", "HH", "LL", "A", "" (in range).
std::string_view flag_of(const Analyte& analyte, const Measurement& measurement);
// "<0.20", "4.50", "Negative"; "Pending".
std::string value_text(const Analyte& analyte, const Measurement& measurement);
std::string value_text(const Analyte& analyte, std::int64_t value);
// "0.45-4.50", "<150", ">39", "Negative".
std::string range_text(const Analyte& analyte);

// The local date and time of a report's clinic: {2026, 1, 9, 14, 3, 0}.
struct CivilTime {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};
CivilTime civil(Timestamp time, int utc_offset_minutes);
// "2026-01-09T14:03:00-07:00", with microseconds where there are any: as the network writes times.
std::string network_time(Timestamp time, int utc_offset_minutes);

}  // namespace resultsync::sandbox
