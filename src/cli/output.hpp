// The form in which a command shows its data: `-o table` for people, `json` for one document, `ndjson` for one object a
// line.
#pragma once

#include <string>

#include "cli/options.hpp"

namespace resultsync::cli {

struct OutputOption {
  std::string form = "table";

  void declare(Options& options) {
    options.add({.names = "-o,--output",
                 .value = "FORM",
                 .help = "How to show it",
                 .target = &form,
                 .choices = {"table", "json", "ndjson"},
                 .environment = "RESULTSYNC_OUTPUT"});
  }
  [[nodiscard]] bool table() const { return form == "table"; }
  [[nodiscard]] bool json() const { return form == "json"; }
};

}  // namespace resultsync::cli
