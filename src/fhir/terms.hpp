// Names that HL7 v2 gives to code systems, identifier types and categories, and what FHIR calls them.
#pragma once

#include <string>
#include <string_view>

#include "results/status.hpp"
#include "results/value.hpp"

namespace resultsync::fhir {

namespace systems {
inline constexpr std::string_view kLoinc = "http://loinc.org";
inline constexpr std::string_view kUcum = "http://unitsofmeasure.org";
inline constexpr std::string_view kInterpretation =
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
inline constexpr std::string_view kAbsent = "http://terminology.hl7.org/CodeSystem/data-absent-reason";
inline constexpr std::string_view kCategory = "http://terminology.hl7.org/CodeSystem/observation-category";
inline constexpr std::string_view kSection = "http://terminology.hl7.org/CodeSystem/v2-0074";
inline constexpr std::string_view kIdentifierType = "http://terminology.hl7.org/CodeSystem/v2-0203";
inline constexpr std::string_view kResultStatus = "http://terminology.hl7.org/CodeSystem/v2-0085";
inline constexpr std::string_view kGender = "http://hl7.org/fhir/administrative-gender";
inline constexpr std::string_view kRole = "http://terminology.hl7.org/CodeSystem/v2-0912";
inline constexpr std::string_view kParticipant = "http://terminology.hl7.org/CodeSystem/provenance-participant-type";
}  // namespace systems

namespace profiles {
inline constexpr std::string_view kReport =
    "http://hl7.org/fhir/us/core/StructureDefinition/us-core-diagnosticreport-lab";
inline constexpr std::string_view kObservation =
    "http://hl7.org/fhir/us/core/StructureDefinition/us-core-observation-lab";
inline constexpr std::string_view kPatient = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient";
}  // namespace profiles

namespace extensions {
// Ours; README.md says what each holds.
inline constexpr std::string_view kAssessment = "urn:resultsync:extension:computed-assessment";
inline constexpr std::string_view kExclusive = "urn:resultsync:extension:bound-excluded";
inline constexpr std::string_view kLocalTime = "urn:resultsync:extension:time-without-zone";
inline constexpr std::string_view kSubId = "urn:resultsync:extension:observation-sub-id";
inline constexpr std::string_view kNote = "urn:resultsync:extension:note";
inline constexpr std::string_view kRangesAsSent = "urn:resultsync:extension:reference-ranges-as-sent";
// The standard's.
inline constexpr std::string_view kAbsent = "http://hl7.org/fhir/StructureDefinition/data-absent-reason";
inline constexpr std::string_view kAnalyzed = "http://hl7.org/fhir/StructureDefinition/observation-analysis-date-time";
inline constexpr std::string_view kAlternateCodes = "http://hl7.org/fhir/StructureDefinition/alternate-codes";
inline constexpr std::string_view kReportNote =
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-DiagnosticReport.note";
inline constexpr std::string_view kValueAttachment =
    "http://hl7.org/fhir/5.0/StructureDefinition/extension-Observation.value";
}  // namespace extensions

// The URI of a code system of HL7 table 0396; "" if the name is none that means the same everywhere (L, 99zzz, "").
std::string_view known_system(std::string_view name);
// Table 0203, the common types; "" for a code that is not among them.
std::string_view identifier_type_text(std::string_view code);
std::string_view section_text(std::string_view code);      // table 0074; "" likewise
std::string_view section_category(std::string_view code);  // Observation.category: laboratory, imaging, …

bool is_oid(std::string_view text);
bool is_uuid(std::string_view text);
// Has a scheme and holds nothing that a URI may not.
bool is_absolute_uri(std::string_view text);

}  // namespace resultsync::fhir
