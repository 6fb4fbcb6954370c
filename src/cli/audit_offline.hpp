// The audit row of a command that reads health data from the store itself, without a server between (P5).
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/api_client.hpp"

namespace resultsync::cli {

// Durable before it returns; the command shows nothing if it fails. Works beside a running server and without one.
// `action` is the command: "log cat". Errors: those of the store; `permission_denied` for who may read the store but
// not write it.
Result<void> audit_reading(const ServerOptions& server, const std::string& data_dir, const std::string& action,
                           std::vector<std::string> objects);

}  // namespace resultsync::cli
