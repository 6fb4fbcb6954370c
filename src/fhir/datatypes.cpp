#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/encoding.hpp"
#include "fhir/conversion.hpp"

namespace resultsync::fhir {
namespace {

constexpr int kOffsetMinutesMax = 14 * 60;  // FHIR R4 §2.24.0.1, dateTime

std::optional<int> offset_of(const results::Moment& moment, std::optional<int> zone) {
  const std::optional<int> offset = moment.offset_minutes ? moment.offset_minutes : zone;
  if (!offset || std::abs(*offset) > kOffsetMinutesMax) return std::nullopt;
  return offset;
}

bool has_full_time(const results::Moment& moment, std::optional<int> zone) {
  return moment.precision >= results::Precision::minute && offset_of(moment, zone).has_value();
}

void append_digits(std::string& out, int value, int digits) {
  std::array<char, 4> text{};
  for (int i = digits - 1; i >= 0; --i, value /= 10)
    text[static_cast<std::size_t>(i)] = static_cast<char>('0' + value % 10);
  out.append(text.data(), static_cast<std::size_t>(digits));
}

void append_date(std::string& out, const results::Moment& moment) {
  append_digits(out, moment.year, 4);
  if (moment.precision < results::Precision::month) return;
  out += '-';
  append_digits(out, moment.month, 2);
  if (moment.precision < results::Precision::day) return;
  out += '-';
  append_digits(out, moment.day, 2);
}

void append_time(std::string& out, const results::Moment& moment) {
  out += 'T';
  append_digits(out, moment.hour, 2);
  out += ':';
  append_digits(out, moment.minute, 2);
  out += ':';
  append_digits(out, moment.second, 2);
  if (!moment.fraction.empty()) out.append(".").append(moment.fraction);
}

// A unit of age in which the number of years is whole, or years.
struct Age {
  double number;
  std::string_view unit;
};
Age age_of(double years) {
  constexpr double kDaysAYear = 365.25;
  constexpr std::array<Age, 4> kUnits{{{1, "a"}, {12, "mo"}, {kDaysAYear / 7, "wk"}, {kDaysAYear, "d"}}};
  for (const auto& [per_year, unit] : kUnits) {
    const double number = years * per_year;
    if (std::abs(number - std::round(number)) < 1e-6 * std::max(1.0, number)) return {std::round(number), unit};
  }
  return {years, "a"};
}

std::string_view age_word(std::string_view unit) {
  if (unit == "mo") return "months";
  if (unit == "wk") return "weeks";
  return unit == "d" ? "days" : "years";
}

}  // namespace

DateTime date_time(const results::Moment& moment, std::optional<int> zone) {
  DateTime result;
  if (!moment.valid()) return result;
  append_date(result.text, moment);
  if (!moment.has_time()) return result;
  if (!has_full_time(moment, zone)) {
    result.dropped = result.text;
    append_time(result.dropped, moment);
    return result;
  }
  append_time(result.text, moment);
  const int offset = *offset_of(moment, zone);
  const int size = std::abs(offset);
  result.text += offset < 0 ? '-' : '+';
  append_digits(result.text, size / 60, 2);
  result.text += ':';
  append_digits(result.text, size % 60, 2);
  return result;
}

std::optional<Span> span_of(const results::Moment& moment, std::optional<int> zone) {
  using namespace std::chrono;
  if (!moment.valid()) return std::nullopt;
  if (has_full_time(moment, zone)) {
    const Timestamp from = *moment.instant(*offset_of(moment, zone));
    const std::int64_t size = moment.precision == results::Precision::minute   ? 60'000'000
                              : moment.precision == results::Precision::second ? 1'000'000
                                                                               : 1;
    return Span{from, {from.microseconds + size}};
  }
  const year first_year(moment.year);
  const year_month_day date = first_year / moment.month / moment.day;
  const sys_days from = date;
  sys_days to = from + days(1);
  if (moment.precision == results::Precision::year) to = sys_days((first_year + years(1)) / 1 / 1);
  if (moment.precision == results::Precision::month) {
    const year_month next = year_month(first_year, date.month()) + months(1);
    to = sys_days(next / 1);
  }
  const auto at = [](sys_days day) {
    return Timestamp::from_seconds(std::int64_t{day.time_since_epoch().count()} * 86'400);
  };
  return Span{at(from), at(to)};
}

// ---- codes

// A name that only its sender gives a meaning: two labs' "L" must not be one code system.
std::string_view Conversion::local_system(std::string_view kind, std::string_view name) {
  const std::string& facility = message_.header.sending_facility;
  const std::string& sender = facility.empty() ? message_.header.sending_application : facility;
  std::string key(kind);
  key.append(":").append(name);
  for (const auto& [known, uri] : systems_) {
    if (known == key) return uri;
  }
  const std::string uri = fmt::format("urn:resultsync:{}:{}:{}", kind, percent_encoded(sender), percent_encoded(name));
  systems_.emplace_back(std::move(key), out_.keep(uri));
  return systems_.back().second;
}

std::string_view Conversion::code_system(std::string_view name) {
  if (is_blank(name)) return {};
  for (const auto& [known, uri] : code_systems_) {
    if (known == name) return uri;
  }
  const std::string_view uri = new_code_system(name);
  code_systems_.emplace_back(name, uri);
  return uri;
}

std::string_view Conversion::new_code_system(std::string_view name) {
  if (!is_plain_code(name) && clean_code(name) != name) return code_system(out_.keep(clean_code(name)));
  if (const std::string_view known = known_system(name); !known.empty()) return known;
  if (name.starts_with("HL7") && name.size() == 7 &&
      std::ranges::all_of(name.substr(3), [](char c) { return c >= '0' && c <= '9'; }))
    return out_.keep(fmt::format("http://terminology.hl7.org/CodeSystem/v2-{}", name.substr(3)));
  if (is_oid(name)) return out_.keep(fmt::format("urn:oid:{}", name));
  if (is_absolute_uri(name)) return out_.keep(name);
  return local_system("code-system", name);
}

std::string_view Conversion::assigner_system(const results::Identifier& identifier) {
  const std::string& id = identifier.authority_id;
  if (is_oid(id)) return out_.keep("urn:oid:" + id);
  if (is_uuid(id)) {
    std::string lower = "urn:uuid:" + id;
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    return out_.keep(lower);
  }
  if (is_absolute_uri(id)) return out_.keep(id);
  if (identifier.type == "NPI" || identifier.authority == "NPI") return "http://hl7.org/fhir/sid/us-npi";
  if (!is_blank(id)) return local_system("assigner", id);
  if (!is_blank(identifier.authority)) return local_system("assigner", identifier.authority);
  return {};
}

void Conversion::coding(const results::Coding& coding, std::string_view system) {
  json_.object([&] {
    const bool has_code = !is_blank(coding.code);
    if (has_code && !system.empty()) json_.literal("system", system);
    if (has_code && !system.empty()) json_.string("version", coding.version);
    if (has_code) json_.code("code", coding.code);
    json_.string("display", coding.text);
  });
}

void Conversion::concept_members(const results::Codes& codes, std::optional<Search> search) {
  const std::string_view text = is_blank(codes.original_text) ? codes.display() : codes.original_text;
  json_.array("coding", [&] {
    for (const results::Coding& one : codes.codings) {
      // A triplet with a text alone is no code; the text speaks for it.
      if (is_blank(one.code) && one.text == text) continue;
      std::string_view system = code_system(one.system);
      // Labs say UCUM of things that are none; then it is a name of their own.
      if (system == systems::kUcum && !results::is_ucum(one.code)) system = local_system("code-system", one.system);
      coding(one, system);
      if (search) out_.token(*search, system, out_.keep(is_plain_code(one.code) ? one.code : clean_code(one.code)));
    }
  });
  json_.string("text", text);
}

bool Conversion::concept_of(std::string_view key, const results::Codes& codes, std::optional<Search> search) {
  if (codes.empty()) return false;
  const auto fill = [&] { concept_members(codes, search); };
  return key.empty() ? json_.object(fill) : json_.object(key, fill);
}

void Conversion::code_and_text(std::string_view system, std::string_view code, std::string_view display) {
  json_.array("coding", [&] {
    json_.object([&] {
      json_.literal("system", system);
      json_.code("code", code);
      json_.string("display", display);
    });
  });
}

// ---- identifiers

void Conversion::type_member(std::string_view code) {
  if (is_blank(code)) return;
  json_.object("type", [&] {
    const std::string_view text = identifier_type_text(code);
    if (text.empty()) {
      json_.string("text", code);
    } else {
      code_and_text(systems::kIdentifierType, code, text);
    }
  });
}

bool Conversion::identifier(const results::Identifier& identifier, std::string_view type) {
  if (is_blank(identifier.id)) return false;
  return json_.object([&] {
    type_member(type.empty() ? std::string_view(identifier.type) : type);
    const std::string_view system = assigner_system(identifier);
    if (!system.empty()) json_.literal("system", system);
    json_.string("value", identifier.id);
    if (!is_blank(identifier.authority))
      json_.object("assigner", [&] { json_.string("display", identifier.authority); });
    out_.token(Search::identifier, system, out_.keep(identifier.id));
  });
}

void Conversion::network_identifier(std::string_view kind, std::string_view value) {
  if (is_blank(value)) return;
  const std::string source = context_.source.empty() ? "network" : percent_encoded(context_.source);
  const std::string_view system = out_.keep(fmt::format("urn:resultsync:{}:{}", source, kind));
  json_.object([&] {
    json_.literal("system", system);
    json_.string("value", value);
  });
  out_.token(Search::identifier, system, out_.keep(value));
}

// ---- quantities

void Conversion::quantity(std::string_view key, const results::Decimal& number, results::Comparator comparator,
                          const results::Unit* unit) {
  json_.object(key, [&] {
    json_.raw("value", number.text);
    if (comparator != results::Comparator::none) json_.literal("comparator", results::comparator_sign(comparator));
    if (unit != nullptr) unit_members(*unit);
  });
}

// Behind a value. The unit of an observation is written once, and repeated where it comes again.
void Conversion::unit_members(const results::Unit& unit) {
  if (unit.standing == results::Unit::Standing::absent) return;
  for (const auto& [known, passage] : units_) {
    if (known == &unit) return out_.repeat(passage);
  }
  Builder::Passage passage = out_.begin_passage();
  json_.string("unit", unit.text());
  if (!unit.ucum.empty()) {
    json_.literal("system", systems::kUcum);
    json_.code("code", unit.ucum);
  }
  out_.end_passage(passage);
  if (&unit != own_unit_) return;
  constexpr std::size_t kRemembered = 8;
  if (units_.size() == kRemembered) units_.clear();
  units_.emplace_back(&unit, passage);
}

// FHIR has no words for a bound that is itself outside: the number is given, and an extension says so.
void Conversion::bound(std::string_view key, const std::optional<results::Bound>& bound, const results::Unit& unit) {
  if (!bound) return;
  json_.object(key, [&] {
    if (!bound->inclusive) {
      json_.array("extension", [&] {
        json_.object([&] {
          json_.literal("url", extensions::kExclusive);
          json_.yes("valueBoolean");
        });
      });
    }
    json_.raw("value", bound->value.text);
    unit_members(unit);
  });
}

void Conversion::range_line(const results::ReferenceRange& line, std::string_view text, const results::Unit& unit) {
  json_.object([&] {
    const std::optional<results::Unit> named =
        line.unit.empty() ? std::nullopt : std::optional(results::read_unit(line.unit));
    const results::Unit& own = named ? *named : unit;
    bound("low", line.low, own);
    bound("high", line.high, own);
    if (!is_blank(line.applies_to) || line.sex != results::Sex::any) {
      json_.array("appliesTo", [&] {
        json_.object([&] {
          if (line.sex == results::Sex::male) code_and_text(systems::kGender, "male", "Male");
          if (line.sex == results::Sex::female) code_and_text(systems::kGender, "female", "Female");
          json_.string("text", line.applies_to);
        });
      });
    }
    const auto age = [&](std::string_view key, const std::optional<double>& years, bool excluded) {
      if (!years) return;
      json_.object(key, [&] {
        if (excluded) {
          json_.array("extension", [&] {
            json_.object([&] {
              json_.literal("url", extensions::kExclusive);
              json_.yes("valueBoolean");
            });
          });
        }
        const Age shown = age_of(*years);
        json_.raw("value", fmt::format("{}", shown.number));
        json_.literal("unit", age_word(shown.unit));
        json_.literal("system", systems::kUcum);
        json_.literal("code", shown.unit);
      });
    };
    if (line.age) {
      json_.object("age", [&] {
        age("low", line.age->from, false);
        age("high", line.age->to, true);
      });
    }
    json_.string("text", text);
  });
}

void Conversion::ranges(const results::Observation& observation) {
  if (is_blank(observation.ranges.text)) return;
  json_.array("referenceRange", [&] {
    const bool only = observation.ranges.lines.size() == 1;
    for (const results::ReferenceRange& line : observation.ranges.lines)
      range_line(line, only ? observation.ranges.text : line.text, *observation.unit);
  });
}

// ---- times

const Conversion::Rendered& Conversion::rendered(const results::Moment& moment, std::optional<int> zone) {
  constexpr std::size_t kRemembered = 8;
  for (const Rendered& one : rendered_) {
    if (one.zone == zone && one.moment.precision == moment.precision && one.moment.text == moment.text) return one;
  }
  if (rendered_.size() == kRemembered) rendered_.erase(rendered_.begin());
  return rendered_.emplace_back(moment, zone, date_time(moment, zone), span_of(moment, zone));
}

bool Conversion::time(std::string_view key, const results::Moment& moment, std::optional<int> zone) {
  if (!moment.valid()) return false;
  const DateTime& time = rendered(moment, zone).time;
  json_.literal(key, time.text);
  if (time.dropped.empty()) return true;
  json_.object("_" + std::string(key), [&] {
    json_.array("extension", [&] {
      json_.object([&] {
        json_.literal("url", extensions::kLocalTime);
        json_.literal("valueString", time.dropped);
      });
    });
  });
  return true;
}

// A minute stands for its first second.
bool Conversion::instant(std::string_view key, const results::Moment& moment, std::optional<int> zone) {
  if (!has_full_time(moment, zone)) return false;
  json_.literal(key, rendered(moment, zone).time.text);
  return true;
}

// FHIR R4 per-1: the start is not after the end; such an end is left out.
bool Conversion::period(std::string_view key, const results::Moment& start, const results::Moment& end,
                        std::optional<int> zone) {
  const std::optional<Span> from = span_of(start, zone);
  const std::optional<Span> to = span_of(end, zone);
  return json_.object(key, [&] {
    if (from) time("start", start, zone);
    if (to && (!from || from->from <= to->from)) time("end", end, zone);
  });
}

// ---- small things

bool Conversion::note(std::string_view text) {
  return json_.object([&] { json_.string("text", text); });
}

void Conversion::absent(std::string_view reason) {
  json_.object("dataAbsentReason", [&] { code_and_text(systems::kAbsent, reason, {}); });
}

}  // namespace resultsync::fhir
