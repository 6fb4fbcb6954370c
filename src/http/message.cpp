#include "http/message.hpp"

#include "base/json_writer.hpp"
#include "http/framing.hpp"
#include "http/target.hpp"

namespace resultsync::http {
namespace {

// Calls `see(name, value)`, both decoded, for each parameter of the target's query.
template <class See>
void each_parameter(std::string_view target, See see) {
  std::string_view rest = split_target(target).query;
  while (!rest.empty()) {
    const std::size_t end = rest.find('&');
    const std::string_view parameter = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (parameter.empty()) continue;
    const std::size_t equals = parameter.find('=');
    auto name = decode_query_part(parameter.substr(0, equals));
    auto value =
        decode_query_part(equals == std::string_view::npos ? std::string_view{} : parameter.substr(equals + 1));
    if (name && value) see(std::move(*name), std::move(*value));
  }
}

}  // namespace

std::optional<std::string_view> Headers::only(std::string_view name) const {
  std::optional<std::string_view> found;
  for (const Header& field : fields_) {
    if (!same_name(field.name, name)) continue;
    if (found) return std::nullopt;
    found = field.value;
  }
  return found;
}

std::size_t Headers::count(std::string_view name) const {
  std::size_t found = 0;
  for (const Header& field : fields_) found += same_name(field.name, name) ? 1 : 0;
  return found;
}

std::optional<std::string> Request::query(std::string_view name) const {
  std::optional<std::string> found;
  std::size_t times = 0;
  each_parameter(target, [&](std::string parameter, std::string value) {
    if (parameter == name && ++times == 1) found = std::move(value);
  });
  return times == 1 ? found : std::nullopt;
}

std::size_t Request::query_count(std::string_view name) const {
  std::size_t times = 0;
  each_parameter(target, [&](const std::string& parameter, const std::string&) { times += parameter == name ? 1 : 0; });
  return times;
}

Response& Response::set_header(std::string name, std::string value) {
  if (!is_token(name)) return *this;  // no reader could make sense of the line
  if (!is_field_value(value)) value = "invalid";
  headers.push_back({std::move(name), std::move(value)});
  return *this;
}

Response problem(int status, std::string_view code, std::string_view title, std::string_view detail) {
  JsonWriter json;
  json.begin_object()
      .member("type", "urn:resultsync:problem:" + std::string(code))
      .member("title", title)
      .member("status", status);
  if (!detail.empty()) json.member("detail", detail);
  json.end_object();
  Response response;
  response.status = status;
  response.content_type = "application/problem+json";
  response.body = json.take();
  return response;
}

Responder::~Responder() {
  if (send_) send_(problem(500, "no_answer", "The service failed to answer this request."));
}

void Responder::operator()(Response response) {
  if (Send send = std::exchange(send_, nullptr)) send(std::move(response));
}

}  // namespace resultsync::http
