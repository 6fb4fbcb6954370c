// Escape sequences (HL7 v2.5.1 §2.7), decoded on demand into the plain text that they stand for.
//
//   \F\ \S\ \T\ \R\ \E\ \P\     the delimiters of the message
//   \.br\ \.sp<n>\ \.ce\        line breaks (n of them; one without n)
//   \.in<n>\ \.ti<n>\ \.sk<n>\  n spaces, where n is positive
//   \.fi\ \.nf\ \H\ \N\         nothing: word wrap and highlighting have no place in plain text
//   \X0D0A\                     bytes in the message's character set; neighbouring ones are joined first, so
//   \XC3\\XA9\ is one é
//   \C2842\ \M2442\             ISO 2022 switches: the text after them is read in the set they name
//   \Z..\ and unknown ones      kept as they stand
//
// An escape character that begins no sequence is text: "C:\dir \T\ more" is `C:\dir & more`. Line breaks of any kind,
// raw or escaped, become one "\n"; a NUL becomes U+FFFD, because half of the world's stores and readers end a text
// there. Decoding never fails and takes time linear in the text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/characters.hpp"
#include "hl7/delimiters.hpp"
#include "hl7/diagnostic.hpp"

namespace resultsync::hl7 {

struct EscapeFault {
  const DiagnosticKind* kind = nullptr;
  std::size_t position = 0;  // in the raw text
};

// True if the plain text differs from the raw text.
bool needs_decoding(std::string_view raw, const Delimiters& delimiters);

// The plain text of `raw`, which is valid UTF-8; `set` gives hex escapes their meaning.
std::string decode_escapes(std::string_view raw, const Delimiters& delimiters, const CharacterSet& set);
void append_decoded(std::string_view raw, const Delimiters& delimiters, const CharacterSet& set, std::string& out);

// What append_decoded had to bridge, at most `limit` entries, in the order of the text.
std::vector<EscapeFault> find_escape_faults(std::string_view raw, const Delimiters& delimiters, const CharacterSet& set,
                                            std::size_t limit);

// `text` as it may stand in a component or subcomponent: delimiters escaped, line breaks as \.br\, other control
// characters in hex.
std::string encode_escapes(std::string_view text, const Delimiters& delimiters);

}  // namespace resultsync::hl7
