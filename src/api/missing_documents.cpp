// /v1/documents: what links should have led to and is not here, with why; and trying it again.
#include "api/cursor.hpp"
#include "api/fields.hpp"
#include "api/service.hpp"
#include "network/network.hpp"
#include "sync/documents.hpp"

namespace resultsync::api {
namespace {

std::string_view state_of(const store::DocumentUse& use) {
  if (use.state == orders::LinkedDocument::State::kPending) return "pending";
  if (use.open) return "missing";
  return use.reason == store::kNoConsent ? "waiting" : "given_up";
}

// What a person does about it; empty where nothing helps but waiting, or the reason says it.
std::string_view advice_on(const store::DocumentUse& use) {
  if (use.reason == store::kNoConsent)
    return "Nobody of this clinic has given a consent that works: send a practitioner of it a connect link. It is read "
           "then by itself.";
  if (!use.open)
    return "It was tried for as long as documents.give_up_seconds says. `resultsync documents retry` tries it again.";
  return "";
}

void write_missing(JsonWriter& json, const store::MissingDocument& one) {
  const store::DocumentUse& use = one.use;
  json.begin_object().member("source", use.source.text()).member("event_id", one.event.text());
  id_member(json, "order_id", one.order.text());
  id_member(json, "ordered_test_id", use.test.text());
  json.member("member", use.member).member("state", state_of(use));
  id_member(json, "reason", use.reason);
  id_member(json, "advice", std::string(advice_on(use)));
  json.member("tries", use.tries);
  time_member(json, "since", use.received_at);
  json.key("next_try_at");
  use.open ? json.string(format_timestamp(use.next_try_at)) : json.null();
  json.end_object();
}

}  // namespace

Reply list_missing_documents(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  store::MissingFilter filter;
  filter.state = call.parameters.text("state").value_or("");
  if (!filter.state.empty() && filter.state != "pending" && filter.state != "missing" && filter.state != "waiting" &&
      filter.state != "given_up")
    return bad_parameter("state", "must be pending, missing, waiting or given_up");
  const auto source = source_filter(service.context, call.parameters);
  if (!source) return source.error();
  filter.source = source->value_or(SourceId{});
  filter.order = OrderId(call.parameters.text("order_id").value_or(""));
  Sequence after;
  if (const auto cursor = call.parameters.text("after")) {
    const auto place = parse_document_cursor(*cursor);
    if (!place) return bad_cursor();
    after = *place;
  }
  // A page is of whole events: it is cut between two of them only.
  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.views.snapshot();
  auto found = snapshot->network().missing_documents(filter, after, count + 1);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  std::size_t events = 0;
  std::size_t shown = 0;
  Sequence last;
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const store::MissingDocument& one : found) {
    if (one.use.record != last && ++events > count) break;
    last = one.use.record;
    write_missing(json, one);
    ++shown;
  }
  json.end_array().key("next");
  shown < found.size() ? json.string(format_document_cursor(last)) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply retry_documents(Service& service, const Call& call) {
  auto fields = Fields::parse(call.body, {"source", "order_id"});
  if (!fields) return fields.error();
  store::MissingFilter filter;
  const auto named = fields->text("source");
  filter.order = OrderId(fields->text("order_id").value_or(""));
  if (const auto wrong = fields->problem()) return *wrong;
  if (named) {
    const auto source = chosen_source(service.context, named);
    if (!source) return source.error();
    filter.source = *source;
  }
  if (!filter.order.empty()) call.objects.add("orders", filter.order.text());
  if (service.context.network == nullptr)
    return Problem{.status = 409, .code = "no_api", .title = "No source has an API in the configuration."};
  const auto retried = service.context.network->retry_documents(filter);
  if (!retried) return store_failed(retried.error());
  JsonWriter json;
  json.begin_object().member("taken_up", retried->taken_up).member("hastened", retried->hastened).end_object();
  return json_response(202, json);
}

}  // namespace resultsync::api
