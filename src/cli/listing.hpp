// A list of the API on the terminal: as a table, as one JSON document, or as an object a line.
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

}  // namespace resultsync::cli
