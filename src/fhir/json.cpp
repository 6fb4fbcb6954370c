#include "fhir/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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
std::size_t append_special(Buffer& out, std::string_view text, std::size_t at) {
  const Character c = character(text, at);
  if (c.point == '"') {
    out.append("\\\"");
  } else if (c.point == '\\') {
    out.append("\\\\");
  } else if (c.point == '\n' || is_odd_line_end(c.point)) {
    out.append("\\n");
  } else if (c.point == '\r') {
    out.append("\\r");
  } else if (c.point == '\t') {
    out.append("\\t");
  } else if (is_odd_space(c.point)) {
    out.append(" ");
  } else if (c.point < 0x20 || c.point == 0x7f || c.point == 0xfffd) {
    out.append(kReplacement);
  } else {
    out.append(text.substr(at, c.size));
  }
  return c.size;
}

#if defined(__SSE2__)
// A bit for each byte that does not stand for itself. As signed numbers, bytes of 0x80 and more are below the space
// too.
std::uint32_t special_bytes(__m128i block) {
  const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\'), del = _mm_set1_epi8(0x7f);
  const __m128i below_space = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
  return static_cast<std::uint32_t>(
      _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(block, quote), _mm_cmpeq_epi8(block, backslash)),
                                     _mm_or_si128(_mm_cmpeq_epi8(block, del), below_space))));
}
#endif

// Copies the plain bytes that `text` begins with to `to`, which has room for 16 more. How many they are.
std::size_t copy_plain(std::string_view text, char* to) {
  std::size_t at = 0;
#if defined(__SSE2__)
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i block = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + at), block);
    if (const std::uint32_t hits = special_bytes(block); hits != 0)
      return at + static_cast<std::size_t>(std::countr_zero(hits));
  }
  for (; at + 8 <= text.size(); at += 8) {
    const __m128i block = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(text.data() + at));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + at), block);
    if (const std::uint32_t hits = special_bytes(block) & 0xffU; hits != 0)
      return at + static_cast<std::size_t>(std::countr_zero(hits));
  }
#endif
  for (; at < text.size() && kPlain[static_cast<unsigned char>(text[at])]; ++at) to[at] = text[at];
  return at;
}

void append_text(Buffer& out, std::string_view text) {
  char* const begin = out.room(text.size() + 18);
  *begin = '"';
  std::size_t plain = copy_plain(text, begin + 1);
  if (plain == text.size()) [[likely]] {
    begin[plain + 1] = '"';
    return out.wrote(plain + 2);
  }
  out.wrote(plain + 1);
  for (text.remove_prefix(plain); !text.empty(); text.remove_prefix(plain)) {
    text.remove_prefix(append_special(out, text, 0));
    plain = copy_plain(text, out.room(text.size() + 16));
    out.wrote(plain);
  }
  out.push('"');
}

}  // namespace

bool is_odd_blank(std::string_view text) {
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

void Json::quoted(std::string_view text) {
  append_text(out_, text);
}

// At most kStringBytesMax of it, ending at a character.
std::string_view Json::cut(std::string_view text) {
  std::size_t size = std::min(text.size(), kStringBytesMax);
  while (size > 0 && size < text.size() && (byte(text, size) & 0xc0U) == 0x80U) --size;
  return text.substr(0, size);
}

bool Json::code(std::string_view key, std::string_view text) {
  if (!text.empty() && text.find(' ') == std::string_view::npos) {  // most codes stand for themselves
    const std::size_t before = out_.size();
    name(key);
    char* const begin = out_.room(text.size() + 18);
    if (copy_plain(text, begin + 1) == text.size()) {
      *begin = begin[text.size() + 1] = '"';
      out_.wrote(text.size() + 2);
      return true;
    }
    out_.cut(before);
  }
  const std::string clean = clean_code(text);
  if (clean.empty()) return false;
  name(key);
  append_text(out_, clean);
  return true;
}

void Json::number(std::string_view key, std::uint64_t value) {
  const fmt::format_int digits(value);
  raw(key, std::string_view(digits.data(), digits.size()));
}

}  // namespace resultsync::fhir
