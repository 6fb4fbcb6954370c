#include "fhir/builder.hpp"

namespace resultsync::fhir {

void write_collection(const Resources& resources, std::string_view base_url, std::string& out) {
  const Resources::Storage& storage = *resources.storage_;
  constexpr std::size_t kBytesAnEntry = 40;  // names and quotes; the id stands in the fullUrl once more
  out.reserve(out.size() + storage.json.size() + resources.size() * (base_url.size() + kBytesAnEntry + 64) + 256);
  std::string base;
  Json(base).string(base_url);  // with its quotes
  if (base.empty()) {
    base = '"';
  } else {
    base.pop_back();
  }
  Json json(out);
  out += R"({"resourceType":"Bundle")";
  if (!is_blank(storage.control_id)) {
    json.object("identifier", [&] {
      json.literal("system", storage.control_system);
      json.string("value", storage.control_id);
    });
  }
  json.literal("type", "collection");
  if (!storage.sent.empty()) json.literal("timestamp", storage.sent);
  json.array("entry", [&] {
    for (const Resource& resource : resources) {
      if (out.back() != '[') out += ',';
      out += R"({"fullUrl":)";
      out += base;
      out += '/';
      out += type_name(resource.type);
      out += '/';
      out += resource.id;
      out += R"(","resource":)";
      out += resource.json;
      out += '}';
    }
  });
  out += '}';
}

}  // namespace resultsync::fhir
