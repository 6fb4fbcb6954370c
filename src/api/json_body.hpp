// Reads a request's body: one JSON object whose members are all text. Strict, so that a slip is told at once and member
// by member. Pure.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "api/problem.hpp"

namespace resultsync::api {

inline constexpr std::size_t kBodyBytesMax = 64 * 1024;  // of a request's body
inline constexpr std::size_t kIdBytesMax = 255;          // of an id in a body or a path

enum class Presence { kRequired, kOptional };
struct MemberRule {
  std::string_view name;
  Presence presence = Presence::kRequired;
};

// Each member that was given, by name; an optional one that is null counts as absent. Problems: `body_too_large`,
// `bad_json` (no JSON, or no object), `invalid_members` (missing, unknown, given twice, no text, empty, longer than
// kIdBytesMax, with control characters).
Checked<std::map<std::string, std::string>> read_members(std::string_view body, std::span<const MemberRule> rules);

// Why `text` cannot be an id; empty if it can.
std::string_view unfit_as_id(std::string_view text);

bool is_json(std::string_view text);

}  // namespace resultsync::api
