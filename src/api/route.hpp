// One table of routes: routing, 404, 405 with Allow, authorization, the known parameters and the check against
// openapi.yaml are all made from it. A route without a scope cannot be written down.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "api/parameters.hpp"
#include "api/problem.hpp"
#include "base/ids.hpp"
#include "http/message.hpp"
#include "store/reach.hpp"

namespace resultsync::api {

struct Service;

// Who may call a route: whose key holds the scope. The admin key holds all of them.
enum class Scope {
  kOpen,               // anybody who reaches the listener: health, metrics, the description of the API
  kReadResults,        // feeds, orders, results, documents, FHIR, of what the key reaches
  kReadEvents,         // raw events and their bodies, unmatched ones included
  kManageEndpoints,    // outbound webhooks
  kReviewResults,      // signatures and acknowledgements, in the name of practitioners that the key reaches
  kManageConnections,  // who is connected to which clinic
  kAdmin,              // everything, that of the other scopes included
};
// "read_results" …; kOpen has none, because no key can hold it.
std::string_view name_of(Scope scope);
std::optional<Scope> scope_named(std::string_view name);
std::string scope_names();  // all of them, for people

// Where a route's function runs. What reads the store blocks, and must not hold up an event loop.
enum class RunsOn { kEventLoop, kWorkers };

// Who asks, and what of the house they may see. Every look-up on their behalf is limited by `reach` in the query
// itself.
struct Caller {
  std::string name;  // "admin", or the key's id: what stands in the audit log
  store::Reach reach;
};

// What an answer shows or changes, by id, for the audit log; never health data. What stands in the path, and the
// parameters that are ids, are there already: a route adds what only it knows, such as the orders on a page.
class Objects {
 public:
  void add(std::string_view kind, std::string_view id);  // "orders/ord_1"; once each
  // By what a list was narrowed: it is whatever the caller typed until add() names something that was found by it, and
  // stands as its digest if nothing was.
  void ask(std::string_view kind, std::string_view id);
  void clear() { *this = {}; }
  // As they stand in a row of something that was not found, refused or not done yet. Such a name is whatever the caller
  // typed, a patient's name perhaps: its digest still tells whether it was a certain one.
  // "orders/sha256:9f86d081884c7d65".
  [[nodiscard]] std::vector<std::string> digests() const;
  // As they stand in a row of something that was shown or done.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  void keep(std::string name);

  std::vector<std::string> names_;
  std::vector<std::string> asked_;  // those of them that are not known to name anything
};
inline constexpr std::size_t kObjectsMax = 200;  // of one audit row; beyond, a last one says so: "more"

// A request that was routed and authorized.
struct Call {
  Caller caller = {};
  std::vector<std::string> path;  // what stands in the `{…}` of the pattern, each percent-decoded once
  Parameters parameters;
  std::string query;  // still encoded: of a route that reads it by itself (kAnyQuery)
  http::Headers headers;
  std::string body;
  mutable Objects objects = {};
  // Of the audit row of its answer: for what goes on after the answer and records itself.
  std::string request_id = {};
  std::string peer = {};
  std::string purpose = {};
};

// "Nothing yet": the request is parked, without a thread, until the practitioner's feed goes beyond `seen` or
// `patience` is over.
struct Wait {
  AppPractitionerId practitioner;
  std::int64_t seen = 0;
  std::uint64_t generation = 0;  // FeedWaiters::generation() from before the feed was looked at
  std::chrono::seconds patience{0};
  http::Response empty;  // the answer if nothing comes
};

using Reply = std::variant<http::Response, Problem, Wait>;
using Serve = Reply (*)(Service& service, const Call& call);

// The only name in the query of a route that reads its parameters by itself.
inline constexpr std::string_view kAnyQuery = "*";

class Route {
 public:
  // `pattern` as in OpenAPI: "/v1/orders/{id}". `query` names every parameter that the route knows,
  // `repeatable` those of them that may stand more than once.
  Route(std::string_view method, std::string_view pattern, Scope scope, RunsOn runs_on, Serve serve,
        std::string_view summary, std::initializer_list<std::string_view> query = {},
        std::initializer_list<std::string_view> repeatable = {})
      : method(method),
        pattern(pattern),
        scope(scope),
        runs_on(runs_on),
        serve(serve),
        summary(summary),
        query(query),
        repeatable(repeatable) {}

  std::string_view method;
  std::string_view pattern;
  Scope scope;
  RunsOn runs_on;
  Serve serve;
  std::string_view summary;
  std::vector<std::string_view> query;
  std::vector<std::string_view> repeatable;  // those of them that may stand more than once
};

// The table itself, in the order of the documentation.
std::span<const Route> routes();

struct Found {
  const Route* route = nullptr;  // null: 404, or 405 if `allow` says what would be allowed
  std::vector<std::string> path;
  std::string allow;
};
// `raw_path` is still encoded: it is split at `/` first and each segment decoded once, so that an id may hold a slash
// as %2F. A HEAD is routed as a GET (the listener leaves the body out).
Found find_route(std::span<const Route> table, std::string_view method, std::string_view raw_path);

}  // namespace resultsync::api
