// /v1/practitioners: who of the application is connected to which clinic.
#include <algorithm>
#include <array>
#include <ranges>

#include "api/cursor.hpp"
#include "api/json_body.hpp"
#include "api/service.hpp"
#include "sync/connections.hpp"

namespace resultsync::api {
namespace {

Checked<AppPractitionerId> practitioner_of(const Call& call) {
  if (const auto reason = unfit_as_id(call.path.front()); !reason.empty()) {
    return std::unexpected(bad_parameter("app_id", std::string(reason)));
  }
  return AppPractitionerId(call.path.front());
}

void write_backfill(JsonWriter& json, const store::PractitionerRow& row, store::ConnectionKey connection) {
  const auto found = std::ranges::find(row.backfills, connection, &store::Backfill::connection);
  json.key("backfill");
  if (found == row.backfills.end()) {
    json.null();
    return;
  }
  json.begin_object()
      .member("orders_done", found->orders_done)
      .member("orders_total", found->orders_total)
      .member("finished", found->finished)
      .end_object();
}

void write_practitioner(JsonWriter& json, store::ViewsSnapshot& snapshot, const store::PractitionerRow& row) {
  json.begin_object().member("id", row.app_practitioner.text()).key("connections").begin_array();
  for (const store::ConnectionRow& connection : row.connections) {
    json.begin_object().member("source", connection.source.text()).member("clinic_id", connection.clinic.text());
    id_member(json, "vendor_practitioner_id", connection.vendor_practitioner.text());
    time_member(json, "created_at", connection.created_at);
    write_backfill(json, row, connection.key);
    write_consent(json, snapshot, connection);
    json.end_object();
  }
  json.end_array().end_object();
}

Reply practitioner_reply(Service& service, const Call& call, const AppPractitionerId& id, int status) {
  const auto snapshot = service.context.views.snapshot();
  const auto row = connected_practitioner(*snapshot, id, call.caller.reach);
  if (!row) return row.error();
  JsonWriter json;
  write_practitioner(json, *snapshot, *row);
  return json_response(status, json);
}

constexpr std::array kConnectMembers{
    MemberRule{"clinic_id"},
    MemberRule{"vendor_practitioner_id", Presence::kOptional},
    MemberRule{"source", Presence::kOptional},
};

Checked<sync::ConnectRequest> connect_request(const ApiContext& context, const Call& call) {
  auto id = practitioner_of(call);
  if (!id) return std::unexpected(id.error());
  auto members = read_members(call.body, kConnectMembers);
  if (!members) return std::unexpected(members.error());
  // Where a network's practitioner works decides whose orders without a clinic are: more than a limited key may say.
  if (!call.caller.reach.is_everything() && members->contains("vendor_practitioner_id"))
    return std::unexpected(invalid_members({{"vendor_practitioner_id", "only a key without limits may say this"}}));
  const auto named = members->contains("source") ? std::optional(members->at("source")) : std::nullopt;
  auto source = chosen_source(context, named);
  if (!source) return std::unexpected(source.error());
  return sync::ConnectRequest{std::move(*id), std::move(*source), ClinicId((*members)["clinic_id"]),
                              PractitionerId((*members)["vendor_practitioner_id"]), call.caller.reach};
}

}  // namespace

Reply put_practitioner(Service& service, const Call& call) {
  const auto request = connect_request(service.context, call);
  if (!request) return request.error();
  call.objects.add("clinics", request->clinic.text());
  const auto connected = sync::connect(service.context.views, *request, service.context.clock.now());
  if (!connected && connected.error().code == "not_found") {
    return not_found("unknown_clinic", "There is no such clinic, or the key may not give it to this practitioner.");
  }
  if (!connected) return store_failed(connected.error());
  service.changed();
  return practitioner_reply(service, call, request->practitioner, connected->created ? 201 : 200);
}

Reply get_practitioner(Service& service, const Call& call) {
  const auto id = practitioner_of(call);
  if (!id) return id.error();
  return practitioner_reply(service, call, *id, 200);
}

Reply delete_practitioner(Service& service, const Call& call) {
  const auto id = practitioner_of(call);
  if (!id) return id.error();
  auto source = source_filter(service.context, call.parameters);
  if (!source) return source.error();
  std::optional<ClinicId> clinic;
  if (auto named = call.parameters.text("clinic_id")) {
    if (const auto reason = unfit_as_id(*named); !reason.empty())
      return bad_parameter("clinic_id", std::string(reason));
    clinic = ClinicId(std::move(*named));
  }
  const auto ended =
      sync::disconnect(service.context.views, {*id, *source, clinic, call.caller.reach}, service.context.clock.now());
  if (!ended && ended.error().code == "not_found") {
    return not_found("unknown_connection", "The practitioner has no such connection.");
  }
  if (!ended) return store_failed(ended.error());
  // A consent is for all of a practitioner's work at a network: it ends with the last connection that rests on it.
  {
    const auto snapshot = service.context.views.snapshot();
    const auto left = snapshot->practitioner(*id, {});
    const bool rests = left && std::ranges::any_of(left->connections, [&](const store::ConnectionRow& connection) {
                         return !*source || connection.source == **source;
                       });
    if (rests)
      clinic = clinic.value_or(ClinicId{});
    else
      clinic.reset();
  }
  if (!clinic) {
    if (auto problem = end_consents(service, *id, *source)) return *problem;
  }
  service.changed();
  return no_content();
}

Reply list_practitioners(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  AppPractitionerId after;
  if (const auto cursor = call.parameters.text("after")) {
    const auto place = parse_practitioner_cursor(*cursor);
    if (!place) return bad_cursor();
    after = *place;
  }
  const auto count = static_cast<std::size_t>(*limit);
  const auto snapshot = service.context.views.snapshot();
  const auto rows = snapshot->practitioners(after, count + 1, call.caller.reach);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());

  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& row : rows | std::views::take(count)) {
    if (!row.connections.empty()) write_practitioner(json, *snapshot, row);  // one who has left is not listed
  }
  json.end_array().key("next");
  rows.size() > count ? json.string(format_practitioner_cursor(rows[count - 1].app_practitioner)) : json.null();
  json.end_object();
  return json_response(200, json);
}

}  // namespace resultsync::api
