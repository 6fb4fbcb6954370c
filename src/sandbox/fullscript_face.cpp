// /api/…: Fullscript's API, as far as lab orders go. The token endpoint is oauth_face.cpp's, in its JSON dress.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "sandbox/api_guard.hpp"
#include "sandbox/faces.hpp"
#include "sandbox/fullscript.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::int64_t kPageSize = 25;
constexpr std::int64_t kPageSizeMax = 100;

http::Response failure(int status, std::string_view code, std::string_view message) {
  JsonWriter json;
  json.begin_object().key("errors").begin_array().begin_object();
  json.member("code", code).member("message", message).end_object().end_array().end_object();
  return json_answer(status, json.take());
}

std::optional<std::int64_t> number(const std::optional<std::string>& text, std::int64_t fallback) {
  if (!text) return fallback;
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (problem != std::errc{} || end != text->data() + text->size() || value < 1 || value > 1'000'000)
    return std::nullopt;
  return value;
}

class Call {
 public:
  Call(Network& network, const http::Request& request, Network::Inside& inside, const Grant& grant)
      : network_(network),
        request_(request),
        inside_(inside),
        world_(inside->world),
        clinic_(world_.practitioners()[grant.practitioner].clinic) {}

  http::Response answer(std::string_view path) {
    constexpr std::string_view kOrders = "/api/clinic/labs/orders";
    constexpr std::string_view kTests = "/api/clinic/labs/tests/";
    if (request_.method != "GET" && request_.method != "HEAD")
      return failure(405, "method_not_allowed", "Only GET is simulated here.").set_header("Allow", "GET");
    if (path == "/api/clinic") return clinic();
    if (path == kOrders) return orders();
    if (path.starts_with(kOrders) && path[kOrders.size()] == '/') return order(path.substr(kOrders.size() + 1));
    if (path.starts_with(kTests)) return test(path.substr(kTests.size()));
    return not_found();
  }

 private:
  static http::Response not_found() { return failure(404, "not_found", "Not found."); }

  http::Response clinic() {
    const Clinic& one = world_.clinics()[clinic_];
    JsonWriter json;
    json.begin_object().key("clinic").begin_object().member("id", one.id.text()).member("name", one.name);
    json.end_object().end_object();
    return json_answer(200, json.take());
  }

  http::Response orders() {
    const auto page = number(request_.query("page[number]"), 1);
    const auto size = number(request_.query("page[size]"), kPageSize);
    if (!page || !size) return failure(422, "invalid_page", "page[number] and page[size] are positive numbers.");
    const auto patient = request_.query("patient_id");
    std::vector<std::size_t> all;
    for (std::size_t i = 0; i < world_.orders().size(); ++i) {
      const Order& one = world_.orders()[i];
      if (world_.clinic_of(one) != clinic_) continue;
      if (patient && world_.patients()[one.patient].person.id != *patient) continue;
      all.push_back(i);
    }
    const std::int64_t each = std::min(*size, kPageSizeMax);
    const auto count = static_cast<std::int64_t>(all.size());
    const std::int64_t pages = std::max<std::int64_t>((count + each - 1) / each, 1);
    JsonWriter json;
    json.begin_object().key("orders").begin_array();
    for (std::int64_t i = (*page - 1) * each; i < std::min(count, *page * each); ++i)
      write_lab_order(json, world_, all[static_cast<std::size_t>(i)], LabOrderDetail::kSummary, {});
    json.end_array().key("meta").begin_object().member("current_page", *page).key("next_page");
    *page < pages ? json.number(*page + 1) : json.null();
    json.key("prev_page");
    *page > 1 ? json.number(*page - 1) : json.null();
    json.member("total_pages", pages).member("total_count", count).end_object().end_object();
    return json_answer(200, json.take());
  }

  http::Response order(std::string_view id) {
    const auto index = world_.order(id);
    if (!index || world_.clinic_of(world_.orders()[*index]) != clinic_) return not_found();
    JsonWriter json;
    json.begin_object().key("order");
    write_lab_order(json, world_, *index, LabOrderDetail::kWhole, network_.forms(inside_).link);
    return json_answer(200, json.end_object().take());
  }

  static http::Response test(std::string_view id) {
    const auto index = World::lab_test(id);
    if (!index) return not_found();
    JsonWriter json;
    json.begin_object().key("test").begin_object().member("id", id).member("name", lab_tests()[*index].name);
    return json_answer(200, json.end_object().end_object().take());
  }

  Network& network_;
  const http::Request& request_;
  Network::Inside& inside_;
  const World& world_;
  const std::size_t clinic_;
};

}  // namespace

Answer answer_fullscript(Network& network, const http::Request& request, std::string_view path) {
  if (path == "/api/oauth/token" || path == "/api/oauth/revoke") return answer_oauth(network, request, path.substr(4));
  Answer answer = guarded(network, request, [&](Network::Inside& inside, const Grant& grant) {
    return Call(network, request, inside, grant).answer(path);
  });
  // What the guard refused, in this API's words.
  http::Response& response = answer.response;
  if (response.status >= 400 && response.content_type != "application/json") {
    http::Response said = failure(response.status,
                                  response.status == 401   ? "unauthorized"
                                  : response.status == 429 ? "rate_limited"
                                                           : "error",
                                  "The request was refused.");
    response.content_type = said.content_type;
    response.body = std::move(said.body);
  }
  return answer;
}

}  // namespace resultsync::sandbox
