// What sync has to know of the configured sources: which of their events carry results, and how their bodies are read.
#pragma once

#include "cli/config.hpp"
#include "sync/apply.hpp"

namespace resultsync::cli {

// For sync::ApplyOptions and sync::SyncOptions, of which both have these members.
struct SourceForms {
  std::map<SourceId, std::vector<std::string>> result_types;
  std::map<SourceId, std::vector<std::string>> other_types;
  std::set<SourceId> thin;
  sync::CommonForm common_form;  // empty where all sources speak the common form already: then no body is copied
};
SourceForms source_forms(const Config& config);
template <class Options>
void take_source_forms(const Config& config, Options& options) {
  SourceForms forms = source_forms(config);
  options.result_types = std::move(forms.result_types);
  options.other_types = std::move(forms.other_types);
  options.thin = std::move(forms.thin);
  options.common_form = std::move(forms.common_form);
}

}  // namespace resultsync::cli
