#include "api/fhir/capability.hpp"

#include "api/fhir/request.hpp"
#include "base/json_writer.hpp"

namespace resultsync::api::fhir_face {
namespace {

using fhir::Type;

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::token:
      return "token";
    case Kind::reference:
      return "reference";
    case Kind::date:
      return "date";
    case Kind::string:
      return "string";
  }
  return "string";
}

void write_parameter(JsonWriter& json, std::string_view name, std::string_view kind, std::string_view documentation) {
  json.begin_object().member("name", name).member("type", kind);
  if (!documentation.empty()) json.member("documentation", documentation);
  json.end_object();
}

// What a resource of that type refers to.
void write_includes(JsonWriter& json, Type type) {
  bool first = true;
  for (const Definition& definition : definitions_of(type)) {
    if (definition.kind != Kind::reference) continue;
    if (first) json.key("searchInclude").begin_array().string(std::string(fhir::type_name(type)) + ":*");
    first = false;
    json.string(std::string(fhir::type_name(type)) + ":" + std::string(definition.name));
  }
  if (!first) json.end_array();
}

void write_resource(JsonWriter& json, Type type) {
  json.begin_object().member("type", fhir::type_name(type)).key("interaction").begin_array();
  for (const char* code : {"read", "search-type"}) json.begin_object().member("code", code).end_object();
  json.end_array()
      .member("versioning", "versioned")
      .member("readHistory", false)
      .member("conditionalRead", "not-match");
  write_includes(json, type);
  json.key("searchParam").begin_array();
  write_parameter(json, "_id", "token", {});
  write_parameter(json, "_lastUpdated", "date", {});
  for (const Definition& definition : definitions_of(type)) {
    write_parameter(json, definition.name, kind_name(definition.kind),
                    definition.personal ? "Only in the body of a POST to _search." : std::string_view());
  }
  json.end_array().end_object();
}

}  // namespace

std::string capability_statement(std::string_view base, std::string_view version) {
  JsonWriter json;
  json.begin_object()
      .member("resourceType", "CapabilityStatement")
      .member("status", "active")
      .member("date", "2026-11-25")
      .member("kind", "instance")
      .key("software")
      .begin_object()
      .member("name", "resultsync")
      .member("version", version)
      .end_object()
      .key("implementation")
      .begin_object()
      .member("description", "Results of a lab-ordering network, as far as the key reaches")
      .member("url", base)
      .end_object()
      .member("fhirVersion", "4.0.1")
      .key("format")
      .begin_array()
      .string("application/fhir+json")
      .string("json")
      .end_array();
  json.key("rest")
      .begin_array()
      .begin_object()
      .member("mode", "server")
      .key("security")
      .begin_object()
      .member("description", "Authorization: Bearer KEY, with a key that may read results");
  json.end_object().key("resource").begin_array();
  for (std::size_t i = 0; i < fhir::kTypes; ++i) write_resource(json, static_cast<Type>(i));
  json.end_array().end_object().end_array().end_object();
  return json.take();
}

}  // namespace resultsync::api::fhir_face
