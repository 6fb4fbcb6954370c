#include "sandbox/api_guard.hpp"

#include <fmt/format.h>

#include "sandbox/api_error.hpp"
#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {
namespace {

// The grant that a request speaks for, or the answer that says why not.
struct Caller {
  std::optional<Grant> grant;
  http::Response refusal;
};
Caller caller_of(Network& network, const Network::Inside& inside, const http::Request& request) {
  const auto header = request.headers.only("Authorization");
  if (!header || !header->starts_with("Bearer "))
    return {std::nullopt, error_answer({401, "not_authenticated", "Authentication credentials were not provided."})};
  const auto grant = inside->oauth.bearer(header->substr(7), network.real_now());
  if (!grant) return {std::nullopt, error_answer({401, "authentication_failed", "Invalid or expired token."})};
  return {grant, {}};
}

// Nothing if the grant may ask; else in how many seconds it may.
std::optional<std::int64_t> throttled(Network& network, const Network::Inside& inside, std::uint64_t grant) {
  const NetworkOptions& options = network.options();
  if (options.rate_requests <= 0) return std::nullopt;
  Network::State::Window& window = inside->rates[grant];
  const Timestamp now = network.real_now();
  const std::int64_t length = options.rate_seconds * 1'000'000;
  if (now.microseconds - window.begins.microseconds >= length) window = {now, 0};
  if (++window.count <= options.rate_requests) return std::nullopt;
  return (length - (now.microseconds - window.begins.microseconds)) / 1'000'000 + 1;
}

// What the switches make of an answer. What was written stays written, so only reads fail.
void spoil(Network& network, const Network::Inside& inside, const http::Request& request, Answer& answer) {
  const Switches& switches = inside->switches;
  const std::uint64_t seed = network.options().world.seed;
  answer.delay = std::chrono::milliseconds(static_cast<std::int64_t>(switches.api_slow_seconds * 1000));
  if (request.method == "POST" || request.method == "PATCH") return;
  if (switches.api_failing <= 0 && switches.api_malformed <= 0) return;
  const std::string path = request.method + " " + request.path;
  const std::string about = fmt::format("{} {}", path, ++inside->api_requests[path]);
  if (drawn(switches.api_failing, seed, "api_failing", about)) {
    constexpr int kStatuses[] = {500, 502, 503};
    answer.response = error_answer({kStatuses[mixed(seed, about) % 3], "error", "A server error occurred."});
    if (answer.response.status == 503) answer.response.set_header("Retry-After", "1");
  } else if (drawn(switches.api_malformed, seed, "api_malformed", about)) {
    answer.response.body.resize(answer.response.body.size() / 2);
  }
}

}  // namespace

Answer guarded(Network& network, const http::Request& request, const Granted& answer_granted) {
  Network::Inside inside = network.enter();
  Answer answer;
  Caller caller = caller_of(network, inside, request);
  if (!caller.grant) {
    answer.response = std::move(caller.refusal);
  } else if (const auto seconds = throttled(network, inside, caller.grant->id)) {
    answer.response = error_answer(
        {429, "throttled", fmt::format("Request was throttled. Expected available in {} seconds.", *seconds)});
    answer.response.set_header("Retry-After", std::to_string(*seconds));
  } else {
    answer.response = answer_granted(inside, *caller.grant);
    spoil(network, inside, request, answer);
  }
  return answer;
}

}  // namespace resultsync::sandbox
