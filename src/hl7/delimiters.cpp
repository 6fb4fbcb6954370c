#include "hl7/delimiters.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace resultsync::hl7 {
namespace {

constexpr std::array<char, 4> kUsual = {'^', '~', '\\', '&'};

// MSH-2 with the habits undone that change its length: `^~\&amp;`, `^~\\&` and `^~&`.
std::string normalised(std::string_view encoding, DeclaredDelimiters& declared) {
  std::string text(encoding);
  if (const auto entity = text.find("&amp;"); entity != std::string::npos) {
    text.erase(entity + 1, 4);
    declared.faults.push_back(&diagnostics::kDelimiterEncoded);
  }
  if (text.size() >= 4 && text[2] == text[3] && text[2] == '\\') {
    text.erase(3, 1);
    declared.delimiters.escape_doubled = true;
    declared.faults.push_back(&diagnostics::kEscapeDoubled);
  }
  if (text == "^~&") {
    text = "^~\\&";
    declared.faults.push_back(&diagnostics::kDelimiterMissing);
  }
  return text;
}

// The places of MSH-2 end before its first byte that is not ASCII: how many bytes that character takes is another
// matter in every character set, and none of them delimits.
std::size_t ascii_size(std::string_view text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  return static_cast<std::size_t>(std::ranges::find_if_not(text, is_ascii) - text.begin());
}

}  // namespace

bool is_field_separator(char c) {
  return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
}

DeclaredDelimiters read_delimiters(std::string_view header_line) {
  DeclaredDelimiters declared;
  Delimiters& d = declared.delimiters;
  if (header_line.size() < 4) return declared;
  d.field = header_line[3];
  const std::string_view rest = header_line.substr(4);
  const std::string_view encoding = rest.substr(0, rest.find(d.field));
  const std::string text = normalised(encoding.substr(0, ascii_size(encoding)), declared);

  std::string taken(1, d.field);
  const auto claim = [&](char wanted) {
    if (taken.find(wanted) != std::string::npos) return '\0';
    taken += wanted;
    return wanted;
  };
  const std::array<char*, 4> places = {&d.component, &d.repetition, &d.escape, &d.subcomponent};
  const auto report = [&](const DiagnosticKind& kind) {
    if (std::ranges::find(declared.faults, &kind) == declared.faults.end()) declared.faults.push_back(&kind);
  };

  if (ascii_size(encoding) < encoding.size()) report(diagnostics::kDelimiterInvalid);
  // What is declared comes first, so that a usual character never displaces a declared one.
  std::array<bool, 4> is_declared{};
  for (std::size_t i = 0; i < places.size() && i < text.size(); ++i) {
    if (!is_field_separator(text[i])) {
      report(diagnostics::kDelimiterInvalid);
      continue;
    }
    is_declared[i] = true;
    *places[i] = claim(text[i]);
    if (*places[i] == '\0') report(diagnostics::kDelimiterRepeated);
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (is_declared[i]) continue;
    *places[i] = claim(kUsual[i]);
    if (i >= text.size()) report(diagnostics::kDelimiterMissing);
  }
  if (text.size() > 4 && is_field_separator(text[4])) d.truncation = claim(text[4]);
  return declared;
}

}  // namespace resultsync::hl7
