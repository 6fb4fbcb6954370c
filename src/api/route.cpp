#include "api/route.hpp"

#include <algorithm>
#include <optional>

#include "base/digest.hpp"
#include "http/target.hpp"

namespace resultsync::api {
namespace {

std::vector<std::string_view> segments_of(std::string_view path) {
  std::vector<std::string_view> segments;
  std::size_t start = 0;
  while (true) {
    const std::size_t end = path.find('/', start);
    segments.push_back(path.substr(start, end - start));
    if (end == std::string_view::npos) return segments;
    start = end + 1;
  }
}

bool is_variable(std::string_view segment) {
  return segment.starts_with('{');
}

// What stands at the variables of `pattern`; nothing if the path is another one. An empty segment is never a value.
std::optional<std::vector<std::string>> match(std::string_view pattern, const std::vector<std::string>& path) {
  const auto expected = segments_of(pattern);
  if (expected.size() != path.size()) return std::nullopt;
  std::vector<std::string> values;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (is_variable(expected[i])) {
      if (path[i].empty()) return std::nullopt;
      values.push_back(path[i]);
    } else if (expected[i] != path[i]) {
      return std::nullopt;
    }
  }
  return values;
}

struct ScopeName {
  Scope scope;
  std::string_view name;
};
constexpr ScopeName kScopeNames[] = {{Scope::kReadResults, "read_results"},
                                     {Scope::kReviewResults, "review_results"},
                                     {Scope::kReadEvents, "read_events"},
                                     {Scope::kManageEndpoints, "manage_endpoints"},
                                     {Scope::kManageConnections, "manage_connections"},
                                     {Scope::kAdmin, "admin"}};

// A row of the audit log is one line of text.
std::string name_of_object(std::string_view kind, std::string_view id) {
  std::string name = std::string(kind) + "/" + std::string(id.substr(0, 255));
  for (char& c : name) c = static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
  return name;
}

// "orders/sha256:9f86d081884c7d65" of "orders/ord_1".
std::string digest_of(const std::string& name) {
  const auto slash = name.find('/');
  if (slash == std::string::npos) return name;
  return name.substr(0, slash + 1) + "sha256:" + sha256(name.substr(slash + 1)).hex().substr(0, 16);
}

}  // namespace

std::string_view name_of(Scope scope) {
  for (const ScopeName& known : kScopeNames) {
    if (known.scope == scope) return known.name;
  }
  return "open";
}

std::optional<Scope> scope_named(std::string_view name) {
  for (const ScopeName& known : kScopeNames) {
    if (known.name == name) return known.scope;
  }
  return std::nullopt;
}

std::string scope_names() {
  std::string names;
  for (const ScopeName& known : kScopeNames) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return names;
}

void Objects::add(std::string_view kind, std::string_view id) {
  asked_.clear();
  keep(name_of_object(kind, id));
}

void Objects::ask(std::string_view kind, std::string_view id) {
  std::string name = name_of_object(kind, id);
  asked_.push_back(name);
  keep(std::move(name));
}

void Objects::keep(std::string name) {
  if (names_.size() > kObjectsMax) return;
  if (names_.size() == kObjectsMax) name = "more";
  if (std::ranges::find(names_, name) == names_.end()) names_.push_back(std::move(name));
}

std::vector<std::string> Objects::digests() const {
  std::vector<std::string> digests;
  for (const std::string& name : names_) digests.push_back(digest_of(name));
  return digests;
}

std::vector<std::string> Objects::names() const {
  std::vector<std::string> names = names_;
  for (std::string& name : names) {
    if (std::ranges::find(asked_, name) != asked_.end()) name = digest_of(name);
  }
  return names;
}

Found find_route(std::span<const Route> table, std::string_view method, std::string_view raw_path) {
  Found found;
  std::vector<std::string> path;
  for (const std::string_view segment : segments_of(raw_path)) {
    auto decoded = http::decode_path(segment);
    if (!decoded) return found;
    path.push_back(std::move(*decoded));
  }
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route& route : table) {
    auto values = match(route.pattern, path);
    if (!values) continue;
    if (route.method == wanted) {
      found.route = &route;
      found.path = std::move(*values);
      return found;
    }
    found.allow += (found.allow.empty() ? "" : ", ") + std::string(route.method);
    if (route.method == "GET") found.allow += ", HEAD";
  }
  return found;
}

}  // namespace resultsync::api
