#include "results/read_value.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "results/people.hpp"

namespace resultsync::results {
namespace {

constexpr std::size_t kRepetitionsMax = 1000;
constexpr std::size_t kPushedMax = 200;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return result;
}

std::string upper_trimmed(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c != ' ') result += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  }
  return result;
}

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// Repetition separators in a text that stand for themselves, not for a new line or a new value.
bool is_literal_tilde(std::string_view raw, std::size_t at) {
  return at == 0 || is_space(raw[at - 1]) || raw[at - 1] == '(';
}

std::vector<std::string_view> text_repetitions(std::string_view raw, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < raw.size() && separator != '\0'; ++at) {
    if (raw[at] != separator || (separator == '~' && is_literal_tilde(raw, at)) || parts.size() + 1 == kRepetitionsMax)
      continue;
    parts.push_back(raw.substr(begin, at - begin));
    begin = at + 1;
  }
  parts.push_back(raw.substr(begin));
  return parts;
}

bool is_status(const hl7::Field& field) {
  const std::string text = field.text();
  const StatusRow& row = observation_status(text);
  return row.code != "" && row.code != "?" && text.size() == 1;
}

bool is_time_or_empty(const hl7::Field& field) {
  return !field.valued() || read_moment(field.component(1).text()).valid();
}

// ---- files

std::string known_media_type(std::string_view type, std::string_view subtype) {
  struct Name {
    std::string_view subtype, media_type;
  };
  static constexpr Name kNames[] = {{"pdf", "application/pdf"},
                                    {"rtf", "application/rtf"},
                                    {"jpeg", "image/jpeg"},
                                    {"jpg", "image/jpeg"},
                                    {"png", "image/png"},
                                    {"gif", "image/gif"},
                                    {"tiff", "image/tiff"},
                                    {"tif", "image/tiff"},
                                    {"bmp", "image/bmp"},
                                    {"html", "text/html"},
                                    {"htm", "text/html"},
                                    {"xml", "application/xml"},
                                    {"dicom", "application/dicom"},
                                    {"csv", "text/csv"},
                                    {"postscript", "application/postscript"},
                                    {"msword", "application/msword"},
                                    {"plain", "text/plain"},
                                    {"txt", "text/plain"}};
  for (const std::string_view word : {subtype, type}) {
    const std::string name = lower(word.substr(std::min(word.rfind('/') + 1, word.size())));
    for (const Name& known : kNames) {
      if (known.subtype == name) return std::string(known.media_type);
    }
  }
  return "";
}

std::string media_type_of_bytes(std::string_view bytes) {
  struct Signature {
    std::string_view begins, media_type;
  };
  static constexpr Signature kSignatures[] = {{"%PDF-", "application/pdf"},
                                              {"{\\rtf", "application/rtf"},
                                              {"\x89PNG", "image/png"},
                                              {"\xff\xd8\xff", "image/jpeg"},
                                              {"GIF8", "image/gif"},
                                              {"II*", "image/tiff"},
                                              {std::string_view("MM\0*", 4), "image/tiff"},
                                              {"<?xml", "application/xml"}};
  for (const Signature& signature : kSignatures) {
    if (bytes.starts_with(signature.begins)) return std::string(signature.media_type);
  }
  return "application/octet-stream";
}

// Labs wrap base64 into lines, and leave its padding off.
std::optional<std::string> lenient_base64(std::string_view text) {
  std::string plain;
  plain.reserve(text.size() + 3);
  std::ranges::copy_if(text, std::back_inserter(plain), [](char c) { return !is_space(c); });
  while (plain.size() % 4 != 0 && plain.size() % 4 != 1 && !plain.empty()) plain += '=';
  return decode_base64(plain);
}

class ValueReader {
 public:
  ValueReader(const ObxFields& obx, const hl7::Message& message, Observation& observation,
              std::vector<Document>& documents)
      : obx_(obx), message_(message), observation_(observation), documents_(documents) {}

  void read() {
    const hl7::Field field = obx_.field(5);
    if (obx_.pushed()) problem("separator_not_escaped", 5);
    if (field.null()) {
      observation_.value_deleted = true;
      return;
    }
    type_ = upper_trimmed(observation_.value_type);
    if (!field.valued() || holds_delimiters_alone(field)) return;
    if (holds_a_file(field)) {
      if (type_ != "ED") problem("value_type_differs", 2);
      return file(field.repetition(1));
    }
    if (is_text_type(type_)) return texts();
    if (type_.empty()) problem("value_type_missing", 2);
    std::size_t count = 0;
    for (const hl7::Repetition repetition : field.repetitions()) {
      if (!repetition.valued()) continue;
      if (++count > kRepetitionsMax) {
        problem("too_many_repetitions", 5);
        return;
      }
      one(repetition);
    }
  }

 private:
  void one(const hl7::Repetition& repetition) {
    if (type_ == "NM") return number(repetition);
    if (type_ == "SN") return structured(repetition);
    if (type_ == "NR") return range(repetition);
    if (type_ == "CE" || type_ == "CWE" || type_ == "CNE" || type_ == "CF" || type_ == "IS" || type_ == "ID")
      return coded(repetition);
    if (type_ == "DT" || type_ == "TS" || type_ == "DTM") return moment(repetition);
    if (type_ == "TM") return time(repetition);
    if (type_ == "DR") return period(repetition);
    if (type_ == "ED") return file(repetition);
    if (type_ == "RP") return pointer(repetition);
    if (type_ == "CX") return put(read_cx(repetition), repetition.component(1).text());
    if (type_ == "EI") return put(read_ei(repetition), repetition.component(1).text());
    if (type_ == "NA" || type_ == "MA") return samples(repetition);
    if (type_ == "VR") return value_range(repetition);
    if (!type_.empty()) problem("value_type_as_text", 2);
    text(repetition.text());
  }

  template <class T>
  void put(T is, std::string shown) {
    observation_.values.push_back(Value{std::move(is), std::move(shown)});
  }

  void text(std::string plain) {
    std::string shown = plain;
    put(Text{std::move(plain)}, std::move(shown));
  }

  void not_as_said(const hl7::Repetition& repetition, std::string_view code) {
    problem(code, 5);
    text(repetition.text());
  }

  // ST may repeat; the repetitions of TX and FT are lines of one text.
  void texts() {
    const std::string_view raw = obx_.raw_value();
    if (is_long_text_type(type_)) return text(read_text_lines(obx_.segment(), raw, message_.delimiters()));
    for (const std::string_view part : text_repetitions(raw, message_.delimiters().repetition)) {
      if (!part.empty() && part != "\"\"") text(obx_.segment().decode(part));
    }
  }

  void number(const hl7::Repetition& repetition) {
    // "10^3" and the like are no plain number: every further component must be empty.
    const hl7::Component first = repetition.component(1);
    const bool alone = repetition.raw().find_first_not_of(message_.delimiters().component, first.raw().size()) ==
                       std::string_view::npos;
    std::string decoded;
    std::string_view rest = first.text(decoded);
    const Comparator comparator = take_comparator(rest);
    std::optional<Decimal> decimal = alone ? read_decimal(rest) : std::nullopt;
    if (!decimal || comparator == Comparator::not_equal) {
      return not_as_said(repetition, rest.find(',') != std::string_view::npos ? "number_ambiguous" : "not_a_number");
    }
    if (comparator != Comparator::none) problem("comparator_in_number", 5);
    if (rest != decimal->text) problem("number_rewritten", 5);
    std::string shown(comparator_sign(comparator));
    shown += decimal->text;
    put(Quantity{comparator, std::move(*decimal)}, std::move(shown));
  }

  // comparator ^ number ^ separator or suffix ^ number (HL7 v2.5.1 §2.A.70)
  void structured(const hl7::Repetition& repetition) {
    std::string sign = repetition.component(1).text();
    const std::string first = repetition.component(2).text();
    const std::string separator = upper_trimmed(repetition.component(3).text());
    const std::string second = repetition.component(4).text();
    if (first.empty() && separator.empty() && second.empty()) return number(repetition);  // "<5" or "182", all in SN.1
    std::string_view rest = sign;
    const Comparator comparator = take_comparator(rest);
    std::optional<Decimal> one = read_decimal(first);
    std::optional<Decimal> other = read_decimal(second);
    const std::string shown = std::string(comparator_sign(comparator)) + (one ? one->text : first) + separator +
                              (other ? other->text : second);
    if (comparator == Comparator::none && rest == "=") rest = {};
    if (!rest.empty() || !one || (!second.empty() && !other)) {
      problem("not_a_structured_number", 5);
      return text(!rest.empty() ? sign + shown : shown);
    }
    if (comparator == Comparator::not_equal || separator == "+") return text(shown);
    if (separator.empty() && !other) return put(Quantity{comparator, std::move(*one)}, shown);
    if ((separator == ":" || separator == "/") && other)
      return put(Ratio{comparator, std::move(*one), std::move(*other), separator[0]}, shown);
    if (separator == "-" && other && comparator == Comparator::none)
      return put(QuantityRange{std::move(one), std::move(other)}, shown);
    if (separator != "-") problem("not_a_structured_number", 5);
    text(shown);
  }

  void range(const hl7::Repetition& repetition) {
    const std::string low = repetition.component(1).text();
    const std::string high = repetition.component(2).text();
    QuantityRange result{read_decimal(low), read_decimal(high)};
    const bool good = (low.empty() || result.low) && (high.empty() || result.high) && (result.low || result.high);
    if (!good) return not_as_said(repetition, "not_a_range");
    put(std::move(result), low + "-" + high);
  }

  void value_range(const hl7::Repetition& repetition) {
    const std::string low = repetition.component(1).text();
    const std::string high = repetition.component(2).text();
    text(high.empty() ? low : low + "-" + high);
  }

  void coded(const hl7::Repetition& repetition) {
    Codes codes = read_codes(repetition);
    if (type_ == "CF" && !codes.codings.empty()) codes.original_text = codes.codings.front().text;
    if (codes.empty()) return not_as_said(repetition, "no_code");
    std::string shown(codes.display());
    put(std::move(codes), std::move(shown));
  }

  void moment(const hl7::Repetition& repetition) {
    Moment result = read_moment(repetition.component(1).text());
    if (!result.valid()) return not_as_said(repetition, "not_a_time");
    std::string shown = result.iso();
    put(std::move(result), std::move(shown));
  }

  void time(const hl7::Repetition& repetition) {
    TimeOfDay result = read_time_of_day(repetition.component(1).text());
    if (!result.valid) return not_as_said(repetition, "not_a_time");
    std::string shown = result.iso();
    if (result.offset_minutes) shown += zone_text(*result.offset_minutes);
    put(std::move(result), std::move(shown));
  }

  void period(const hl7::Repetition& repetition) {
    Period result{read_moment(repetition.component(1).text()), read_moment(repetition.component(2).text())};
    const bool good = (result.start.empty() || result.start.valid()) && (result.end.empty() || result.end.valid());
    if (!good) return not_as_said(repetition, "not_a_time");
    std::string shown = result.start.iso() + "/" + result.end.iso();
    put(std::move(result), std::move(shown));
  }

  void samples(const hl7::Repetition& repetition) {
    // Each repetition of an MA is a sample of all channels, each of an NA one channel of several samples (HL7 v2.5.1
    // §7.14.1).
    std::vector<std::optional<Decimal>> numbers;
    for (const hl7::Component component : repetition.components()) {
      numbers.push_back(read_decimal(component.text()));
      if (!numbers.back() && component.valued()) problem("not_a_number", 5);
    }
    std::string shown = repetition.text();
    put(Samples{{std::move(numbers)}}, std::move(shown));
  }

  // "^^^": no component has a value. In a text they would be characters.
  [[nodiscard]] bool holds_delimiters_alone(const hl7::Field& field) const {
    const hl7::Delimiters& d = message_.delimiters();
    return !is_text_type(type_) && !type_.empty() && std::ranges::all_of(field.raw(), [&](char c) {
      return c == d.component || c == d.repetition || c == d.subcomponent;
    });
  }

  // Some labs send a file under another type than ED: what says Base64 is one.
  [[nodiscard]] bool holds_a_file(const hl7::Field& field) const {
    if (type_ == "ED" || type_ == "RP") return false;
    const hl7::Repetition first = field.repetition(1);
    return lower(first.component(4).raw()) == "base64" && first.component(5).valued();
  }

  // application ^ type ^ subtype ^ encoding ^ data
  void file(const hl7::Repetition& repetition) {
    Attachment attachment;
    attachment.application = repetition.component(1).text();
    attachment.encoding = repetition.component(4).text();
    attachment.media_type = known_media_type(repetition.component(2).text(), repetition.component(3).text());
    const std::string data = repetition.component(5).text();
    if (data.empty()) return not_as_said(repetition, "file_empty");
    std::optional<std::string> bytes = decoded(data, lower(attachment.encoding));
    if (bytes) keep(std::move(*bytes), attachment);
    if (attachment.media_type.empty()) attachment.media_type = "application/octet-stream";
    std::string shown = attachment.media_type;
    put(std::move(attachment), std::move(shown));
  }

  std::optional<std::string> decoded(const std::string& data, const std::string& encoding) {
    if (encoding == "hex") {
      std::optional<std::string> bytes = decode_hex(data);
      if (!bytes) problem("hex_broken", 5);
      return bytes;
    }
    if (encoding == "a" || encoding == "ascii" || encoding == "none") return data;
    std::optional<std::string> bytes = lenient_base64(data);
    if (encoding != "base64") problem("encoding_missing", 5);
    if (!bytes && encoding.empty()) return data;
    if (!bytes) problem("base64_broken", 5);
    return bytes;
  }

  void keep(std::string bytes, Attachment& attachment) {
    if (attachment.media_type.empty()) attachment.media_type = media_type_of_bytes(bytes);
    Document document(obx_.segment().index(), attachment.media_type, std::move(bytes));
    attachment.document = document.digest();
    attachment.size = document.size();
    const bool known =
        std::ranges::any_of(documents_, [&](const Document& other) { return other.digest() == document.digest(); });
    if (!known) documents_.push_back(std::move(document));
  }

  // pointer ^ application ^ type ^ subtype
  void pointer(const hl7::Repetition& repetition) {
    Attachment attachment;
    attachment.location = repetition.component(1).text();
    attachment.application = repetition.component(2).text();
    attachment.media_type = known_media_type(repetition.component(3).text(), repetition.component(4).text());
    if (attachment.location.empty()) return not_as_said(repetition, "pointer_empty");
    if (attachment.media_type.empty()) attachment.media_type = "application/octet-stream";
    std::string shown = attachment.location;
    put(std::move(attachment), std::move(shown));
  }

  void problem(std::string_view code, std::uint32_t field) {
    const Problem found{code, obx_.segment().index(), field};
    if (std::ranges::find(observation_.problems, found) == observation_.problems.end())
      observation_.problems.push_back(found);
  }

  const ObxFields& obx_;
  const hl7::Message& message_;
  Observation& observation_;
  std::vector<Document>& documents_;
  std::string type_;
};

}  // namespace

ObxFields::ObxFields(hl7::Segment segment) : segment_(segment) {
  const std::uint32_t count = segment.field_count();
  if (count > 11 && is_text_type(upper_trimmed(segment.text(2))) && !is_status(segment.field(11).first_line()) &&
      segment.field(6).valued()) {
    for (std::uint32_t pushed = 1; pushed <= kPushedMax && 11 + pushed <= count && pushed_ == 0; ++pushed) {
      if (is_status(segment.field(11 + pushed)) && is_time_or_empty(segment.field(14 + pushed))) pushed_ = pushed;
    }
  }
  find_text_after();
}

void ObxFields::find_text_after() {
  const std::string_view tail = segment_.raw_from(6 + pushed_);
  if (tail.find('\n') == std::string_view::npos && tail.find('\r') == std::string_view::npos) return;
  std::uint32_t number = 6 + pushed_;
  while (segment_.field(number).raw().find_first_of("\r\n") == std::string_view::npos) ++number;
  broken_ = number;
  text_after_ = segment_.raw_from(number).substr(segment_.field(number).first_line().raw().size());
  text_after_.remove_prefix(text_after_.starts_with("\r\n") ? 2 : 1);
}

std::string_view ObxFields::raw_value() const {
  if (pushed_ == 0) return segment_.field(5).raw();
  const std::string_view from = segment_.raw_from(5);
  const std::size_t end = segment_.field(6 + pushed_).position() - segment_.field(5).position() - 1;
  return from.substr(0, end);
}

bool is_text_type(std::string_view type) {
  return type == "ST" || is_long_text_type(type);
}

bool is_long_text_type(std::string_view type) {
  return type == "TX" || type == "FT";
}

void read_value(const ObxFields& obx, const hl7::Message& message, Observation& observation,
                std::vector<Document>& documents) {
  ValueReader(obx, message, observation, documents).read();
}

std::string read_text_lines(const hl7::Segment& segment, std::string_view raw, const hl7::Delimiters& delimiters) {
  std::string result;
  bool first = true;
  for (const std::string_view part : text_repetitions(raw, delimiters.repetition)) {
    if (!first) result += '\n';
    first = false;
    result += segment.decode(part);
  }
  return result;
}

}  // namespace resultsync::results
