// The second part of the demo: a simulated network beside the server. A practitioner consents, earlier orders are read,
// results with documents arrive, one is corrected, one is lost by the network and found again.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "cli/api_client.hpp"
#include "cli/terminal.hpp"
#include "runtime/clock.hpp"
#include "sandbox/server.hpp"

namespace resultsync::cli {

// The name of its source in the demo's configuration.
inline constexpr std::string_view kDemoNetwork = "sandbox";

// Starts it; the server is configured with its address. `secret` signs its webhooks, `client_secret` is the
// application's.
Result<std::unique_ptr<sandbox::Sandbox>> start_demo_network(const std::string& secret,
                                                             const std::string& client_secret,
                                                             const runtime::Clock& clock);

// Plays it, and accounts for every result that the network released, by its own ledger. False: the account does not
// come out.
Result<bool> play_demo_network(const Terminal& terminal, const ApiClient& client, const std::string& webhook,
                               sandbox::Sandbox& network);

}  // namespace resultsync::cli
