#include "api/json_body.hpp"

#include <simdjson.h>

#include <algorithm>
#include <set>

namespace resultsync::api {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

std::string known_names(std::span<const MemberRule> rules) {
  std::string names;
  for (const MemberRule& rule : rules) names += (names.empty() ? "" : ", ") + std::string(rule.name);
  return names;
}

// Takes one member, or says why not.
void take_member(std::string_view name, element value, Presence presence, std::map<std::string, std::string>& taken,
                 std::vector<MemberError>& errors) {
  if (value.is_null() && presence == Presence::kOptional) return;
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) {
    errors.push_back({std::string(name), "must be text"});
    return;
  }
  if (const auto reason = unfit_as_id(text); !reason.empty()) {
    errors.push_back({std::string(name), std::string(reason)});
    return;
  }
  taken.emplace(name, text);
}

Problem bad_json(std::string title) {
  return {.status = 400, .code = "bad_json", .title = std::move(title)};
}

}  // namespace

Checked<std::map<std::string, std::string>> read_members(std::string_view body, std::span<const MemberRule> rules) {
  if (body.size() > kBodyBytesMax) {
    return std::unexpected(
        Problem{.status = 413, .code = "body_too_large", .title = "The body is larger than 64 KiB."});
  }
  const simdjson::padded_string padded(body);
  simdjson::dom::parser parser;
  element root;
  if (parser.parse(padded).get(root) != simdjson::SUCCESS)
    return std::unexpected(bad_json("The body is not JSON (RFC 8259)."));
  object members;
  if (root.get_object().get(members) != simdjson::SUCCESS)
    return std::unexpected(bad_json("The body must be a JSON object."));

  std::map<std::string, std::string> taken;
  std::vector<MemberError> errors;
  std::set<std::string_view> seen;
  for (const auto& member : members) {
    const auto rule = std::ranges::find(rules, member.key, &MemberRule::name);
    if (rule == rules.end()) {
      // Only the start of it: the name is the caller's own text, and may be long.
      errors.push_back({std::string(member.key.substr(0, 64)), "is not known here; known are: " + known_names(rules)});
    } else if (!seen.insert(member.key).second) {
      errors.push_back({std::string(member.key), "is given twice"});
    } else {
      take_member(rule->name, member.value, rule->presence, taken, errors);
    }
    if (errors.size() >= 20) break;
  }
  for (const MemberRule& rule : rules) {
    if (rule.presence == Presence::kRequired && !seen.contains(rule.name))
      errors.push_back({std::string(rule.name), "is needed"});
  }
  if (!errors.empty()) return std::unexpected(invalid_members(std::move(errors)));
  return taken;
}

std::string_view unfit_as_id(std::string_view text) {
  if (text.empty()) return "must not be empty";
  if (text.size() > kIdBytesMax) return "must not be longer than 255 bytes of UTF-8";
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::ranges::any_of(text, is_control)) return "must not hold control characters";
  return {};
}

bool is_json(std::string_view text) {
  const simdjson::padded_string padded(text);
  simdjson::dom::parser parser;
  return parser.parse(padded).error() == simdjson::SUCCESS;
}

}  // namespace resultsync::api
