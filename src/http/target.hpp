// The target of a request: its path and its query, and percent-decoding (RFC 3986 §2.1), done once and strictly. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace resultsync::http {

struct Target {
  std::string_view path;   // before the first `?`
  std::string_view query;  // after it; empty if there is none
};
Target split_target(std::string_view target);

// The path decoded; nothing if an escape is broken or the outcome is not clean text (UTF-8 without control characters).
// `..` and `//` are text like any other: whoever routes compares whole paths.
std::optional<std::string> decode_path(std::string_view path);

// A name or value of a query decoded, `+` as a space; nothing if an escape is broken or the outcome is not UTF-8
// without NUL.
std::optional<std::string> decode_query_part(std::string_view part);

}  // namespace resultsync::http
