#include "fhir/terms.hpp"

#include <algorithm>
#include <utility>

namespace resultsync::fhir {
namespace {

using Pair = std::pair<std::string_view, std::string_view>;

// HL7 table 0396 and how labs write it; canonical URIs of terminology.hl7.org.
constexpr Pair kSystems[] = {
    {"LN", "http://loinc.org"},
    {"LOINC", "http://loinc.org"},
    {"LNC", "http://loinc.org"},
    {"SCT", "http://snomed.info/sct"},
    {"SNOMEDCT", "http://snomed.info/sct"},
    {"SNOMED-CT", "http://snomed.info/sct"},
    {"SNM3", "http://terminology.hl7.org/CodeSystem/SNM3"},
    {"UCUM", "http://unitsofmeasure.org"},
    {"ISO+", "http://terminology.hl7.org/CodeSystem/ISOPlus"},
    {"ANS+", "http://terminology.hl7.org/CodeSystem/ansiPlus"},
    {"I9", "http://terminology.hl7.org/CodeSystem/icd9"},
    {"I9C", "http://terminology.hl7.org/CodeSystem/icd9cm"},
    {"I9CDX", "http://terminology.hl7.org/CodeSystem/icd9cm"},
    {"ICD9", "http://terminology.hl7.org/CodeSystem/icd9cm"},
    {"I10", "http://hl7.org/fhir/sid/icd-10"},
    {"ICD10", "http://hl7.org/fhir/sid/icd-10"},
    {"I10C", "http://hl7.org/fhir/sid/icd-10-cm"},
    {"ICD-10-CM", "http://hl7.org/fhir/sid/icd-10-cm"},
    {"C4", "http://www.ama-assn.org/go/cpt"},
    {"CPT", "http://www.ama-assn.org/go/cpt"},
    {"CPTM", "http://www.ama-assn.org/go/cpt"},
    {"CVX", "http://hl7.org/fhir/sid/cvx"},
    {"MVX", "http://hl7.org/fhir/sid/mvx"},
    {"NDC", "http://hl7.org/fhir/sid/ndc"},
    {"RXNORM", "http://www.nlm.nih.gov/research/umls/rxnorm"},
    {"ISO3166_1", "urn:iso:std:iso:3166"},
};

constexpr Pair kIdentifierTypes[] = {
    {"ACSN", "Accession ID"},
    {"AN", "Account number"},
    {"BR", "Birth registry number"},
    {"DEA", "Drug Enforcement Administration registration number"},
    {"DL", "Driver's license number"},
    {"DN", "Doctor number"},
    {"EI", "Employee number"},
    {"EN", "Employer number"},
    {"FILL", "Filler Identifier"},
    {"HC", "Health Card Number"},
    {"JHN", "Jurisdictional health number (Canada)"},
    {"LN", "License number"},
    {"LR", "Local Registry ID"},
    {"MA", "Patient Medicaid number"},
    {"MC", "Patient's Medicare number"},
    {"MCD", "Practitioner Medicaid number"},
    {"MCR", "Practitioner Medicare number"},
    {"MD", "Medical License number"},
    {"MR", "Medical record number"},
    {"MRT", "Temporary Medical Record Number"},
    {"NI", "National unique individual identifier"},
    {"NII", "National Insurance Organization Identifier"},
    {"NPI", "National provider identifier"},
    {"PI", "Patient internal identifier"},
    {"PLAC", "Placer Identifier"},
    {"PN", "Person number"},
    {"PPN", "Passport number"},
    {"PRN", "Provider number"},
    {"PT", "Patient external identifier"},
    {"RI", "Resource identifier"},
    {"RN", "Registered Nurse Number"},
    {"SL", "State license"},
    {"SR", "State registry ID"},
    {"SS", "Social Security number"},
    {"TAX", "Tax ID number"},
    {"U", "Unspecified identifier"},
    {"UPIN", "Medicare/CMS (formerly HCFA)'s Universal Physician Identification numbers"},
    {"VN", "Visit number"},
    {"XX", "Organization identifier"},
};

constexpr Pair kSections[] = {
    {"AU", "Audiology"},
    {"BG", "Blood Gases"},
    {"BLB", "Blood Bank"},
    {"CG", "Cytogenetics"},
    {"CH", "Chemistry"},
    {"CP", "Cytopathology"},
    {"CT", "CAT Scan"},
    {"CTH", "Cardiac Catheterization"},
    {"CUS", "Cardiac Ultrasound"},
    {"EC", "Electrocardiac (e.g., EKG, EEC, Holter)"},
    {"EN", "Electroneuro (EEG, EMG,EP,PSG)"},
    {"GE", "Genetics"},
    {"HM", "Hematology"},
    {"ICU", "Bedside ICU Monitoring"},
    {"IMM", "Immunology"},
    {"LAB", "Laboratory"},
    {"MB", "Microbiology"},
    {"MCB", "Mycobacteriology"},
    {"MYC", "Mycology"},
    {"NMR", "Nuclear Magnetic Resonance"},
    {"NMS", "Nuclear Medicine Scan"},
    {"NRS", "Nursing Service Measures"},
    {"OSL", "Outside Lab"},
    {"OT", "Occupational Therapy"},
    {"OTH", "Other"},
    {"OUS", "OB Ultrasound"},
    {"PF", "Pulmonary Function"},
    {"PHR", "Pharmacy"},
    {"PHY", "Physician (Hx. Dx, admission note, etc.)"},
    {"PT", "Physical Therapy"},
    {"RAD", "Radiology"},
    {"RC", "Respiratory Care (therapy)"},
    {"RT", "Radiation Therapy"},
    {"RUS", "Radiology Ultrasound"},
    {"RX", "Radiograph"},
    {"SP", "Surgical Pathology"},
    {"SR", "Serology"},
    {"TX", "Toxicology"},
    {"VR", "Virology"},
    {"VUS", "Vascular Ultrasound"},
    {"XRC", "Cineradiograph"},
};

constexpr std::string_view kImaging[] = {"CT", "CUS", "NMR", "NMS", "OUS", "RAD", "RUS", "RX", "VUS", "XRC"};
constexpr std::string_view kProcedures[] = {"AU", "CTH", "EC", "EN", "PF", "RC", "RT"};
constexpr std::string_view kTherapies[] = {"OT", "PT"};
constexpr std::string_view kExams[] = {"ICU", "NRS", "PHY"};

template <std::size_t N>
std::string_view find(const Pair (&table)[N], std::string_view key) {
  const Pair* found = std::ranges::find(table, key, &Pair::first);
  return found == std::end(table) ? std::string_view() : found->second;
}

template <std::size_t N>
bool has(const std::string_view (&list)[N], std::string_view text) {
  return std::ranges::find(list, text) != std::end(list);
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

}  // namespace

std::string_view known_system(std::string_view name) {
  if (const std::string_view found = find(kSystems, name); !found.empty()) return found;
  return find(kSystems, upper(name));
}

std::string_view identifier_type_text(std::string_view code) {
  return find(kIdentifierTypes, code);
}

std::string_view section_text(std::string_view code) {
  return find(kSections, code);
}

std::string_view section_category(std::string_view code) {
  if (has(kImaging, code)) return "imaging";
  if (has(kProcedures, code)) return "procedure";
  if (has(kTherapies, code)) return "therapy";
  return has(kExams, code) ? "exam" : "laboratory";
}

// RFC 3061: arcs without leading zeros, the first of them 0, 1 or 2.
bool is_oid(std::string_view text) {
  if (text.size() < 3 || text[0] < '0' || text[0] > '2' || text[1] != '.') return false;
  for (std::size_t at = 2;;) {
    std::size_t end = at;
    while (end < text.size() && is_digit(text[end])) ++end;
    if (end == at || (text[at] == '0' && end - at > 1)) return false;
    if (end == text.size()) return true;
    if (text[end] != '.') return false;
    at = end + 1;
  }
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !is_hex(text[i])) return false;
  }
  return true;
}

bool is_absolute_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon < 2 || !is_letter(text[0]) || colon + 1 == text.size()) return false;
  const auto in_scheme = [](char c) { return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.'; };
  constexpr std::string_view kNever = "\"<>\\^`{|}";
  const auto allowed = [kNever](char c) { return c > 0x20 && c < 0x7f && !kNever.contains(c); };
  return std::ranges::all_of(text.substr(0, colon), in_scheme) && std::ranges::all_of(text, allowed);
}

}  // namespace resultsync::fhir
