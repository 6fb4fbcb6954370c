// The characters that give an HL7 v2 message its shape, as its own header declares them (HL7 v2.5.1 §2.5.4):
//
//   MSH|^~\&#|            field |, component ^, repetition ~, escape \, subcomponent &, truncation # (2.7 and later)
//
// Senders get MSH-2 wrong in a few well-known ways; each is bridged, and named in `faults`.
#pragma once

#include <string_view>
#include <vector>

#include "hl7/diagnostic.hpp"

namespace resultsync::hl7 {

struct Delimiters {
  // '\0' where the message has no such delimiter; it then never matches, because a NUL never delimits.
  char field = '|';
  char component = '^';
  char repetition = '~';
  char escape = '\\';
  char subcomponent = '&';
  char truncation = '\0';       // only where MSH-2 declares it
  bool escape_doubled = false;  // the sender doubles each escape character, as in `^~\\&`: `\\T\\` is `\T\`

  bool operator==(const Delimiters&) const = default;
};

struct DeclaredDelimiters {
  Delimiters delimiters;
  std::vector<const DiagnosticKind*> faults;
};

// True for a character that may separate fields: ASCII punctuation.
bool is_field_separator(char c);

// Reads the delimiters from a header line that begins with MSH, FHS or BHS and a field separator. Missing ones get
// their usual character, unless it has another purpose already.
DeclaredDelimiters read_delimiters(std::string_view header_line);

}  // namespace resultsync::hl7
