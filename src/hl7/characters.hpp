// Character sets of HL7 v2 messages (MSH-18, HL7 table 0211), and their way to UTF-8. ICU does every conversion.
//
// What a sender declares and what it sends often differ. The rule, decided once for a whole message:
//   - ASCII bytes need no set.
//   - Text that is valid UTF-8 is UTF-8, unless a multi-byte set is declared and fits: a text in a single-byte set that
//   happens to be
//     valid UTF-8 does not occur in practice.
//   - Else the declared set, if it is one that can hold such bytes.
//   - Else Windows-1252, which is Latin-1 with the printable characters that its senders use in place of control codes.
// Where several sets are declared (`8859/1~ISO IR87`), the one that needs ISO 2022 shifts is used, because it includes
// ASCII.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace resultsync::hl7 {

struct CharacterSet {
  enum class Kind : std::uint8_t { ascii, utf8, utf16, utf32, single_byte, multi_byte, shifting };
  std::string_view
      name;  // HL7 table 0211, or the common name where the table has none: "8859/1", "UNICODE UTF-8", "WINDOWS-1252"
  const char* converter;  // ICU's name for it
  Kind kind;
};

const CharacterSet& ascii();
const CharacterSet& utf8();
const CharacterSet& utf16();
const CharacterSet& windows_1252();

// The set that a repetition of MSH-18 names, in any of the spellings that are in use; null if it is not known.
const CharacterSet* find_character_set(std::string_view name);

bool is_ascii(std::string_view bytes);
bool is_valid_utf8(std::string_view bytes);  // vectorised; the same answer as is_utf8 of base

// Appends `bytes` of `set` to `out` as UTF-8. False if some of them were no character of the set: those stand as
// U+FFFD.
bool append_utf8(const CharacterSet& set, std::string_view bytes, std::string& out);
// Appends UTF-8 `text` to `out` in `set`. False, with `out` as it was, if the set lacks a character of it.
bool append_encoded(const CharacterSet& set, std::string_view text, std::string& out);

// What the first bytes of an input say about all of it.
struct Signature {
  const CharacterSet* set = nullptr;  // UTF-8, UTF-16 or UTF-32 in a given byte order; null if the bytes do not say
  std::size_t length = 0;             // of the byte order mark itself
};
// Finds a byte order mark, or the pattern of NULs that an unmarked UTF-16 header makes.
Signature find_signature(std::string_view input);

// The decision of the rule above for one message.
struct CharacterChoice {
  const CharacterSet* declared = nullptr;  // what MSH-18 names; null if nothing, or nothing known
  const CharacterSet* read_as = nullptr;   // what the bytes were taken for; never null
  bool declared_unknown = false;
};
// `bytes`: the whole message as sent; `msh_18`: the raw field with its repetitions separated by `repetition`.
CharacterChoice choose_character_set(std::string_view bytes, std::string_view msh_18, char repetition);

}  // namespace resultsync::hl7
