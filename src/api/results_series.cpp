// /v1/patients/{id}/observations: what was measured of a patient over all orders, as lines that may be drawn. Values
// with different units never stand in one line; nor do analytes that only share a local code of two laboratories.
#include <algorithm>
#include <map>
#include <ranges>
#include <tuple>

#include "api/results.hpp"
#include "fhir/json.hpp"
#include "fhir/terms.hpp"
#include "results/json.hpp"

namespace resultsync::api {
namespace {

using results::Observation;
using results::Unit;

// Of one patient: the tests that had a first result last. Beyond, `complete` is false.
constexpr std::size_t kTestsMax = 2000;
constexpr std::size_t kPointsMax = 20'000;

struct WantedCode {
  std::optional<std::string> system;  // a URI or HL7's name; "" for codes without one; nothing: any
  std::string code;
};

WantedCode read_code(const std::string& text) {
  const std::size_t bar = text.find('|');
  if (bar == std::string::npos) return {std::nullopt, text};
  return {text.substr(0, bar), text.substr(bar + 1)};
}

// What an analyte is called by: a code of a system that means the same everywhere; or a code of the laboratory's own,
// which means something there only; or a name.
struct AnalyteName {
  std::string system, code, laboratory;
  auto operator<=>(const AnalyteName&) const = default;
};

AnalyteName name_of(const results::Coding& coding, const std::string& laboratory) {
  const std::string_view known = fhir::known_system(coding.system);
  if (!known.empty()) return {std::string(known), fhir::clean_code(coding.code), {}};
  return {coding.system, fhir::clean_code(coding.code), laboratory};
}

bool is_wanted(const results::Coding& coding, const WantedCode& wanted) {
  if (coding.code.empty() || fhir::clean_code(coding.code) != wanted.code) return false;
  return !wanted.system || coding.system == *wanted.system ||
         (!wanted.system->empty() && fhir::known_system(coding.system) == *wanted.system);
}

// Who sent it: local codes mean something to them only.
std::string laboratory_of(const results::Interpretation& content, const results::Report& report) {
  if (!content.header.sending_facility.empty()) return content.header.sending_facility;
  if (!content.header.sending_application.empty()) return content.header.sending_application;
  return report.performer.name;
}

// UCUM makes one unit of several spellings; a text that is none stands for itself.
std::string unit_key(const Unit& unit) {
  if (!unit.ucum.empty()) return "u" + unit.ucum;
  const std::string_view text = unit.text();
  return text.empty() ? std::string() : "t" + std::string(text);
}

bool is_left_out(const Observation& observation) {
  using results::Status;
  const Status status = observation.status->status;
  return status == Status::entered_in_error || status == Status::cancelled;
}

// Where something stands that was measured.
struct Place {
  const store::ResultRow& row;
  const results::Report& report;
  std::string laboratory;
};

results::Moment effective(const Observation& observation, const results::Report& report) {
  return observation.observed.valid() ? observation.observed : report.collected_from;
}

std::optional<Timestamp> instant_of(const results::Moment& moment, const results::Report& report) {
  return moment.valid() ? moment.instant(report.zone.value_or(0)) : std::nullopt;
}

void write_place(JsonWriter& json, const Observation& observation, const Place& place) {
  const results::Moment moment = effective(observation, place.report);
  const auto at = instant_of(moment, place.report);
  json.key("effective");
  moment.valid() ? json.string(moment.iso(place.report.zone)) : json.null();
  time_member(json, "at", at.value_or(orders::kNoTime));
  json.member("order_id", place.row.order.text())
      .member("ordered_test_id", place.row.test.text())
      .member("version", place.row.version)
      .member("laboratory", place.laboratory);
}

// The observation as everywhere, and where it stands.
std::string point_json(const Observation& observation, const Place& place) {
  JsonWriter json;
  json.begin_object();
  write_place(json, observation, place);
  json.key("observation");
  results::write_json(json, observation);
  json.end_object();
  return json.take();
}

std::string left_out_json(const Observation& observation, const Place& place) {
  JsonWriter json;
  json.begin_object();
  write_place(json, observation, place);
  json.member("status", results::status_name(observation.status->status)).end_object();
  return json.take();
}

class Series {
 public:
  struct Question {
    WantedCode code;
    std::optional<Timestamp> from, to;
  };
  explicit Series(Question question) : question_(std::move(question)) {}

  void take(const Observation& observation, const Place& place) {
    const auto coding = std::ranges::find_if(
        observation.code.codings, [&](const results::Coding& one) { return is_wanted(one, question_.code); });
    if (coding == observation.code.codings.end()) return;
    const auto at = instant_of(effective(observation, place.report), place.report);
    if ((question_.from && (!at || *at < *question_.from)) || (question_.to && (!at || *at >= *question_.to))) return;
    if (points_++ >= kPointsMax) return;
    if (is_left_out(observation)) {
      left_out_.emplace_back(at.value_or(kEarliest), left_out_json(observation, place));
      return;
    }
    const std::string_view kind = observation.values.empty() ? "none" : observation.values.front().kind();
    Line& line = lines_[{name_of(*coding, place.laboratory), unit_key(*observation.unit), std::string(kind)}];
    line.name = observation.code.display();
    line.unit = observation.unit;
    line.points.emplace_back(at.value_or(kEarliest), point_json(observation, place));
  }

  void write(JsonWriter& json) {
    json.key("lines").begin_array();
    for (auto& [key, line] : lines_) {
      const auto& [name, unit, kind] = key;
      json.begin_object().key("code").begin_object().member("code", name.code);
      json.member("system", name.system).end_object();
      json.key("laboratory");
      name.laboratory.empty() ? json.null() : json.string(name.laboratory);
      json.member("name", line.name).member("kind", kind).key("unit");
      if (line.unit.standing == Unit::Standing::absent) {
        json.null();
      } else {
        json.begin_object().member("text", line.unit.text());
        if (!line.unit.ucum.empty()) json.member("ucum", line.unit.ucum);
        json.end_object();
      }
      write_points(json, "points", line.points);
      json.end_object();
    }
    json.end_array();
    write_points(json, "left_out", left_out_);
  }
  [[nodiscard]] bool complete() const { return points_ <= kPointsMax; }

 private:
  static constexpr Timestamp kEarliest{std::numeric_limits<std::int64_t>::min()};
  using Points = std::vector<std::pair<Timestamp, std::string>>;
  struct Line {
    std::string name;
    Unit unit;
    Points points;
  };
  // In the order of time; those without one first.
  static void write_points(JsonWriter& json, std::string_view name, Points& points) {
    std::ranges::sort(points);
    json.key(name).begin_array();
    for (const auto& [at, text] : points) json.raw(text);
    json.end_array();
  }

  const Question question_;
  std::map<std::tuple<AnalyteName, std::string, std::string>, Line> lines_;
  Points left_out_;
  std::size_t points_ = 0;
};

// What was measured at all, for whoever does not know what to ask for.
class Analytes {
 public:
  void take(const Observation& observation, const Place& place) {
    if (is_left_out(observation)) return;
    const results::Coding* coding = observation.code.preferred();
    AnalyteName name;
    if (coding != nullptr && !coding->code.empty()) name = name_of(*coding, place.laboratory);
    if (name.code.empty()) name.laboratory = observation.code.display();
    Analyte& analyte = analytes_[name];
    analyte.name = observation.code.display();
    ++analyte.count;
    if (const auto at = instant_of(effective(observation, place.report), place.report))
      analyte.newest = std::max(analyte.newest, *at);
    const std::string unit(observation.unit->ucum.empty() ? observation.unit->text() : observation.unit->ucum);
    if (!unit.empty() && std::ranges::find(analyte.units, unit) == analyte.units.end()) analyte.units.push_back(unit);
  }
  void write(JsonWriter& json) const {
    json.key("analytes").begin_array();
    for (const auto& [name, analyte] : analytes_) {
      json.begin_object();
      id_member(json, "code", name.code);
      id_member(json, "system", name.system);
      json.key("laboratory");
      name.code.empty() || name.laboratory.empty() ? json.null() : json.string(name.laboratory);
      json.member("name", analyte.name).member("count", analyte.count).key("units").begin_array();
      for (const std::string& unit : analyte.units) json.string(unit);
      json.end_array();
      time_member(json, "newest_at", analyte.newest);
      json.end_object();
    }
    json.end_array();
  }

 private:
  struct Analyte {
    std::string name;
    std::uint64_t count = 0;
    Timestamp newest = orders::kNoTime;
    std::vector<std::string> units;
  };
  std::map<AnalyteName, Analyte> analytes_;
};

struct PatientTests {
  SourceId source;
  std::vector<std::pair<store::ResultRow, VersionPlace>> tests;
  bool complete = true;
};

Checked<PatientTests> load_tests(Service& service, const Call& call) {
  auto source = source_filter(service.context, call.parameters);
  if (!source) return std::unexpected(source.error());
  const auto snapshot = service.context.views.snapshot();
  const auto sight = sight_of(*snapshot, call, call.parameters.text("practitioner"));
  if (!sight) return std::unexpected(sight.error());
  std::vector<SourceId> candidates = *source ? std::vector{**source} : service.context.sources;
  PatientTests found;
  std::vector<SourceId> sources;
  for (const SourceId& candidate : candidates) {
    store::ResultSearch search;
    search.sight = *sight;
    search.patient = {candidate, PatientId(call.path.front())};
    auto rows = snapshot->results().search(search, store::kNewestTest, kTestsMax + 1);
    if (rows.empty()) continue;
    sources.push_back(candidate);
    found.source = candidate;
    if (rows.size() > kTestsMax) {
      found.complete = false;
      rows.pop_back();
    }
    const auto orders = orders_of(*snapshot, rows);
    for (auto& row : rows) {
      const auto order = orders.find(row.order_key);
      const auto* test = order != orders.end() ? order->second.history.test(row.test) : nullptr;
      const auto place = test != nullptr ? place_of(*test, test->current()) : std::nullopt;
      if (place) found.tests.emplace_back(std::move(row), *place);
    }
  }
  if (const auto ok = snapshot->status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (sources.empty()) {
    return std::unexpected(
        not_found("unknown_patient", "There are no results of a patient with this id, or they may not be seen."));
  }
  if (sources.size() > 1) return std::unexpected(ambiguous_patient(std::move(sources)));
  return found;
}

// Every observation that stands: what is current of each ordered test, with what earlier files said and none took back.
template <class Taker>
bool walk(const PatientTests& found, const ApiContext& context, Taker& taker) {
  Bodies bodies(context.log);
  bool readable = true;
  for (std::size_t i = 0; i < found.tests.size(); ++i) {
    look_ahead(found.tests, i, &std::pair<store::ResultRow, VersionPlace>::second, bodies);
    const auto& [row, place] = found.tests[i];
    const auto known = known_at(place, row.test, bodies);
    if (!known) {
      readable = false;
      continue;
    }
    for (const results::Report& report : known->reports) {
      const Place here{row, report, laboratory_of(*known, report)};
      for (const Observation& observation : report.observations) taker.take(observation, here);
    }
  }
  return readable;
}

}  // namespace

Reply list_patient_observations(Service& service, const Call& call) {
  const auto from = call.parameters.time("from");
  if (!from) return from.error();
  const auto to = call.parameters.time("to");
  if (!to) return to.error();
  const auto code = call.parameters.text("code");
  if (code && read_code(*code).code.empty()) return bad_parameter("code", "must be a code, or system|code");
  const auto found = load_tests(service, call);
  if (!found) return found.error();

  JsonWriter json;
  json.begin_object().member("patient_id", call.path.front()).member("source", found->source.text());
  bool complete = found->complete;
  if (code) {
    Series series({read_code(*code), *from, *to});
    complete = walk(*found, service.context, series) && complete;
    series.write(json);
    complete = series.complete() && complete;
  } else {
    Analytes analytes;
    complete = walk(*found, service.context, analytes) && complete;
    analytes.write(json);
  }
  json.member("complete", complete).end_object();
  return json_response(200, json);
}

}  // namespace resultsync::api
