#include "orders/canonical.hpp"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_writer.hpp"

namespace resultsync::orders {
namespace {

void append_object(std::string& text, simdjson::dom::object object) {
  struct Member {
    std::string_view name;
    std::size_t place;
    simdjson::dom::element value;
  };
  std::vector<Member> members;
  for (const auto& member : object) members.push_back({member.key, members.size(), member.value});
  std::ranges::sort(members, {}, [](const Member& member) { return std::pair(member.name, member.place); });
  text += '{';
  std::string_view last;
  bool first = true;
  for (const auto& [name, place, value] : members) {
    if (!first && name == last) continue;  // a name that stands twice: the first counts, as everywhere in this room
    if (!first) text += ',';
    first = false;
    last = name;
    append_json_string(text, name);
    text += ':';
    append_canonical(text, value);
  }
  text += '}';
}

void append_array(std::string& text, simdjson::dom::array array) {
  text += '[';
  bool first = true;
  for (const auto value : array) {
    if (!first) text += ',';
    first = false;
    append_canonical(text, value);
  }
  text += ']';
}

}  // namespace

void append_canonical(std::string& text, simdjson::dom::element value) {
  using simdjson::dom::element_type;
  JsonWriter number;
  switch (value.type()) {
    case element_type::OBJECT:
      append_object(text, value.get_object().value_unsafe());
      return;
    case element_type::ARRAY:
      append_array(text, value.get_array().value_unsafe());
      return;
    case element_type::STRING:
      append_json_string(text, value.get_string().value_unsafe());
      return;
    case element_type::INT64:
      text += number.number(value.get_int64().value_unsafe()).text();
      return;
    case element_type::UINT64:
      text += number.number(value.get_uint64().value_unsafe()).text();
      return;
    case element_type::DOUBLE:
      text += number.number(value.get_double().value_unsafe()).text();
      return;
    case element_type::BOOL:
      text += value.get_bool().value_unsafe() ? "true" : "false";
      return;
    case element_type::NULL_VALUE:
      text += "null";
      return;
  }
}

}  // namespace resultsync::orders
