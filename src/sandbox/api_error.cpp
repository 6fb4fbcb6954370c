#include "sandbox/api_error.hpp"

#include "base/json_writer.hpp"

namespace resultsync::sandbox {

http::Response error_answer(const std::vector<ApiError>& errors) {
  JsonWriter json;
  json.begin_object().key("errors").begin_array();
  for (const ApiError& error : errors) {
    json.begin_object().member("detail", error.detail).member("status", std::to_string(error.status));
    if (!error.pointer.empty()) json.key("source").begin_object().member("pointer", error.pointer).end_object();
    if (!error.parameter.empty()) json.key("source").begin_object().member("parameter", error.parameter).end_object();
    json.member("code", error.code).end_object();
  }
  json.end_array().end_object();
  http::Response response{
      .status = errors.front().status, .content_type = "application/vnd.api+json", .body = json.take()};
  if (response.status == 401) response.set_header("WWW-Authenticate", "Bearer realm=\"api\"");
  return response;
}

}  // namespace resultsync::sandbox
