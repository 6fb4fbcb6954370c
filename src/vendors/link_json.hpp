// A to-one relationship of a resource, as JSON:API writes it. Inside this room only.
#pragma once

#include <string>
#include <string_view>

#include "base/json_writer.hpp"

namespace resultsync::vendors {

// `"patient": {"data": {"id": …, "type": "patient"}}`; nothing without an id.
inline void write_link(JsonWriter& json, std::string_view name, std::string_view type, const std::string& id) {
  if (id.empty()) return;
  json.key(name).begin_object().key("data").begin_object().member("id", id).member("type", type);
  json.end_object().end_object();
}

}  // namespace resultsync::vendors
