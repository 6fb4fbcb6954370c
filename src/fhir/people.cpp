#include <algorithm>

#include "fhir/conversion.hpp"

namespace resultsync::fhir {
namespace {

// HL7 table 0001 to FHIR's administrative gender (v2-to-FHIR, AdministrativeSex); "" for what it does not name.
std::string_view gender_of(std::string_view sex) {
  if (sex == "M" || sex == "m") return "male";
  if (sex == "F" || sex == "f") return "female";
  if (sex == "O" || sex == "o" || sex == "A" || sex == "a" || sex == "N" || sex == "n") return "other";
  return sex == "U" || sex == "u" ? "unknown" : "";
}

// HL7 table 0200 (v2-to-FHIR, NameType).
std::string_view name_use(std::string_view type) {
  if (type == "L" || type == "R") return "official";
  if (type == "D") return "usual";
  if (type == "M") return "maiden";
  if (type == "N") return "nickname";
  if (type == "BAD") return "old";
  if (type == "MSK") return "anonymous";
  return type == "NAV" || type == "TEMP" ? "temp" : "";
}

// HL7 table 0190 (v2-to-FHIR, AddressType).
std::string_view address_use(std::string_view type) {
  if (type == "H") return "home";
  if (type == "B" || type == "O") return "work";
  if (type == "BA") return "old";
  if (type == "C") return "temp";
  return type == "BI" ? "billing" : "";
}

// HL7 table 0201 and 0202.
std::string_view telecom_use(std::string_view use, std::string_view equipment) {
  if (equipment == "CP") return "mobile";
  if (use == "WPN") return "work";
  return use == "PRN" || use == "ORN" || use == "VHN" ? "home" : "";
}
std::string_view telecom_system(std::string_view equipment) {
  if (equipment == "FX") return "fax";
  if (equipment == "BP") return "pager";
  return equipment == "Internet" || equipment == "X.400" ? "email" : "phone";
}

NameHash& add(NameHash& hash, const results::Identifier& identifier) {
  return hash.add(identifier.id).add(identifier.authority).add(identifier.authority_id).add(identifier.type);
}

NameHash& add(NameHash& hash, const results::PersonName& name) {
  for (const std::string* part : {&name.family, &name.given, &name.middle, &name.suffix, &name.prefix, &name.degree})
    hash.add(*part);
  return hash;
}

// US Core asks that an identifier has a system and a value.
bool has_system(const results::Identifier& identifier) {
  return !is_blank(identifier.id) &&
         (!is_blank(identifier.authority) || !is_blank(identifier.authority_id) || identifier.type == "NPI");
}

bool is_clia(std::string_view id) {
  constexpr std::string_view kPattern = "00D0000000";  // two digits, D, seven digits
  return id.size() == kPattern.size() &&
         std::ranges::equal(id, kPattern, [](char c, char as) { return as == 'D' ? c == 'D' : c >= '0' && c <= '9'; });
}

}  // namespace

void Conversion::human_name(const results::PersonName& name) {
  json_.object([&] {
    if (const std::string_view use = name_use(name.type); !use.empty()) json_.literal("use", use);
    json_.string("text", name.display());
    json_.string("family", name.family);
    json_.array("given", [&] {
      json_.string(name.given);
      json_.string(name.middle);
    });
    json_.array("prefix", [&] { json_.string(name.prefix); });
    json_.array("suffix", [&] {
      json_.string(name.suffix);
      json_.string(name.degree);
    });
  });
}

void Conversion::address(const results::Address& address) {
  if (address.empty()) return;
  json_.object([&] {
    if (const std::string_view use = address_use(address.type); !use.empty()) json_.literal("use", use);
    if (address.type == "M") json_.literal("type", "postal");
    json_.array("line", [&] {
      json_.string(address.line);
      json_.string(address.other_line);
    });
    json_.string("city", address.city);
    json_.string("state", address.state);
    json_.string("postalCode", address.postal_code);
    json_.string("country", address.country);
  });
}

void Conversion::telecom(const results::Telecom& telecom) {
  const auto point = [&](std::string_view system, std::string_view value) {
    if (is_blank(value)) return;
    json_.object([&] {
      json_.literal("system", system);
      json_.string("value", value);
      if (const std::string_view use = telecom_use(telecom.use, telecom.equipment); !use.empty())
        json_.literal("use", use);
    });
  };
  point(telecom_system(telecom.equipment), telecom.number);
  point("email", telecom.email);
}

// ---- Patient

void Conversion::patient_members(const results::Patient& patient) {
  json_.array("extension", [&] {
    for (const results::Note& note : patient.notes) {
      if (is_blank(note.text)) continue;
      json_.object([&] {
        json_.literal("url", extensions::kNote);
        json_.object("valueAnnotation", [&] { json_.string("text", note.text); });
      });
    }
  });
  json_.array("identifier", [&] {
    if (is_networks()) network_identifier("patient", context_.patient_id);
    for (const results::Identifier& one : patient.identifiers) identifier(one, {});
  });
  json_.array("name", [&] {
    for (const results::PersonName& name : patient.names) human_name(name);
  });
  json_.array("telecom", [&] {
    for (const results::Telecom& one : patient.telecoms) telecom(one);
  });
  if (const std::string_view gender = gender_of(patient.sex); !gender.empty()) json_.literal("gender", gender);
  if (patient.born.valid()) {
    results::Moment day = patient.born;
    day.precision = std::min(day.precision, results::Precision::day);
    json_.literal("birthDate", date_time(day, {}).text);
    out_.date(*span_of(day, {}));
  }
  json_.array("address", [&] {
    for (const results::Address& one : patient.addresses) address(one);
  });
}

// The network ordered for one patient. A message that names several leaves open which of them that is.
bool Conversion::is_networks() const {
  return message_.patients.size() == 1;
}

// One message may name several patients, and one of them more than once.
Conversion::Known Conversion::patient(const results::Patient& patient) {
  NameHash name;
  if (!patient.identifiers.empty()) {
    add(name, patient.identifiers[0]);
  } else {
    for (const results::PersonName& one : patient.names) add(name, one);
    name.add(patient.born.text);
  }
  NameHash content;
  for (const results::Identifier& one : patient.identifiers) add(content, one);
  for (const results::PersonName& one : patient.names) add(content, one);
  content.add(patient.born.text).add(patient.sex);
  for (const results::Address& one : patient.addresses) content.add(one.line).add(one.city).add(one.postal_code);
  for (const results::Telecom& one : patient.telecoms) content.add(one.number).add(one.email);
  for (const results::Note& one : patient.notes) content.add(one.text);

  Known& known = known_[content.value()];
  if (known) return known;
  const bool by_network = !context_.patient_id_prefix.empty() && is_networks();
  const std::string_view id = by_network ? out_.keep(id_prefix_of(context_.patient_id_prefix) + ".patient")
                                         : out_.new_id(Type::patient, name.value());
  const bool named = std::ranges::any_of(
      patient.names, [](const results::PersonName& one) { return !is_blank(one.family) || !is_blank(one.given); });
  // Every identifier that is written has to have a system, and every name a part.
  const bool identified = std::ranges::all_of(patient.identifiers, has_system) &&
                          (!patient.identifiers.empty() || (is_networks() && !is_blank(context_.patient_id)));
  known = {id, Type::patient, named && identified && !gender_of(patient.sex).empty()};
  out_.begin(Type::patient, id);
  out_.patient(id);
  patient_members(patient);
  if (known.us_core) out_.profile(profiles::kPatient);
  out_.end();
  return known;
}

// Where the message names nobody, what the network says.
Conversion::Known Conversion::network_patient() {
  if (is_blank(context_.patient_id)) return {};
  if (is_networks()) return patients_[0];
  NameHash name;
  name.add("network patient").add(context_.patient_id);
  Known& known = known_[name.value()];
  if (known) return known;
  known.id = context_.patient_id_prefix.empty() ? out_.new_id(Type::patient, name.value())
                                                : out_.keep(id_prefix_of(context_.patient_id_prefix) + ".patient");
  out_.begin(Type::patient, known.id);
  out_.patient(known.id);
  json_.array("identifier", [&] { network_identifier("patient", context_.patient_id); });
  out_.end();
  return known;
}

// ---- Practitioner, PractitionerRole

Conversion::Known Conversion::practitioner(const results::Person& person) {
  const bool named = !is_blank(person.name.display());
  const bool identified = std::ranges::any_of(person.identifiers, [](const auto& one) { return !is_blank(one.id); });
  if (!named && !identified) return {};
  NameHash name;
  name.add("practitioner");
  for (const results::Identifier& one : person.identifiers) add(name, one);
  add(name, person.name);
  Known& known = known_[name.value()];
  if (known) return known;
  known = {out_.new_id(Type::practitioner, name.value()), Type::practitioner,
           identified && std::ranges::all_of(person.identifiers, has_system) && !is_blank(person.name.family)};
  out_.begin(Type::practitioner, known.id);
  json_.array("identifier", [&] {
    for (const results::Identifier& one : person.identifiers) identifier(one, {});
  });
  if (named) json_.array("name", [&] { human_name(person.name); });
  out_.end();
  return known;
}

Conversion::Known Conversion::role(Known practitioner, Known organization, std::string_view code,
                                   std::string_view network_id) {
  NameHash name;
  name.add("role").add(practitioner.id).add(organization.id).add(code).add(network_id);
  Known& known = known_[name.value()];
  if (known) return known;
  known = {out_.new_id(Type::practitioner_role, name.value()), Type::practitioner_role, false};
  out_.begin(Type::practitioner_role, known.id);
  json_.array("identifier", [&] { network_identifier("practitioner", network_id); });
  if (practitioner) out_.reference("practitioner", "practitioner", practitioner.type, practitioner.id);
  if (organization) out_.reference("organization", "organization", organization.type, organization.id);
  if (code == "MDIR")
    json_.array("code", [&] { json_.object([&] { code_and_text(systems::kRole, code, "Medical Director"); }); });
  out_.end();
  return known;
}

// ---- Organization

Conversion::Known Conversion::organization(const results::Organization& organization) {
  if (is_blank(organization.name) && is_blank(organization.identifier.id)) return {};
  NameHash name;
  name.add("organization").add(organization.name);
  add(name, organization.identifier);
  for (const std::string* part :
       {&organization.address.line, &organization.address.other_line, &organization.address.city,
        &organization.address.state, &organization.address.postal_code, &organization.address.country})
    name.add(*part);
  Known& known = known_[name.value()];
  if (known) return known;
  known = {out_.new_id(Type::organization, name.value()), Type::organization, !is_blank(organization.name)};
  results::Identifier id = organization.identifier;
  if (is_clia(id.id)) id.authority_id = "2.16.840.1.113883.4.7";  // the CLIA numbers
  out_.begin(Type::organization, known.id);
  json_.array("identifier", [&] { identifier(id, {}); });
  json_.yes("active");
  json_.string("name", organization.name);
  json_.array("address", [&] { address(organization.address); });
  out_.end();
  return known;
}

Conversion::Known Conversion::clinic() {
  if (is_blank(context_.clinic_id)) return {};
  NameHash name;
  name.add("clinic").add(context_.clinic_id);
  Known& known = known_[name.value()];
  if (known) return known;
  known = {out_.new_id(Type::organization, name.value()), Type::organization, false};
  out_.begin(Type::organization, known.id);
  json_.array("identifier", [&] { network_identifier("clinic", context_.clinic_id); });
  json_.yes("active");
  out_.end();
  return known;
}

// Whoever sent the message: MSH-4, else MSH-3.
Conversion::Known Conversion::sender() {
  const results::Header& header = message_.header;
  results::Organization sender;
  sender.name = is_blank(header.sending_facility) ? header.sending_application : header.sending_facility;
  return organization(sender);
}

}  // namespace resultsync::fhir
