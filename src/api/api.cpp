#include "api/api.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "api/acknowledgements.hpp"
#include "api/fhir/outcome.hpp"
#include "api/idempotency.hpp"
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
#include "store/readers.hpp"

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

Problem unauthorized(bool key_was_given, KeyRing::Standing standing) {
  const auto title = [&]() -> std::string {
    if (!key_was_given) return "A key is needed: Authorization: Bearer KEY.";
    if (standing == KeyRing::Standing::kExpired) return "The key has expired.";
    if (standing == KeyRing::Standing::kRevoked) return "The key was revoked.";
    return "The key is not one that is known here.";
  };
  return {.status = 401,
          .code = "unauthorized",
          .title = title(),
          .authenticate =
              key_was_given ? R"(Bearer realm="resultsync", error="invalid_token")" : R"(Bearer realm="resultsync")"};
}

Problem missing_scope(Scope scope) {
  return {.status = 403,
          .code = "missing_scope",
          .title = "The key may not do this. It needs the scope " + std::string(name_of(scope)) + ".",
          .scope = std::string(name_of(scope))};
}

Problem too_many_requests(std::int64_t seconds) {
  return {.status = 429,
          .code = "too_many_requests",
          .title = "This key sends more requests than it may. Wait as long as Retry-After says.",
          .retry_after_seconds = static_cast<int>(std::max<std::int64_t>(seconds, 1))};
}

// "127.0.0.1" of "127.0.0.1:51234", "::1" of "[::1]:51234".
std::string address_of(std::string_view peer) {
  peer = peer.substr(0, peer.rfind(':'));
  if (peer.starts_with('[') && peer.ends_with(']')) peer = peer.substr(1, peer.size() - 2);
  return std::string(peer);
}

// X-Purpose: why somebody asks, as a code of theirs. No prose, which could name a patient.
Checked<std::string> purpose_in(const http::Headers& headers) {
  constexpr std::size_t kPurposeBytesMax = 64;
  if (headers.count("X-Purpose") == 0) return std::string{};
  const auto given = headers.only("X-Purpose");
  const auto is_of_code = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == ':';
  };
  if (!given || given->empty() || given->size() > kPurposeBytesMax || !std::ranges::all_of(*given, is_of_code))
    return std::unexpected(
        bad_parameter("X-Purpose", "must stand once and be a code: 1 to 64 of letters, digits, . _ - :"));
  return std::string(*given);
}

bool changes_something(const Route& route) {
  return route.method != "GET" && !route.pattern.ends_with("/_search");
}

bool reads_its_query(const Route& route) {
  return route.query.size() == 1 && route.query.front() == kAnyQuery;
}

// For the audit log: what the path names, and the parameters that are ids. An unknown one of kIds is answered with a
// problem; an unknown one of kFilters with an empty list.
void name_objects(const Route& route, const Call& call) {
  static constexpr std::array<std::string_view, 5> kIds{"practitioner", "source", "clinic_id", "endpoint", "consumer"};
  static constexpr std::array<std::string_view, 3> kFilters{"patient", "order", "actor"};
  call.objects.clear();
  std::string_view rest = route.pattern;
  std::string_view kind;
  std::size_t place = 0;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::string_view segment = rest.substr(0, rest.find('/'));
    rest.remove_prefix(segment.size());
    if (segment.starts_with('{') && place < call.path.size()) {
      call.objects.add(kind, call.path[place++]);
    } else {
      kind = segment;
    }
  }
  for (const std::string_view name : kIds) {
    if (const auto id = call.parameters.text(name)) call.objects.add(name, *id);
  }
  for (const std::string_view name : kFilters) {
    if (const auto id = call.parameters.text(name)) call.objects.ask(name, *id);
  }
}

// ETag and If-None-Match (RFC 9110 §13): whoever has the same already is told so.
void settle_conditional(const Route& route, const http::Headers& headers, http::Response& response) {
  constexpr std::size_t kTaggedBytesMax = 1024 * 1024;  // beyond, making the tag costs more than it saves
  const bool is_document =
      response.content_type == "application/json" || response.content_type == "application/fhir+json";
  if (route.method != "GET" || response.status != 200 || !is_document || response.body.size() > kTaggedBytesMax) return;
  if (std::ranges::find(response.headers, "ETag", &http::Header::name) != response.headers.end()) return;
  const std::string tag = etag_of(response.body);
  response.set_header("ETag", tag);
  const auto known = headers.only("If-None-Match");
  if (!known || (*known != "*" && !known->contains(tag))) return;
  response.status = 304;
  response.body.clear();
  response.content_type.clear();
}

// draft-ietf-httpapi-ratelimit-headers-11.
void add_rate_headers(const Allowance& allowance, const RateLimit& rate, http::Response& response) {
  response.set_header("RateLimit-Policy", "\"key\";q=" + std::to_string(rate.burst) + ";w=" +
                                              std::to_string(std::max<std::int64_t>(1, rate.burst / rate.per_second)));
  response.set_header("RateLimit",
                      "\"key\";r=" + std::to_string(allowance.remaining) + ";t=" + std::to_string(allowance.seconds));
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
        streams_(
            context_, [this](std::move_only_function<void()> task) { return workers_.submit(std::move(task)); },
            [this](const auto& ids) { return positions_of(ids); }),
        totals_(context_.clock,
                [this]() -> Result<store::Totals> {
                  const auto snapshot = context_.views.snapshot();
                  auto counted = snapshot->totals();
                  if (auto ok = snapshot->status(); !ok) return forward_error(std::move(ok));
                  return counted;
                }),
        notes_(runtime::MasterKey(context_.master_key), "reviews"),
        service_{context_,
                 context_.clock.monotonic(),
                 streams_,
                 totals_,
                 notes_,
                 [this] { return waiters_.generation(); },
                 [this] { keys_changed(); },
                 [this](const Call& call, StreamQuestion& question) { watch_stream(call, question); },
                 [this] { changed(); }},
        unrouted_(route_metrics(context_.metrics, "other", "other")),
        keys_(context_.views, context_.rate),
        idempotency_(context_.master_key),
        trail_(context_.audit_log, context_.clock, context_.metrics, context_.audit_key, context_.audit),
        waiters_(
            context_.waiters_max, [this](const auto& ids) { return positions_of(ids); },
            context_.metrics.gauge("resultsync_api_feed_waiters", "Long polls that wait for a feed to grow.")),
        gauges_(context_.views, context_.clock, context_.metrics),
        workers_("api", context_.workers, context_.queue_max) {
    for (const Route& route : routes()) {
      metrics_.try_emplace(&route,
                           route_metrics(context_.metrics, std::string(route.method), std::string(route.pattern)));
    }
    keys_changed();
  }

  // No waiter hands anything to the workers any more, which are destroyed first and finish what they have.
  ~Core() { stop(); }

  void handle(http::Request request, http::Responder responder);
  void feed_changed() {
    waiters_.wake();
    streams_.wake();
  }
  void stop() {
    streams_.stop();
    waiters_.stop();
  }

 private:
  // One request on its way to its answer. Shared between whoever works on it now and the place that would refuse it.
  struct Exchange {
    explicit Exchange(http::Responder r) : responder(std::move(r)) {}
    http::Responder responder;
    std::string request_id = new_request_id();
    Instant started = std::chrono::steady_clock::now();
    std::string method;
    std::string target;
    std::string peer;
    std::string purpose;
    const Route* route = nullptr;
    bool is_fhir = false;
    Call call;
    std::optional<Allowance> allowance;    // what is left of a key's rate
    std::optional<IdempotentWrite> write;  // one that carries an Idempotency-Key
    std::string_view problem;              // the code of what went wrong
    std::optional<Instant> deadline;       // of a long poll, set when it first waits
  };
  using Shared = std::shared_ptr<Exchange>;

  std::optional<Problem> find(const http::Request& request, Exchange& exchange) const;
  void admit(const Shared& exchange);
  std::optional<Problem> authorize(Exchange& exchange);
  std::optional<Problem> take_apart(Exchange& exchange) const;
  bool submit(const Shared& exchange);
  void serve(const Shared& exchange);
  void serve_again(const Shared& exchange);
  std::optional<http::Response> begin_change(Exchange& exchange);
  void park(const Shared& exchange, Wait wait);
  void finish(const Shared& exchange, http::Response response);
  void finish(const Shared& exchange, const Problem& problem);
  void keep_answer(Exchange& exchange, http::Response& response);
  store::AuditRow audit_row(const Exchange& exchange, std::string outcome) const;
  void answer(Exchange& exchange, http::Response response);
  void answer(Exchange& exchange, const Problem& problem) { answer(exchange, rendered(exchange, problem)); }
  // In the words of the face that was asked: FHIR has its own.
  static http::Response rendered(const Exchange& exchange, const Problem& problem) {
    return exchange.is_fhir ? fhir_face::outcome_response(problem, exchange.request_id)
                            : render(problem, exchange.request_id);
  }
  void watch_stream(const Call& call, StreamQuestion& question);
  bool may_still(const Secret<std::string>& key, Scope scope);
  void keys_changed();
  void changed();
  FeedWaiters::Positions positions_of(const std::set<AppPractitionerId>& practitioners) const;

  const ApiContext context_;
  Streams streams_;
  KeptTotals totals_;
  const runtime::Vault notes_;
  Service service_;
  std::map<const Route*, RouteMetrics> metrics_;  // not changed after the constructor
  RouteMetrics unrouted_;
  KeyRing keys_;
  const Idempotency idempotency_;
  AuditTrail trail_;  // outlives those who record: its last rows are written, and their answers sent, when it ends
  FeedWaiters waiters_;
  AcknowledgementGauges gauges_;
  runtime::Workers workers_;
};

void Api::Core::handle(http::Request request, http::Responder responder) {
  const auto exchange = std::make_shared<Exchange>(std::move(responder));
  exchange->method = request.method;
  if (const auto problem = find(request, *exchange)) return answer(*exchange, *problem);
  exchange->target = std::move(request.target);
  exchange->peer = address_of(request.peer);
  exchange->call.headers = std::move(request.headers);
  exchange->call.body = std::move(request.body);
  if (exchange->route->scope == Scope::kOpen || keys_.is_fresh(std::chrono::steady_clock::now()))
    return admit(exchange);
  // What is known of the keys is a second old, and another instance may have revoked one: look before deciding.
  const auto looked = [this, exchange] {
    if (const auto loaded = keys_.reload(std::chrono::steady_clock::now()); !loaded)
      return answer(*exchange, store_failed(loaded.error()));
    admit(exchange);
  };
  if (!workers_.submit(looked)) answer(*exchange, overloaded());
}

// Finds the route.
std::optional<Problem> Api::Core::find(const http::Request& request, Exchange& exchange) const {
  const std::string_view path = http::split_target(request.target).path;
  exchange.is_fhir = path.starts_with("/fhir/");
  Found found = find_route(routes(), request.method, path);
  if (!found.route && found.allow.empty()) return not_found("unknown_route", "There is nothing at this path.");
  if (!found.route) {
    return Problem{.status = 405,
                   .code = "method_not_allowed",
                   .title = "This path does not take that method.",
                   .allow = std::move(found.allow)};
  }
  exchange.route = found.route;
  exchange.call.path = std::move(found.path);
  return std::nullopt;
}

// From here on it is known who asks. What is refused for lack of a scope leaves a row in the audit log; what cannot be
// read does not, because it never came near any data.
void Api::Core::admit(const Shared& exchange) {
  if (const auto problem = authorize(*exchange)) {
    return problem->code == "missing_scope" ? finish(exchange, *problem) : answer(*exchange, *problem);
  }
  if (const auto problem = take_apart(*exchange)) return answer(*exchange, *problem);
  if (exchange->route->runs_on == RunsOn::kEventLoop) return serve(exchange);
  if (!submit(exchange)) answer(*exchange, overloaded());
}

std::optional<Problem> Api::Core::authorize(Exchange& exchange) {
  if (exchange.route->scope == Scope::kOpen) return std::nullopt;
  const auto key = bearer_key(exchange.call.headers);
  if (key && same_key(*key, context_.admin_key.reveal())) {
    exchange.call.caller.name = "admin";
    return std::nullopt;
  }
  KeyRing::Found found = key ? keys_.find(*key, context_.clock.now()) : KeyRing::Found{};
  if (found.standing != KeyRing::Standing::kGood) {
    trail_.count_failure(exchange.peer);
    return unauthorized(key.has_value(), found.standing);
  }
  exchange.call.caller = std::move(found.caller);
  exchange.allowance = keys_.take(exchange.call.caller.name, std::chrono::steady_clock::now());
  if (!exchange.allowance->granted) return too_many_requests(exchange.allowance->seconds);
  const bool may = std::ranges::any_of(
      found.scopes, [&](Scope held) { return held == exchange.route->scope || held == Scope::kAdmin; });
  if (!may) return missing_scope(exchange.route->scope);
  return std::nullopt;
}

// Takes the request apart; says why if it cannot be served.
std::optional<Problem> Api::Core::take_apart(Exchange& exchange) const {
  Call& call = exchange.call;
  if (call.body.size() > kBodyBytesMax) {
    return Problem{.status = 413, .code = "body_too_large", .title = "The body is larger than 64 KiB."};
  }
  const std::string_view query = http::split_target(exchange.target).query;
  if (reads_its_query(*exchange.route)) {
    call.query = query;
  } else {
    auto parameters = Parameters::parse(query, exchange.route->query, exchange.route->repeatable);
    if (!parameters) return std::move(parameters).error();
    call.parameters = std::move(*parameters);
  }
  if (exchange.route->scope == Scope::kOpen) return std::nullopt;
  auto purpose = purpose_in(call.headers);
  if (!purpose) return purpose.error();
  exchange.purpose = std::move(*purpose);
  // What only reads claims no key, and must not take the place of what a write has kept under it.
  if (!changes_something(*exchange.route)) return std::nullopt;
  auto write = idempotent_write(*exchange.route, call, exchange.target);
  if (!write) return write.error();
  exchange.write = std::move(*write);
  return std::nullopt;
}

bool Api::Core::submit(const Shared& exchange) {
  return workers_.submit([this, exchange] { serve(exchange); });
}

void Api::Core::serve(const Shared& exchange) {
  name_objects(*exchange->route, exchange->call);
  exchange->call.request_id = exchange->request_id;
  exchange->call.peer = exchange->peer;
  exchange->call.purpose = exchange->purpose;
  if (changes_something(*exchange->route) && exchange->route->scope != Scope::kOpen) {
    if (auto done = begin_change(*exchange)) return finish(exchange, std::move(*done));
  }
  Reply reply = exchange->route->serve(service_, exchange->call);
  if (auto* response = std::get_if<http::Response>(&reply)) return finish(exchange, std::move(*response));
  if (const auto* problem = std::get_if<Problem>(&reply)) return finish(exchange, *problem);
  park(exchange, std::get<Wait>(std::move(reply)));
}

// P5: that a change was begun is on record before it can have happened, so that no crash can leave one without a row;
// how it ended is the row of its answer, with the same request id. The answer if it must not be done (again).
std::optional<http::Response> Api::Core::begin_change(Exchange& exchange) {
  const auto refused = [&](const Problem& problem) {
    exchange.write.reset();  // there is nothing to keep
    exchange.problem = problem.code;
    return rendered(exchange, problem);
  };
  if (const auto begun = trail_.record_and_wait(audit_row(exchange, "begun")); !begun)
    return refused(begun.error().code == "overloaded" ? overloaded() : store_failed(begun.error()));
  if (!exchange.write) return std::nullopt;
  const auto transaction = context_.views.begin();
  auto claimed = idempotency_.claim(*transaction, *exchange.write, context_.clock.now());
  if (auto* replayed = std::get_if<http::Response>(&claimed)) {
    exchange.write.reset();
    return std::move(*replayed);
  }
  if (const auto* problem = std::get_if<Problem>(&claimed)) return refused(*problem);
  if (const auto committed = transaction->commit(); !committed) return refused(store_failed(committed.error()));
  return std::nullopt;
}

void Api::Core::park(const Shared& exchange, Wait wait) {
  if (!exchange->deadline) exchange->deadline = std::chrono::steady_clock::now() + wait.patience;
  FeedWaiters::Waiter waiter{{{std::move(wait.practitioner), wait.seen}},
                             wait.generation,
                             *exchange->deadline,
                             [this, exchange, empty = std::move(wait.empty)](FeedWaiters::Ended ended) mutable {
                               if (ended != FeedWaiters::Ended::kNews) return finish(exchange, std::move(empty));
                               if (!workers_.submit([this, exchange] { serve_again(exchange); }))
                                 answer(*exchange, overloaded());
                             }};
  if (!waiters_.park(waiter)) answer(*exchange, too_many_waiters());
}

// The key may have been revoked, or have expired, while its request waited: what came since is not for it.
void Api::Core::serve_again(const Shared& exchange) {
  const auto now = std::chrono::steady_clock::now();
  if (!keys_.is_fresh(now)) {
    if (const auto loaded = keys_.reload(now); !loaded) return answer(*exchange, store_failed(loaded.error()));
  }
  const auto key = bearer_key(exchange->call.headers);
  if (key && !same_key(*key, context_.admin_key.reveal())) {
    const auto found = keys_.find(*key, context_.clock.now());
    if (found.standing != KeyRing::Standing::kGood) {
      trail_.count_failure(exchange->peer);
      return answer(*exchange, unauthorized(true, found.standing));
    }
  }
  serve(exchange);
}

void Api::Core::finish(const Shared& exchange, const Problem& problem) {
  exchange->problem = problem.code;
  finish(exchange, rendered(*exchange, problem));
}

// P5: one row for every answer of a route that is not open to everybody, durable before the answer is sent. This is the
// only way from such a route to its client, so that none can forget it.
void Api::Core::finish(const Shared& exchange, http::Response response) {
  if (exchange->route->scope == Scope::kOpen) return answer(*exchange, std::move(response));
  if (exchange->write) keep_answer(*exchange, response);
  std::string outcome = std::to_string(response.status);
  if (!exchange->problem.empty()) outcome += " " + std::string(exchange->problem);
  AuditTrail::Item item{.row = audit_row(*exchange, std::move(outcome))};
  item.done = [this, exchange, kept = std::move(response)](const Result<void>& recorded) mutable {
    if (!recorded) return answer(*exchange, store_failed(recorded.error()));
    answer(*exchange, std::move(kept));
  };
  if (!trail_.record(item)) answer(*exchange, overloaded());
}

// Before the row of the answer: killed in between, the write is on record as begun, and whoever sends it again is
// answered as before, with a row. The other way round it would be on record as answered and be done twice.
void Api::Core::keep_answer(Exchange& exchange, http::Response& response) {
  const auto transaction = context_.views.begin();
  idempotency_.keep(*transaction, *exchange.write, response, context_.clock.now());
  const auto committed = transaction->commit();
  if (committed) return;
  const Problem problem = store_failed(committed.error());
  exchange.problem = problem.code;
  response = rendered(exchange, problem);
}

store::AuditRow Api::Core::audit_row(const Exchange& exchange, std::string outcome) const {
  store::AuditRow row;
  row.at = context_.clock.now();
  row.actor = exchange.call.caller.name;
  row.action = std::string(exchange.route->method) + " " + std::string(exchange.route->pattern);
  row.objects = outcome.starts_with('2') || outcome.starts_with('3') ? exchange.call.objects.names()
                                                                     : exchange.call.objects.digests();
  row.purpose = exchange.purpose;
  row.peer = exchange.peer;
  row.outcome = std::move(outcome);
  row.request_id = exchange.request_id;
  return row;
}

void Api::Core::answer(Exchange& exchange, http::Response response) {
  if (exchange.route) settle_conditional(*exchange.route, exchange.call.headers, response);
  if (exchange.allowance) add_rate_headers(*exchange.allowance, keys_.rate(), response);
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

// P5: what a stream shows is on record before it is shown, batch by batch, under the request id that opened it. A key
// that is revoked, expires or loses the scope ends its streams with the next look, at the latest with a heartbeat.
void Api::Core::watch_stream(const Call& call, StreamQuestion& question) {
  store::AuditRow row;
  row.actor = call.caller.name;
  row.action = "GET /v1/stream";
  row.purpose = call.purpose;
  row.peer = call.peer;
  row.outcome = "streamed";
  row.request_id = call.request_id;
  question.record = [this, row](const std::vector<std::string>& orders, StreamQuestion::Then then) {
    AuditTrail::Item item{.row = row};
    Objects objects;
    for (const std::string& order : orders) objects.add("orders", order);
    item.row.objects = objects.names();
    item.row.at = context_.clock.now();
    item.done = [then = std::move(then)](const Result<void>& recorded) mutable { then(recorded.has_value()); };
    if (!trail_.record(item)) item.done(fail("overloaded", "too much waits to be recorded"));
  };
  const auto key = bearer_key(call.headers);
  if (!key || same_key(*key, context_.admin_key.reveal())) return;
  question.still_allowed = [this, secret = Secret<std::string>(std::string(*key))] {
    return may_still(secret, Scope::kReadResults);
  };
}

bool Api::Core::may_still(const Secret<std::string>& key, Scope scope) {
  const auto now = std::chrono::steady_clock::now();
  if (!keys_.is_fresh(now) && !keys_.reload(now)) return false;
  const auto found = keys_.find(key.reveal(), context_.clock.now());
  return found.standing == KeyRing::Standing::kGood &&
         std::ranges::any_of(found.scopes, [&](Scope held) { return held == scope || held == Scope::kAdmin; });
}

// What a key may do is decided by what is in memory: it must be what is in the store before whoever changed it is told.
void Api::Core::keys_changed() {
  if (const auto loaded = keys_.reload(std::chrono::steady_clock::now()); !loaded)
    runtime::log::error("api.keys_unreadable", {{"code", loaded.error().code}});
}

// What was connected or matched may have issued items, ended feeds, or left a backfill to do.
void Api::Core::changed() {
  context_.sync.wake();
  feed_changed();
  if (context_.items_issued) context_.items_issued();
}

FeedWaiters::Positions Api::Core::positions_of(const std::set<AppPractitionerId>& practitioners) const {
  FeedWaiters::Positions positions;
  const std::vector<AppPractitionerId> asked(practitioners.begin(), practitioners.end());
  const auto snapshot = context_.views.snapshot();
  for (store::FeedEnd& end : snapshot->readers().feed_ends(asked))
    positions.emplace(std::move(end.practitioner), end.last_position);
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
