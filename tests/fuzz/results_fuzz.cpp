// Any bytes: every message gives an interpretation whose account is exact, JSON that is text, and reports that equal
// themselves.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "hl7/reader.hpp"
#include "results/json.hpp"
#include "results/known_result.hpp"
#include "results/versions.hpp"

namespace {

using namespace resultsync;

void require(bool holds) {
  if (!holds) std::abort();
}

bool within(std::uint32_t index, std::size_t size) {
  return index == results::kNone || index < size;
}

void check_links(const results::Interpretation& result) {
  for (const results::Report& report : result.reports) {
    for (const results::Observation& observation : report.observations) {
      require(observation.status != nullptr);
      require(within(observation.specimen, report.specimens.size()));
      require(within(observation.parent, report.observations.size()));
    }
    require(within(report.patient, result.patients.size()));
    require(within(report.parent.report, result.reports.size()));
    if (report.parent.in_report != results::kNone)
      require(report.parent.in_report < result.reports[report.parent.report].observations.size());
  }
}

std::size_t as_written(const hl7::Message& message, const results::Observation& observation) {
  std::size_t count = 0;
  for (const std::uint32_t segment : observation.segments) count += message.segment(segment).as_written() ? 1 : 0;
  return count;
}

void check(const hl7::Message& message, const results::Interpretation& result) {
  require(result.account.balanced());
  check_links(result);
  std::size_t segments = 0;
  for (const auto& of_patient : result.patient_observations) segments += as_written(message, of_patient.observation);
  for (const results::Report& report : result.reports) {
    for (const results::Observation& observation : report.observations) segments += as_written(message, observation);
    require(results::diff(report, report).empty());
    const results::Report& first = result.reports.front();
    require(results::relate(first, report).relation == results::relate(report, first).relation);
  }
  require(segments == result.account.observations);
  JsonWriter json;
  results::write_json(json, result);
  require(is_utf8(json.text()));
  check_links(results::merge(results::merge({}, result), result));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const hl7::Reading reading = hl7::read_in_place(bytes);
  for (const hl7::Message& message : reading.messages()) check(message, results::interpret(message));
  return 0;
}
