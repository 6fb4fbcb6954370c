// What a browser or an OAuth client posts: application/x-www-form-urlencoded. PURE.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace resultsync::sandbox {

class Form {
 public:
  // Nothing if an escape is broken, text is not UTF-8, or there are more than 200 fields.
  static std::optional<Form> read(std::string_view body);

  // The same of a flat JSON object of texts, as some token endpoints take it. Nothing for anything else.
  static std::optional<Form> read_json(std::string_view body);

  // The value of a field; empty if it is absent or stands twice (RFC 6749 §3.1: no parameter more than once).
  [[nodiscard]] std::string only(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return !all(name).empty(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

// `url` with a query parameter more.
std::string with_parameter(std::string url, std::string_view name, std::string_view value);

}  // namespace resultsync::sandbox
