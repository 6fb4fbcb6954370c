// Little-endian numbers and length-prefixed text, written to and read from bytes. Reading is total: past the end it
// gives zeros and remembers it, so a decoder asks once, at its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace resultsync::store::log {

template <class Number>
void put_number(std::string& out, Number number) {
  for (std::size_t i = 0; i < sizeof(Number); ++i) {
    out.push_back(static_cast<char>((static_cast<std::uint64_t>(number) >> (8 * i)) & 0xFFU));
  }
}

// `Length` is the type of the prefix; the caller has checked that the text is not longer.
template <class Length>
void put_text(std::string& out, std::string_view text) {
  put_number(out, static_cast<Length>(text.size()));
  out += text;
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class Number>
  Number number() {
    const std::string_view raw = bytes(sizeof(Number));
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(raw[i])) << (8 * i);
    }
    return static_cast<Number>(value);
  }

  // A view into what was given to the constructor.
  std::string_view bytes(std::size_t count) {
    if (count > rest_.size()) {
      overran_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  template <class Length>
  std::string_view text() {
    return bytes(number<Length>());
  }

  // Everything was there, and nothing is left over.
  [[nodiscard]] bool ended_exactly() const { return !overran_ && rest_.empty(); }
  [[nodiscard]] bool overran() const { return overran_; }

 private:
  std::string_view rest_;
  bool overran_ = false;
};

}  // namespace resultsync::store::log
