#include "fhir/builder.hpp"

namespace resultsync::fhir {

void write_collection(const Resources& resources, std::string_view base_url, std::string& out) {
  const Resources::Storage& storage = *resources.storage_;
  std::string bundle;
  bundle.reserve(storage.json.size() + resources.size() * (base_url.size() + 120) + 256);
  Json json(bundle);
  json.object([&] {
    json.literal("resourceType", "Bundle");
    if (!storage.control_id.empty()) {
      json.object("identifier", [&] {
        if (json.string("value", storage.control_id)) json.literal("system", "urn:resultsync:message-control-id");
      });
    }
    json.literal("type", "collection");
    if (!storage.sent.empty()) json.literal("timestamp", storage.sent);
    json.array("entry", [&] {
      for (const Resource& resource : resources) {
        json.object([&] {
          std::string url(base_url);
          url.append("/").append(type_name(resource.type)).append("/").append(resource.id);
          json.literal("fullUrl", url);
          json.raw("resource", resource.json);
        });
      }
    });
  });
  out += bundle;
}

}  // namespace resultsync::fhir
