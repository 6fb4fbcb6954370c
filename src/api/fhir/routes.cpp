// /fhir/R4: metadata, read, search.
#include <algorithm>

#include "api/fhir/capability.hpp"
#include "api/fhir/request.hpp"
#include "api/fhir/search.hpp"
#include "api/fhir/source.hpp"

namespace resultsync::api {
namespace {

using namespace fhir_face;

http::Response fhir_response(std::string body) {
  http::Response response;
  response.content_type = "application/fhir+json";
  response.body = std::move(body);
  return response;
}

http::Response refused(int status, std::string_view code, std::string text) {
  return outcome_response(status, {{"error", code, std::move(text)}});
}

// Where the caller found us: links in an answer lead there again. A proxy that ends TLS says so.
Place place_of_caller(const Call& call) {
  const auto host = call.headers.only("Host").value_or("");
  const auto is_host_character = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == ':' || c == '[' || c == ']';
  };
  constexpr std::size_t kHostBytesMax = 255;
  if (host.empty() || host.size() > kHostBytesMax || !std::ranges::all_of(host, is_host_character))
    return {"http://localhost"};
  const bool secure = call.headers.only("X-Forwarded-Proto").value_or("") == "https";
  return {(secure ? "https://" : "http://") + std::string(host)};
}

bool is_json(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type == "json" || type == "application/json" || type == "application/fhir+json" ||
         type == "application/fhir json" || type == "text/json";
}

// FHIR R4 §3.1.0.1.11: `_format` speaks before `Accept`.
bool wants_json(const Call& call, const std::vector<Pair>& pairs) {
  const auto format = std::ranges::find(pairs, "_format", &Pair::name);
  if (format != pairs.end()) return is_json(format->value);
  const auto accept = call.headers.only("Accept");
  if (!accept || accept->empty()) return true;
  return accept->contains("*/*") || accept->contains("application/*") || accept->contains("json");
}

std::optional<http::Response> refuse_format(const Call& call, const std::vector<Pair>& pairs) {
  if (wants_json(call, pairs)) return std::nullopt;
  return refused(406, "not-supported", "Only application/fhir+json is spoken here.");
}

http::Response refuse_query() {
  return refused(400, "invalid", "The parameters cannot be read, or are more than 50.");
}

std::optional<fhir::Type> type_of(const Call& call) {
  return fhir::find_type(call.path.front());
}
http::Response unknown_type() {
  return refused(404, "not-supported", "There is no such type of resource here.");
}
http::Response unknown_resource() {
  return refused(404, "not-found", "There is no such resource, or it may not be seen.");
}

Reply search(Service& service, const Call& call, SearchInput input) {
  const auto prefer = call.headers.only("Prefer").value_or("");
  if (prefer.contains("handling=strict")) input.handling = Handling::strict;
  std::vector<Pair> all = input.url;
  all.insert(all.end(), input.form.begin(), input.form.end());
  if (auto response = refuse_format(call, all)) return std::move(*response);
  const Place place = place_of_caller(call);
  const std::string base = place.base();
  input.base = base;
  const auto request = read_search(input);
  if (!request) return outcome_response(400, {request.error()});
  auto found = run_search(service, call, *request, place);
  if (!found) return found.error();
  return std::move(*found);
}

}  // namespace

Reply fhir_metadata(Service& service, const Call& call) {
  const auto pairs = read_pairs(call.query);
  if (!pairs) return refuse_query();
  if (auto response = refuse_format(call, *pairs)) return std::move(*response);
  return fhir_response(capability_statement(place_of_caller(call).base(), service.context.version));
}

Reply fhir_search(Service& service, const Call& call) {
  const auto type = type_of(call);
  if (!type) return unknown_type();
  auto pairs = read_pairs(call.query);
  if (!pairs) return refuse_query();
  return search(service, call, {.type = *type, .url = std::move(*pairs), .form = {}, .base = {}});
}

Reply fhir_post_search(Service& service, const Call& call) {
  const auto type = type_of(call);
  if (!type) return unknown_type();
  const auto content = call.headers.only("Content-Type").value_or("");
  if (!call.body.empty() && !content.starts_with("application/x-www-form-urlencoded"))
    return refused(415, "not-supported", "A search is sent as application/x-www-form-urlencoded.");
  auto url = read_pairs(call.query);
  auto form = read_pairs(call.body);
  if (!url || !form || url->size() + form->size() > kParametersMax) return refuse_query();
  return search(service, call, {.type = *type, .url = std::move(*url), .form = std::move(*form), .base = {}});
}

Reply fhir_read(Service& service, const Call& call) {
  const auto type = type_of(call);
  if (!type) return unknown_type();
  const auto pairs = read_pairs(call.query);
  if (!pairs) return refuse_query();
  if (auto response = refuse_format(call, *pairs)) return std::move(*response);
  const auto practitioner = std::ranges::find(*pairs, "_practitioner", &Pair::name);
  const std::string& id = call.path[1];
  const std::string prefix(fhir::prefix_of(id));
  if (prefix.empty()) return unknown_resource();

  std::vector<Planned> planned;
  {
    const auto snapshot = service.context.views.snapshot();
    const auto sight =
        sight_of(*snapshot, call, practitioner == pairs->end() ? std::nullopt : std::optional(practitioner->value));
    if (!sight) return sight.error();
    store::ResultSearch wanted;
    wanted.sight = *sight;
    if (auto patient = snapshot->results().patient_named(prefix)) {
      wanted.patient = std::move(*patient);
    } else {
      wanted.test_prefix = prefix;
    }
    // A patient is shown as the newest of their tests that can be read has them.
    constexpr std::size_t kTestsLookedAt = 20;
    planned = plan(*snapshot, snapshot->results().search(wanted, store::kNewestTest, kTestsLookedAt));
    if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  }
  const Place place = place_of_caller(call);
  Bodies bodies(service.context.log);
  for (const Planned& one : planned) {  // most often the first one has it: nothing is looked ahead for
    const auto resources = resources_of(one, place.origin, bodies);
    const fhir::Resource* resource = resources ? resources->find(*type, id) : nullptr;
    if (resource == nullptr) continue;
    call.objects.add("orders", one.row.order.text());
    const std::string tag = "W/\"" + std::string(resource->version) + "\"";  // FHIR R4 §3.1.0.1.3
    const auto known = call.headers.only("If-None-Match");
    const bool has_it =
        known && (*known == "*" || known->contains(tag.substr(2)));  // RFC 9110 §13.1.2: compared weakly
    http::Response response = has_it ? http::Response{} : fhir_response(std::string(resource->json));
    if (has_it) {
      response.status = 304;
      response.content_type.clear();
    }
    response.set_header("ETag", tag);
    return response;
  }
  return unknown_resource();
}

}  // namespace resultsync::api
