#include "vendors/network.hpp"

#include <algorithm>

namespace resultsync::vendors {
namespace {

constexpr std::string_view kWebhooksPrefix = "/webhooks/";
constexpr std::size_t kSourceIdBytesMax = 64;

bool is_source_id(std::string_view text) {
  return !text.empty() && text.size() <= kSourceIdBytesMax && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

}  // namespace

Result<void> check_sources(const std::vector<Source>& sources) {
  if (sources.empty()) return fail("no_sources", "no source is configured, so no webhook could be verified");
  std::vector<std::string> taken;
  for (const Source& source : sources) {
    if (!is_source_id(source.id.text())) {
      return fail("bad_source_id", "the name of a source is 1 to 64 of a-z, 0-9, _ and -", source.id.text());
    }
    const std::string own_path = std::string(kWebhooksPrefix) + source.id.text();
    if ((std::ranges::find(taken, own_path) != taken.end())) {
      return fail("duplicate_source", "two sources have one name, or one has the path of another", source.id.text());
    }
    taken.push_back(own_path);
    for (const std::string& path : source.paths) {
      if (!path.starts_with('/')) return fail("bad_path", "the path of a source begins with a slash", path);
      if (path == own_path) continue;
      if ((std::ranges::find(taken, path) != taken.end()))
        return fail("duplicate_path", "two sources want the same path", path);
      taken.push_back(path);
    }
  }
  return {};
}

const Source* source_at(const std::vector<Source>& sources, std::string_view path) {
  const auto is_at = [&](const Source& source) {
    return (std::ranges::find(source.paths, path) != source.paths.end()) ||
           (path.starts_with(kWebhooksPrefix) && path.substr(kWebhooksPrefix.size()) == source.id.text());
  };
  const auto found = std::ranges::find_if(sources, is_at);
  return found == sources.end() ? nullptr : &*found;
}

}  // namespace resultsync::vendors
