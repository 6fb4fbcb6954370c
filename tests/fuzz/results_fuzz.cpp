// Any bytes: every message gives an interpretation whose account is exact, JSON that is text, and reports that equal
// themselves.
#include <cstdint>
#include <cstdlib>

#include "base/encoding.hpp"
#include "hl7/reader.hpp"
#include "results/json.hpp"
#include "results/versions.hpp"

namespace {

using namespace resultsync;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const results::Interpretation& result) {
  require(result.account.balanced());
  std::size_t segments = result.patient_observations.size();
  for (const results::Report& report : result.reports) {
    for (const results::Observation& observation : report.observations) {
      segments += observation.segments.size();
      require(observation.status != nullptr);
      require(observation.specimen == results::kNone || observation.specimen < report.specimens.size());
      require(observation.parent == results::kNone || observation.parent < report.observations.size());
    }
    require(results::diff(report, report).empty());
    const results::Report& first = result.reports.front();
    require(results::relate(first, report).relation == results::relate(report, first).relation);
  }
  require(segments == result.account.observations);
  JsonWriter json;
  results::write_json(json, result);
  require(is_utf8(json.text()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const hl7::Reading reading = hl7::read_in_place(bytes);
  for (const hl7::Message& message : reading.messages()) check(results::interpret(message));
  return 0;
}
