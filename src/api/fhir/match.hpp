// Whether a resource is what a search asks for. Pure.
#pragma once

#include "api/fhir/request.hpp"
#include "fhir/fhir.hpp"

namespace resultsync::api::fhir_face {

// `updated`: meta.lastUpdated of all resources of its ordered test.
bool matches(const fhir::Resource& resource, const SearchRequest& request, Timestamp updated);

// FHIR R4 §3.1.1.4.5: what is searched for against what stands there.
bool matches(const DateValue& wanted, const fhir::Span& there);

}  // namespace resultsync::api::fhir_face
