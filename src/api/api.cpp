#include "api/api.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "api/json_body.hpp"
#include "api/route.hpp"
#include "api/service.hpp"
#include "api/waiters.hpp"
#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "http/target.hpp"
#include "runtime/log.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"

namespace resultsync::api {
namespace {

using Instant = std::chrono::steady_clock::time_point;

std::string new_request_id() {
  return "req_" + encode_hex(runtime::random_bytes(12));
}

// The key of `Authorization: Bearer KEY`; the scheme's case does not matter (RFC 9110 §11.1).
std::optional<std::string_view> bearer_key(const http::Headers& headers) {
  static constexpr std::string_view kScheme = "bearer ";
  const auto value = headers.only("Authorization");
  if (!value || value->size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = (*value)[i];
    if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c) != kScheme[i]) return std::nullopt;
  }
  const std::string_view key = value->substr(kScheme.size());
  return key.substr(std::min(key.find_first_not_of(' '), key.size()));
}

// In a time that says nothing of where, or whether, the keys differ: what is compared are digests of one length.
bool same_key(std::string_view given, std::string_view expected) {
  const Sha256 left = sha256(given);
  const Sha256 right = sha256(expected);
  return !expected.empty() && CRYPTO_memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size()) == 0;
}

Problem unauthorized(bool key_was_given) {
  return {
      .status = 401,
      .code = "unauthorized",
      .title = key_was_given ? "The key is not one that may do this." : "A key is needed: Authorization: Bearer KEY.",
      .authenticate =
          key_was_given ? R"(Bearer realm="resultsync", error="invalid_token")" : R"(Bearer realm="resultsync")"};
}

Problem too_many_waiters() {
  return {.status = 503,
          .code = "too_many_waiters",
          .title = "Too many requests are waiting for feeds to grow. Ask again without `wait`, or later.",
          .retry_after_seconds = 5};
}

// The counters of one route: requests by the first digit of their status, and how long they took.
struct RouteMetrics {
  std::array<runtime::Counter, 4> by_class;  // 2xx, 3xx, 4xx, 5xx
  runtime::Histogram seconds;
};

RouteMetrics route_metrics(runtime::Metrics& metrics, const std::string& method, const std::string& pattern) {
  static const std::vector<double> kSeconds{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                            0.5,   1,      2.5,   5,    10,    30,   60};
  const auto counter = [&](const char* status) {
    return metrics.counter("resultsync_api_requests_total", "Requests to the API, by route and class of status.",
                           {{"method", method}, {"route", pattern}, {"status", status}});
  };
  return {{counter("2xx"), counter("3xx"), counter("4xx"), counter("5xx")},
          metrics.histogram("resultsync_api_request_seconds", "Time to answer a request to the API, its wait included.",
                            kSeconds, {{"method", method}, {"route", pattern}})};
}

}  // namespace

class Api::Core {
 public:
  explicit Core(ApiContext context)
      : context_(std::move(context)),
        service_{context_, context_.clock.monotonic(), [this] { return waiters_.generation(); }, [this] { changed(); }},
        unrouted_(route_metrics(context_.metrics, "other", "other")),
        waiters_(
            context_.waiters_max, [this](const auto& ids) { return positions_of(ids); },
            context_.metrics.gauge("resultsync_api_feed_waiters", "Long polls that wait for a feed to grow.")),
        workers_("api", context_.workers, context_.queue_max) {
    for (const Route& route : routes()) {
      metrics_.try_emplace(&route,
                           route_metrics(context_.metrics, std::string(route.method), std::string(route.pattern)));
    }
  }

  // No waiter hands anything to the workers any more, which are destroyed first and finish what they have.
  ~Core() { waiters_.stop(); }

  void handle(http::Request request, http::Responder responder);
  void feed_changed() { waiters_.wake(); }
  void stop() { waiters_.stop(); }

 private:
  // One request on its way to its answer. Shared between whoever works on it now and the place that would refuse it.
  struct Exchange {
    explicit Exchange(http::Responder r) : responder(std::move(r)) {}
    http::Responder responder;
    std::string request_id = new_request_id();
    Instant started = std::chrono::steady_clock::now();
    std::string method;
    const Route* route = nullptr;
    Call call;
    std::optional<Instant> deadline;  // of a long poll, set when it first waits
  };
  using Shared = std::shared_ptr<Exchange>;

  std::optional<Problem> refuse(const http::Request& request, Exchange& exchange) const;
  void submit(const Shared& exchange);
  void serve(const Shared& exchange);
  void park(const Shared& exchange, Wait wait);
  void answer(Exchange& exchange, http::Response response);
  void answer(Exchange& exchange, const Problem& problem) { answer(exchange, render(problem, exchange.request_id)); }
  void changed();
  FeedWaiters::Positions positions_of(const std::set<AppPractitionerId>& practitioners) const;

  const ApiContext context_;
  Service service_;
  std::map<const Route*, RouteMetrics> metrics_;  // not changed after the constructor
  RouteMetrics unrouted_;
  FeedWaiters waiters_;
  runtime::Workers workers_;
};

void Api::Core::handle(http::Request request, http::Responder responder) {
  const auto exchange = std::make_shared<Exchange>(std::move(responder));
  exchange->method = request.method;
  if (const auto problem = refuse(request, *exchange)) return answer(*exchange, *problem);
  exchange->call.body = std::move(request.body);
  if (exchange->route->runs_on == RunsOn::kEventLoop) return serve(exchange);
  submit(exchange);
}

// Finds the route and takes the request apart; says why if it cannot be served.
std::optional<Problem> Api::Core::refuse(const http::Request& request, Exchange& exchange) const {
  const http::Target target = http::split_target(request.target);
  Found found = find_route(routes(), request.method, target.path);
  if (!found.route && found.allow.empty()) return not_found("unknown_route", "There is nothing at this path.");
  if (!found.route) {
    return Problem{.status = 405,
                   .code = "method_not_allowed",
                   .title = "This path does not take that method.",
                   .allow = std::move(found.allow)};
  }
  exchange.route = found.route;
  if (found.route->scope != Scope::kOpen) {
    const auto key = bearer_key(request.headers);
    if (!key || !same_key(*key, context_.admin_key.reveal())) return unauthorized(key.has_value());
    exchange.call.caller.name = "admin";
  }
  if (request.body.size() > kBodyBytesMax) {
    return Problem{.status = 413, .code = "body_too_large", .title = "The body is larger than 64 KiB."};
  }
  auto parameters = Parameters::parse(target.query, found.route->query);
  if (!parameters) return std::move(parameters).error();
  exchange.call.path = std::move(found.path);
  exchange.call.parameters = std::move(*parameters);
  return std::nullopt;
}

void Api::Core::submit(const Shared& exchange) {
  if (!workers_.submit([this, exchange] { serve(exchange); })) answer(*exchange, overloaded());
}

void Api::Core::serve(const Shared& exchange) {
  Reply reply = exchange->route->serve(service_, exchange->call);
  if (auto* response = std::get_if<http::Response>(&reply)) return answer(*exchange, std::move(*response));
  if (const auto* problem = std::get_if<Problem>(&reply)) return answer(*exchange, *problem);
  park(exchange, std::get<Wait>(std::move(reply)));
}

void Api::Core::park(const Shared& exchange, Wait wait) {
  if (!exchange->deadline) exchange->deadline = std::chrono::steady_clock::now() + wait.patience;
  FeedWaiters::Waiter waiter{std::move(wait.practitioner), wait.seen, wait.generation, *exchange->deadline,
                             [this, exchange, empty = std::move(wait.empty)](FeedWaiters::Ended ended) mutable {
                               if (ended == FeedWaiters::Ended::kNews) return submit(exchange);
                               answer(*exchange, std::move(empty));
                             }};
  if (!waiters_.park(waiter)) answer(*exchange, too_many_waiters());
}

void Api::Core::answer(Exchange& exchange, http::Response response) {
  response.set_header("Cache-Control", "no-store")
      .set_header("X-Content-Type-Options", "nosniff")
      .set_header("X-Request-Id", exchange.request_id);

  const int status = response.status;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - exchange.started).count();
  const auto found = metrics_.find(exchange.route);
  RouteMetrics numbers = found == metrics_.end() ? unrouted_ : found->second;
  numbers.by_class[static_cast<std::size_t>(std::clamp(status / 100, 2, 5) - 2)].add();
  numbers.seconds.observe(seconds);
  // The pattern, never the path: ids of people stand in it (P4).
  const std::string_view pattern = exchange.route ? exchange.route->pattern : "none";
  if (status >= 500) {
    runtime::log::warning(
        "api.failed",
        {{"request_id", exchange.request_id}, {"route", pattern}, {"status", status}, {"seconds", seconds}});
  } else {
    runtime::log::debug(
        "api.answered",
        {{"request_id", exchange.request_id}, {"route", pattern}, {"status", status}, {"seconds", seconds}});
  }
  exchange.responder(std::move(response));
}

// What was connected or matched may have issued items, ended feeds, or left a backfill to do.
void Api::Core::changed() {
  context_.sync.wake();
  waiters_.wake();
}

FeedWaiters::Positions Api::Core::positions_of(const std::set<AppPractitionerId>& practitioners) const {
  FeedWaiters::Positions positions;
  const auto snapshot = context_.views.snapshot();
  for (const AppPractitionerId& id : practitioners) {
    const auto row = snapshot->practitioner(id, store::kEverything);
    if (row && !row->connections.empty()) positions.emplace(id, row->last_position);
  }
  return positions;
}

Api::Api(ApiContext context) : core_(std::make_unique<Core>(std::move(context))) {}
Api::~Api() = default;
void Api::handle(http::Request request, http::Responder responder) {
  core_->handle(std::move(request), std::move(responder));
}
void Api::feed_changed() {
  core_->feed_changed();
}
void Api::stop() {
  core_->stop();
}

}  // namespace resultsync::api
