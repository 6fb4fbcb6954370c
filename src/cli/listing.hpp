// What the API says on the terminal: a list as a table, as one JSON document, or as an object a line; and one object as
// a person would read it, or as JSON.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "cli/api_client.hpp"
#include "cli/output.hpp"
#include "cli/table.hpp"

namespace resultsync::cli {

struct Listing {
  std::string target;  // "/v1/events?type=…"
  std::int64_t most = 100;
  std::vector<Column> columns;
  std::function<std::vector<std::string>(JsonValue item)> cells;  // one for each column
  std::string when_empty;                                         // what to do next
};

ExitCode print_listing(const Terminal& terminal, const ServerOptions& server, const OutputOption& output,
                       const Listing& listing);

// `show` is called where a person reads; the value lives no longer than the call.
using ShowObject = std::function<void(JsonValue object)>;
ExitCode print_object(const Terminal& terminal, const OutputOption& output, const Result<std::string>& answer,
                      const ShowObject& show);
// The object at `target`.
ExitCode print_object(const Terminal& terminal, const ServerOptions& server, const OutputOption& output,
                      const std::string& target, const ShowObject& show);

}  // namespace resultsync::cli
