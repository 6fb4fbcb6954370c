#include "api/route.hpp"

#include <gtest/gtest.h>

#include <set>

#include "api/openapi.hpp"
#include "api/test_house.hpp"

namespace resultsync::api {
namespace {

std::string found(std::string_view method, std::string_view path) {
  const Found place = find_route(routes(), method, path);
  if (place.route == nullptr) return place.allow.empty() ? "none" : "allow " + place.allow;
  std::string text(place.route->pattern);
  for (const std::string& value : place.path) text += " [" + value + "]";
  return text;
}

TEST(Route, is_found_by_method_and_path) {
  EXPECT_EQ(found("GET", "/v1/feed"), "/v1/feed");
  EXPECT_EQ(found("HEAD", "/v1/feed"), "/v1/feed");
  EXPECT_EQ(found("GET", "/v1/events/evt_1/bodies/ab"), "/v1/events/{id}/bodies/{sha256} [evt_1] [ab]");
  EXPECT_EQ(found("POST", "/v1/feed"), "allow GET, HEAD");
  EXPECT_EQ(found("PATCH", "/v1/practitioners/anna"), "allow PUT, GET, HEAD, DELETE");
  EXPECT_EQ(found("GET", "/v1/feed/"), "none");
  EXPECT_EQ(found("GET", "/v1/practitioners/"), "none");
  EXPECT_EQ(found("GET", "//v1/feed"), "none");
  EXPECT_EQ(found("GET", "*"), "none");
  EXPECT_EQ(found("GET", ""), "none");
}

TEST(Route, an_id_is_decoded_once_and_may_hold_a_slash) {
  EXPECT_EQ(found("GET", "/v1/practitioners/a%2Fb"), "/v1/practitioners/{app_id} [a/b]");
  EXPECT_EQ(found("GET", "/v1/practitioners/a%252Fb"), "/v1/practitioners/{app_id} [a%2Fb]");
  EXPECT_EQ(found("GET", "/v1/practitioners/a/b"), "none");
  EXPECT_EQ(found("GET", "/v1/practitioners/%C3%A9%20+"), "/v1/practitioners/{app_id} [\xC3\xA9 +]");
  EXPECT_EQ(found("GET", "/v1/practitioners/%ff"), "none");
}

TEST(Route, what_touches_data_needs_the_key) {
  for (const Route& route : routes()) {
    const bool is_data = route.pattern.starts_with("/v1/") || route.pattern.starts_with("/fhir/R4/{type}");
    EXPECT_EQ(route.scope != Scope::kOpen, is_data) << route.pattern;
  }
}

using Description = std::set<std::string>;

// "GET /v1/feed?after" for each route and parameter; with the scope that is needed, or "open".
Description described_by_table() {
  Description lines;
  for (const Route& route : routes()) {
    const std::string name = std::string(route.method) + " " + std::string(route.pattern);
    lines.insert(name + " (" + std::string(name_of(route.scope)) + ")");
    lines.insert(name + " # " + std::string(route.summary));
    for (const auto parameter : route.query) {
      // What a FHIR search takes is told by its CapabilityStatement.
      if (parameter != kAnyQuery) lines.insert(name + "?" + std::string(parameter));
    }
  }
  return lines;
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

void describe_query(const simdjson::dom::element& root, simdjson::dom::element parameter, const std::string& name,
                    Description& lines) {
  std::string_view reference;
  if (parameter["$ref"].get(reference) == simdjson::SUCCESS) {
    ASSERT_EQ(root.at_pointer(std::string(reference.substr(1))).get(parameter), simdjson::SUCCESS) << reference;
  }
  if (std::string_view(parameter["in"]) == "query")
    lines.insert(name + "?" + std::string(std::string_view(parameter["name"])));
}

Description described_by_openapi() {
  Description lines;
  const Json document{std::string(openapi_json())};
  const simdjson::dom::object paths = document.root()["paths"];
  for (const auto& path : paths) {
    for (const auto& operation : simdjson::dom::object(path.value)) {
      if (operation.key == "parameters") continue;
      const std::string name = upper(operation.key) + " " + std::string(path.key);
      std::string_view scope = "open";
      const bool needs_none = operation.value["security"].get_array().size() == 0;
      if (!needs_none) EXPECT_EQ(operation.value.at_pointer("/security/0/key/0").get(scope), simdjson::SUCCESS) << name;
      lines.insert(name + " (" + std::string(scope) + ")");
      lines.insert(name + " # " + std::string(std::string_view(operation.value["summary"])));
      simdjson::dom::array parameters;
      if (operation.value["parameters"].get(parameters) != simdjson::SUCCESS) continue;
      for (const auto parameter : parameters) describe_query(document.root(), parameter, name, lines);
    }
  }
  return lines;
}

TEST(Route, the_table_and_openapi_yaml_describe_the_same_api) {
  EXPECT_EQ(described_by_table(), described_by_openapi());
}

}  // namespace
}  // namespace resultsync::api
