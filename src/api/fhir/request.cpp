#include "api/fhir/request.hpp"

#include <algorithm>
#include <charconv>

#include "http/target.hpp"
#include "results/moment.hpp"

namespace resultsync::api::fhir_face {
namespace {

using enum Kind;
using fhir::Type;

constexpr Definition kReport[] = {{"patient", reference},
                                  {"subject", reference},
                                  {"based-on", reference},
                                  {"result", reference},
                                  {"specimen", reference},
                                  {"performer", reference},
                                  {"results-interpreter", reference},
                                  {"code", token},
                                  {"category", token},
                                  {"identifier", token},
                                  {"status", token},
                                  {"date", date},
                                  {"issued", date}};
constexpr Definition kObservation[] = {{"patient", reference},      {"subject", reference},   {"based-on", reference},
                                       {"specimen", reference},     {"performer", reference}, {"has-member", reference},
                                       {"derived-from", reference}, {"code", token},          {"category", token},
                                       {"identifier", token},       {"status", token},        {"date", date}};
constexpr Definition kRequest[] = {{"patient", reference},   {"subject", reference},  {"based-on", reference},
                                   {"requester", reference}, {"specimen", reference}, {"code", token},
                                   {"category", token},      {"identifier", token},   {"status", token},
                                   {"authored", date}};
constexpr Definition kSpecimen[] = {{"patient", reference}, {"subject", reference}, {"type", token},
                                    {"identifier", token},  {"status", token},      {"collected", date}};
constexpr Definition kPatient[] = {{"identifier", token},   {"name", string, true},  {"family", string, true},
                                   {"given", string, true}, {"gender", token, true}, {"birthdate", date, true}};
constexpr Definition kPractitioner[] = {{"identifier", token}, {"name", string}};
constexpr Definition kRole[] = {{"practitioner", reference}, {"organization", reference}, {"identifier", token}};
constexpr Definition kOrganization[] = {{"identifier", token}, {"name", string}};
constexpr Definition kDocument[] = {{"patient", reference}, {"subject", reference}, {"related", reference},
                                    {"type", token},        {"identifier", token},  {"status", token},
                                    {"date", date}};
constexpr Definition kProvenance[] = {{"target", reference}, {"agent", reference}};

// Of a person, and so not for a URL, whatever the type that is searched.
constexpr std::string_view kPersonalNames[] = {"name",  "family",  "given",   "birthdate", "gender",    "phone",
                                               "email", "telecom", "address", "phonetic",  "death-date"};

// `patient.name`, `subject:Patient.birthdate`: personal too.
bool is_personal(Type type, std::string_view name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view last = dot == std::string_view::npos ? name : name.substr(dot + 1);
  const std::string_view bare = last.substr(0, last.find(':'));
  if (std::ranges::find(kPersonalNames, bare) == std::end(kPersonalNames)) return false;
  return type == Type::patient || dot != std::string_view::npos;
}

// Split at `separator` unless it is escaped; escapes stay.
std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      parts.back() += text[i];
      parts.back() += text[++i];
    } else if (text[i] == separator) {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  return parts;
}

// FHIR R4 §3.1.1.4.0.7: \, \| \$ \\ stand for themselves.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    plain += text[i];
  }
  return plain;
}

std::optional<TokenValue> read_token(std::string_view text) {
  const auto parts = split(text, '|');
  if (parts.size() == 1) {
    if (parts[0].empty()) return std::nullopt;
    return TokenValue{std::nullopt, unescaped(parts[0])};
  }
  if (parts.size() != 2 || (parts[0].empty() && parts[1].empty())) return std::nullopt;
  return TokenValue{unescaped(parts[0]), unescaped(parts[1])};
}

bool is_id(std::string_view text) {
  constexpr std::size_t kIdBytesMax = 64;
  return !text.empty() && text.size() <= kIdBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

std::optional<ReferenceValue> read_reference(std::string_view text, std::string_view base,
                                             std::optional<Type> named_type) {
  if (text.starts_with(base) && text.substr(base.size()).starts_with('/')) text.remove_prefix(base.size() + 1);
  ReferenceValue value{named_type, {}};
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto type = fhir::find_type(text.substr(0, slash));
    // Another server's, or a type that is not here: it may be asked for, and nothing refers to it.
    if (!type) return ReferenceValue{named_type, "?"};
    if (named_type && *named_type != *type) return std::nullopt;
    value.type = type;
    text.remove_prefix(slash + 1);
  }
  if (!is_id(text))
    return slash == std::string_view::npos ? std::nullopt : std::optional(ReferenceValue{value.type, "?"});
  value.id = std::string(text);
  return value;
}

bool take_digits(std::string_view& text, std::size_t count, std::string& into) {
  if (text.size() < count) return false;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  into += text.substr(0, count);
  text.remove_prefix(count);
  return true;
}

// YYYY[-MM[-DD[Thh:mm[:ss[.fff]][zone]]]] as HL7 writes it, whose reader knows how exact each is.
std::optional<fhir::Span> read_span(std::string_view text) {
  using results::Precision;
  std::string hl7;
  if (!take_digits(text, 4, hl7)) return std::nullopt;
  for (const char mark : {'-', '-', 'T', ':', ':'}) {
    if (text.empty()) break;
    if (text.front() != mark) {
      if (mark == ':' && hl7.size() == 12) break;  // a zone after the minutes
      return std::nullopt;
    }
    text.remove_prefix(1);
    if (!take_digits(text, 2, hl7)) return std::nullopt;
  }
  if (hl7.size() == 10) return std::nullopt;  // an hour alone is no time of FHIR
  if (hl7.size() == 14 && text.starts_with('.')) {
    hl7 += '.';
    text.remove_prefix(1);
    std::size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9' && digits < 9) {
      hl7 += text.front();
      text.remove_prefix(1);
      ++digits;
    }
    if (digits == 0) return std::nullopt;
  }
  if (hl7.size() > 8) {
    if (text == "Z" || text.empty()) {
      hl7 += "+0000";
    } else {
      // A plus that was not percent-encoded has become a space.
      hl7 += text.front() == '-' ? '-' : '+';
      if (text.front() != '-' && text.front() != '+' && text.front() != ' ') return std::nullopt;
      text.remove_prefix(1);
      if (!take_digits(text, 2, hl7) || !text.starts_with(':')) return std::nullopt;
      text.remove_prefix(1);
      if (!take_digits(text, 2, hl7) || !text.empty()) return std::nullopt;
    }
  } else if (!text.empty()) {
    return std::nullopt;
  }
  const results::Moment moment = results::read_moment(hl7);
  const auto from = moment.instant(0);
  if (!moment.valid() || !from) return std::nullopt;
  const auto day = [](int year, int month, int day_of_month) {
    results::Moment first;
    first.precision = Precision::day;
    first.year = year;
    first.month = month;
    first.day = day_of_month;
    return *first.instant(0);
  };
  switch (moment.precision) {
    case Precision::year:
      return fhir::Span{*from, day(moment.year + 1, 1, 1)};
    case Precision::month:
      return fhir::Span{*from, moment.month == 12 ? day(moment.year + 1, 1, 1) : day(moment.year, moment.month + 1, 1)};
    case Precision::day:
      return fhir::Span{*from, {from->microseconds + 86'400'000'000}};
    case Precision::minute:
      return fhir::Span{*from, {from->microseconds + 60'000'000}};
    case Precision::second:
      return fhir::Span{*from, {from->microseconds + 1'000'000}};
    case Precision::fraction:
      return fhir::Span{*from, {from->microseconds + (moment.fraction.size() <= 3 ? 1000 : 1)}};
    default:
      return std::nullopt;
  }
}

std::optional<DateValue> read_date(std::string_view text) {
  using Prefix = DateValue::Prefix;
  static constexpr std::pair<std::string_view, Prefix> kPrefixes[] = {{"eq", Prefix::eq}, {"ne", Prefix::ne},
                                                                      {"lt", Prefix::lt}, {"le", Prefix::le},
                                                                      {"gt", Prefix::gt}, {"ge", Prefix::ge}};
  DateValue value;
  for (const auto& [name, prefix] : kPrefixes) {
    if (!text.starts_with(name)) continue;
    value.prefix = prefix;
    text.remove_prefix(name.size());
    break;
  }
  const auto span = read_span(text);
  if (!span) return std::nullopt;
  value.span = *span;
  return value;
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

template <class Value>
bool keep(std::vector<Value>& values, std::optional<Value> value) {
  if (!value) return false;
  values.push_back(std::move(*value));
  return true;
}

// False if a value cannot be read.
bool read_values(Criterion& criterion, const std::string& text, std::string_view base, std::optional<Type> type) {
  const auto alternatives = split(text, ',');
  if (alternatives.size() > kAlternativesMax) return false;
  for (const std::string& one : alternatives) {
    bool good = false;
    switch (criterion.kind) {
      case token:
        good = keep(criterion.tokens, read_token(one));
        break;
      case reference:
        good = keep(criterion.references, read_reference(unescaped(one), base, type));
        break;
      case date:
        good = keep(criterion.dates, read_date(one));
        break;
      case string:
        good = !one.empty();
        criterion.strings.push_back(lower(unescaped(one)));
        break;
    }
    if (!good) return false;
  }
  return true;
}

std::optional<Include> read_include(const std::string& text) {
  const auto parts = split(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return std::nullopt;
  const auto from = fhir::find_type(parts[0]);
  if (!from || parts[1].empty()) return std::nullopt;
  Include include{*from, parts[1], std::nullopt};
  if (parts.size() == 3) {
    include.to = fhir::find_type(parts[2]);
    if (!include.to) return std::nullopt;
  }
  if (include.parameter == "patient") {
    include.parameter = "subject";
    include.to = Type::patient;
  }
  return include;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

// Reads one search after another parameter into its request.
class Reader {
 public:
  explicit Reader(const SearchInput& input) : input_(input) { request_.type = input.type; }

  std::expected<SearchRequest, Issue> read() {
    for (const Pair& pair : input_.url) {
      if (is_personal(input_.type, pair.name) || is_personal_identifier(pair)) return std::unexpected(personal());
      if (auto issue = take(pair)) return std::unexpected(std::move(*issue));
    }
    for (const Pair& pair : input_.form) {
      request_.has_personal |= is_personal(input_.type, pair.name) || is_personal_identifier(pair);
      if (auto issue = take(pair)) return std::unexpected(std::move(*issue));
    }
    return std::move(request_);
  }

 private:
  static Issue personal() {
    return {
        "error", "suppressed",
        "Searches with what is personal (names, birth dates, numbers of a person) are sent by POST _search: a URL is "
        "written down in too many places."};
  }
  static Issue invalid(const std::string& name, std::string_view what) {
    return {"error", "invalid", "The parameter " + name + " " + std::string(what)};
  }
  // A patient's identifiers other than the network's own are numbers of a person.
  [[nodiscard]] bool is_personal_identifier(const Pair& pair) const {
    return input_.type == Type::patient && pair.name == "identifier" && !pair.value.starts_with("urn:resultsync:");
  }

  std::optional<Issue> take(const Pair& pair) {
    const std::size_t colon = pair.name.find(':');
    const std::string name = pair.name.substr(0, colon);
    const std::string modifier = colon == std::string::npos ? std::string() : pair.name.substr(colon + 1);
    if (pair.value.size() > kValueBytesMax) return invalid("value", "is longer than 2,048 bytes.");
    if (auto issue = take_common(name, modifier, pair)) return issue->text.empty() ? std::nullopt : issue;
    const auto definitions = definitions_of(input_.type);
    const auto known = std::ranges::find(definitions, name, &Definition::name);
    if (known == definitions.end()) return ignore(name);
    std::optional<Type> type;
    if (!modifier.empty()) {
      if (known->kind == reference) type = fhir::find_type(modifier);
      if (!type) return Issue{"error", "not-supported", "The parameter " + name + " is known without a modifier only."};
    }
    Criterion criterion;
    criterion.name = name;
    criterion.kind = known->kind;
    if (!read_values(criterion, pair.value, input_.base, type))
      return invalid(name, "holds a value that cannot be read.");
    request_.criteria.push_back(std::move(criterion));
    understand(pair);
    return std::nullopt;
  }

  // What all types have. An issue without a text: it was taken.
  std::optional<Issue> take_common(const std::string& name, const std::string& modifier, const Pair& pair) {
    static constexpr std::string_view kNames[] = {"_id",     "_lastUpdated", "_count",       "_summary",
                                                  "_total",  "_include",     "_revinclude",  "_format",
                                                  "_pretty", "_cursor",      "_practitioner"};
    if (std::ranges::find(kNames, name) == std::end(kNames)) return std::nullopt;
    const Issue taken{"", "", ""};
    if (!modifier.empty())
      return Issue{"error", "not-supported", "The parameter " + name + " is known without a modifier only."};
    if (name == "_format" || name == "_pretty") return taken;
    if (name == "_cursor") {
      request_.cursor = parse_cursor(pair.value);
      return request_.cursor ? taken : invalid(name, "is not a cursor of this search: follow the links as they are.");
    }
    if (name == "_practitioner") {
      request_.practitioner = pair.value;
    } else if (name == "_id" || name == "_lastUpdated") {
      Criterion criterion;
      criterion.name = name;
      criterion.kind = name == "_id" ? token : date;
      if (!read_values(criterion, pair.value, input_.base, std::nullopt))
        return invalid(name, "holds a value that cannot be read.");
      request_.criteria.push_back(std::move(criterion));
    } else if (name == "_count") {
      const auto count = whole_number(pair.value);
      if (!count) return invalid(name, "must be a whole number.");
      request_.count = std::min(*count, kCountMax);
      request_.count_only |= *count == 0;
    } else if (name == "_summary") {
      if (pair.value == "count") {
        request_.count_only = true;
      } else if (pair.value != "false") {
        return ignore(name).value_or(taken);
      }
    } else if (name == "_total") {
      if (pair.value != "none" && pair.value != "estimate" && pair.value != "accurate")
        return invalid(name, "is none, estimate or accurate.");
    } else {
      auto include = read_include(pair.value);
      if (!include) return invalid(name, "must name a type and a parameter that refers to something.");
      (name == "_include" ? request_.includes : request_.reverse_includes).push_back(std::move(*include));
    }
    understand(pair);
    return taken;
  }

  void understand(const Pair& pair) {
    if (is_personal(input_.type, pair.name) || is_personal_identifier(pair)) return;
    request_.understood.emplace_back(pair.name, pair.value);
  }
  // FHIR R4 §3.1.1.2: the client says whether a parameter that is not known is an error.
  std::optional<Issue> ignore(const std::string& name) {
    if (input_.handling == Handling::strict)
      return Issue{"error", "not-supported", "A parameter is not known here, and handling is strict."};
    // The name may be a value that lost its name: only what looks like one is repeated.
    request_.ignored.push_back(
        is_id(name.starts_with('_') ? name.substr(1) : name) && name.size() <= 40 ? name : "(unreadable)");
    return std::nullopt;
  }

  const SearchInput& input_;
  SearchRequest request_;
};

}  // namespace

std::span<const Definition> definitions_of(Type type) {
  switch (type) {
    case Type::diagnostic_report:
      return kReport;
    case Type::observation:
      return kObservation;
    case Type::service_request:
      return kRequest;
    case Type::specimen:
      return kSpecimen;
    case Type::patient:
      return kPatient;
    case Type::practitioner:
      return kPractitioner;
    case Type::practitioner_role:
      return kRole;
    case Type::organization:
      return kOrganization;
    case Type::document_reference:
      return kDocument;
    case Type::provenance:
      return kProvenance;
  }
  return {};
}

std::string format(const Cursor& cursor) {
  return "s1." + std::to_string(cursor.test) + "." + std::to_string(cursor.version) + "." + std::to_string(cursor.skip);
}

std::optional<Cursor> parse_cursor(std::string_view text) {
  const auto parts = split(text, '.');
  if (parts.size() != 4 || parts[0] != "s1") return std::nullopt;
  const auto test = whole_number(parts[1]);
  const auto version = whole_number(parts[2]);
  const auto skip = whole_number(parts[3]);
  constexpr std::int64_t kMost = 1'000'000'000;
  if (!test || !version || !skip || *test == 0 || *version > kMost || *skip > kMost) return std::nullopt;
  Cursor cursor{*test, static_cast<int>(*version), static_cast<std::size_t>(*skip)};
  if (format(cursor) != text) return std::nullopt;
  return cursor;
}

std::optional<std::vector<Pair>> read_pairs(std::string_view encoded) {
  std::vector<Pair> pairs;
  while (!encoded.empty()) {
    const std::size_t end = std::min(encoded.find('&'), encoded.size());
    const std::string_view part = encoded.substr(0, end);
    encoded.remove_prefix(std::min(end + 1, encoded.size()));
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = http::decode_query_part(part.substr(0, equals));
    auto value = http::decode_query_part(part.substr(std::min(equals + 1, part.size())));
    if (!name || !value || pairs.size() == kParametersMax) return std::nullopt;
    if (value->empty()) continue;  // FHIR R4 §3.1.1.4: a parameter without a value is none
    pairs.push_back({std::move(*name), std::move(*value)});
  }
  return pairs;
}

std::expected<SearchRequest, Issue> read_search(const SearchInput& input) {
  return Reader(input).read();
}

}  // namespace resultsync::api::fhir_face
