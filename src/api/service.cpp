#include "api/service.hpp"

#include <algorithm>

#include "base/digest.hpp"
#include "orders/event.hpp"

namespace resultsync::api {
namespace {

std::string source_names(const ApiContext& context) {
  std::string names;
  for (const SourceId& source : context.sources) names += (names.empty() ? "" : ", ") + source.text();
  return names;
}

bool is_source(const ApiContext& context, std::string_view name) {
  return std::ranges::any_of(context.sources, [&](const SourceId& source) { return source.text() == name; });
}

}  // namespace

http::Response json_response(int status, JsonWriter& json) {
  http::Response response;
  response.status = status;
  response.body = json.take();
  return response;
}

http::Response no_content() {
  http::Response response;
  response.status = 204;
  response.content_type.clear();
  return response;
}

std::string etag_of(std::string_view body) {
  return "\"" + sha256(body).hex().substr(0, 32) + "\"";
}

std::optional<Problem> unless_matching(const Call& call, std::string_view etag) {
  const auto wanted = call.headers.only("If-Match");
  if (call.headers.count("If-Match") == 0) return std::nullopt;
  if (wanted && (*wanted == "*" || *wanted == etag)) return std::nullopt;
  return Problem{.status = 412,
                 .code = "precondition_failed",
                 .title = "It has changed since it was read. Read it again, and decide anew."};
}

void id_member(JsonWriter& json, std::string_view name, const std::string& id) {
  json.key(name);
  id.empty() ? json.null() : json.string(id);
}

void time_member(JsonWriter& json, std::string_view name, Timestamp time) {
  json.key(name);
  time == orders::kNoTime ? json.null() : json.string(format_timestamp(time));
}

Checked<SourceId> chosen_source(const ApiContext& context, const std::optional<std::string>& named) {
  if (named && is_source(context, *named)) return SourceId(*named);
  if (!named && !context.default_source.empty()) return context.default_source;
  if (!named && context.sources.size() == 1) return context.sources.front();
  return std::unexpected(invalid_members({unknown_source(context)}));
}

MemberError unknown_source(const ApiContext& context) {
  return {"source", "must be one of the configured sources: " + source_names(context)};
}

Checked<std::optional<SourceId>> source_filter(const ApiContext& context, const Parameters& parameters) {
  const auto named = parameters.text("source");
  if (!named) return std::optional<SourceId>{};
  if (is_source(context, *named)) return std::optional(SourceId(*named));
  return std::unexpected(bad_parameter("source", unknown_source(context).reason));
}

Checked<store::PractitionerRow> connected_practitioner(store::ViewsSnapshot& snapshot, const AppPractitionerId& id,
                                                       store::Reach reach) {
  auto row = snapshot.practitioner(id, reach);
  if (const auto ok = snapshot.status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (!row || row->connections.empty()) {
    return std::unexpected(not_found("unknown_practitioner", "No practitioner is connected under this id."));
  }
  return std::move(*row);
}

}  // namespace resultsync::api
