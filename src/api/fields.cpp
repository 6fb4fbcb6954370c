#include "api/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api/json_body.hpp"

namespace resultsync::api {
namespace {

constexpr std::size_t kErrorsMax = 20;

std::string joined(std::initializer_list<std::string_view> names) {
  std::string text;
  for (const auto name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

// Why it cannot be taken; empty if it can.
std::string unfit(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max) return fmt::format("must not be longer than {} bytes of UTF-8", bytes_max);
  return std::string(unfit_as_id(text.substr(0, kIdBytesMax)));
}

}  // namespace

Checked<Fields> Fields::parse(std::string_view body, std::initializer_list<std::string_view> known) {
  if (body.size() > kBodyBytesMax)
    return std::unexpected(
        Problem{.status = 413, .code = "body_too_large", .title = "The body is larger than 64 KiB."});
  Fields fields;
  const simdjson::padded_string padded(body.empty() ? std::string_view("{}") : body);
  simdjson::dom::element root;
  if (fields.parser_->parse(padded).get(root) != simdjson::SUCCESS ||
      root.get_object().get(fields.members_) != simdjson::SUCCESS)
    return std::unexpected(Problem{.status = 400, .code = "bad_json", .title = "The body must be a JSON object."});
  std::set<std::string_view> seen;
  for (const auto& member : fields.members_) {
    const std::string_view name = member.key;
    if (std::ranges::find(known, name) == known.end()) {
      fields.wrong(name.substr(0, 64), "is not known here; known are: " + joined(known));
    } else if (!seen.insert(name).second) {
      fields.wrong(name, "is given twice");
    }
    if (fields.errors_.size() >= kErrorsMax) break;
  }
  return fields;
}

std::optional<simdjson::dom::element> Fields::value(std::string_view name) const {
  simdjson::dom::element found;
  if (members_.at_key(name).get(found) != simdjson::SUCCESS || found.is_null()) return std::nullopt;
  return found;
}

bool Fields::has(std::string_view name) const {
  return value(name).has_value();
}

void Fields::wrong(std::string_view name, std::string reason) {
  errors_.push_back({std::string(name), std::move(reason)});
}

std::optional<Problem> Fields::problem() const {
  return errors_.empty() ? std::nullopt : std::optional(invalid_members(errors_));
}

std::optional<std::string> Fields::text(std::string_view name, std::size_t bytes_max) {
  const auto found = value(name);
  if (!found) return std::nullopt;
  std::string_view text;
  std::string reason = "must be text";
  if (found->get_string().get(text) == simdjson::SUCCESS) reason = unfit(text, bytes_max);
  if (reason.empty()) return std::string(text);
  wrong(name, std::move(reason));
  return std::nullopt;
}

std::optional<std::string> Fields::required_text(std::string_view name, std::size_t bytes_max) {
  if (!has(name)) wrong(name, "is needed");
  return text(name, bytes_max);
}

std::optional<std::string> Fields::prose(std::string_view name, std::size_t bytes_max) {
  const auto found = value(name);
  if (!found) return std::nullopt;
  const auto is_blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  const auto is_control = [&](char c) { return (static_cast<unsigned char>(c) < 0x20 && !is_blank(c)) || c == 0x7F; };
  std::string_view text;
  if (found->get_string().get(text) != simdjson::SUCCESS) {
    wrong(name, "must be text");
  } else if (text.size() > bytes_max) {
    wrong(name, fmt::format("must not be longer than {} bytes of UTF-8", bytes_max));
  } else if (std::ranges::any_of(text, is_control)) {
    wrong(name, "must not hold control characters other than tabs and line ends");
  } else if (!std::ranges::all_of(text, is_blank)) {
    return std::string(text);
  }
  return std::nullopt;
}

std::optional<std::vector<std::string>> Fields::list(std::string_view name, std::size_t items_max) {
  const auto found = value(name);
  if (!found) return std::nullopt;
  simdjson::dom::array array;
  if (found->get_array().get(array) != simdjson::SUCCESS) {
    wrong(name, "must be a list of texts");
    return std::nullopt;
  }
  std::vector<std::string> items;
  for (const auto& element : array) {
    std::string_view text;
    std::string reason = "must be a list of texts";
    if (element.get_string().get(text) == simdjson::SUCCESS) reason = unfit(text, kIdBytesMax);
    if (items.size() >= items_max) reason = fmt::format("must not have more than {} items", items_max);
    if (!reason.empty()) {
      wrong(name, std::move(reason));
      return std::nullopt;
    }
    items.emplace_back(text);
  }
  return items;
}

std::optional<bool> Fields::boolean(std::string_view name) {
  const auto found = value(name);
  if (!found) return std::nullopt;
  bool boolean = false;
  if (found->get_bool().get(boolean) == simdjson::SUCCESS) return boolean;
  wrong(name, "must be true or false");
  return std::nullopt;
}

std::optional<std::int64_t> Fields::whole_number(std::string_view name, std::int64_t least, std::int64_t most) {
  const auto found = value(name);
  if (!found) return std::nullopt;
  std::int64_t number = 0;
  if (found->get_int64().get(number) == simdjson::SUCCESS && number >= least && number <= most) return number;
  wrong(name, fmt::format("must be a whole number from {} to {}", least, most));
  return std::nullopt;
}

std::optional<Timestamp> Fields::time(std::string_view name) {
  const auto written = text(name);
  if (!written) return std::nullopt;
  const auto parsed = parse_timestamp(*written);
  if (parsed && parsed->had_zone) return parsed->time;
  wrong(name, "must be a time with its offset, as in 2026-01-31T00:00:00Z");
  return std::nullopt;
}

std::optional<std::string> Fields::choice(std::string_view name, std::initializer_list<std::string_view> choices) {
  auto chosen = text(name);
  if (!chosen || std::ranges::find(choices, *chosen) != choices.end()) return chosen;
  wrong(name, "must be one of: " + joined(choices));
  return std::nullopt;
}

}  // namespace resultsync::api
