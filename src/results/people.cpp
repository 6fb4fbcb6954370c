#include "results/people.hpp"

namespace resultsync::results {
namespace {

std::string text(const hl7::Value& value) {
  return value.valued() ? value.text() : std::string();
}

// HD, the name of whoever gave an identifier: namespace & universal id & its type.
void read_authority(const hl7::Component& hd, Identifier& identifier) {
  if (!hd.valued()) return;
  const auto parts = hd.subcomponents().first<3>();
  identifier.authority = text(parts[1]);
  identifier.authority_id = text(parts[2]);
  identifier.authority_id_type = text(parts[3]);
}

template <class Parts>
Identifier ei(const Parts& parts) {
  Identifier identifier;
  identifier.id = text(parts[1]);
  identifier.authority = text(parts[2]);
  identifier.authority_id = text(parts[3]);
  identifier.authority_id_type = text(parts[4]);
  return identifier;
}

// From `first`, the family name: XPN begins with it, XCN and CNN have the id before it.
template <class Parts>
PersonName name(const Parts& parts, std::size_t first) {
  PersonName result;
  result.given = text(parts[first + 1]);
  result.middle = text(parts[first + 2]);
  result.suffix = text(parts[first + 3]);
  result.prefix = text(parts[first + 4]);
  result.degree = text(parts[first + 5]);
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
  identifier.id = text(parts[1]);
  read_authority(parts[4], identifier);
  identifier.type = text(parts[5]);
  return identifier;
}

PersonName read_xpn(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<7>();
  PersonName result = name(parts, 1);
  result.family = text(parts[1].subcomponent(1));
  result.type = text(parts[7]);
  return result;
}

Address read_xad(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<7>();
  return {text(parts[1].subcomponent(1)),
          text(parts[2]),
          text(parts[3]),
          text(parts[4]),
          text(parts[5]),
          text(parts[6]),
          text(parts[7])};
}

Telecom read_xtn(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<8>();
  Telecom telecom{text(parts[1]), text(parts[4]), text(parts[2]), text(parts[3])};
  if (!telecom.number.empty()) return telecom;
  if (const std::string country = text(parts[5]); !country.empty()) telecom.number = "+" + country;
  append(telecom.number, text(parts[6]));
  append(telecom.number, text(parts[7]));
  if (const std::string extension = text(parts[8]); !extension.empty()) append(telecom.number, "x" + extension);
  return telecom;
}

Person read_xcn(const hl7::Repetition& repetition) {
  Person person;
  Identifier identifier;
  const auto parts = repetition.components().first<13>();
  if (parts[1].subcomponents().size() > 1) {
    const auto whole = parts[1].subcomponents().first<11>();
    person.name = name(whole, 2);
    person.name.family = text(whole[2]);
    identifier.id = text(whole[1]);
    identifier.authority = text(whole[9]);
    identifier.authority_id = text(whole[10]);
    identifier.authority_id_type = text(whole[11]);
  } else {
    person.name = name(parts, 2);
    person.name.family = text(parts[2].subcomponent(1));
    person.name.type = text(parts[10]);
    identifier.id = text(parts[1]);
    identifier.type = text(parts[13]);
    read_authority(parts[9], identifier);
  }
  if (!identifier.empty()) person.identifiers.push_back(std::move(identifier));
  return person;
}

Organization read_xon(const hl7::Repetition& repetition) {
  const auto parts = repetition.components().first<10>();
  Organization organization;
  organization.name = text(parts[1]);
  organization.identifier.id = text(parts[10]);
  if (organization.identifier.id.empty()) organization.identifier.id = text(parts[3]);
  organization.identifier.type = text(parts[7]);
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
