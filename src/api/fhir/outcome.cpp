#include "api/fhir/outcome.hpp"

#include "base/json_writer.hpp"

namespace resultsync::api::fhir_face {
namespace {

std::string_view issue_type(int status) {
  switch (status) {
    case 400:
      return "invalid";
    case 401:
      return "login";
    case 403:
      return "forbidden";
    case 404:
      return "not-found";
    case 405:
    case 406:
      return "not-supported";
    case 410:
      return "deleted";
    case 413:
      return "too-long";
    case 429:
    case 503:
      return "throttled";
    default:
      return status < 500 ? "processing" : "exception";
  }
}

}  // namespace

std::string outcome_json(const std::vector<Issue>& issues) {
  JsonWriter json;
  json.begin_object().member("resourceType", "OperationOutcome").key("issue").begin_array();
  for (const Issue& issue : issues) {
    json.begin_object()
        .member("severity", issue.severity)
        .member("code", issue.code)
        .member("diagnostics", issue.text)
        .end_object();
  }
  json.end_array().end_object();
  return json.take();
}

http::Response outcome_response(int status, const std::vector<Issue>& issues) {
  http::Response response;
  response.status = status;
  response.content_type = "application/fhir+json";
  response.body = outcome_json(issues);
  return response;
}

http::Response outcome_response(const Problem& problem, std::string_view request_id) {
  http::Response rendered = render(problem, request_id);  // for its headers
  std::string text = problem.title;
  for (const MemberError& error : problem.errors) text += " " + error.member + ": " + error.reason + ".";
  http::Response response = outcome_response(problem.status, {{"error", issue_type(problem.status), std::move(text)}});
  response.headers = std::move(rendered.headers);
  return response;
}

}  // namespace resultsync::api::fhir_face
