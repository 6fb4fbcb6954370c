#include "api/problem.hpp"

#include "base/json_writer.hpp"
#include "runtime/log.hpp"
#include "store/unavailable.hpp"

namespace resultsync::api {

http::Response render(const Problem& problem, std::string_view request_id) {
  JsonWriter json;
  json.begin_object()
      .member("type", "urn:resultsync:problem:" + std::string(problem.code))
      .member("title", problem.title)
      .member("status", problem.status)
      .member("request_id", request_id);
  if (!problem.restart.empty()) json.member("restart", problem.restart);
  if (!problem.errors.empty()) {
    json.key("errors").begin_array();
    for (const MemberError& error : problem.errors) {
      json.begin_object().member("member", error.member).member("reason", error.reason).end_object();
    }
    json.end_array();
  }
  if (!problem.sources.empty()) {
    json.key("sources").begin_array();
    for (const SourceId& source : problem.sources) json.string(source.text());
    json.end_array();
  }
  if (!problem.scope.empty()) json.member("scope", problem.scope);
  json.end_object();

  http::Response response;
  response.status = problem.status;
  response.content_type = "application/problem+json";
  response.body = json.take();
  if (problem.retry_after_seconds) response.set_header("Retry-After", std::to_string(*problem.retry_after_seconds));
  if (!problem.allow.empty()) response.set_header("Allow", problem.allow);
  if (!problem.authenticate.empty()) response.set_header("WWW-Authenticate", problem.authenticate);
  return response;
}

Problem bad_parameter(std::string name, std::string reason) {
  return {.status = 400,
          .code = "bad_parameter",
          .title = "A parameter of the URL cannot be taken as it is.",
          .errors = {{std::move(name), std::move(reason)}}};
}

Problem invalid_members(std::vector<MemberError> errors) {
  return {.status = 422,
          .code = "invalid_members",
          .title = "The body is JSON, but some of its members cannot be taken as they are.",
          .errors = std::move(errors)};
}

Problem bad_cursor() {
  return {.status = 400,
          .code = "bad_cursor",
          .title = "The cursor is not one that this route gave out. Cursors are opaque: pass them back unchanged.",
          .errors = {{"after", "not a cursor of this route"}}};
}

Problem not_found(std::string_view code, std::string title) {
  return {.status = 404, .code = code, .title = std::move(title)};
}

Problem ambiguous_patient(std::vector<SourceId> sources) {
  return {.status = 409,
          .code = "ambiguous_id",
          .title = "More than one source has a patient with this id. Say which one with `source`.",
          .sources = std::move(sources)};
}

Problem overloaded() {
  return {.status = 503,
          .code = "overloaded",
          .title = "Too many requests are waiting for the store. Try again shortly.",
          .retry_after_seconds = 1};
}

Problem store_failed(const Error& error) {
  runtime::log::error("api.store_failed", {{"code", error.code}});
  if (error.code == store::kUnavailable) {
    return {.status = 503,
            .code = "store_unavailable",
            .title = "The store cannot be used just now. Try again shortly.",
            .retry_after_seconds = 1};
  }
  return {.status = 500, .code = "store_failed", .title = "The store could not be read or written."};
}

}  // namespace resultsync::api
