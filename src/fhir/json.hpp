// Writes FHIR's JSON (FHIR R4 §2.6.2): compact, nothing empty, every text made safe for its type. What turns out to be
// empty leaves no trace, so callers need not look first:
//
//   json.object("name", [&] { json.string("family", ""); })   writes nothing, and says so by returning false
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "fhir/buffer.hpp"

namespace resultsync::fhir {

// A string of FHIR may hold 1,048,576 characters. What is longer is cut here; long results go on elsewhere (README.md).
inline constexpr std::size_t kStringBytesMax = 1'048'576;

bool is_odd_blank(std::string_view text);  // is_blank() of a text that does not begin with a printable ASCII character
// Nothing in it but white space and controls.
inline bool is_blank(std::string_view text) {
  if (!text.empty() && text[0] > 0x20 && text[0] < 0x7f) return false;  // nearly always
  return !text.empty() ? is_odd_blank(text) : true;
}

class Json {
 public:
  // Appends to `out`, which must outlive it.
  explicit Json(Buffer& out) : out_(out) {}

  template <class Fill>
  bool object(std::string_view key, Fill fill) {
    return container(key, '{', '}', fill);
  }
  template <class Fill>
  bool array(std::string_view key, Fill fill) {
    return container(key, '[', ']', fill);
  }
  template <class Fill>
  bool object(Fill fill) {  // within an array
    return container({}, '{', '}', fill);
  }

  // string and markdown: controls become U+FFFD, other white space a plain space or line end. Blank: nothing.
  [[gnu::always_inline]] bool string(std::string_view key, std::string_view text) {
    if (text.size() > kStringBytesMax) [[unlikely]]
      text = cut(text);
    if (is_blank(text)) return false;
    name(key);
    quoted(text);
    return true;
  }
  bool string(std::string_view text) { return string({}, text); }  // within an array
  // code: white space trimmed and single. Blank: nothing.
  bool code(std::string_view key, std::string_view text);
  // Characters that need no escape, by construction.
  [[gnu::always_inline]] void literal(std::string_view key, std::string_view ascii) {
    name(key);
    out_.append("\"", ascii, "\"");
  }
  template <class... Parts>
  [[gnu::always_inline]] void raw(std::string_view key, const Parts&... json) {  // a number, or a whole value
    name(key);
    out_.append(json...);
  }
  void number(std::string_view key, std::uint64_t value);
  void yes(std::string_view key) { raw(key, "true"); }

 private:
  // The comma that has to stand before a member or element, and the member's name. Inline: nearly every key is known
  // where it is written.
  [[gnu::always_inline]] void name(std::string_view key) {
    char* const begin = out_.room(key.size() + 4);
    char* at = begin;
    if (!out_.empty() && needs_comma(at[-1])) *at++ = ',';
    if (!key.empty()) {
      *at++ = '"';
      std::memcpy(at, key.data(), key.size());
      at += key.size();
      *at++ = '"';
      *at++ = ':';
    }
    out_.wrote(static_cast<std::size_t>(at - begin));
  }
  void quoted(std::string_view text);
  static std::string_view cut(std::string_view text);
  static bool needs_comma(char last) { return last != '{' && last != '[' && last != ':'; }

  template <class Fill>
  bool container(std::string_view key, char open, char close, Fill fill) {
    const std::size_t before = out_.size();
    name(key);
    out_.push(open);
    const std::size_t inside = out_.size();
    fill();
    if (out_.size() == inside) {
      out_.cut(before);
      return false;
    }
    out_.push(close);
    return true;
  }

  Buffer& out_;
};

// `text` as a code: trimmed, single spaces, no controls.
std::string clean_code(std::string_view text);
// True if it needs no cleaning: printable ASCII without white space, quote or backslash.
bool is_plain_code(std::string_view text);

}  // namespace resultsync::fhir
