// /v1/audit: who read, changed or exported what (P5).
#include <ranges>

#include "api/cursor.hpp"
#include "api/service.hpp"
#include "base/encoding.hpp"

namespace resultsync::api {
namespace {

void write_row(JsonWriter& json, const store::AuditRow& row) {
  // The canonical row, which is what was hashed, with its hash behind it: a line of an export can be checked as it is.
  std::string text = store::canonical(row);
  text.back() = ',';
  json.raw(text + "\"hash\":\"" + row.hash.hex() + "\"}");
}

}  // namespace

Reply list_audit(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  const auto since = call.parameters.time("since");
  if (!since) return since.error();
  const auto order = call.parameters.text("order").value_or("newest");
  if (order != "newest" && order != "oldest") return bad_parameter("order", "must be newest or oldest");
  const store::AuditFilter filter{call.parameters.text("actor").value_or(""), *since};
  if (order == "oldest" && (!filter.actor.empty() || filter.since))
    return bad_parameter("order", "oldest gives the whole chain: it takes no filter");
  std::int64_t place = 0;
  if (const auto cursor = call.parameters.text("after")) {
    const auto parsed = parse_audit_cursor(*cursor);
    if (!parsed) return bad_cursor();
    place = *parsed;
  }

  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.audit_log.snapshot();
  const auto rows = order == "oldest" ? snapshot->after(place, count + 1) : snapshot->before(filter, place, count + 1);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (!rows.empty() && !filter.actor.empty()) call.objects.add("actor", filter.actor);
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& row : rows | std::views::take(count)) write_row(json, row);
  json.end_array().key("next");
  rows.size() > count ? json.string(format_audit_cursor(rows[count - 1].seq)) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply get_checkpoint(Service& service, const Call&) {
  const auto snapshot = service.context.audit_log.snapshot();
  const auto checkpoint = snapshot->last_checkpoint();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (!checkpoint)
    return not_found("no_checkpoint", "Nothing was signed yet: a checkpoint comes a minute after a row.");
  http::Response response;
  response.body = store::line_of(*checkpoint);
  return response;
}

}  // namespace resultsync::api
