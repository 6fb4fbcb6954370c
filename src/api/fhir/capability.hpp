// What /fhir/R4 can do, as a CapabilityStatement (FHIR R4 §4.2): made from the tables by which requests are read.
#pragma once

#include <string>
#include <string_view>

namespace resultsync::api::fhir_face {

std::string capability_statement(std::string_view base, std::string_view version);

}  // namespace resultsync::api::fhir_face
