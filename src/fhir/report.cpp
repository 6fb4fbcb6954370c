#include <algorithm>
#include <set>
#include <unordered_set>

#include "fhir/conversion.hpp"

namespace resultsync::fhir {
namespace {

using results::Status;

// What is known of the order from the state of its report.
std::string_view request_status(Status status) {
  switch (status) {
    case Status::registered:
    case Status::partial:
    case Status::preliminary:
      return "active";
    case Status::final:
    case Status::amended:
    case Status::corrected:
      return "completed";
    case Status::cancelled:
      return "revoked";
    case Status::entered_in_error:
    case Status::unknown:
      break;
  }
  return "unknown";
}

// US Core asks for an effective time and a time of issue once there are results (us-core-8, us-core-9).
bool wants_times(Status status) {
  return status == Status::partial || status == Status::preliminary || status == Status::final ||
         status == Status::amended || status == Status::corrected;
}

bool has_loinc(const results::Codes& codes) {
  return std::ranges::any_of(codes.codings, [](const results::Coding& coding) {
    return !is_blank(coding.code) && known_system(coding.system) == systems::kLoinc;
  });
}

}  // namespace

void Conversion::subject(Known patient, bool required) {
  if (patient) {
    out_.reference("subject", "subject", Type::patient, patient.id);
  } else if (required) {
    json_.object("subject", [&] {
      json_.array("extension", [&] {
        json_.object([&] {
          json_.literal("url", extensions::kAbsent);
          json_.literal("valueCode", "unknown");
        });
      });
    });
  }
}

// The report and its request say the same of these: the second repeats what the first wrote.
void Conversion::report_identifiers(const results::Report& report, ReportNames& names) {
  if (names.identifiers.json_end > 0) return out_.repeat(names.identifiers);
  names.identifiers = out_.begin_passage();
  json_.array("identifier", [&] {
    network_identifier("order", context_.order_id);
    network_identifier("ordered-test", context_.ordered_test_id);
    identifier(report.placer, "PLAC");
    identifier(report.filler, "FILL");
    if (report.accession.id != report.filler.id) identifier(report.accession, "ACSN");
  });
  out_.end_passage(names.identifiers);
}

bool Conversion::test_of(const results::Report& report, ReportNames& names) {
  if (names.test.json_end > 0) {
    out_.repeat(names.test);
  } else {
    names.test = out_.begin_passage();
    concept_of("code", report.test, Search::code);
    out_.end_passage(names.test);
  }
  return names.test.json_end > names.test.json;
}

// OBR-7 and OBR-8.
bool Conversion::report_effective(const results::Report& report) {
  const std::optional<Span> from = rendered(report.collected_from, report.zone).span;
  const std::optional<Span> to = rendered(report.collected_to, report.zone).span;
  if (!from && !to) return false;
  if (!to || (from && to->from <= from->from)) {
    out_.date(*from);
    return time("effectiveDateTime", report.collected_from, report.zone);
  }
  out_.date({from ? from->from : to->from, to->to});
  return period("effectivePeriod", report.collected_from, report.collected_to, report.zone);
}

// OBR-24; and LAB for every section of a laboratory, which is how US Core finds laboratory reports.
void Conversion::section(const results::Report& report) {
  const std::string code = clean_code(report.category);
  json_.array("category", [&] {
    const auto add = [&](std::string_view section) {
      json_.object([&] { code_and_text(systems::kSection, section, section_text(section)); });
      out_.token(Search::category, systems::kSection, section);
    };
    if (!code.empty() && section_text(code).empty()) {
      json_.object([&] { json_.string("text", code); });
    } else if (!code.empty() && code != "LAB") {
      add(out_.keep(code));
    }
    if (section_category(code) == "laboratory") add("LAB");
  });
}

// Each once: one that was described twice in the same way is one resource.
void Conversion::specimens_of(const ReportNames& names) {
  json_.array("specimen", [&] {
    std::unordered_set<std::string_view> shown;
    for (const Known& one : names.specimens) {
      if (shown.insert(one.id).second) out_.reference({}, "specimen", one.type, one.id);
    }
  });
}

void Conversion::report(const results::Report& report, ReportNames& names, bool us_core) {
  const Known lab = organization(report.performer);
  std::vector<Known> interpreters;
  for (const results::Person& one : report.interpreters) {
    if (const Known known = practitioner(one)) interpreters.push_back(known);
  }
  out_.begin(Type::diagnostic_report, names.id);
  out_.patient(names.patient.id);
  json_.array("extension", [&] {
    for (const results::Note& one : report.notes) {
      if (is_blank(one.text)) continue;
      json_.object([&] {
        json_.literal("url", extensions::kReportNote);
        json_.object("valueAnnotation", [&] { json_.string("text", one.text); });
      });
    }
  });
  report_identifiers(report, names);
  json_.array("basedOn", [&] { out_.reference({}, "based-on", Type::service_request, names.request); });
  out_.status(results::status_name(report.status->status));
  section(report);
  const bool coded = test_of(report, names);
  if (!coded) {
    json_.object("code", [&] { code_and_text(systems::kLoinc, "11502-2", "Laboratory report"); });
    out_.token(Search::code, systems::kLoinc, "11502-2");
  }
  subject(names.patient, false);
  const bool effective = report_effective(report);
  const bool issued = instant("issued", report.issued, report.zone);
  if (issued) out_.issued(span_of(report.issued, report.zone)->from);
  if (lab) json_.array("performer", [&] { out_.reference({}, "performer", lab.type, lab.id); });
  json_.array("resultsInterpreter", [&] {
    for (const Known& one : interpreters) out_.reference({}, "results-interpreter", one.type, one.id);
  });
  specimens_of(names);
  json_.array("result", [&] {
    for (const std::string_view id : names.observations) out_.reference({}, "result", Type::observation, id);
  });
  json_.array("presentedForm", [&] {
    std::set<std::pair<std::string, std::string_view>> shown;  // a file in pieces stands in several observations
    for (const results::Observation& observation : report.observations) {
      for (const results::Value& value : observation.values) {
        const auto* file = value.as<results::Attachment>();
        std::string url = file != nullptr ? url_of(*file) : std::string();
        if (!url.empty() && shown.emplace(std::move(url), observation.code.display()).second)
          attachment({}, *file, observation.code.display(), false);
      }
    }
  });
  const bool timely = !wants_times(report.status->status) || (effective && issued);
  if (us_core && timely && has_loinc(report.test) && names.patient.us_core &&
      section_category(clean_code(report.category)) == "laboratory" && (!lab || lab.us_core) &&
      std::ranges::all_of(interpreters, &Known::us_core))
    out_.profile(profiles::kReport);
  out_.end();
}

// ---- ServiceRequest

void Conversion::request(const results::Report& report, ReportNames& names) {
  Known orderer = report.orderers.empty() ? Known{} : practitioner(report.orderers[0]);
  const Known place = clinic();
  if (place || !context_.practitioner_id.empty()) orderer = role(orderer, place, {}, context_.practitioner_id);

  out_.begin(Type::service_request, names.request);
  out_.patient(names.patient.id);
  report_identifiers(report, names);
  const results::ParentLink& parent = report.parent;
  json_.array("basedOn", [&] {
    if (parent.report != results::kNone) {
      out_.reference({}, "based-on", Type::service_request, reports_[parent.report].request);
    } else if (const results::Identifier& id = parent.filler.empty() ? parent.placer : parent.filler;
               !is_blank(id.id)) {
      json_.object([&] {
        json_.literal("type", "ServiceRequest");
        json_.object("identifier", [&] {
          type_member(parent.filler.empty() ? "PLAC" : "FILL");
          if (const std::string_view system = assigner_system(id); !system.empty()) json_.literal("system", system);
          json_.string("value", id.id);
        });
      });
    }
  });
  if (!is_blank(report.group.id)) {
    json_.object("requisition", [&] {
      if (const std::string_view system = assigner_system(report.group); !system.empty())
        json_.literal("system", system);
      json_.string("value", report.group.id);
    });
  }
  out_.status(request_status(report.status->status));
  json_.literal("intent", "order");
  test_of(report, names);
  subject(names.patient, true);
  if (time("authoredOn", report.requested, report.zone)) out_.date(*span_of(report.requested, report.zone));
  if (orderer) out_.reference("requester", "requester", orderer.type, orderer.id);
  json_.array("reasonCode", [&] {
    for (const results::Codes& reason : report.reasons) concept_of({}, reason);
  });
  specimens_of(names);
  json_.array("note", [&] { note(report.clinical_information); });
  out_.end();
}

// ---- Specimen

Conversion::Known Conversion::specimen(const results::Specimen& specimen, const ReportNames& names) {
  NameHash name;
  name.add("specimen");
  if (!specimen.filler.empty() || !specimen.placer.empty()) {
    name.add(specimen.filler.id).add(specimen.filler.authority).add(specimen.placer.id).add(specimen.placer.authority);
  } else {
    name.add(names.hash);
  }
  // The same tube may stand under several orders; what differs in any way is another.
  NameHash content = name;
  content.add(names.patient.id).add(specimen.accession.id).add(specimen.amount);
  for (const results::Codes* codes : {&specimen.type, &specimen.method, &specimen.site})
    for (const results::Coding& one : codes->codings) content.add(one.code).add(one.text).add(one.system);
  for (const results::Codes& one : specimen.modifiers) content.add(one.display());
  for (const std::string& one : specimen.descriptions) content.add(one);
  content.add(specimen.collected.start.text).add(specimen.collected.end.text).add(specimen.received.text);
  for (const results::Note& one : specimen.notes) content.add(one.text);
  for (const results::Codes& one : specimen.reject_reasons) content.add(one.display());
  for (const results::Codes& one : specimen.conditions) content.add(one.display());
  if (specimen.filler.empty() && specimen.placer.empty()) content.add(std::uint64_t{specimen.segment});

  Known& known = known_[content.value()];
  if (known) return known;
  known = {out_.new_id(Type::specimen, name.value()), Type::specimen, !specimen.type.empty()};
  out_.begin(Type::specimen, known.id);
  out_.patient(names.patient.id);
  json_.array("identifier", [&] {
    identifier(specimen.placer, "PLAC");
    identifier(specimen.filler, "FILL");
  });
  if (!is_blank(specimen.accession.id)) {
    json_.object("accessionIdentifier", [&] {
      if (const std::string_view system = assigner_system(specimen.accession); !system.empty())
        json_.literal("system", system);
      json_.string("value", specimen.accession.id);
    });
  }
  if (!specimen.reject_reasons.empty()) out_.status("unsatisfactory");
  concept_of("type", specimen.type, Search::code);
  subject(names.patient, false);
  time("receivedTime", specimen.received, names.zone);
  json_.object("collection", [&] {
    const auto& [start, end] = specimen.collected;
    const std::optional<Span> from = span_of(start, names.zone);
    const std::optional<Span> to = span_of(end, names.zone);
    if (from && to && to->from > from->from) {
      out_.date({from->from, to->to});
      period("collectedPeriod", start, end, names.zone);
    } else if (from) {
      out_.date(*from);
      time("collectedDateTime", start, names.zone);
    }
    concept_of("method", specimen.method);
    concept_of("bodySite", specimen.site);
  });
  json_.array("condition", [&] {
    for (const results::Codes& one : specimen.conditions) concept_of({}, one);
    for (const results::Codes& one : specimen.reject_reasons) concept_of({}, one);
  });
  json_.array("note", [&] {
    const auto say = [&](std::string_view what, std::string_view text) {
      if (!is_blank(text)) note(std::string(what).append(text));
    };
    for (const results::Codes& one : specimen.modifiers) say("Modifier or additive: ", one.display());
    for (const std::string& one : specimen.descriptions) say("Description: ", one);
    say("Amount: ", specimen.amount);
    for (const results::Note& one : specimen.notes) note(one.text);
  });
  out_.end();
  return known;
}

}  // namespace resultsync::fhir
