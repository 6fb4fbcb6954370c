// Everything the API reads that somebody else wrote: targets, parameters, bodies and cursors. Whatever is taken must
// read back the same.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "api/cursor.hpp"
#include "api/json_body.hpp"
#include "api/parameters.hpp"
#include "api/route.hpp"
#include "base/encoding.hpp"

namespace {

using namespace resultsync::api;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void read_cursors(std::string_view text) {
  if (const auto cursor = parse_feed_cursor(text)) require(format(*cursor) == text, "a feed cursor has one form");
  if (const auto place = parse_event_cursor(text))
    require(format_event_cursor(*place) == text, "an event cursor has one form");
  if (const auto place = parse_unmatched_cursor(text))
    require(format_unmatched_cursor(*place) == text, "an unmatched cursor has one form");
  if (const auto place = parse_order_cursor(text))
    require(format_order_cursor(*place) == text, "an order cursor has one form");
  if (const auto cursor = parse_stream_cursor(text); cursor && !cursor->one_feed)
    require(format(*cursor) == text, "a stream cursor has one form");
  if (const auto place = parse_unacknowledged_cursor(text))
    require(format_unacknowledged_cursor(*place) == text, "an unacknowledged cursor has one form");
  if (const auto id = parse_practitioner_cursor(text))
    require(format_practitioner_cursor(*id) == text, "a practitioner cursor has one form");
}

void read_parameters(std::string_view text) {
  static constexpr std::array<std::string_view, 3> kKnown{"a", "limit", "body"};
  const auto parameters = Parameters::parse(text, kKnown);
  if (!parameters) return;
  if (const auto value = parameters->text("a")) require(resultsync::is_utf8(*value), "a parameter is text");
  if (const auto limit = parameters->whole_number("limit", kLimit))
    require(*limit >= 1 && *limit <= 1000, "a limit holds its bounds");
  (void)parameters->flag("body");
  (void)parameters->time("a");
}

void read_body(std::string_view text) {
  static constexpr std::array kRules{MemberRule{"clinic_id"}, MemberRule{"source", Presence::kOptional}};
  const auto members = read_members(text, kRules);
  if (!members) {
    require(is_json(render(members.error(), "req_1").body), "a problem is JSON");
    return;
  }
  for (const auto& [name, value] : *members)
    require(unfit_as_id(value).empty() && resultsync::is_utf8(value), "an id is fit to be one");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_cursors(text);
  read_parameters(text);
  read_body(text);
  const Found found = find_route(routes(), "GET", text);
  for (const auto& value : found.path)
    require(!value.empty() && resultsync::is_utf8(value), "a value of a path is text");
  return 0;
}
