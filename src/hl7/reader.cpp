#include "hl7/reader.hpp"

#include <algorithm>
#include <array>
#include <bitset>
#include <charconv>
#include <optional>
#include <span>
#include <utility>

#include "base/encoding.hpp"
#include "hl7/scan.hpp"

namespace resultsync::hl7 {
namespace {

constexpr char kFrameStart = '\x0b';
constexpr char kFrameEnd = '\x1c';
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // in UTF-8; files that were put together have several

struct Line {
  std::size_t begin = 0, end = 0;  // without its terminator
  std::size_t offset = 0;          // of its first byte in the input
  bool after_frame = false;        // it follows the end of an MLLP frame, so it cannot continue what is inside
  bool indented = false;           // white space before it was skipped
  bool at_line_end = false;        // it begins right after a line end, or with the input

  [[nodiscard]] std::string_view of(std::string_view text) const { return text.substr(begin, end - begin); }
};

bool is_name(std::string_view line) {
  const auto upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto more = [&](char c) { return upper(c) || (c >= '0' && c <= '9'); };
  return line.size() >= 3 && upper(line[0]) && more(line[1]) && more(line[2]);
}

bool is_header(std::string_view line, std::string_view name) {
  return line.size() >= 4 && line.starts_with(name) && is_field_separator(line[3]);
}

bool is_message_header(std::string_view line) {
  return is_header(line, "MSH");
}

bool is_envelope(std::string_view line) {
  if (is_header(line, "FHS") || is_header(line, "BHS")) return true;
  return line.starts_with("BTS") || line.starts_with("FTS") ? line.size() == 3 || is_field_separator(line[3]) : false;
}

std::array<char, 3> capitals(std::string_view name) {
  std::array<char, 3> out{};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = name[i] >= 'a' && name[i] <= 'z' ? static_cast<char>(name[i] - 'a' + 'A') : name[i];
  }
  return out;
}

bool is_wide(const CharacterSet& set) {
  return set.kind == CharacterSet::Kind::utf16 || set.kind == CharacterSet::Kind::utf32;
}

// The segment name that a line begins with, in capitals; nothing if the line is no segment.
std::optional<std::array<char, 3>> segment_name(std::string_view line, char separator) {
  if (line.size() < 3) return std::nullopt;
  const std::array<char, 3> name = capitals(line.substr(0, 3));
  const std::string_view view(name.data(), name.size());
  if (line.size() == 3) return is_name(line) && is_standard_segment(view) ? std::optional(name) : std::nullopt;
  if (line[3] != separator) return std::nullopt;
  if (is_name(line) || is_standard_segment(view)) return name;
  return std::nullopt;
}

// Splits at CR, LF and the end of an MLLP frame, leaving out blank lines and the white space, framing bytes and byte
// order marks before a segment.
std::vector<Line> split_lines(std::string_view text, std::size_t base) {
  std::vector<Line> lines;
  lines.reserve(text.size() / 128 + 4);
  bool after_frame = false;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t end = find_first_of_three(text, at, '\r', '\n', kFrameEnd);
    std::size_t begin = at;
    bool framed = false;
    while (begin < end) {
      const char c = text[begin];
      const bool mark = c == kByteOrderMark[0] && text.substr(begin, end - begin).starts_with(kByteOrderMark);
      if (c != ' ' && c != '\t' && c != kFrameStart && !mark) break;
      framed = framed || mark || c == kFrameStart;
      begin += mark ? kByteOrderMark.size() : 1;
    }
    if (begin < end) {
      Line line{at, end, base + at, after_frame, false, at == 0 || text[at - 1] == '\r' || text[at - 1] == '\n'};
      const std::string_view rest = text.substr(begin, end - begin);
      // White space belongs to a continued text, but not to a segment.
      if (begin > at && (framed || is_message_header(rest) || is_envelope(rest) ||
                         (rest.size() > 3 && is_name(rest) && is_field_separator(rest[3]) &&
                          is_standard_segment(rest.substr(0, 3))))) {
        line.indented = text.substr(at, begin - at).find_first_of(" \t") != std::string_view::npos;
        line.at_line_end = false;
        line.begin = begin;
        line.offset = base + begin;
      }
      if (is_message_header(line.of(text)) || is_envelope(line.of(text))) after_frame = line.after_frame = false;
      lines.push_back(line);
    }
    if (end < text.size() && text[end] == kFrameEnd) after_frame = true;
    at = end + 1;
  }
  return lines;
}

// Makes one Message of its lines.
class MessageReader {
 public:
  // `whole_input_set`: set where the input was converted before it was split.
  MessageReader(std::string_view text, std::span<const Line> lines, const CharacterSet* whole_input_set,
                const Delimiters& inherited)
      : lines_(lines), whole_input_set_(whole_input_set) {
    index_.text = text;
    index_.delimiters = inherited;
  }

  Message read() {
    const std::string_view header = lines_.front().of(index_.text);
    index_.source_offset = lines_.front().offset;
    index_.has_header = is_message_header(header);
    if (index_.has_header || is_header(header, "FHS") || is_header(header, "BHS")) {
      declared_ = read_delimiters(header);
      index_.delimiters = declared_.delimiters;
      starts_with_header_ = true;
    }
    const bool alone_in_a_batch = lines_.size() == 1 && is_envelope(header);
    if (!index_.has_header && !alone_in_a_batch) note(diagnostics::kNoHeader, kNoSegment, lines_.front().offset);
    read_characters(header);
    for (const DiagnosticKind* fault : declared_.faults) note(*fault, 0, lines_.front().offset);
    read_segments();
    read_fields();
    read_escapes();
    return Message(std::move(index_));
  }

 private:
  void note(const DiagnosticKind& kind, std::uint32_t segment, std::size_t offset) {
    index_.diagnostics.add(kind, segment, offset);
  }

  void read_characters(std::string_view header) {
    const std::size_t begin = lines_.front().begin;
    const std::string_view bytes = index_.text.substr(begin, lines_.back().end - begin);
    CharacterChoice& choice = index_.characters;
    const std::string_view msh_18 = raw_field_18(header);
    if (whole_input_set_ != nullptr) {
      choice = choose_character_set("", msh_18, index_.delimiters.repetition);
      const bool wide = is_wide(*whole_input_set_);
      if (choice.declared_unknown) note(diagnostics::kCharsetUnknown, 0, lines_.front().offset);
      if (choice.declared != nullptr && (choice.declared->kind != whole_input_set_->kind) &&
          (wide || choice.declared->kind != CharacterSet::Kind::ascii || !is_ascii(bytes))) {
        note(diagnostics::kCharsetDiffers, 0, lines_.front().offset);
      }
      choice.read_as = whole_input_set_;
      if (!wide) {
        index_.source = bytes;
        if (!is_valid_utf8(bytes)) convert_lines();
      }
      return;
    }
    index_.source = bytes;
    choice = choose_character_set(bytes, msh_18, index_.delimiters.repetition);
    if (choice.read_as->kind == CharacterSet::Kind::single_byte && !is_ascii(bytes) && any_line_is_utf8()) {
      line_fallback_ = choice.read_as;
      choice.read_as = &utf8();
    }
    note_choice(bytes);
    using Kind = CharacterSet::Kind;
    const Kind kind = choice.read_as->kind;
    const bool as_it_is = kind != Kind::shifting && (kind == Kind::ascii || kind == Kind::utf8 || is_ascii(bytes));
    if (!as_it_is || !is_valid_utf8(bytes)) convert_lines();
  }

  void note_choice(std::string_view bytes) {
    const CharacterChoice& choice = index_.characters;
    const std::size_t at = lines_.front().offset;
    if (choice.declared_unknown) note(diagnostics::kCharsetUnknown, 0, at);
    using Kind = CharacterSet::Kind;
    if (choice.declared != nullptr && is_wide(*choice.declared)) note(diagnostics::kCharsetDiffers, 0, at);
    if (is_ascii(bytes)) return;
    const bool declared_ascii = choice.declared == nullptr || choice.declared->kind == Kind::ascii;
    if (choice.read_as == &utf8()) {
      if (choice.declared == nullptr) {
        if (!choice.declared_unknown) note(diagnostics::kCharsetUndeclared, 0, at);
      } else if (choice.declared->kind != Kind::utf8 && !is_wide(*choice.declared)) {
        note(diagnostics::kCharsetIsUtf8, 0, at);
      }
    }
    if (choice.read_as == &windows_1252() && (declared_ascii || choice.declared->kind != Kind::single_byte)) {
      note(diagnostics::kCharsetGuessed, 0, at);
    }
  }

  std::string_view raw_field_18(std::string_view header) const {
    if (!index_.has_header) return {};
    std::size_t at = 3;
    for (int field = 2; field <= 18; ++field) {  // MSH-1 is the separator at 3
      at = header.find(index_.delimiters.field, at);
      if (at == std::string_view::npos) return {};
      ++at;
    }
    return header.substr(at, header.find(index_.delimiters.field, at) - at);
  }

  // Gives the message a UTF-8 text of its own. Line by line: no character set of ours uses CR, LF or FS within a
  // character, and each line keeps its place in the input.
  void convert_lines() {
    const CharacterSet& set = *index_.characters.read_as;
    auto converted = std::make_unique<std::string>();
    own_lines_.reserve(lines_.size());
    bool guessed = false;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Line& line = lines_[i];
      // Blank lines and spaces between two lines may be part of a broken text; they are the same in every set.
      if (i > 0) *converted += index_.text.substr(lines_[i - 1].end, line.begin - lines_[i - 1].end);
      const std::string_view bytes = line.of(index_.text);
      Line moved = line;
      moved.begin = converted->size();
      if (set.kind == CharacterSet::Kind::utf8 && !is_valid_utf8(bytes)) {
        // A line of another set amid UTF-8 is read as what it is; a line with both is repaired.
        if (has_utf8_character(bytes)) {
          append_utf8(utf8(), bytes, *converted);
          note(diagnostics::kCharacterBroken, 0, line.offset);
        } else {
          append_utf8(*line_fallback_, bytes, *converted);
          guessed = true;
        }
      } else if (!append_utf8(set, bytes, *converted)) {
        note(diagnostics::kCharacterBroken, 0, line.offset);
      }
      moved.end = converted->size();
      own_lines_.push_back(moved);
    }
    if (guessed) note(diagnostics::kCharsetGuessed, 0, lines_.front().offset);
    lines_ = own_lines_;
    index_.converted = std::move(converted);
    index_.text = *index_.converted;
  }

  [[nodiscard]] bool any_line_is_utf8() const {
    return std::ranges::any_of(lines_, [&](const Line& line) {
      const std::string_view bytes = line.of(index_.text);
      return !is_ascii(bytes) && is_valid_utf8(bytes);
    });
  }

  // True if ill-formed `bytes` hold a well-formed character of more than one byte all the same.
  static bool has_utf8_character(std::string_view bytes) {
    const std::string repaired = repair_utf8(bytes);
    for (std::size_t at = 0; at < repaired.size(); ++at) {
      if (repaired.compare(at, 3, "\xef\xbf\xbd") == 0) {
        at += 2;
      } else if (static_cast<unsigned char>(repaired[at]) >= 0x80) {
        return true;
      }
    }
    return false;
  }

  void read_segments() {
    // The text may begin before the message does; positions are relative to its first line, so they fit in 32 bits.
    const std::size_t base = lines_.front().begin;
    index_.text = index_.text.substr(base, lines_.back().end - base);
    index_.segments.reserve(lines_.size());
    for (const Line& line : lines_) {
      const auto begin = static_cast<std::uint32_t>(line.begin - base);
      const auto end = static_cast<std::uint32_t>(line.end - base);
      const std::string_view text = index_.text.substr(begin, end - begin);
      const auto next = static_cast<std::uint32_t>(index_.segments.size());
      const auto name = segment_name(text, index_.delimiters.field);
      if (!name && continues(line)) {
        index_.segments.back().end = end;
        note(diagnostics::kContinuationLine, next - 1, line.offset);
        continue;
      }
      MessageIndex::SegmentPlace place{
          .begin = begin, .end = end, .name = name.value_or(std::array<char, 3>{}), .offset = line.offset};
      place.as_written = line.at_line_end && name && text.size() > name->size() &&
                         text.starts_with(std::string_view(name->data(), name->size()));
      index_.segments.push_back(place);
      if (line.after_frame) note(diagnostics::kAfterFrameEnd, next, line.offset);
      if (!name) {
        if (!line.after_frame) note(diagnostics::kNotASegment, next, line.offset);
        continue;
      }
      const std::string_view view(name->data(), name->size());
      if (line.indented) note(diagnostics::kLeadingSpace, next, line.offset);
      if (!text.starts_with(view)) note(diagnostics::kNameCase, next, line.offset);
      if (view[0] != 'Z' && !is_standard_segment(view)) note(diagnostics::kUnknownSegment, next, line.offset);
    }
  }

  // A line without a name continues the segment before it, unless that is a header, or no segment either.
  [[nodiscard]] bool continues(const Line& line) const {
    if (index_.segments.empty() || line.after_frame) return false;
    const auto& before = index_.segments.back();
    return before.name[0] != '\0' && !(starts_with_header_ && index_.segments.size() == 1);
  }

  void read_fields() {
    index_.field_begins.reserve(index_.text.size() / 8 + index_.segments.size() * 2);
    const char separator = index_.delimiters.field;
    auto& begins = index_.field_begins;
    for (std::size_t i = 0; i < index_.segments.size(); ++i) {
      auto& place = index_.segments[i];
      if (place.name[0] == '\0') continue;
      place.first_field = static_cast<std::uint32_t>(begins.size());
      if (i == 0 && starts_with_header_) begins.push_back(place.begin + 3);
      const std::uint32_t after_name = place.begin + 3;
      for_each_byte(index_.text.substr(after_name, place.end - after_name), separator,
                    [&](std::size_t at) { begins.push_back(after_name + static_cast<std::uint32_t>(at) + 1); });
      place.field_count = static_cast<std::uint32_t>(begins.size()) - place.first_field;
      begins.push_back(place.end + 1);
    }
  }

  // True if a position in the text is a position in the input.
  [[nodiscard]] bool in_place() const {
    return !index_.converted && (whole_input_set_ == nullptr || !is_wide(*whole_input_set_));
  }

  void read_escapes() {
    const char escape = index_.delimiters.escape;
    std::uint32_t number = 0;
    for (auto& place : index_.segments) {
      const std::uint32_t segment = number++;
      const std::size_t first_field = segment == 0 && starts_with_header_ ? 2 : 0;
      if (place.name[0] == '\0' || place.field_count <= first_field) continue;
      const std::uint32_t begin = index_.field_begins[place.first_field + first_field];
      const std::string_view raw = index_.text.substr(begin, place.end - begin);
      place.plain = find_first_of_three(raw, 0, escape, '\r', '\0') == raw.size();
      if (place.plain || escape == '\0' || index_.diagnostics.full()) continue;
      for (std::uint32_t f = static_cast<std::uint32_t>(first_field); f < place.field_count; ++f) {
        const std::uint32_t from = index_.field_begins[place.first_field + f];
        const std::uint32_t to = index_.field_begins[place.first_field + f + 1] - 1;
        for (const EscapeFault& fault : find_escape_faults(index_.text.substr(from, to - from), index_.delimiters,
                                                           *index_.characters.read_as, Diagnostics::kMax)) {
          const std::size_t within = in_place() ? from - place.begin + fault.position : 0;
          note(*fault.kind, segment, place.offset + within);
        }
      }
    }
  }

  std::span<const Line> lines_;
  std::vector<Line> own_lines_;
  const CharacterSet* whole_input_set_ = nullptr;
  const CharacterSet* line_fallback_ = &windows_1252();  // of lines that are not UTF-8 in a message that is
  DeclaredDelimiters declared_;
  bool starts_with_header_ = false;
  MessageIndex index_;
};

}  // namespace

// Finds the messages of an input.
class InputReader {
 public:
  explicit InputReader(Reading& reading) : reading_(reading) {}

  void read(std::string_view bytes) {
    if (bytes.size() > kInputBytesMax) {
      reading_.diagnostics_.add(diagnostics::kInputTooLarge, kNoSegment, 0);
      return;
    }
    const Signature signature = find_signature(bytes);
    whole_input_set_ = signature.set;
    const std::string_view content = bytes.substr(signature.length);
    if (signature.set != nullptr && is_wide(*signature.set)) {
      auto converted = std::make_unique<std::string>();
      append_utf8(*signature.set, content, *converted);
      reading_.converted_ = std::move(converted);
      text_ = *reading_.converted_;
      lines_ = split_lines(text_, 0);
      point_into_wide_input(signature);
    } else {
      text_ = content;
      lines_ = split_lines(text_, signature.length);
    }
    read_lines();
  }

 private:
  // Lines of a converted input know their place in it: two or four bytes a character, four for a surrogate pair.
  void point_into_wide_input(const Signature& signature) {
    const bool utf32 = signature.set->kind == CharacterSet::Kind::utf32;
    std::size_t offset = signature.length;
    std::size_t at = 0;
    for (Line& line : lines_) {
      for (; at < line.begin; ++at) {
        const auto byte = static_cast<unsigned char>(text_[at]);
        if ((byte & 0xc0) == 0x80) continue;  // not the first byte of a character
        offset += utf32 || byte >= 0xf0 ? 4 : 2;
      }
      line.offset = offset;
    }
  }

  void read_lines() {
    const auto starts = [&](std::size_t i) { return is_message_header(lines_[i].of(text_)); };
    const auto envelope = [&](std::size_t i) { return is_envelope(lines_[i].of(text_)); };
    bool any_header = false;
    for (std::size_t i = 0; i < lines_.size() && !any_header; ++i) any_header = starts(i);
    if (lines_.empty()) reading_.diagnostics_.add(diagnostics::kNoMessage, kNoSegment, 0);
    bool any_other = false;
    for (std::size_t i = 0; i < lines_.size() && !any_other; ++i) any_other = !envelope(i);
    if (!any_header && any_other) return message(0, lines_.size());

    std::size_t i = 0;
    while (i < lines_.size()) {
      if (envelope(i)) {
        envelope_line(i++);
        continue;
      }
      std::size_t end = i + 1;
      while (end < lines_.size() && !starts(end) && !envelope(end)) ++end;
      if (starts(i) || is_message_without_header(i, end)) {
        message(i, end);
      } else {
        outside(i, end);
      }
      i = end;
    }
  }

  // Segments without an MSH are a message all the same; text around messages is none.
  [[nodiscard]] bool is_message_without_header(std::size_t begin, std::size_t end) const {
    for (std::size_t i = begin; i < end; ++i) {
      const std::string_view line = lines_[i].of(text_);
      if (line.size() > 3 && line[3] == delimiters_.field && is_standard_segment(line.substr(0, 3))) return true;
    }
    return false;
  }

  void message(std::size_t begin, std::size_t end) {
    const std::span<const Line> lines = std::span(lines_).subspan(begin, end - begin);
    reading_.messages_.push_back(MessageReader(text_, lines, whole_input_set_, delimiters_).read());
    delimiters_ = reading_.messages_.back().delimiters();
    ++messages_in_batch_;
  }

  void envelope_line(std::size_t i) {
    reading_.envelope_.push_back(
        MessageReader(text_, std::span(lines_).subspan(i, 1), whole_input_set_, delimiters_).read());
    const Message& line = reading_.envelope_.back();
    delimiters_ = line.delimiters();
    const std::string_view name = line.segment(0).name();
    if (name == "BHS") messages_in_batch_ = 0;
    if (name == "BTS") {
      check_count(line, messages_in_batch_, i);
      messages_in_batch_ = 0;
      ++batches_;
    }
    if (name == "FTS") {
      check_count(line, batches_, i);
      batches_ = 0;
    }
  }

  void check_count(const Message& trailer, std::size_t counted, std::size_t i) {
    const std::string_view declared = trailer.segment(0).field(1).raw();
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(declared.data(), declared.data() + declared.size(), number);
    if (declared.empty() || error != std::errc{} || end != declared.data() + declared.size()) return;
    if (number != counted) reading_.diagnostics_.add(diagnostics::kBatchCount, kNoSegment, lines_[i].offset);
  }

  void outside(std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      reading_.outside_.push_back({lines_[i].offset, lines_[i].of(text_), lines_[i].at_line_end});
      reading_.diagnostics_.add(diagnostics::kTextOutside, kNoSegment, lines_[i].offset);
    }
  }

  Reading& reading_;
  std::string_view text_;
  std::vector<Line> lines_;
  const CharacterSet* whole_input_set_ = nullptr;
  Delimiters delimiters_;  // of the last header; a line without a header uses them
  std::size_t messages_in_batch_ = 0;
  std::size_t batches_ = 0;
};

Reading read(std::string bytes) {
  Reading reading;
  auto kept = std::make_unique<const std::string>(std::move(bytes));
  InputReader(reading).read(*kept);
  reading.input_ = std::move(kept);
  return reading;
}

Reading read_in_place(std::string_view bytes) {
  Reading reading;
  InputReader(reading).read(bytes);
  return reading;
}

namespace {

constexpr std::string_view kStandardSegments =
    "ABS ACC ADD ADJ AFF AIG AIL AIP AIS AL1 APR ARQ ARV AUT BHS BLC BLG BPO BPX BTS BTX BUI CDM CDO CER CM0 CM1 CM2 "
    "CNS CON CSP "
    "CSR CSS CTD CTI CTR DB1 DEV DG1 DMI DON DPS DRG DSC DSP DST ECD ECR EDU EQL EQP EQU ERQ ERR EVN FAC FHS FT1 FTS "
    "GOL GP1 GP2 "
    "GT1 IAM IAR IIM ILT IN1 IN2 IN3 INV IPC IPR ISD ITM IVC IVT LAN LCC LCH LDP LOC LRL MCP MFA MFE MFI MRG MSA MSH "
    "NCK NDS NK1 "
    "NPU NSC NST NTE OBR OBX ODS ODT OH1 OH2 OH3 OH4 OM1 OM2 OM3 OM4 OM5 OM6 OM7 OMC ORC ORG OVR PAC PCE PCR PD1 PDA "
    "PDC PEO PES "
    "PID PKG PM1 PMT PR1 PRA PRB PRC PRD PRT PSG PSH PSL PSS PTH PV1 PV2 PYE QAK QID QPD QRD QRF QRI RCP RDF RDT REL "
    "RF1 RFI RGS "
    "RMI RO1 ROL RQ1 RQD RX1 RXA RXC RXD RXE RXG RXO RXR RXV SAC SCD SCH SCP SDD SFT SGH SGT SHP SID SLT SPM STF STZ "
    "TCC TCD TQ1 "
    "TQ2 TXA UAC UB1 UB2 URD URS VAR VND VTQ ";

// A capital or digit as a number below 36; 36 for anything else.
constexpr std::size_t digit36(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<std::size_t>(c - 'A');
  return c >= '0' && c <= '9' ? static_cast<std::size_t>(c - '0') + 26 : 36;
}

constexpr std::size_t name_number(std::string_view name) {
  return (digit36(name[0]) * 37 + digit36(name[1])) * 37 + digit36(name[2]);
}

const std::bitset<37 * 37 * 37> kStandardNumbers = [] {
  std::bitset<37 * 37 * 37> numbers;
  for (std::size_t at = 0; at < kStandardSegments.size(); at += 4)
    numbers.set(name_number(kStandardSegments.substr(at, 3)));
  return numbers;
}();

}  // namespace

bool is_standard_segment(std::string_view name) {
  return name.size() == 3 && kStandardNumbers.test(name_number(name));
}

}  // namespace resultsync::hl7
