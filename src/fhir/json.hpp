// Writes FHIR's JSON (FHIR R4 §2.6.2): compact, nothing empty, every text made safe for its type. What turns out to be
// empty leaves no trace, so callers need not look first:
//
//   json.object("name", [&] { json.string("family", ""); })   writes nothing, and says so by returning false
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace resultsync::fhir {

// A string of FHIR may hold 1,048,576 characters. What is longer is cut here; long results go on elsewhere (README.md).
inline constexpr std::size_t kStringBytesMax = 1'048'576;

class Json {
 public:
  // Appends to `out`, which must outlive it.
  explicit Json(std::string& out) : out_(out) {}

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
  bool string(std::string_view key, std::string_view text);
  bool string(std::string_view text);  // within an array
  // code: white space trimmed and single. Blank: nothing.
  bool code(std::string_view key, std::string_view text);
  // Characters that need no escape, by construction.
  void literal(std::string_view key, std::string_view ascii);
  void raw(std::string_view key, std::string_view json);  // a number, or a whole value
  void number(std::string_view key, std::uint64_t value);
  void yes(std::string_view key) { raw(key, "true"); }

  [[nodiscard]] std::string& text() { return out_; }

 private:
  void name(std::string_view key);
  [[nodiscard]] std::string_view comma() const;  // what has to stand before the next member or element

  template <class Fill>
  bool container(std::string_view key, char open, char close, Fill fill) {
    const std::size_t before = out_.size();
    name(key);
    out_ += open;
    const std::size_t inside = out_.size();
    fill();
    if (out_.size() == inside) {
      out_.resize(before);
      return false;
    }
    out_ += close;
    return true;
  }

  std::string& out_;
};

bool is_blank(std::string_view text);  // nothing in it but white space and controls
// `text` as a code: trimmed, single spaces, no controls.
std::string clean_code(std::string_view text);
// True if it needs no cleaning: printable ASCII without white space, quote or backslash.
bool is_plain_code(std::string_view text);

}  // namespace resultsync::fhir
