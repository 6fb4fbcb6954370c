// From rows of the views to FHIR resources: what is current of an ordered test, converted when it is asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "api/results.hpp"
#include "fhir/fhir.hpp"

namespace resultsync::api::fhir_face {

// What is needed of the views to show one ordered test; the bodies are read after the snapshot is given back.
struct Planned {
  store::ResultRow row;
  VersionPlace place;
  PractitionerId practitioner;
};
// In their order; those of which nothing is current are left out.
std::vector<Planned> plan(store::ViewsSnapshot& snapshot, std::vector<store::ResultRow> rows);

// `base`: "https://host", for where documents are. Nothing where the result was withdrawn, or cannot be read.
std::optional<fhir::Resources> resources_of(const Planned& planned, std::string_view base, Bodies& bodies);

}  // namespace resultsync::api::fhir_face
