#include "hl7/writer.hpp"

#include <optional>

namespace resultsync::hl7 {
namespace {

constexpr char kSegmentEnd = '\r';
constexpr std::string_view kFrameEnd = "\x1c\r";

// The header with another MSH-18.
std::string declaring_utf8(const Segment& header) {
  if (header.field_count() < 18) return std::string(header.raw());
  const std::string_view raw = header.raw();
  const auto begin = static_cast<std::size_t>(header.field(18).raw().data() - raw.data());
  std::string text(raw.substr(0, begin));
  text += utf8().name;
  text += raw.substr(begin + header.field(18).raw().size());
  return text;
}

bool is_batch_header(std::string_view line) {
  return line.size() >= 4 && (line.starts_with("FHS") || line.starts_with("BHS")) && is_field_separator(line[3]);
}

std::string in_utf8(const Message& message, bool declare) {
  std::string text;
  text.reserve(message.text().size() + 16);
  bool ordinary = false;  // the segment before is one that a line could continue
  for (const Segment segment : message.segments()) {
    const bool header = segment.index() == 0 && message.has_header();
    // A batch header that no MSH follows leads its message, and no line continues it either.
    const bool leads = header || (segment.index() == 0 && is_batch_header(segment.raw()));
    // A line that is no segment and yet continues nothing followed the end of its frame.
    if (segment.name().empty() && ordinary) text += kFrameEnd;
    text += header && declare ? declaring_utf8(segment) : segment.raw();
    text += kSegmentEnd;
    ordinary = !segment.name().empty() && !leads;
  }
  return text;
}

}  // namespace

std::string write(const Message& message) {
  const CharacterSet& set = message.character_set();
  std::string text = in_utf8(message, false);
  using Kind = CharacterSet::Kind;
  // Without its byte order mark, text between NULs would be taken for UTF-16.
  if (set.kind == Kind::utf8 && text.find('\0') != std::string::npos) return "\xef\xbb\xbf" + text;
  if (set.kind == Kind::ascii || set.kind == Kind::utf8) return text;
  if (set.kind != Kind::utf16 && set.kind != Kind::utf32 && set.kind != Kind::shifting && is_ascii(text)) return text;
  std::string bytes;
  if (set.kind == Kind::utf16 || set.kind == Kind::utf32)
    append_encoded(set, "\xef\xbb\xbf", bytes);  // byte order mark
  if (append_encoded(set, text, bytes)) return bytes;
  return in_utf8(message, true);
}

}  // namespace resultsync::hl7
