// What every request of an API has to pass: its grant, the rate limit, and what the switches make of the answer.
#pragma once

#include <functional>

#include "sandbox/answer.hpp"
#include "sandbox/network.hpp"

namespace resultsync::sandbox {

using Granted = std::function<http::Response(Network::Inside& inside, const Grant& grant)>;
Answer guarded(Network& network, const http::Request& request, const Granted& answer_granted);

}  // namespace resultsync::sandbox
