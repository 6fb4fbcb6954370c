#include "fhir/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace resultsync::fhir {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// Bytes that stand for themselves in a JSON string.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7f; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

struct Character {
  std::size_t size = 1;          // bytes that it takes
  std::uint32_t point = 0xfffd;  // U+FFFD if they are no UTF-8
};

std::uint32_t byte(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U;
}

// One character of UTF-8 (RFC 3629: no overlong forms, no surrogates).
Character character(std::string_view text, std::size_t at) {
  const std::uint32_t lead = byte(text, at);
  const std::size_t size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (size == 0) return {};
  if (size == 1) return {1, lead};
  std::uint32_t point = lead & (0xffU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    const std::uint32_t next = byte(text, at + i);
    if ((next & 0xc0U) != 0x80U) return {i, 0xfffd};
    point = (point << 6U) | (next & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  if (point < kLeast[size] || surrogate || point > 0x10ffff) return {size, 0xfffd};
  return {size, point};
}

// White space beyond that of ASCII: validators do not take it for text (FHIR R4 §2.24.0.1: [ \r\n\t\S]+).
bool is_odd_space(std::uint32_t point) {
  return point == 0xa0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x202f ||
         point == 0x205f || point == 0x3000 || point == 0xfeff;
}

bool is_odd_line_end(std::uint32_t point) {
  return point == 0x0b || point == 0x0c || point == 0x85 || point == 0x2028 || point == 0x2029;
}

// Appends the character that begins at `at`, which is no plain one, made safe. Returns its size.
std::size_t append_special(std::string& out, std::string_view text, std::size_t at) {
  const Character c = character(text, at);
  if (c.point == '"') {
    out += "\\\"";
  } else if (c.point == '\\') {
    out += "\\\\";
  } else if (c.point == '\n' || is_odd_line_end(c.point)) {
    out += "\\n";
  } else if (c.point == '\r') {
    out += "\\r";
  } else if (c.point == '\t') {
    out += "\\t";
  } else if (is_odd_space(c.point)) {
    out += ' ';
  } else if (c.point < 0x20 || c.point == 0x7f || c.point == 0xfffd) {
    out += kReplacement;
  } else {
    out += text.substr(at, c.size);
  }
  return c.size;
}

// At most kStringBytesMax of it, ending at a character.
std::string_view cut(std::string_view text) {
  if (text.size() <= kStringBytesMax) return text;
  std::size_t size = kStringBytesMax;
  while (size > 0 && (byte(text, size) & 0xc0U) == 0x80U) --size;
  return text.substr(0, size);
}

// All parts in one growth: members are short and many.
template <class... Parts>
void append(std::string& out, const Parts&... parts) {
  const auto all = [&](auto... views) {
    const std::size_t before = out.size();
    const std::size_t after = before + (views.size() + ...);
    // libstdc++ 12 passes the new capacity where the size is meant, so what is passed is not looked at.
    out.resize_and_overwrite(after, [&](char* text, std::size_t) {
      char* at = text + before;
      ((at = std::ranges::copy(views, at).out), ...);
      return after;
    });
  };
  all(std::string_view(parts)...);
}

void append_text(std::string& out, std::string_view text) {
  out += '"';
  std::size_t start = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    if (kPlain[static_cast<unsigned char>(text[at])]) {
      ++at;
      continue;
    }
    out.append(text.data() + start, at - start);
    at += append_special(out, text, at);
    start = at;
  }
  out.append(text.data() + start, at - start);
  out += '"';
}

}  // namespace

bool is_blank(std::string_view text) {
  if (!text.empty() && text[0] > 0x20 && text[0] < 0x7f) return false;  // nearly always
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character(text, at);
    if (c.point > 0x20 && c.point != 0x7f && !is_odd_space(c.point) && !is_odd_line_end(c.point)) return false;
    at += c.size;
  }
  return true;
}

bool is_plain_code(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return c != ' ' && kPlain[static_cast<unsigned char>(c)]; });
}

std::string clean_code(std::string_view text) {
  std::string out;
  bool space = false;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character(text, at);
    if (c.point <= 0x20 || c.point == 0x7f || is_odd_space(c.point) || is_odd_line_end(c.point)) {
      space = !out.empty();
    } else {
      if (space) out += ' ';
      space = false;
      out += c.point == 0xfffd ? kReplacement : text.substr(at, c.size);
    }
    at += c.size;
  }
  return out;
}

std::string_view Json::comma() const {
  if (out_.empty()) return {};
  const char last = out_.back();
  return last == '{' || last == '[' || last == ':' ? std::string_view() : std::string_view(",");
}

void Json::name(std::string_view key) {
  if (key.empty()) {
    append(out_, comma());
  } else {
    append(out_, comma(), "\"", key, "\":");
  }
}

bool Json::string(std::string_view key, std::string_view text) {
  text = cut(text);
  if (is_blank(text)) return false;
  name(key);
  append_text(out_, text);
  return true;
}

bool Json::string(std::string_view text) {
  return string({}, text);
}

bool Json::code(std::string_view key, std::string_view text) {
  if (is_plain_code(text)) {
    literal(key, text);
    return true;
  }
  const std::string clean = clean_code(text);
  if (clean.empty()) return false;
  name(key);
  append_text(out_, clean);
  return true;
}

void Json::literal(std::string_view key, std::string_view ascii) {
  if (key.empty()) {
    append(out_, comma(), "\"", ascii, "\"");
  } else {
    append(out_, comma(), "\"", key, "\":\"", ascii, "\"");
  }
}

void Json::raw(std::string_view key, std::string_view json) {
  if (key.empty()) {
    append(out_, comma(), json);
  } else {
    append(out_, comma(), "\"", key, "\":", json);
  }
}

void Json::number(std::string_view key, std::uint64_t value) {
  const fmt::format_int digits(value);
  raw(key, {digits.data(), digits.size()});
}

}  // namespace resultsync::fhir
