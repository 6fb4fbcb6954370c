#include "results/known_result.hpp"

#include <algorithm>

#include "results/parents.hpp"
#include "results/versions.hpp"

namespace resultsync::results {
namespace {

bool same_person(const Patient& a, const Patient& b) {
  return a.identifiers == b.identifiers && a.names == b.names && a.born == b.born;
}

// The index among `patients` of a patient of an earlier file, added if need be.
std::uint32_t carried(std::uint32_t index, const std::vector<Patient>& from, std::vector<Patient>& patients) {
  if (index == kNone) return kNone;
  const auto same = [&](const Patient& other) { return same_person(from[index], other); };
  const auto found = std::ranges::find_if(patients, same);
  if (found != patients.end()) return static_cast<std::uint32_t>(found - patients.begin());
  patients.push_back(from[index]);
  return static_cast<std::uint32_t>(patients.size() - 1);
}

// For each report of `newer` the one of `known` that it goes with, as in compare(); or kNone.
std::vector<std::uint32_t> partners(const std::vector<Report>& known, const std::vector<Report>& newer) {
  std::vector<std::uint32_t> partner(newer.size(), kNone);
  std::vector<bool> taken(known.size(), false);
  for (std::size_t n = 0; n < newer.size(); ++n) {
    for (std::uint32_t k = 0; k < known.size() && partner[n] == kNone; ++k) {
      if (taken[k] || !same_report(known[k], newer[n])) continue;
      taken[k] = true;
      partner[n] = k;
    }
  }
  return partner;
}

// The reports in the order in which they came first.
std::vector<Report> merged_reports(const Interpretation& known, Interpretation& newer) {
  const std::vector<std::uint32_t> partner = partners(known.reports, newer.reports);
  std::vector<Report> reports;
  for (std::uint32_t k = 0; k < known.reports.size(); ++k) {
    const Report& before = known.reports[k];
    const auto again = std::ranges::find(partner, k);
    if (again != partner.end()) {
      reports.push_back(merge(before, newer.reports[static_cast<std::size_t>(again - partner.begin())]));
    } else {
      reports.push_back(before);
      reports.back().patient = carried(before.patient, known.patients, newer.patients);
    }
  }
  for (std::size_t n = 0; n < newer.reports.size(); ++n) {
    if (partner[n] != kNone) continue;
    Report nothing;
    nothing.status = newer.reports[n].status;
    reports.push_back(merge(nothing, newer.reports[n]));  // without what it takes back
  }
  return reports;
}

bool same_analyte(const Interpretation::OfPatient& a, const Interpretation::OfPatient& b) {
  return share_a_code(a.observation.code, b.observation.code) && a.observation.sub_id == b.observation.sub_id;
}

void carry_patient_observations(const Interpretation& known, Interpretation& newer) {
  for (Interpretation::OfPatient before : known.patient_observations) {
    const auto same = [&](const auto& other) { return same_analyte(before, other); };
    if (std::ranges::any_of(newer.patient_observations, same)) continue;
    before.patient = carried(before.patient, known.patients, newer.patients);
    newer.patient_observations.push_back(std::move(before));
  }
  std::erase_if(newer.patient_observations, [](const auto& one) { return one.observation.status->code == "D"; });
}

void carry_documents(const Interpretation& known, Interpretation& newer) {
  std::vector<Document> documents;
  const auto take = [&](const Observation& observation) {
    for (const Value& value : observation.values) {
      const auto* attachment = value.as<Attachment>();
      if (attachment == nullptr || !attachment->document) continue;
      if (std::ranges::find(documents, *attachment->document, &Document::digest) != documents.end()) continue;
      const Document* document = newer.find(*attachment->document);
      if (document == nullptr) document = known.find(*attachment->document);
      if (document != nullptr) documents.push_back(*document);
    }
  };
  for (const Report& report : newer.reports) std::ranges::for_each(report.observations, take);
  for (const auto& of_patient : newer.patient_observations) take(of_patient.observation);
  newer.documents = std::move(documents);
}

}  // namespace

void KnownResult::take(ResultFile file) {
  switch (file.form) {
    case ResultFile::Form::absent:
      content_ = Interpretation{};
      return;
    case ResultFile::Form::link:
    case ResultFile::Form::not_hl7:
      content_.reset();
      return;
    case ResultFile::Form::hl7:
      content_ = merge(content_ ? *content_ : Interpretation{}, std::move(file.content));
      return;
  }
}

Interpretation merge(const Interpretation& known, Interpretation newer) {
  newer.reports = merged_reports(known, newer);
  link_parents(newer.reports);
  carry_patient_observations(known, newer);
  carry_documents(known, newer);
  return newer;
}

}  // namespace resultsync::results
