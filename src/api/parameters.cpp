#include "api/parameters.hpp"

#include <algorithm>
#include <charconv>

#include "http/target.hpp"

namespace resultsync::api {

Checked<Parameters> Parameters::parse(std::string_view query, std::span<const std::string_view> known,
                                      std::span<const std::string_view> repeatable) {
  Parameters parameters;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view part = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (part.empty()) continue;

    const std::size_t equals = std::min(part.find('='), part.size());
    auto name = http::decode_query_part(part.substr(0, equals));
    auto value = http::decode_query_part(part.substr(std::min(equals + 1, part.size())));
    if (!name || std::ranges::find(known, *name) == known.end()) {
      // The name is not repeated: it may be a value that lost its name.
      return std::unexpected(
          Problem{.status = 400,
                  .code = "unknown_parameter",
                  .title = "This route does not know one of the parameters of the URL; nothing was done."});
    }
    if (!value) return std::unexpected(bad_parameter(*name, "not percent-encoded UTF-8"));
    if (std::ranges::find(repeatable, *name) != repeatable.end()) {
      parameters.repeated_.emplace(std::move(*name), std::move(*value));
      continue;
    }
    if (!parameters.values_.try_emplace(*name, std::move(*value)).second) {
      return std::unexpected(bad_parameter(*name, "stands twice"));
    }
  }
  return parameters;
}

std::optional<std::string> Parameters::text(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<std::string> Parameters::texts(std::string_view name) const {
  std::vector<std::string> all;
  const auto [first, last] = repeated_.equal_range(name);
  for (auto value = first; value != last; ++value) all.push_back(value->second);
  return all;
}

Checked<std::string> Parameters::required_text(std::string_view name) const {
  auto value = text(name);
  if (!value || value->empty()) return std::unexpected(bad_parameter(std::string(name), "is needed"));
  return std::move(*value);
}

Checked<std::int64_t> Parameters::whole_number(std::string_view name, Range range) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return range.usual;
  const std::string& text = found->second;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < range.least || value > range.most) {
    return std::unexpected(bad_parameter(
        std::string(name),
        "must be a whole number from " + std::to_string(range.least) + " to " + std::to_string(range.most)));
  }
  return value;
}

Checked<bool> Parameters::flag(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second == "0" || found->second == "false") return false;
  if (found->second.empty() || found->second == "1" || found->second == "true") return true;
  return std::unexpected(bad_parameter(std::string(name), "must be true or false"));
}

Checked<std::optional<Timestamp>> Parameters::time(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::optional<Timestamp>{};
  const auto parsed = parse_timestamp(found->second);
  if (!parsed) {
    return std::unexpected(
        bad_parameter(std::string(name), "must be a time such as 2024-06-13T20:28:50Z (a `+` stands as %2B)"));
  }
  return std::optional(parsed->time);
}

}  // namespace resultsync::api
