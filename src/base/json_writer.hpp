// Writes compact JSON (RFC 8259), member by member, in the order of the calls: the same calls give the same bytes,
// always.
//
//   JsonWriter json;
//   json.begin_object().key("id").string("evt_1").key("tests").begin_array().number(1).end_array().end_object();
//   json.text()  // {"id":"evt_1","tests":[1]}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace resultsync {

class JsonWriter {
 public:
  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  JsonWriter& string(std::string_view value);  // ill-formed UTF-8 is written as U+FFFD
  JsonWriter& number(std::int64_t value);
  JsonWriter& number(int value) { return number(std::int64_t{value}); }
  JsonWriter& number(std::uint64_t value);
  JsonWriter& number(double value);  // shortest form that reads back the same; null if it is not finite
  JsonWriter& boolean(bool value);
  JsonWriter& null();
  JsonWriter& string_or_null(const std::optional<std::string>& value);
  // Text that is one complete JSON value already; it is trusted to be.
  JsonWriter& raw(std::string_view json);

  // Members in one call.
  JsonWriter& member(std::string_view name, std::string_view value) { return key(name).string(value); }
  JsonWriter& member(std::string_view name, const char* value) { return key(name).string(value); }
  JsonWriter& member(std::string_view name, const std::string& value) { return key(name).string(value); }
  JsonWriter& member(std::string_view name, std::int64_t value) { return key(name).number(value); }
  JsonWriter& member(std::string_view name, int value) { return key(name).number(value); }
  JsonWriter& member(std::string_view name, std::uint64_t value) { return key(name).number(value); }
  JsonWriter& member(std::string_view name, double value) { return key(name).number(value); }
  JsonWriter& member(std::string_view name, bool value) { return key(name).boolean(value); }
  JsonWriter& member(std::string_view name, const std::optional<std::string>& value) {
    return key(name).string_or_null(value);
  }

  [[nodiscard]] const std::string& text() const { return text_; }
  std::string take() { return std::move(text_); }

 private:
  void before_value();
  std::string text_;
  bool after_value_ = false;  // a comma is due before the next key or value of the same container
};

// `value` as a JSON string with its quotes.
std::string json_string(std::string_view value);
void append_json_string(std::string& text, std::string_view value);

}  // namespace resultsync
