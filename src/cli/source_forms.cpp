#include "cli/source_forms.hpp"

#include <algorithm>

#include "http/framing.hpp"

namespace resultsync::cli {
namespace {

std::string_view message_id_of(const vendors::Source& source, const store::Record& record) {
  for (const store::KeptHeader& header : record.headers) {
    const bool is_id = std::ranges::any_of(source.scheme.headers, [&](const vendors::HeaderSet& set) {
      return !set.id.empty() && http::same_name(set.id, header.name);
    });
    if (is_id) return header.value;
  }
  return {};
}

}  // namespace

SourceForms source_forms(const Config& config) {
  SourceForms forms;
  for (const vendors::Source& source : config.sources) {
    forms.result_types[source.id] = source.result_event_types;
    forms.other_types[source.id] = source.other_event_types;
    if (source.vendor == "fullscript") forms.thin.insert(source.id);
  }
  if (std::ranges::all_of(config.sources, [](const vendors::Source& source) { return source.vendor == "rupa"; }))
    return forms;
  forms.common_form = [sources = config.sources](const store::Record& record, std::string_view body) {
    const auto source = std::ranges::find(sources, record.source, &vendors::Source::id);
    if (source == sources.end()) return std::string(body);  // a network that is configured no more
    return vendors::in_common_form(*source, message_id_of(*source, record), body);
  };
  return forms;
}

}  // namespace resultsync::cli
