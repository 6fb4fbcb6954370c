#include "orders/json_body.hpp"

#include "base/encoding.hpp"
#include "orders/canonical.hpp"

namespace resultsync::orders {

using simdjson::dom::element;

JsonBody::JsonBody(std::string_view body) {
  if (!parse(body) && error_ == simdjson::UTF8_ERROR) {
    repaired_ = true;
    parse(repair_utf8(body));
  }
}

bool JsonBody::parse(std::string_view body) {
  if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);
  padded_ = simdjson::padded_string(body);
  element root;
  error_ = parser_.parse(padded_).get(root);
  if (error_ == simdjson::SUCCESS) root_ = root;
  return root_.has_value();
}

std::optional<element> member(const std::optional<element>& parent, std::string_view name) {
  if (!parent) return std::nullopt;
  simdjson::dom::object members;
  if (parent->get_object().get(members) != simdjson::SUCCESS) return std::nullopt;
  element value;
  if (members.at_key(name).get(value) != simdjson::SUCCESS || value.is_null()) return std::nullopt;
  return value;
}

std::string text_of(const std::optional<element>& value) {
  std::string_view text;
  if (!value || value->get_string().get(text) != simdjson::SUCCESS) return {};
  return std::string(text);
}

std::string id_text(const std::optional<element>& value) {
  std::string text;
  if (value && (value->is_int64() || value->is_uint64())) {
    append_canonical(text, *value);
  } else {
    text = text_of(value);
  }
  return text.size() <= kIdBytesMax ? text : std::string{};
}

std::string related_id(const std::optional<element>& resource, std::string_view name) {
  return id_text(member(member(member(member(resource, "relationships"), name), "data"), "id"));
}

}  // namespace resultsync::orders
