#include "fhir/builder.hpp"

namespace resultsync::fhir {

void write_collection(const Resources& resources, std::string_view base_url, std::string& out) {
  const Resources::Storage& storage = *resources.storage_;
  Buffer base;
  Json(base).string(base_url);  // with its quotes
  std::string_view url = base.empty() ? std::string_view("\"") : base.view();
  if (url.size() > 1) url.remove_suffix(1);
  Buffer head;
  Json json(head);
  head.append(R"({"resourceType":"Bundle")");
  if (!is_blank(storage.control_id)) {
    json.object("identifier", [&] {
      json.literal("system", storage.control_system);
      json.string("value", storage.control_id);
    });
  }
  json.literal("type", "collection");
  if (!storage.sent.empty()) json.literal("timestamp", storage.sent);

  constexpr std::size_t kBytesAnEntry = 120;  // names and quotes; type and id stand in the fullUrl once more
  out.reserve(out.size() + head.size() + storage.json.size() + resources.size() * (url.size() + kBytesAnEntry) + 16);
  out += head.view();
  std::string_view before = R"(,"entry":[{"fullUrl":)";
  for (const Resource& resource : resources) {
    out.append(before).append(url).append("/").append(type_name(resource.type)).append("/").append(resource.id);
    out.append(R"(","resource":)").append(resource.json).append("}");
    before = R"(,{"fullUrl":)";
  }
  out += resources.size() > 0 ? "]}" : "}";
}

}  // namespace resultsync::fhir
