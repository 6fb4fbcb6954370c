#include "results/json.hpp"

#include <concepts>

namespace resultsync::results {
namespace {

// Declared together, because they hold one another.
void write(JsonWriter& json, const Codes&);
void write(JsonWriter& json, const Identifier&);
void write(JsonWriter& json, const Moment&);
void write(JsonWriter& json, const PersonName&);
void write(JsonWriter& json, const Address&);
void write(JsonWriter& json, const Telecom&);
void write(JsonWriter& json, const std::string&);
void write(JsonWriter& json, const Note&);
void write(JsonWriter& json, const Problem&);
void write(JsonWriter& json, const Person&);
void write(JsonWriter& json, const Organization&);
void write(JsonWriter& json, const Value&);
void write(JsonWriter& json, const Unit&);
void write(JsonWriter& json, const ReferenceRange&);
void write(JsonWriter& json, const ReferenceRanges&);
void write(JsonWriter& json, const Flag&);
void write(JsonWriter& json, const Assessment&);
void write(JsonWriter& json, const Period&);
void write(JsonWriter& json, const Specimen&);
void write(JsonWriter& json, const ParentLink&);
void write(JsonWriter& json, const Patient&);
void write(JsonWriter& json, const Unused&);
void write(JsonWriter& json, const Change&);
void write(JsonWriter& json, const Document&);

// Members without a value are left out.
void member(JsonWriter& json, std::string_view name, std::string_view value) {
  if (!value.empty()) json.member(name, value);
}

void index(JsonWriter& json, std::string_view name, std::uint32_t value) {
  if (value != kNone) json.member(name, std::uint64_t{value});
}

void write(JsonWriter& json, const Codes& codes) {
  json.begin_object().key("codings").begin_array();
  for (const Coding& coding : codes.codings) {
    json.begin_object();
    member(json, "code", coding.code);
    member(json, "text", coding.text);
    member(json, "system", coding.system);
    member(json, "version", coding.version);
    json.end_object();
  }
  json.end_array();
  member(json, "original_text", codes.original_text);
  json.end_object();
}

void write(JsonWriter& json, const Identifier& identifier) {
  json.begin_object();
  member(json, "id", identifier.id);
  member(json, "authority", identifier.authority);
  member(json, "authority_id", identifier.authority_id);
  member(json, "authority_id_type", identifier.authority_id_type);
  member(json, "type", identifier.type);
  json.end_object();
}

void write(JsonWriter& json, const Moment& moment) {
  json.begin_object().member("text", moment.text);
  member(json, "iso", moment.iso());
  if (moment.has_time()) json.member("has_zone", moment.offset_minutes.has_value());
  json.end_object();
}

void write(JsonWriter& json, const PersonName& name) {
  json.begin_object();
  member(json, "family", name.family);
  member(json, "given", name.given);
  member(json, "middle", name.middle);
  member(json, "suffix", name.suffix);
  member(json, "prefix", name.prefix);
  member(json, "degree", name.degree);
  member(json, "type", name.type);
  json.end_object();
}

void write(JsonWriter& json, const Address& address) {
  json.begin_object();
  member(json, "line", address.line);
  member(json, "other_line", address.other_line);
  member(json, "city", address.city);
  member(json, "state", address.state);
  member(json, "postal_code", address.postal_code);
  member(json, "country", address.country);
  member(json, "type", address.type);
  json.end_object();
}

void write(JsonWriter& json, const Telecom& telecom) {
  json.begin_object();
  member(json, "number", telecom.number);
  member(json, "email", telecom.email);
  member(json, "use", telecom.use);
  member(json, "equipment", telecom.equipment);
  json.end_object();
}

void write(JsonWriter& json, const std::string& text) {
  json.string(text);
}

void write(JsonWriter& json, const Note& note) {
  json.begin_object().member("text", note.text);
  member(json, "source", note.source);
  index(json, "segment", note.segment);
  json.end_object();
}

void write(JsonWriter& json, const Problem& problem) {
  json.begin_object().member("code", problem.code);
  index(json, "segment", problem.segment);
  json.member("field", std::uint64_t{problem.field}).end_object();
}

template <class List>
void list(JsonWriter& json, std::string_view name, const List& all) {
  if (all.empty()) return;
  json.key(name).begin_array();
  for (const auto& one : all) write(json, one);
  json.end_array();
}

template <class T>
  requires requires(const T& t) {
    { t.empty() } -> std::convertible_to<bool>;
  }
void part(JsonWriter& json, std::string_view name, const T& value) {
  if (value.empty()) return;
  json.key(name);
  write(json, value);
}

void write(JsonWriter& json, const Person& person) {
  json.begin_object();
  list(json, "identifiers", person.identifiers);
  json.key("name");
  write(json, person.name);
  json.end_object();
}

void write(JsonWriter& json, const Organization& organization) {
  json.begin_object();
  member(json, "name", organization.name);
  part(json, "identifier", organization.identifier);
  part(json, "address", organization.address);
  part(json, "director", organization.director);
  json.end_object();
}

void decimal(JsonWriter& json, std::string_view name, const std::optional<Decimal>& number) {
  if (number) json.key(name).raw(number->text);
}

void bound(JsonWriter& json, std::string_view name, const std::optional<Bound>& bound) {
  if (!bound) return;
  json.key(name).begin_object().key("value").raw(bound->value.text).member("inclusive", bound->inclusive).end_object();
}

// The members that are particular to each kind of value.
struct WriteValue {
  JsonWriter& json;

  void operator()(const Text&) const {}
  void operator()(const Quantity& quantity) const {
    member(json, "comparator", comparator_sign(quantity.comparator));
    json.key("number").raw(quantity.number.text);
  }
  void operator()(const QuantityRange& range) const {
    decimal(json, "low", range.low);
    decimal(json, "high", range.high);
  }
  void operator()(const Ratio& ratio) const {
    member(json, "comparator", comparator_sign(ratio.comparator));
    json.key("numerator").raw(ratio.numerator.text).key("denominator").raw(ratio.denominator.text);
  }
  void operator()(const Codes& codes) const {
    json.key("code");
    write(json, codes);
  }
  void operator()(const Moment& moment) const {
    json.key("moment");
    write(json, moment);
  }
  void operator()(const TimeOfDay& time) const { json.member("time", time.iso()); }
  void operator()(const Period& period) const {
    part(json, "start", period.start);
    part(json, "end", period.end);
  }
  void operator()(const Attachment& attachment) const {
    json.member("media_type", attachment.media_type);
    member(json, "encoding", attachment.encoding);
    member(json, "location", attachment.location);
    if (attachment.document) json.member("document", attachment.document->hex()).member("size", attachment.size);
  }
  void operator()(const Identifier& identifier) const {
    json.key("identifier");
    write(json, identifier);
  }
  void operator()(const Samples& samples) const {
    json.key("channels").begin_array();
    for (const auto& channel : samples.channels) {
      json.begin_array();
      for (const auto& number : channel) {
        if (number) {
          json.raw(number->text);
        } else {
          json.null();
        }
      }
      json.end_array();
    }
    json.end_array();
  }
};

void write(JsonWriter& json, const Value& value) {
  json.begin_object().member("kind", value.kind()).member("text", value.text);
  std::visit(WriteValue{json}, value.is);
  json.end_object();
}

void write(JsonWriter& json, const Unit& unit) {
  static constexpr std::string_view kStandings[] = {"absent", "ucum", "normalised", "unknown"};
  json.begin_object()
      .member("text", unit.text())
      .member("standing", kStandings[static_cast<std::size_t>(unit.standing)]);
  member(json, "ucum", unit.ucum);
  json.end_object();
}

void write(JsonWriter& json, const ReferenceRange& range) {
  json.begin_object().member("text", range.text);
  member(json, "applies_to", range.applies_to);
  if (range.sex != Sex::any) json.member("sex", range.sex == Sex::male ? "male" : "female");
  if (range.age) {
    json.key("age_years").begin_object();
    if (range.age->from) json.member("from", *range.age->from);
    if (range.age->to) json.member("to", *range.age->to);
    json.end_object();
  }
  bound(json, "low", range.low);
  bound(json, "high", range.high);
  member(json, "unit", range.unit);
  json.end_object();
}

void write(JsonWriter& json, const ReferenceRanges& ranges) {
  json.begin_object().member("text", ranges.text);
  list(json, "lines", ranges.lines);
  json.end_object();
}

void write(JsonWriter& json, const Flag& flag) {
  json.begin_object().member("code", flag.code);
  member(json, "text", flag.text.empty() ? flag.meaning->text : std::string_view(flag.text));
  json.member("level", level_name(flag.meaning->level)).end_object();
}

void write(JsonWriter& json, const Assessment& assessment) {
  json.begin_object()
      .member("place", place_name(assessment.place))
      .member("agreement", agreement_name(assessment.agreement));
  member(json, "reason", assessment.reason);
  json.end_object();
}

void status(JsonWriter& json, std::string_view code, const StatusRow& row) {
  json.key("status")
      .begin_object()
      .member("code", code)
      .member("status", status_name(row.status))
      .member("meaning", row.meaning);
  member(json, "absent", row.absent);
  json.end_object();
}

void write(JsonWriter& json, const Period& period) {
  json.begin_object();
  part(json, "start", period.start);
  part(json, "end", period.end);
  json.end_object();
}

void write(JsonWriter& json, const Specimen& specimen) {
  json.begin_object();
  index(json, "segment", specimen.segment);
  part(json, "placer", specimen.placer);
  part(json, "filler", specimen.filler);
  part(json, "accession", specimen.accession);
  part(json, "type", specimen.type);
  list(json, "modifiers", specimen.modifiers);
  part(json, "method", specimen.method);
  part(json, "site", specimen.site);
  member(json, "amount", specimen.amount);
  list(json, "descriptions", specimen.descriptions);
  json.key("collected");
  write(json, specimen.collected);
  part(json, "received", specimen.received);
  list(json, "reject_reasons", specimen.reject_reasons);
  list(json, "conditions", specimen.conditions);
  list(json, "notes", specimen.notes);
  json.end_object();
}

void write(JsonWriter& json, const ParentLink& link) {
  json.begin_object();
  part(json, "observation", link.observation);
  member(json, "sub_id", link.sub_id);
  member(json, "value", link.value);
  part(json, "placer", link.placer);
  part(json, "filler", link.filler);
  index(json, "report", link.report);
  index(json, "in_report", link.in_report);
  json.end_object();
}

void write(JsonWriter& json, const Patient& patient) {
  json.begin_object();
  index(json, "segment", patient.segment);
  list(json, "identifiers", patient.identifiers);
  list(json, "names", patient.names);
  part(json, "born", patient.born);
  member(json, "sex", patient.sex);
  list(json, "addresses", patient.addresses);
  list(json, "telecoms", patient.telecoms);
  list(json, "notes", patient.notes);
  json.end_object();
}

void write(JsonWriter& json, const Unused& unused) {
  json.begin_object();
  if (unused.segment.empty()) {
    json.key("segment").null();
  } else {
    json.member("segment", unused.segment);
  }
  if (unused.index == kNone) {
    json.key("index").null();
  } else {
    json.member("index", std::uint64_t{unused.index});
  }
  json.member("offset", static_cast<std::uint64_t>(unused.offset)).member("reason", unused.reason).end_object();
}

void write(JsonWriter& json, const Change& change) {
  json.begin_object()
      .member("kind", change_name(change.kind))
      .member("before", change.before)
      .member("after", change.after)
      .end_object();
}

void write(JsonWriter& json, const Document& document) {
  write_json(json, document);
}

void names(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
}

void write_patient_observations(JsonWriter& json, const Interpretation& interpretation) {
  if (interpretation.patient_observations.empty()) return;
  json.key("patient_observations").begin_array();
  for (const auto& of_patient : interpretation.patient_observations) write_json(json, of_patient.observation);
  json.end_array();
}

}  // namespace

void write_json(JsonWriter& json, const Observation& observation) {
  json.begin_object().key("segments").begin_array();
  for (const std::uint32_t segment : observation.segments) json.number(std::uint64_t{segment});
  json.end_array();
  json.member("about", about_name(observation.about));
  member(json, "set_id", observation.set_id);
  member(json, "value_type", observation.value_type);
  json.key("code");
  write(json, observation.code);
  member(json, "sub_id", observation.sub_id);
  list(json, "values", observation.values);
  if (observation.value_deleted) json.member("value_deleted", true);
  if (observation.unit->standing != Unit::Standing::absent) {
    json.key("unit");
    write(json, *observation.unit);
  }
  part(json, "range", observation.ranges);
  list(json, "flags", observation.flags);
  json.key("computed");
  write(json, observation.assessment);
  status(json, observation.status_code, *observation.status);
  part(json, "observed", observation.observed);
  part(json, "analyzed", observation.analyzed);
  list(json, "methods", observation.made->methods);
  list(json, "devices", observation.made->devices);
  list(json, "observers", observation.made->observers);
  part(json, "producer", observation.made->producer);
  part(json, "site", observation.site);
  list(json, "identifiers", observation.identifiers);
  part(json, "performer", observation.made->performer);
  list(json, "notes", observation.notes);
  index(json, "specimen", observation.specimen);
  index(json, "parent", observation.parent);
  list(json, "problems", observation.problems);
  json.end_object();
}

void write_json(JsonWriter& json, const Report& report) {
  json.begin_object();
  index(json, "segment", report.segment);
  index(json, "patient", report.patient);
  member(json, "set_id", report.set_id);
  part(json, "placer", report.placer);
  part(json, "filler", report.filler);
  part(json, "group", report.group);
  part(json, "accession", report.accession);
  json.key("test");
  write(json, report.test);
  status(json, report.status_code, *report.status);
  part(json, "collected_from", report.collected_from);
  part(json, "collected_to", report.collected_to);
  part(json, "received", report.received);
  part(json, "issued", report.issued);
  part(json, "requested", report.requested);
  member(json, "category", report.category);
  member(json, "clinical_information", report.clinical_information);
  list(json, "reasons", report.reasons);
  list(json, "orderers", report.orderers);
  list(json, "copies_to", report.copies_to);
  list(json, "interpreters", report.interpreters);
  part(json, "performer", report.performer);
  part(json, "parent", report.parent);
  list(json, "specimens", report.specimens);
  json.key("observations").begin_array();
  for (const Observation& observation : report.observations) write_json(json, observation);
  json.end_array();
  list(json, "notes", report.notes);
  list(json, "problems", report.problems);
  json.end_object();
}

void write_json(JsonWriter& json, const Account& account) {
  json.begin_object();
  json.member("obx_in", static_cast<std::uint64_t>(account.obx_in));
  json.member("observations", static_cast<std::uint64_t>(account.observations));
  json.key("explained").begin_array();
  for (const Unused& unused : account.explained) write(json, unused);
  json.end_array();
  json.member("segments_in", static_cast<std::uint64_t>(account.segments_in));
  json.member("segments_used", static_cast<std::uint64_t>(account.segments_used));
  json.key("unused").begin_array();
  for (const Unused& unused : account.unused) write(json, unused);
  json.end_array().end_object();
}

void write_json(JsonWriter& json, const Diff& diff) {
  json.begin_object().key("analytes").begin_array();
  for (const AnalyteDiff& analyte : diff.analytes) {
    json.begin_object();
    json.member("code", analyte.key.code);
    member(json, "system", analyte.key.system);
    member(json, "sub_id", analyte.key.sub_id);
    if (analyte.key.nth > 0) json.member("nth", std::uint64_t{analyte.key.nth});
    json.member("name", analyte.name);
    list(json, "changes", analyte.changes);
    json.end_object();
  }
  json.end_array();
  if (diff.report_status) {
    json.key("report_status");
    write(json, *diff.report_status);
  }
  if (diff.report_notes) {
    json.key("report_notes");
    write(json, *diff.report_notes);
  }
  json.end_object();
}

void write_comparison(JsonWriter& json, const std::vector<Report>& older, const std::vector<Report>& newer) {
  const std::vector<ReportPair> pairs = compare(older, newer);
  json.begin_object().key("reports").begin_array();
  for (const ReportPair& pair : pairs) {
    if (pair.newer == nullptr || pair.repeats()) continue;
    json.begin_object().member("report", static_cast<std::uint64_t>(pair.newer - newer.data()));
    json.key("test");
    write(json, pair.newer->test);
    part(json, "filler", pair.newer->filler);
    json.member("relation", relation_name(pair.relation)).key("diff");
    write_json(json, pair.diff);
    names(json, "not_sent_again", pair.not_sent_again);
    json.end_object();
  }
  json.end_array().key("reports_not_sent_again").begin_array();
  for (const ReportPair& pair : pairs) {
    if (pair.newer == nullptr) json.string(pair.older->test.display());
  }
  json.end_array().end_object();
}

void write_members(JsonWriter& json, const ResultFile& file) {
  json.member("reading", form_name(file.form));
  if (file.form != ResultFile::Form::hl7) return;
  json.key("reports").begin_array();
  for (const Report& report : file.content.reports) write_json(json, report);
  json.end_array();
  write_patient_observations(json, file.content);
  json.key("documents").begin_array();
  for (const Document& document : file.content.documents) write_json(json, document);
  json.end_array().key("account");
  write_json(json, file.content.account);
}

void write_json(JsonWriter& json, const Document& document) {
  json.begin_object().member("sha256", document.digest().hex()).member("media_type", document.media_type());
  json.member("size", static_cast<std::uint64_t>(document.size()))
      .member("segment", std::uint64_t{document.segment()})
      .end_object();
}

void write_json(JsonWriter& json, const Interpretation& interpretation) {
  const Header& header = interpretation.header;
  json.begin_object().key("header").begin_object();
  member(json, "sending_application", header.sending_application);
  member(json, "sending_facility", header.sending_facility);
  member(json, "type", header.type);
  member(json, "control_id", header.control_id);
  member(json, "version", header.version);
  member(json, "processing", header.processing);
  part(json, "sent", header.sent);
  json.end_object();
  list(json, "patients", interpretation.patients);
  json.key("reports").begin_array();
  for (const Report& report : interpretation.reports) write_json(json, report);
  json.end_array();
  write_patient_observations(json, interpretation);
  list(json, "documents", interpretation.documents);
  json.key("account");
  write_json(json, interpretation.account);
  json.end_object();
}

}  // namespace resultsync::results
