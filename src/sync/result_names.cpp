#include "sync/result_names.hpp"

#include <algorithm>

#include "fhir/conversion.hpp"
#include "fhir/json.hpp"

namespace resultsync::sync {
namespace {

class Collector {
 public:
  void take(const results::Interpretation& interpretation) {
    for (const results::Patient& patient : interpretation.patients) {
      for (const auto& identifier : patient.identifiers) add(identifier);
    }
    for (const results::Report& report : interpretation.reports) take(report);
    const auto zone = interpretation.header.sent.offset_minutes;
    for (const auto& [patient, observation] : interpretation.patient_observations) take(observation, zone);
  }
  ResultNames finish() {
    settle(names_.codes, kIndexCodesMax);
    settle(names_.identifiers, kIndexIdentifiersMax);
    return std::move(names_);
  }

 private:
  void take(const results::Report& report) {
    // What a report without a test is called.
    if (report.test.empty()) names_.codes.emplace_back("11502-2");
    add(report.test);
    for (const auto* identifier : {&report.placer, &report.filler, &report.accession}) add(*identifier);
    add(report.collected_from, report.zone);
    add(report.collected_to, report.zone);
    for (const results::Specimen& specimen : report.specimens) {
      add(specimen.type);
      add(specimen.placer);
      add(specimen.filler);
    }
    for (const results::Observation& observation : report.observations) take(observation, report.zone);
  }
  void take(const results::Observation& observation, std::optional<int> zone) {
    add(observation.code);
    for (const auto& identifier : observation.identifiers) add(identifier);
    add(observation.observed, zone);
  }

  void add(const results::Codes& codes) {
    for (const results::Coding& coding : codes.codings) {
      if (coding.code.empty()) continue;
      fhir::is_plain_code(coding.code) ? names_.codes.push_back(coding.code)
                                       : names_.codes.push_back(fhir::clean_code(coding.code));
    }
  }
  void add(const results::Identifier& identifier) {
    if (!identifier.empty()) names_.identifiers.push_back(identifier.id);
  }
  void add(const results::Moment& moment, std::optional<int> zone) {
    if (!moment.valid()) return;
    const auto span = fhir::span_of(moment, zone);
    if (!span) return;
    names_.taken.from = std::min(names_.taken.from, span->from);
    names_.taken.to = std::max(names_.taken.to, span->to);
  }

  static void settle(std::vector<std::string>& names, std::size_t most) {
    std::ranges::sort(names);
    names.erase(std::ranges::unique(names).begin(), names.end());
    if (names.size() > most) names.resize(most);
  }

  ResultNames names_;
};

}  // namespace

ResultNames names_in(const results::Interpretation& interpretation) {
  Collector collector;
  collector.take(interpretation);
  return collector.finish();
}

}  // namespace resultsync::sync
