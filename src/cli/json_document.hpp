// JSON that a server answered, to be shown.
#pragma once

#include <simdjson.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace resultsync::cli {

using JsonValue = simdjson::dom::element;  // valid as long as its document

class JsonDocument {
 public:
  // Error: `bad_response`.
  static Result<JsonDocument> parse(std::string_view text);
  [[nodiscard]] JsonValue root() const { return root_; }

 private:
  JsonDocument() = default;
  std::unique_ptr<simdjson::dom::parser> parser_ =
      std::make_unique<simdjson::dom::parser>();  // its address is in root_
  JsonValue root_;
};

// The value at the end of a path of members, as text for a table: empty where it is absent or null; arrays of text
// joined by ", ".
std::string shown(JsonValue value, std::initializer_list<std::string_view> path = {});

// The elements of the array there; empty where there is none.
std::vector<JsonValue> elements(JsonValue value, std::initializer_list<std::string_view> path = {});

// As compact JSON; and with two spaces of indentation, for people.
std::string compact(JsonValue value);
std::string indented(JsonValue value);

}  // namespace resultsync::cli
