// Coded things as a lab sends them: CE, CWE, CNE and their kin hold up to three codings of one thing, and a text.
//
//   718-7^Hemoglobin^LN^HGB^Hgb^L      two codings
//   ^^^HGB^Hgb^L                       one: labs fill only the alternate triplet too
//   ^Positive                          one, with a text and no code
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/message.hpp"

namespace resultsync::results {

struct Coding {
  enum class Place : std::uint8_t { primary, alternate, second_alternate };
  Place place = Place::primary;
  std::string code;
  std::string text;
  std::string system;   // as sent: a name of HL7 table 0396 ("LN", "SCT", "L"), or empty
  std::string version;  // of the system; CWE.7, CWE.8, CWE.13

  bool operator==(const Coding&) const = default;
};

struct Codes {
  std::vector<Coding> codings;  // the filled triplets, in the order of the message
  std::string original_text;    // CWE.9, or the text of a CF

  [[nodiscard]] bool empty() const { return codings.empty() && original_text.empty(); }
  // The coding of that system (any case), or null.
  [[nodiscard]] const Coding* find(std::string_view system) const;
  // What names the thing best to a program: the LOINC coding, else the first with a code, else the first, else null.
  [[nodiscard]] const Coding* preferred() const;
  // What names it best to a person: the first text, else the original text, else the first code; "" if empty.
  [[nodiscard]] std::string_view display() const;

  bool operator==(const Codes&) const = default;
};

// Of a field's repetition, or of one field with all its subcomponents as components (OBR-26.1).
Codes read_codes(const hl7::Repetition& repetition);
Codes read_codes(const hl7::Component& component);
// True if some coding of each has equal code and system; an empty system equals every system.
bool share_a_code(const Codes& a, const Codes& b);

}  // namespace resultsync::results
