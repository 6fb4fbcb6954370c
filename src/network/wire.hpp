// The way out to the networks: one guarded client per source, since each may reach other addresses. Blocks;
// thread-safe.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "http/outbound.hpp"
#include "network/settings.hpp"

namespace resultsync::network {

class Wire {
 public:
  // `resolve` looks names up; empty: the system's resolver. Errors: `bad_allow_entry`, `bad_ca_file`.
  static Result<std::unique_ptr<Wire>> open(const Settings& settings, const http::Resolve& resolve = {});

  // Errors: those of http::Outbound. Only what is idempotent may be repeated by the layer below.
  Result<http::ClientResponse> send(const SourceSettings& source, http::OutboundRequest request) const;
  void stop() const;  // what waits ends with `stopped`

 private:
  std::map<SourceId, std::unique_ptr<http::Outbound>> clients_;
};

std::string form_encoded(const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace resultsync::network
