// Any bytes: FHIR that is JSON, with ids that are ids, each once, and references that resolve.
#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <string>
#include <utility>

#include "base/encoding.hpp"
#include "fhir/fhir.hpp"
#include "hl7/reader.hpp"

namespace {

using namespace resultsync;

void require(bool holds) {
  if (!holds) std::abort();
}

bool is_id(std::string_view text) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, allowed);
}

// FHIR R4 §2.6.2: nothing is empty, and nothing is null.
void require_nothing_empty(simdjson::dom::element element) {
  require(!element.is_null());
  if (element.is_string()) require(!element.get_string().value().empty());
  if (element.is_array()) {
    require(element.get_array().value().size() > 0);
    for (const auto child : element.get_array().value()) require_nothing_empty(child);
  }
  if (element.is_object()) {
    require(element.get_object().value().size() > 0);
    std::set<std::string_view> keys;
    for (const auto [key, child] : element.get_object().value()) {
      require(keys.insert(key).second);
      require_nothing_empty(child);
    }
  }
}

void check(const results::Interpretation& message, const fhir::Context& context) {
  const fhir::Resources resources = fhir::convert(message, context);
  std::set<std::pair<fhir::Type, std::string_view>> there;
  for (const fhir::Resource& resource : resources) {
    require(is_id(resource.id) && !fhir::prefix_of(resource.id).empty());
    require(there.emplace(resource.type, resource.id).second);
    require(resources.find(resource.type, resource.id) == &resource);
  }
  std::size_t observations = 0;
  for (const fhir::Resource& resource : resources) {
    observations += resource.type == fhir::Type::observation ? 1 : 0;
    require(resource.patient.empty() || there.contains({fhir::Type::patient, resource.patient}));
    for (const fhir::Reference& reference : resource.references)
      require(there.contains({reference.type, reference.id}));
    require(!resource.date || resource.date->from < resource.date->to);
  }
  std::size_t expected = message.patient_observations.size();
  for (const results::Report& report : message.reports) expected += report.observations.size();
  require(observations == expected);

  std::string bundle;
  fhir::write_collection(resources, fhir::kNoServer, bundle);
  require(is_utf8(bundle));
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const simdjson::padded_string json(bundle);
  require(parser.parse(json).get(root) == simdjson::SUCCESS);
  require_nothing_empty(root);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const hl7::Reading reading = hl7::read_in_place(bytes);
  fhir::Context plain;
  plain.id_prefix = "f";
  fhir::Context full;
  full.id_prefix = bytes.substr(0, 60);
  full.patient_id_prefix = bytes.substr(0, 9);
  full.source = full.order_id = full.practitioner_id = full.clinic_id = full.patient_id = bytes.substr(0, 5);
  full.inline_documents = true;
  full.version = 2;
  for (const hl7::Message& message : reading.messages()) {
    const results::Interpretation result = results::interpret(message);
    check(result, plain);
    check(result, full);
  }
  return 0;
}
