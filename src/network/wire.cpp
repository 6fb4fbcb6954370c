#include "network/wire.hpp"

#include "base/encoding.hpp"

namespace resultsync::network {

Result<std::unique_ptr<Wire>> Wire::open(const Settings& settings, const http::Resolve& resolve) {
  auto wire = std::make_unique<Wire>();
  for (const SourceSettings& source : settings.sources) {
    auto policy = http::AddressPolicy::with_allowed(source.allow);
    if (!policy) return forward_error(std::move(policy));
    auto client = http::Outbound::start({.threads = 1,
                                         .policy = std::move(*policy),
                                         .connections_max = 64,
                                         .ca_file = source.ca_file,
                                         .resolve = resolve});
    if (!client) return forward_error(std::move(client));
    wire->clients_[source.source] = std::move(*client);
  }
  return wire;
}

Result<http::ClientResponse> Wire::send(const SourceSettings& source, http::OutboundRequest request) const {
  const auto client = clients_.find(source.source);
  if (client == clients_.end()) return fail("unknown_source", "this source has no API");
  request.allow_http = source.allow_http;
  return client->second->send_and_wait(std::move(request));
}

void Wire::stop() const {
  for (const auto& [source, client] : clients_) client->stop();
}

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    if (!text.empty()) text += '&';
    text += percent_encoded(name) + '=' + percent_encoded(value);
  }
  return text;
}

std::string full_url(const SourceSettings& source, const std::string& url_or_path) {
  if (!url_or_path.starts_with('/')) return url_or_path;
  std::string base = source.api;
  while (base.ends_with('/')) base.pop_back();
  return base + url_or_path;
}

}  // namespace resultsync::network
