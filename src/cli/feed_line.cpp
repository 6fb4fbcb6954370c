#include "cli/feed_line.hpp"

#include <fmt/format.h>

namespace resultsync::cli {
namespace {

// "14:03:11" of an RFC 3339 time.
std::string time_of_day(const std::string& time) {
  return time.size() >= 19 ? time.substr(11, 8) : "        ";
}

}  // namespace

std::string feed_line(const Terminal& terminal, JsonValue item) {
  const bool is_result = shown(item, {"type"}) == "result";
  std::string what;
  Paint paint = Paint::kDim;
  if (!is_result) {
    what = "order " + shown(item, {"order", "attributes", "status"});
  } else {
    const std::string version = shown(item, {"result", "version"});
    const std::string previous = shown(item, {"result", "previous_version"});
    what = previous.empty() ? "result, version " + version
                            : fmt::format("result changed, version {} after {}", version, previous);
    paint = previous.empty() ? Paint::kGreen : Paint::kYellow;
  }
  if (shown(item, {"current"}) == "false") what += ", late: not current";
  if (shown(item, {"backfill"}) == "true") what += ", backfill";
  const std::string test = shown(item, {"ordered_test_id"});
  return fmt::format("{}  {:<10}  {}  {:<15}  {}", time_of_day(shown(item, {"issued_at"})),
                     printable(shown(item, {"practitioner", "id"})), printable(shown(item, {"order_id"})),
                     printable(test.empty() ? "-" : test), terminal.on_out(paint, printable(what)));
}

}  // namespace resultsync::cli
