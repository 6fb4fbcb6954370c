#include "cli/json_document.hpp"

#include <fmt/format.h>

#include "base/json_writer.hpp"

namespace resultsync::cli {
namespace {

bool descend(JsonValue& value, std::initializer_list<std::string_view> path) {
  for (const std::string_view name : path) {
    JsonValue next;
    if (!value.is_object() || value[name].get(next) != simdjson::SUCCESS) return false;
    value = next;
  }
  return true;
}

void indent(JsonValue value, std::string& out, std::size_t depth) {
  const std::string space((depth + 1) * 2, ' ');
  const std::string end_space(depth * 2, ' ');
  if (value.is_object()) {
    bool first = true;
    for (const auto member : simdjson::dom::object(value)) {
      out += (first ? "{\n" : ",\n") + space + json_string(member.key) + ": ";
      indent(member.value, out, depth + 1);
      first = false;
    }
    out += first ? "{}" : "\n" + end_space + "}";
  } else if (value.is_array()) {
    bool first = true;
    for (const JsonValue item : simdjson::dom::array(value)) {
      out += (first ? "[\n" : ",\n") + space;
      indent(item, out, depth + 1);
      first = false;
    }
    out += first ? "[]" : "\n" + end_space + "]";
  } else {
    out += compact(value);
  }
}

}  // namespace

Result<JsonDocument> JsonDocument::parse(std::string_view text) {
  JsonDocument document;
  if (const auto error = document.parser_->parse(text.data(), text.size()).get(document.root_);
      error != simdjson::SUCCESS) {
    return fail("bad_response", "the server's answer is not JSON", simdjson::error_message(error));
  }
  return document;
}

std::string shown(JsonValue value, std::initializer_list<std::string_view> path) {
  if (!descend(value, path) || value.is_null()) return {};
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  if (value.is_array()) {
    std::string all;
    for (const JsonValue item : elements(value)) all += (all.empty() ? "" : ", ") + shown(item);
    return all;
  }
  return compact(value);
}

std::vector<JsonValue> elements(JsonValue value, std::initializer_list<std::string_view> path) {
  std::vector<JsonValue> all;
  if (!descend(value, path) || !value.is_array()) return all;
  for (const JsonValue item : simdjson::dom::array(value)) all.push_back(item);
  return all;
}

std::string compact(JsonValue value) {
  return simdjson::minify(value);
}

std::string indented(JsonValue value) {
  std::string out;
  indent(value, out, 0);
  return out;
}

}  // namespace resultsync::cli
