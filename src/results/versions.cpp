#include "results/versions.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace resultsync::results {
namespace {

// Texts written so that different lists of them never give the same bytes.
class Content {
 public:
  Content& add(std::string_view text) {
    bytes_.append(std::to_string(text.size())).append(":").append(text);
    return *this;
  }
  std::string take() { return std::move(bytes_); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string shown(const Value& value) {
  const auto* attachment = value.as<Attachment>();
  if (attachment == nullptr || !attachment->document) return value.text;
  return value.text + " " + attachment->document->hex();
}

std::string shown_values(const Observation& observation) {
  std::string out;
  for (const Value& value : observation.values) {
    if (!out.empty()) out += "; ";
    out += shown(value);
  }
  return out;
}

std::string shown_flags(const Observation& observation) {
  std::string out;
  for (const Flag& flag : observation.flags) {
    if (!out.empty()) out += ", ";
    out += flag.code;
  }
  return out;
}

std::string shown_notes(const std::vector<Note>& notes) {
  std::string out;
  for (const Note& note : notes) {
    if (!out.empty()) out += '\n';
    out += note.text;
  }
  return out;
}

void add_codes(Content& content, const Codes& codes) {
  for (const Coding& coding : codes.codings) content.add(coding.code).add(coding.system).add(coding.text);
  content.add(codes.original_text).add("/");
}

// The unit in its one spelling, so that mg/dl and mg/dL are no change.
std::string_view unit_name(const Unit& unit) {
  return unit.ucum.empty() ? unit.text() : std::string_view(unit.ucum);
}

std::string content_of(const Observation& observation) {
  Content content;
  add_codes(content, observation.code);
  content.add(observation.sub_id).add(observation.status->code).add(observation.value_deleted ? "deleted" : "");
  for (const Value& value : observation.values) {
    content.add(value.kind()).add(shown(value));
    if (const auto* codes = value.as<Codes>()) add_codes(content, *codes);
  }
  content.add("/").add(unit_name(*observation.unit)).add(observation.ranges.text).add(shown_flags(observation));
  content.add(shown_notes(observation.notes));
  return content.take();
}

bool same_number(const Identifier& a, const Identifier& b) {
  if (a.empty() || a.id != b.id) return false;
  return a.authority.empty() || b.authority.empty() || a.authority == b.authority;
}

bool fillers_differ(const Report& a, const Report& b) {
  return !a.filler.empty() && !b.filler.empty() && !same_number(a.filler, b.filler);
}

// Two panels of one order, made of different results: the susceptibilities of organism 1 and those of organism 2.
bool parents_differ(const Report& a, const Report& b) {
  return !a.parent.empty() && !b.parent.empty() && a.parent.sub_id != b.parent.sub_id;
}

bool same_test(const Codes& a, const Codes& b) {
  return share_a_code(a, b) || (a.preferred() == nullptr && b.preferred() == nullptr) ||
         (!a.empty() && a.display() == b.display());
}

using Micros = std::int64_t;
constexpr Micros kNever = INT64_MIN;

Micros micros(const Moment& moment, const Report& report) {
  const std::optional<Timestamp> at = moment.instant(report.zone.value_or(0));
  return at ? at->microseconds : kNever;
}

Micros newest_observation(const Report& report) {
  Micros newest = kNever;
  for (const Observation& observation : report.observations) {
    newest = std::max({newest, micros(observation.observed, report), micros(observation.analyzed, report)});
  }
  return newest;
}

int rank(Status status) {
  switch (status) {
    case Status::unknown:
      return 0;
    case Status::registered:
      return 1;
    case Status::partial:
      return 2;
    case Status::preliminary:
      return 3;
    case Status::final:
      return 4;
    case Status::amended:
      return 5;
    case Status::corrected:
      return 6;
    case Status::cancelled:
      return 7;
    case Status::entered_in_error:
      return 8;
  }
  return 0;
}

int highest_rank(const Report& report) {
  int highest = rank(report.status->status);
  for (const Observation& observation : report.observations)
    highest = std::max(highest, rank(observation.status->status));
  return highest;
}

using Age = std::tuple<Micros, Micros, int, Sha256>;
Age age_of(const Report& report) {
  const Micros newest = newest_observation(report);
  const Micros issued = micros(report.issued, report);
  return {issued == kNever ? newest : issued, newest, highest_rank(report), content_digest(report)};
}

bool covers(const std::vector<AnalyteKey>& newer, const std::vector<AnalyteKey>& older) {
  return std::ranges::includes(newer, older);
}

bool overlaps(const std::vector<AnalyteKey>& a, const std::vector<AnalyteKey>& b) {
  return std::ranges::any_of(a, [&](const AnalyteKey& key) { return std::ranges::binary_search(b, key); });
}

Relation relation_of_one_test(const Report& older, const Report& newer) {
  std::vector<AnalyteKey> before = analyte_keys(older);
  std::vector<AnalyteKey> after = analyte_keys(newer);
  std::ranges::sort(before);
  std::ranges::sort(after);
  if (covers(after, before)) return Relation::replaces;
  return after.empty() || overlaps(after, before) ? Relation::revises : Relation::extends;
}

// ---- diff

// A status that says "final now" without a value leaves the value as it was.
bool leaves_value(const Observation& observation) {
  return observation.status->code == "U" && observation.values.empty() && !observation.value_deleted;
}

bool same_values(const Observation& a, const Observation& b) {
  return std::ranges::equal(a.values, b.values, [](const Value& x, const Value& y) {
    if (x.as<Attachment>() != nullptr && y.as<Attachment>() != nullptr) return shown(x) == shown(y);
    return x.is == y.is;
  });
}

std::string shown_status(const StatusRow& row, const StatusRow& other) {
  if (row.status != other.status || row.code.empty()) return std::string(status_name(row.status));
  return std::string(status_name(row.status)) + " (" + std::string(row.code) + ")";
}

std::vector<Change> changes(const Observation& before, const Observation& after) {
  std::vector<Change> found;
  const auto note = [&](Change::Kind kind, std::string_view old_text, std::string_view new_text) {
    found.push_back({kind, std::string(old_text), std::string(new_text)});
  };
  const bool stands = leaves_value(after);
  if (!stands && !same_values(before, after)) note(Change::Kind::value, shown_values(before), shown_values(after));
  if (!stands && unit_name(*before.unit) != unit_name(*after.unit))
    note(Change::Kind::unit, before.unit->text(), after.unit->text());
  if (!stands && before.ranges.text != after.ranges.text)
    note(Change::Kind::range, before.ranges.text, after.ranges.text);
  if (!stands && before.flags != after.flags) note(Change::Kind::flag, shown_flags(before), shown_flags(after));
  if (before.status->code != after.status->code) {
    note(Change::Kind::status, shown_status(*before.status, *after.status),
         shown_status(*after.status, *before.status));
  }
  if (before.notes != after.notes) note(Change::Kind::note, shown_notes(before.notes), shown_notes(after.notes));
  return found;
}

// "140 mmol/L": what is said of an analyte that comes or goes.
std::string shown_whole(const Observation& observation) {
  std::string out = shown_values(observation);
  if (!observation.unit->text().empty() && !out.empty()) out.append(" ").append(observation.unit->text());
  return out;
}

using Positions = std::map<AnalyteKey, std::uint32_t>;
Positions positions(const std::vector<AnalyteKey>& keys) {
  Positions result;
  for (std::uint32_t i = 0; i < keys.size(); ++i) result.emplace(keys[i], i);
  return result;
}

// ---- merge

void keep_value(const Observation& from, Observation& to) {
  to.values = from.values;
  to.unit = from.unit;
  to.ranges = from.ranges;
  to.flags = from.flags;
  to.assessment = from.assessment;
  if (to.value_type.empty()) to.value_type = from.value_type;
}

template <class T>
void fill(T& field, const T& from) {
  if (field.empty()) field = from;
}

// ---- compare

// The names of the analytes that `older` has and `newer` does not speak of; what was taken back before is not missed.
std::vector<std::string> unsaid(const Report& older, const Report& newer) {
  std::vector<std::string> names;
  const Positions said = positions(analyte_keys(newer));
  const std::vector<AnalyteKey> keys = analyte_keys(older);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Observation& observation = older.observations[i];
    if (!said.contains(keys[i]) && observation.status->code != "D") names.emplace_back(observation.code.display());
  }
  return names;
}

void set_difference(ReportPair& pair) {
  const Relationship relationship = relate(*pair.older, *pair.newer);
  pair.basis = relationship.basis;
  pair.newer_was_issued_later = relationship.second_is_newer;
  pair.relation =
      relationship.relation == Relation::repeats ? Relation::repeats : relation_of_one_test(*pair.older, *pair.newer);
  pair.diff = diff(*pair.older, merge(*pair.older, *pair.newer));
  pair.not_sent_again = unsaid(*pair.older, *pair.newer);
}

}  // namespace

std::string_view relation_name(Relation relation) {
  switch (relation) {
    case Relation::repeats:
      return "repeats";
    case Relation::replaces:
      return "replaces";
    case Relation::revises:
      return "revises";
    case Relation::extends:
      return "extends";
    case Relation::unrelated:
      break;
  }
  return "unrelated";
}

std::string_view change_name(Change::Kind kind) {
  static constexpr std::string_view kNames[] = {"added", "removed", "value", "unit", "range", "flag", "status", "note"};
  return kNames[static_cast<std::size_t>(kind)];
}

Sha256 content_digest(const Report& report) {
  Content content;
  add_codes(content, report.test);
  content.add(report.status->code).add(shown_notes(report.notes));
  // The order of the observations is no content, but that of several with one name is.
  const std::vector<AnalyteKey> keys = analyte_keys(report);
  for (const auto& [key, index] : positions(keys)) content.add(content_of(report.observations[index]));
  return sha256(content.bytes());
}

std::vector<AnalyteKey> analyte_keys(const Report& report) {
  std::vector<AnalyteKey> keys;
  keys.reserve(report.observations.size());
  for (const Observation& observation : report.observations) {
    AnalyteKey& key = keys.emplace_back();
    if (const Coding* coding = observation.code.preferred()) {
      key.code = coding->code.empty() ? coding->text : coding->code;
      key.system = coding->system;
    } else {
      key.code = observation.code.original_text;
    }
    key.sub_id = observation.sub_id;
  }
  // Equal ones stand together once they are sorted, in the order of the report.
  std::vector<std::uint32_t> order(keys.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto name = [&](std::uint32_t i) { return std::tie(keys[i].code, keys[i].system, keys[i].sub_id); };
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
    const auto difference = name(a) <=> name(b);
    return difference != 0 ? difference < 0 : a < b;
  });
  for (std::size_t i = 1; i < order.size(); ++i) {
    if (name(order[i - 1]) == name(order[i])) keys[order[i]].nth = keys[order[i - 1]].nth + 1;
  }
  return keys;
}

bool is_older(const Report& a, const Report& b) {
  return age_of(a) < age_of(b);
}

Relationship relate(const Report& a, const Report& b) {
  const Age age_a = age_of(a);
  const Age age_b = age_of(b);
  Relationship result;
  result.second_is_newer = !(age_b < age_a);
  const bool filler = same_number(a.filler, b.filler);
  const bool placer = same_number(a.placer, b.placer);
  result.basis = filler ? "filler" : placer ? "placer" : "identifiers";
  if (!filler && !placer) return result;
  if (!same_test(a.test, b.test)) {
    result.relation = Relation::extends;
    result.basis = "test";
    return result;
  }
  if (fillers_differ(a, b) || parents_differ(a, b)) {
    result.relation = Relation::extends;
    return result;
  }
  if (std::get<Sha256>(age_a) == std::get<Sha256>(age_b)) {
    result.relation = Relation::repeats;
    result.basis = "content";
    return result;
  }
  result.relation = result.second_is_newer ? relation_of_one_test(a, b) : relation_of_one_test(b, a);
  return result;
}

Diff diff(const Report& older, const Report& newer) {
  Diff result;
  const std::vector<AnalyteKey> old_keys = analyte_keys(older);
  const std::vector<AnalyteKey> new_keys = analyte_keys(newer);
  const Positions old_positions = positions(old_keys);
  const Positions new_positions = positions(new_keys);
  for (std::size_t i = 0; i < new_keys.size(); ++i) {
    const Observation& after = newer.observations[i];
    const auto before = old_positions.find(new_keys[i]);
    std::vector<Change> found = before == old_positions.end()
                                    ? std::vector<Change>{{Change::Kind::added, "", shown_whole(after)}}
                                    : changes(older.observations[before->second], after);
    if (!found.empty()) result.analytes.push_back({new_keys[i], std::string(after.code.display()), std::move(found)});
  }
  for (std::size_t i = 0; i < old_keys.size(); ++i) {
    if (new_positions.contains(old_keys[i])) continue;
    const Observation& before = older.observations[i];
    result.analytes.push_back(
        {old_keys[i], std::string(before.code.display()), {{Change::Kind::removed, shown_whole(before), ""}}});
  }
  if (older.status->code != newer.status->code) {
    result.report_status = Change{Change::Kind::status, shown_status(*older.status, *newer.status),
                                  shown_status(*newer.status, *older.status)};
  }
  if (older.notes != newer.notes)
    result.report_notes = Change{Change::Kind::note, shown_notes(older.notes), shown_notes(newer.notes)};
  return result;
}

Report merge(const Report& older, const Report& newer) {
  Report result = newer;
  fill(result.placer, older.placer);
  fill(result.filler, older.filler);
  fill(result.group, older.group);
  fill(result.accession, older.accession);
  fill(result.test, older.test);
  fill(result.notes, older.notes);
  fill(result.orderers, older.orderers);
  fill(result.interpreters, older.interpreters);
  fill(result.collected_from, older.collected_from);
  fill(result.collected_to, older.collected_to);
  fill(result.received, older.received);
  fill(result.performer, older.performer);
  const bool same_specimens = newer.specimens.empty();
  if (same_specimens) result.specimens = older.specimens;

  // Those of the older report in its order, each in its newer form if there is one; then what is new.
  result.observations.clear();
  const std::vector<AnalyteKey> old_keys = analyte_keys(older);
  const std::vector<AnalyteKey> new_keys = analyte_keys(newer);
  const Positions in_newer = positions(new_keys);
  const Positions in_older = positions(old_keys);
  std::vector<std::uint32_t> old_places(old_keys.size(), kNone), new_places(new_keys.size(), kNone);
  struct Kept {
    bool from_newer;
    std::uint32_t index;
  };
  std::vector<Kept> kept;
  const auto take_newer = [&](std::uint32_t index, const Observation* before) {
    const Observation& observation = newer.observations[index];
    if (observation.status->code == "D") return;
    new_places[index] = static_cast<std::uint32_t>(result.observations.size());
    kept.push_back({true, index});
    result.observations.push_back(observation);
    if (before != nullptr && leaves_value(observation)) keep_value(*before, result.observations.back());
  };
  for (std::uint32_t i = 0; i < old_keys.size(); ++i) {
    const auto again = in_newer.find(old_keys[i]);
    if (again != in_newer.end()) {
      take_newer(again->second, &older.observations[i]);
      old_places[i] = new_places[again->second];
      continue;
    }
    old_places[i] = static_cast<std::uint32_t>(result.observations.size());
    kept.push_back({false, i});
    result.observations.push_back(older.observations[i]);
  }
  for (std::uint32_t i = 0; i < new_keys.size(); ++i) {
    if (!in_older.contains(new_keys[i])) take_newer(i, nullptr);
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    Observation& observation = result.observations[i];
    const std::vector<std::uint32_t>& places = kept[i].from_newer ? new_places : old_places;
    if (observation.parent != kNone) observation.parent = places[observation.parent];
    const bool specimens_gone = kept[i].from_newer ? newer.specimens.empty() : !same_specimens;
    if (specimens_gone) observation.specimen = kNone;
  }
  return result;
}

bool same_report(const Report& a, const Report& b) {
  return (same_number(a.filler, b.filler) || same_number(a.placer, b.placer)) && same_test(a.test, b.test) &&
         !fillers_differ(a, b) && !parents_differ(a, b);
}

std::vector<ReportPair> compare(const std::vector<Report>& older, const std::vector<Report>& newer) {
  std::vector<ReportPair> pairs;
  std::vector<bool> paired(older.size(), false);
  for (const Report& after : newer) {
    ReportPair pair;
    pair.newer = &after;
    for (std::size_t i = 0; i < older.size() && pair.older == nullptr; ++i) {
      if (paired[i] || !same_report(older[i], after)) continue;
      paired[i] = true;
      pair.older = &older[i];
      set_difference(pair);
    }
    if (pair.older == nullptr) {
      Report nothing;
      nothing.status = after.status;
      pair.relation = Relation::extends;
      pair.diff = diff(nothing, after);
    }
    pairs.push_back(std::move(pair));
  }
  for (std::size_t i = 0; i < older.size(); ++i) {
    if (paired[i]) continue;
    ReportPair pair;
    pair.older = &older[i];
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

}  // namespace resultsync::results
