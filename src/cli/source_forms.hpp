// What sync has to know of the configured sources: which of their events carry results, and how their bodies are read.
#pragma once

#include "cli/config.hpp"
#include "sync/apply.hpp"

namespace resultsync::cli {

// Everything but the index of `options` that the configuration decides.
void read_sources(const Config& config, std::map<SourceId, std::vector<std::string>>& result_types,
                  sync::CommonForm& common_form);

}  // namespace resultsync::cli
