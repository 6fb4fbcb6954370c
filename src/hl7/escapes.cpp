#include "hl7/escapes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/encoding.hpp"

namespace resultsync::hl7 {
namespace {

constexpr std::size_t kLinesMax = 50;    // of one \.sp<n>\;
constexpr std::size_t kSpacesMax = 200;  // of one \.in<n>\: a text must not grow by a number that stands in it
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_alphanumeric(char c) {
  return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// ISO 2022: the bytes named by \C..\ and \M..\ follow an ESC.
struct Shift {
  std::string_view digits;
  std::string_view sequence;  // empty: designates G1, whose bytes MSH-18 has already explained
  const char* converter;
};
constexpr Shift kShifts[] = {
    {"2842", "\x1b(B", "ISO-2022-JP-2"},
    {"284A", "\x1b(J", "ISO-2022-JP-2"},
    {"2949", "", nullptr},
    {"2442", "\x1b$B", "ISO-2022-JP-2"},
    {"2440", "\x1b$@", "ISO-2022-JP-2"},
    {"242844", "\x1b$(D", "ISO-2022-JP-2"},
    {"242843", "\x1b$(C", "ISO-2022-JP-2"},
    {"242841", "\x1b$A", "ISO-2022-JP-2"},
    {"242943", "", nullptr},
    {"242941", "", nullptr},
    {"2D41", "", nullptr},
    {"2D42", "", nullptr},
    {"2D43", "", nullptr},
    {"2D44", "", nullptr},
    {"2D46", "", nullptr},
    {"2D47", "", nullptr},
    {"2D48", "", nullptr},
    {"2D4C", "", nullptr},
    {"2D4D", "", nullptr},
    {"2D62", "", nullptr},
};

// One pass over a raw text. Literal text and decoded bytes go to `out_`, faults to `faults_`.
class Decoder {
 public:
  Decoder(std::string_view raw, const Delimiters& delimiters, const CharacterSet& set, std::string& out,
          std::vector<EscapeFault>* faults, std::size_t limit)
      : raw_(raw), d_(delimiters), set_(set), out_(out), faults_(faults), limit_(limit) {}

  void run() {
    std::size_t at = 0;
    while (at < raw_.size()) {
      const std::size_t escape = d_.escape == '\0' ? std::string_view::npos : raw_.find(d_.escape, at);
      literal(raw_.substr(at, escape == std::string_view::npos ? escape : escape - at));
      if (escape == std::string_view::npos) break;
      at = sequence(escape);
    }
    flush_hex();
    flush_shift();
  }

 private:
  // Reads what begins with the escape character at `start`; returns where to go on.
  std::size_t sequence(std::size_t start) {
    const std::size_t width = d_.escape_doubled && start + 1 < raw_.size() && raw_[start + 1] == d_.escape ? 2 : 1;
    const std::size_t begin = start + width;
    const std::size_t end = raw_.find(d_.escape, begin);
    if (end == std::string_view::npos) return lone(start, width);
    const std::size_t next = end + (width == 2 && end + 1 < raw_.size() && raw_[end + 1] == d_.escape ? 2 : 1);
    const std::string_view content = raw_.substr(begin, end - begin);

    if (hex(content, start)) return next;
    flush_hex();
    if (delimiter(content) || formatting(content) || character_shift(content, start)) return next;
    if (!looks_like_a_sequence(content)) return lone(start, width);
    fault(content.front() == 'Z' ? diagnostics::kEscapeLocal : diagnostics::kEscapeUnknown, start);
    literal(raw_.substr(start, next - start));
    return next;
  }

  std::size_t lone(std::size_t start, std::size_t width) {
    fault(diagnostics::kEscapeUnfinished, start);
    literal(raw_.substr(start, 1));
    return start + width;
  }

  bool delimiter(std::string_view content) {
    if (content.size() != 1) return false;
    char c = '\0';
    switch (content[0]) {
      case 'F':
        c = d_.field;
        break;
      case 'S':
        c = d_.component;
        break;
      case 'T':
        c = d_.subcomponent == '\0' ? '&' : d_.subcomponent;
        break;
      case 'R':
        c = d_.repetition == '\0' ? '~' : d_.repetition;
        break;
      case 'E':
        c = d_.escape;
        break;
      case 'P':
        c = d_.truncation == '\0' ? '#' : d_.truncation;
        break;
      case 'H':
      case 'N':
        return true;
      default:
        return false;
    }
    if (c == '\0') c = '^';
    emit(std::string_view(&c, 1));
    return true;
  }

  bool formatting(std::string_view content) {
    if (content.size() < 3 || content[0] != '.') return false;
    const std::string_view command = content.substr(0, 3);
    const std::optional<long> number = number_after(content.substr(3));
    if (!number) return false;
    const auto times = [&](std::size_t limit) {
      return std::min(static_cast<std::size_t>(std::max(*number, 0L)), limit);
    };
    if (command == ".br" || command == ".ce") {
      emit("\n");
    } else if (command == ".sp") {
      emit(std::string(std::max<std::size_t>(times(kLinesMax), 1), '\n'));
    } else if (command == ".in" || command == ".ti" || command == ".sk") {
      emit(std::string(times(kSpacesMax), ' '));
    } else if (command != ".fi" && command != ".nf") {
      return false;
    }
    return true;
  }

  // The number of `.sp3`, `.in+4`, `.ti-2`; 0 where there is none.
  static std::optional<long> number_after(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    if (text.empty()) return 0;
    if (text.front() == '+') text.remove_prefix(1);
    long number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc::result_out_of_range) return text.front() == '-' ? 0L : static_cast<long>(kSpacesMax);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
  }

  bool hex(std::string_view content, std::size_t start) {
    if (content.size() < 2 || content[0] != 'X') return false;
    const std::string_view digits = content.substr(1);
    if (!std::ranges::all_of(digits, is_hex)) return false;
    std::string even(digits.size() % 2, '0');
    if (!even.empty()) fault(diagnostics::kEscapeBadHex, start);
    even += digits;
    if (hex_.empty()) hex_start_ = start;
    hex_ += *decode_hex(even);
    return true;
  }

  // `\X000D\` and `\X00E0\` name 16-bit characters in sets of one byte each: their zero bytes mean nothing.
  static bool is_padded(std::string_view bytes) {
    if (bytes.size() < 2 || bytes.size() % 2 != 0) return false;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
      if (bytes[i] != '\0' || bytes[i + 1] == '\0') return false;
    }
    return true;
  }

  void flush_hex() {
    if (hex_.empty()) return;
    std::string bytes;
    bytes.swap(hex_);
    const CharacterSet* set = &set_;
    const bool wide = set->kind == CharacterSet::Kind::utf16 || set->kind == CharacterSet::Kind::utf32;
    if (!wide && is_padded(bytes)) {
      std::string narrow;
      for (std::size_t i = 1; i < bytes.size(); i += 2) narrow += bytes[i];
      bytes = std::move(narrow);
    }
    // Hex digits name a character with its most significant byte first, whatever the byte order of the message was.
    if (wide) set = bytes.size() % 2 == 0 ? &utf16() : &ascii();
    if (set->kind == CharacterSet::Kind::shifting && bytes.find('\x1b') == std::string::npos && !is_ascii(bytes)) {
      set = find_character_set("SHIFT_JIS");
    }
    const bool unicode = set->kind == CharacterSet::Kind::ascii || set->kind == CharacterSet::Kind::utf8;
    if (unicode && !is_valid_utf8(bytes)) {
      fault(diagnostics::kEscapeBroken, hex_start_);
      set = &windows_1252();
    }
    std::string text;
    if (!append_utf8(*set, bytes, text)) fault(diagnostics::kEscapeBroken, hex_start_);
    decoded(text);
  }

  bool character_shift(std::string_view content, std::size_t start) {
    const bool single = content.size() == 5 && content[0] == 'C';
    const bool multi = (content.size() == 5 || content.size() == 7) && content[0] == 'M';
    if (!single && !multi) return false;
    std::string digits(content.substr(1));
    for (char& c : digits) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 'a' + 'A') : c;
    const auto shift = std::ranges::find(kShifts, digits, &Shift::digits);
    if (shift == std::end(kShifts)) return false;
    flush_shift();
    if (shift->sequence.empty()) {
      fault(diagnostics::kEscapeShift, start);
    } else if (digits != "2842") {
      shift_ = shift;
      shift_start_ = start;
    }
    return true;
  }

  void flush_shift() {
    if (shift_ == nullptr) return;
    const Shift* shift = shift_;
    shift_ = nullptr;
    std::string bytes;
    bytes.swap(shifted_);
    std::string text;
    const CharacterSet set{"", shift->converter, CharacterSet::Kind::shifting};
    if (is_ascii(bytes) && append_utf8(set, std::string(shift->sequence) + bytes, text)) {
      decoded(text);
    } else {
      fault(diagnostics::kEscapeBroken, shift_start_);
      emit(bytes);
    }
  }

  // `\Q\`, `\Z12\`, `\.xy\` are sequences of somebody's; `\dir name\` is not.
  static bool looks_like_a_sequence(std::string_view content) {
    if (content.empty() || content.size() > 64) return false;
    if (content[0] == '.') return content.size() >= 3 && std::ranges::all_of(content.substr(1), is_alphanumeric);
    if (content[0] == 'Z') return std::ranges::all_of(content, is_alphanumeric);
    if (content.size() == 1) return is_alphanumeric(content[0]);
    return (content[0] == 'X' || content[0] == 'C' || content[0] == 'M') &&
           std::ranges::all_of(content.substr(1), is_hex);
  }

  void literal(std::string_view text) {
    if (text.empty()) return;
    flush_hex();
    if (shift_ != nullptr) {
      shifted_ += text;
      return;
    }
    decoded(text);
  }

  void emit(std::string_view text) {
    if (shift_ != nullptr) {
      // A delimiter or line break amid shifted text stands for itself.
      const Shift* shift = shift_;
      const std::size_t start = shift_start_;
      flush_shift();
      shift_ = shift;
      shift_start_ = start;
    }
    out_ += text;
  }

  // Appends with every line break as "\n" and no NUL.
  void decoded(std::string_view text) {
    std::size_t from = 0;
    while (from < text.size()) {
      const std::size_t special = text.find_first_of(std::string_view("\r\0", 2), from);
      if (special == std::string_view::npos) break;
      out_ += text.substr(from, special - from);
      if (text[special] == '\0') {
        out_ += kReplacement;
        from = special + 1;
      } else {
        out_ += '\n';
        from = special + (special + 1 < text.size() && text[special + 1] == '\n' ? 2 : 1);
      }
    }
    if (from < text.size()) out_ += text.substr(from);
  }

  void fault(const DiagnosticKind& kind, std::size_t position) {
    if (faults_ != nullptr && faults_->size() < limit_) faults_->push_back({&kind, position});
  }

  std::string_view raw_;
  const Delimiters& d_;
  const CharacterSet& set_;
  std::string& out_;
  std::vector<EscapeFault>* faults_;
  std::size_t limit_;
  std::string hex_;  // bytes of hex escapes that nothing has separated yet
  std::size_t hex_start_ = 0;
  const Shift* shift_ = nullptr;  // the ISO 2022 set in force, and the text in it so far
  std::size_t shift_start_ = 0;
  std::string shifted_;
};

}  // namespace

bool needs_decoding(std::string_view raw, const Delimiters& delimiters) {
  for (const char c : raw) {
    if (c == '\r' || c == '\0' || (c == delimiters.escape)) return true;
  }
  return false;
}

std::string decode_escapes(std::string_view raw, const Delimiters& delimiters, const CharacterSet& set) {
  std::string text;
  append_decoded(raw, delimiters, set, text);
  return text;
}

void append_decoded(std::string_view raw, const Delimiters& delimiters, const CharacterSet& set, std::string& out) {
  if (!needs_decoding(raw, delimiters)) {
    out += raw;
    return;
  }
  Decoder(raw, delimiters, set, out, nullptr, 0).run();
}

std::vector<EscapeFault> find_escape_faults(std::string_view raw, const Delimiters& delimiters, const CharacterSet& set,
                                            std::size_t limit) {
  std::vector<EscapeFault> faults;
  if (delimiters.escape == '\0' || raw.find(delimiters.escape) == std::string_view::npos) return faults;
  std::string text;
  Decoder(raw, delimiters, set, text, &faults, limit).run();
  return faults;
}

std::string encode_escapes(std::string_view text, const Delimiters& delimiters) {
  std::string out;
  out.reserve(text.size() + 16);
  const char escape = delimiters.escape;
  const auto put = [&](std::string_view name) {
    out += escape;
    out += name;
    out += escape;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (escape == '\0') {
      out += c;
    } else if (c == delimiters.field) {
      put("F");
    } else if (c == delimiters.component) {
      put("S");
    } else if (c == delimiters.subcomponent && c != '\0') {
      put("T");
    } else if (c == delimiters.repetition && c != '\0') {
      put("R");
    } else if (c == escape) {
      put("E");
    } else if (c == delimiters.truncation && c != '\0') {
      put("P");
    } else if (c == '\r' || c == '\n') {
      if (c == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
      put(".br");
    } else if (static_cast<unsigned char>(c) < 0x20 && c != '\t') {
      put("X" + encode_hex(std::string_view(&c, 1)));
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace resultsync::hl7
