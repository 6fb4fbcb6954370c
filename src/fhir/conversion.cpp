#include "fhir/conversion.hpp"

#include <algorithm>

namespace resultsync::fhir {

Resources convert(const results::Interpretation& message, const Context& context) {
  return Conversion(message, context).run();
}

namespace {

// A resource of a report has some 1.5 KB; more is found out while writing.
std::size_t json_bytes(const results::Interpretation& message) {
  constexpr std::size_t kBytesAReport = 8'000;
  constexpr std::size_t kBytesAnObservation = 2'000;
  std::size_t bytes = kBytesAReport;
  for (const results::Report& report : message.reports)
    bytes += kBytesAReport + report.observations.size() * kBytesAnObservation;
  return bytes;
}

}  // namespace

Conversion::Conversion(const results::Interpretation& message, const Context& context)
    : message_(message), context_(context), out_(context, json_bytes(message)), json_(out_.json()) {}

Resources Conversion::run() {
  const DateTime sent = date_time(message_.header.sent, {});
  const bool is_instant = sent.dropped.empty() && message_.header.sent.has_time();
  out_.message(message_.header.control_id, local_system("message", message_.header.sending_application),
               is_instant ? std::string_view(sent.text) : std::string_view());
  for (const results::Patient& one : message_.patients) patients_.push_back(patient(one));
  name_reports();
  link_members();
  for (std::size_t i = 0; i < message_.reports.size(); ++i) convert_report(i);
  for (const auto& [whose, one] : message_.patient_observations) {
    Place place;
    place.patient = whose == results::kNone ? network_patient() : patients_[whose];
    place.zone = message_.header.sent.offset_minutes;
    NameHash name;
    name.add("patient").add(one.code.display()).add(one.sub_id);
    observation(one, out_.new_id(Type::observation, name.value()), place);
  }
  provenance();
  return out_.take();
}

// What names a report over all its versions: the filler number, else the placer number, and the test.
std::uint64_t Conversion::name_of(const results::Report& report) const {
  const results::Identifier& number = report.filler.empty() ? report.placer : report.filler;
  NameHash name;
  name.add(number.id);
  if (const results::Coding* test = report.test.preferred()) name.add(test->code.empty() ? test->text : test->code);
  return name.value();
}

// Ids first: parents refer to children that are written later.
void Conversion::name_reports() {
  reports_.resize(message_.reports.size());
  for (std::size_t i = 0; i < message_.reports.size(); ++i) {
    const results::Report& report = message_.reports[i];
    ReportNames& names = reports_[i];
    names.hash = name_of(report);
    names.id = out_.new_id(Type::diagnostic_report, names.hash);
    names.request = out_.new_id(Type::service_request, names.hash);
    names.zone = report.zone;
    names.patient = report.patient == results::kNone ? network_patient() : patients_[report.patient];
    names.category = section_category(clean_code(report.category));
    sources_.push_back(names.id);
    names.observations.reserve(report.observations.size());
    for (const results::AnalyteKey& key : results::analyte_keys(report)) {
      NameHash name;
      name.add(names.hash).add(key.code).add(key.system).add(key.sub_id).add(std::uint64_t{key.nth});
      names.observations.push_back(out_.new_id(Type::observation, name.value()));
    }
  }
}

// A panel's members: OBX-4 "1.2" belongs to "1", and what a child order (OBR-26, OBR-29) found belongs to the result
// that it was made of.
void Conversion::link_members() {
  for (std::uint32_t r = 0; r < message_.reports.size(); ++r) {
    const results::Report& report = message_.reports[r];
    const bool child = report.parent.report != results::kNone && report.parent.in_report != results::kNone;
    for (std::uint32_t i = 0; i < report.observations.size(); ++i) {
      const std::uint32_t parent = report.observations[i].parent;
      const std::string_view id = reports_[r].observations[i];
      if (parent != results::kNone && parent != i) {
        members_[{r, parent}].push_back(id);
      } else if (child) {
        members_[{report.parent.report, report.parent.in_report}].push_back(id);
      }
    }
  }
}

void Conversion::convert_report(std::size_t index) {
  const results::Report& report = message_.reports[index];
  ReportNames& names = reports_[index];
  for (const results::Specimen& one : report.specimens) names.specimens.push_back(specimen(one, names));
  request(report, names);
  const Place place{&report, &names, names.patient, names.zone};
  bool us_core = true;
  for (std::size_t i = 0; i < report.observations.size(); ++i)
    us_core = observation(report.observations[i], names.observations[i], place) && us_core;
  this->report(report, names, us_core);
}

}  // namespace resultsync::fhir
