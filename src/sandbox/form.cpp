#include "sandbox/form.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/encoding.hpp"
#include "http/target.hpp"
#include "orders/json_body.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::size_t kFieldsMax = 200;

}  // namespace

std::optional<Form> Form::read(std::string_view body) {
  Form form;
  while (!body.empty()) {
    const std::size_t end = body.find('&');
    const std::string_view field = body.substr(0, end);
    body = end == std::string_view::npos ? std::string_view{} : body.substr(end + 1);
    if (field.empty()) continue;
    const std::size_t equals = field.find('=');
    auto name = http::decode_query_part(field.substr(0, equals));
    auto value =
        http::decode_query_part(equals == std::string_view::npos ? std::string_view{} : field.substr(equals + 1));
    if (!name || !value || form.fields_.size() >= kFieldsMax) return std::nullopt;
    form.fields_.emplace_back(std::move(*name), std::move(*value));
  }
  return form;
}

std::optional<Form> Form::read_json(std::string_view body) {
  const orders::JsonBody document(body);
  if (!document.root() || !document.root()->is_object()) return std::nullopt;
  Form form;
  bool fits = true;
  orders::for_each_member(document.root(), [&](std::string_view name, simdjson::dom::element value) {
    fits = fits && value.is_string() && form.fields_.size() < kFieldsMax;
    if (fits) form.fields_.emplace_back(std::string(name), orders::text_of(value));
  });
  return fits ? std::optional(std::move(form)) : std::nullopt;
}

std::string Form::only(std::string_view name) const {
  const auto values = all(name);
  return values.size() == 1 ? values.front() : std::string();
}

std::vector<std::string> Form::all(std::string_view name) const {
  std::vector<std::string> found;
  for (const auto& [field, value] : fields_) {
    if (field == name) found.push_back(value);
  }
  return found;
}

std::string with_parameter(std::string url, std::string_view name, std::string_view value) {
  url += url.contains('?') ? '&' : '?';
  return url + std::string(name) + "=" + percent_encoded(value);
}

}  // namespace resultsync::sandbox
