#include "api/fhir/match.hpp"

#include <simdjson.h>

#include <algorithm>

namespace resultsync::api::fhir_face {
namespace {

bool is_token(const TokenValue& wanted, const fhir::Token& there) {
  if (!wanted.code.empty() && wanted.code != there.code) return false;
  return !wanted.system || *wanted.system == there.system;
}

bool has_token(const std::vector<TokenValue>& wanted, std::span<const fhir::Token> there) {
  return std::ranges::any_of(wanted, [&](const TokenValue& one) {
    return std::ranges::any_of(there, [&](const fhir::Token& token) { return is_token(one, token); });
  });
}

// A code without a system of its own: status, gender, id.
bool is_code(const std::vector<TokenValue>& wanted, std::string_view there) {
  return !there.empty() &&
         std::ranges::any_of(wanted, [&](const TokenValue& one) { return one.code.empty() || one.code == there; });
}

bool refers(const Criterion& criterion, const fhir::Resource& resource) {
  const bool to_patient = criterion.name == "patient" || criterion.name == "subject";
  return std::ranges::any_of(criterion.references, [&](const ReferenceValue& wanted) {
    if (to_patient) {
      return wanted.id == resource.patient && (!wanted.type || *wanted.type == fhir::Type::patient);
    }
    return std::ranges::any_of(resource.references, [&](const fhir::Reference& there) {
      return there.parameter == criterion.name && there.id == wanted.id && (!wanted.type || *wanted.type == there.type);
    });
  });
}

bool has_date(const Criterion& criterion, const std::optional<fhir::Span>& there) {
  return there &&
         std::ranges::any_of(criterion.dates, [&](const DateValue& wanted) { return matches(wanted, *there); });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return result;
}

// FHIR R4 §3.1.1.4.8: a string is found by its beginning, whatever the case.
bool begins(std::string_view there, const std::vector<std::string>& wanted) {
  const std::string text = lower(there);
  return std::ranges::any_of(wanted, [&](const std::string& one) { return text.starts_with(one); });
}

void for_each_text(simdjson::dom::element value, const auto& visit) {
  simdjson::dom::array array;
  std::string_view text;
  if (value.get_array().get(array) == simdjson::SUCCESS) {
    for (const auto one : array) for_each_text(one, visit);
  } else if (value.get_string().get(text) == simdjson::SUCCESS) {
    visit(text);
  }
}

// Names are no facts of a resource: they stand in its JSON.
bool is_named(const Criterion& criterion, const fhir::Resource& resource) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(resource.json.data(), resource.json.size()).get(root) != simdjson::SUCCESS) return false;
  simdjson::dom::element name;
  if (root["name"].get(name) != simdjson::SUCCESS) return false;
  bool found = false;
  const auto look = [&](std::string_view text) { found = found || begins(text, criterion.strings); };
  simdjson::dom::array names;
  if (name.get_array().get(names) != simdjson::SUCCESS) {
    for_each_text(name, look);  // of an organization
    return found;
  }
  for (const auto one : names) {
    for (const char* part : {"family", "given", "prefix", "suffix", "text"}) {
      if (criterion.name != "name" && criterion.name != part) continue;
      simdjson::dom::element value;
      if (one[part].get(value) == simdjson::SUCCESS) for_each_text(value, look);
    }
  }
  return found;
}

std::string gender_of(const fhir::Resource& resource) {
  thread_local simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string_view gender;
  if (parser.parse(resource.json.data(), resource.json.size()).get(root) != simdjson::SUCCESS) return {};
  if (root["gender"].get_string().get(gender) != simdjson::SUCCESS) return {};
  return std::string(gender);
}

bool satisfies(const Criterion& criterion, const fhir::Resource& resource, Timestamp updated) {
  if (criterion.name == "_id") return is_code(criterion.tokens, resource.id);
  if (criterion.name == "_lastUpdated") return has_date(criterion, fhir::Span{updated, {updated.microseconds + 1}});
  switch (criterion.kind) {
    case Kind::reference:
      return refers(criterion, resource);
    case Kind::date:
      if (criterion.name != "issued") return has_date(criterion, resource.date);
      return resource.issued && has_date(criterion, fhir::Span{*resource.issued, {resource.issued->microseconds + 1}});
    case Kind::string:
      return is_named(criterion, resource);
    case Kind::token:
      break;
  }
  if (criterion.name == "status") return is_code(criterion.tokens, resource.status);
  if (criterion.name == "gender") return is_code(criterion.tokens, gender_of(resource));
  if (criterion.name == "identifier") return has_token(criterion.tokens, resource.identifiers);
  if (criterion.name == "category") return has_token(criterion.tokens, resource.categories);
  return has_token(criterion.tokens, resource.codes);
}

}  // namespace

bool matches(const DateValue& wanted, const fhir::Span& there) {
  const fhir::Span& span = wanted.span;
  const bool within = there.from >= span.from && there.to <= span.to;
  switch (wanted.prefix) {
    case DateValue::Prefix::eq:
      return within;
    case DateValue::Prefix::ne:
      return !within;
    case DateValue::Prefix::gt:
      return there.to > span.to;
    case DateValue::Prefix::lt:
      return there.from < span.from;
    case DateValue::Prefix::ge:
      return there.to > span.to || within;
    case DateValue::Prefix::le:
      return there.from < span.from || within;
  }
  return false;
}

bool matches(const fhir::Resource& resource, const SearchRequest& request, Timestamp updated) {
  return resource.type == request.type && std::ranges::all_of(request.criteria, [&](const Criterion& criterion) {
           return satisfies(criterion, resource, updated);
         });
}

}  // namespace resultsync::api::fhir_face
