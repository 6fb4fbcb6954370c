// A parsed body, and careful steps through it: whatever is not there, or is of another kind than expected, is nothing.
#pragma once

#include <simdjson.h>

#include <optional>
#include <string>
#include <string_view>

namespace resultsync::orders {

inline constexpr std::size_t kIdBytesMax = 255;

// simdjson reads past the end of its input, so the bytes are copied into a padded buffer. Ill-formed UTF-8 is repaired
// once.
class JsonBody {
 public:
  explicit JsonBody(std::string_view body);
  [[nodiscard]] const std::optional<simdjson::dom::element>& root() const { return root_; }  // empty: no JSON
  [[nodiscard]] bool repaired() const { return repaired_; }

 private:
  bool parse(std::string_view body);

  simdjson::padded_string padded_;
  simdjson::dom::parser parser_;
  std::optional<simdjson::dom::element> root_;
  simdjson::error_code error_ = simdjson::SUCCESS;
  bool repaired_ = false;
};

// A member that is there and not null.
std::optional<simdjson::dom::element> member(const std::optional<simdjson::dom::element>& parent,
                                             std::string_view name);
std::string text_of(const std::optional<simdjson::dom::element>& value);  // empty if it is no text
// An id is text, or a number that some senders write instead; what is empty or too long is no id.
std::string id_text(const std::optional<simdjson::dom::element>& value);
// relationships.<name>.data.id
std::string related_id(const std::optional<simdjson::dom::element>& resource, std::string_view name);

// Calls `visit` for each element of an array; anything else has none.
template <class Visit>
void for_each(const std::optional<simdjson::dom::element>& array, Visit visit) {
  simdjson::dom::array items;
  if (!array || array->get_array().get(items) != simdjson::SUCCESS) return;
  for (const simdjson::dom::element item : items) visit(item);
}

// Calls `visit(name, value)` for each member of an object; anything else has none.
template <class Visit>
void for_each_member(const std::optional<simdjson::dom::element>& object, Visit visit) {
  simdjson::dom::object members;
  if (!object || object->get_object().get(members) != simdjson::SUCCESS) return;
  for (const auto& one : members) visit(one.key, one.value);
}

template <class Visit>
void for_each_included(const std::optional<simdjson::dom::element>& root, Visit visit) {
  for_each(member(member(root, "data"), "included"), visit);
  for_each(member(root, "included"), visit);
}

}  // namespace resultsync::orders
