#include "results/people.hpp"

namespace resultsync::results {
namespace {

// HD, the name of whoever gave an identifier: namespace & universal id & its type.
void read_authority(const hl7::Component& hd, Identifier& identifier) {
  if (!hd.valued()) return;
  const auto parts = hd.subcomponents().first<3>();
  identifier.authority = parts[1].text();
  identifier.authority_id = parts[2].text();
  identifier.authority_id_type = parts[3].text();
}

template <class Parts>
Identifier ei(const Parts& parts) {
  Identifier identifier;
  identifier.id = parts[1].text();
  identifier.authority = parts[2].text();
  identifier.authority_id = parts[3].text();
  identifier.authority_id_type = parts[4].text();
  return identifier;
}

// From `first`, the family name: XPN begins with it, XCN and CNN have the id before it.
template <class Parts>
PersonName name(const Parts& parts, std::size_t first) {
  PersonName result;
  result.given = parts[first + 1].text();
  result.middle = parts[first + 2].text();
  result.suffix = parts[first + 3].text();
  result.prefix = parts[first + 4].text();
  result.degree = parts[first + 5].text();
  return result;
}

void append(std::string& out, std::string_view word) {
  if (word.empty()) return;
  if (!out.empty()) out += ' ';
  out += word;
}

}  // namespace

Identifier read_ei(const hl7::Repetition& repetition) {
  return ei(repetition.components().first<4>());
}

Identifier read_ei(const hl7::Component& component) {
  return ei(component.subcomponents().first<4>());
}

Identifier read_cx(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<5>();
  Identifier identifier;
  identifier.id = parts[1].text();
  read_authority(parts[4], identifier);
  identifier.type = parts[5].text();
  return identifier;
}

PersonName read_xpn(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<7>();
  PersonName result = name(parts, 1);
  result.family = parts[1].subcomponent(1).text();
  result.type = parts[7].text();
  return result;
}

Address read_xad(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<7>();
  return {parts[1].subcomponent(1).text(),
          parts[2].text(),
          parts[3].text(),
          parts[4].text(),
          parts[5].text(),
          parts[6].text(),
          parts[7].text()};
}

Telecom read_xtn(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<8>();
  Telecom telecom{parts[1].text(), parts[4].text(), parts[2].text(), parts[3].text()};
  if (!telecom.number.empty()) return telecom;
  if (const std::string country = parts[5].text(); !country.empty()) telecom.number = "+" + country;
  append(telecom.number, parts[6].text());
  append(telecom.number, parts[7].text());
  if (const std::string extension = parts[8].text(); !extension.empty()) append(telecom.number, "x" + extension);
  return telecom;
}

Person read_xcn(const hl7::Repetition& repetition) {
  Person person;
  Identifier identifier;
  const auto parts = repetition.components().first<13>();
  if (parts[1].subcomponents().size() > 1) {
    const auto whole = parts[1].subcomponents().first<11>();
    person.name = name(whole, 2);
    person.name.family = whole[2].text();
    identifier.id = whole[1].text();
    identifier.authority = whole[9].text();
    identifier.authority_id = whole[10].text();
    identifier.authority_id_type = whole[11].text();
  } else {
    person.name = name(parts, 2);
    person.name.family = parts[2].subcomponent(1).text();
    person.name.type = parts[10].text();
    identifier.id = parts[1].text();
    identifier.type = parts[13].text();
    read_authority(parts[9], identifier);
  }
  if (!identifier.empty()) person.identifiers.push_back(std::move(identifier));
  return person;
}

Organization read_xon(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<10>();
  Organization organization;
  organization.name = parts[1].text();
  organization.identifier.id = parts[10].text();
  if (organization.identifier.id.empty()) organization.identifier.id = parts[3].text();
  organization.identifier.type = parts[7].text();
  read_authority(parts[6], organization.identifier);
  return organization;
}

std::string PersonName::display() const {
  std::string out;
  for (const std::string* part : {&prefix, &given, &middle, &family, &suffix, &degree}) append(out, *part);
  return out;
}

bool Address::empty() const {
  return line.empty() && other_line.empty() && city.empty() && state.empty() && postal_code.empty() && country.empty();
}

std::string_view about_name(Observation::About about) {
  switch (about) {
    case Observation::About::specimen:
      return "specimen";
    case Observation::About::patient:
      return "patient";
    case Observation::About::document:
      return "document";
    case Observation::About::order:
      break;
  }
  return "order";
}

}  // namespace resultsync::results
