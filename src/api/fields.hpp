// Reads a request's body whose members are of several kinds: one JSON object, strict, with all that is wrong gathered
// and told member by member. Pure.
//
//   auto fields = Fields::parse(call.body, kKnown);
//   if (!fields) return fields.error();
//   const auto rate = fields->whole_number("rate", {0, 1000, 0});
//   if (const auto wrong = fields->problem()) return *wrong;
#pragma once

#include <simdjson.h>

#include <chrono>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/parameters.hpp"
#include "api/problem.hpp"
#include "base/timestamp.hpp"

namespace resultsync::api {

class Fields {
 public:
  // An empty body counts as `{}`. Problems: `body_too_large`, `bad_json`. A member that is unknown or stands twice is
  // in problem().
  static Checked<Fields> parse(std::string_view body, std::initializer_list<std::string_view> known);

  // Each gives nothing if the member is absent, null, or cannot be taken (then problem() says why).
  std::optional<std::string> text(std::string_view name, std::size_t bytes_max = 255);
  std::optional<std::string> required_text(std::string_view name, std::size_t bytes_max = 255);
  // Text of a person, on any number of lines; all blank counts as absent.
  std::optional<std::string> prose(std::string_view name, std::size_t bytes_max);
  std::optional<std::vector<std::string>> list(std::string_view name, std::size_t items_max = 1'000);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::int64_t> whole_number(std::string_view name, std::int64_t least, std::int64_t most);
  std::optional<Timestamp> time(std::string_view name);
  // One of the choices.
  std::optional<std::string> choice(std::string_view name, std::initializer_list<std::string_view> choices);

  [[nodiscard]] bool has(std::string_view name) const;
  void wrong(std::string_view name, std::string reason);
  // `invalid_members`, if anything was wrong.
  [[nodiscard]] std::optional<Problem> problem() const;

 private:
  Fields() = default;
  [[nodiscard]] std::optional<simdjson::dom::element> value(std::string_view name) const;

  std::unique_ptr<simdjson::dom::parser> parser_ = std::make_unique<simdjson::dom::parser>();
  simdjson::dom::object members_;  // in parser_
  std::vector<MemberError> errors_;
};

}  // namespace resultsync::api
