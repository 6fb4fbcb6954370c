// /v1/consumers: readers of a feed whose place is kept here, for those who would rather not keep cursors themselves.
#include <algorithm>
#include <array>

#include "api/cursor.hpp"
#include "api/json_body.hpp"
#include "api/service.hpp"
#include "store/readers.hpp"

namespace resultsync::api {
namespace {

constexpr std::size_t kNameBytesMax = 64;
constexpr std::size_t kConsumersMax = 100;  // of one practitioner

Checked<std::string> name_in(const Call& call) {
  const std::string& name = call.path.front();
  const auto is_of_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  };
  if (name.empty() || name.size() > kNameBytesMax || !std::ranges::all_of(name, is_of_name)) {
    return std::unexpected(bad_parameter("name", "must be 1 to 64 of letters, digits, . _ -"));
  }
  return name;
}

Problem unknown_consumer() {
  return not_found("unknown_consumer", "This practitioner's feed has no consumer of that name.");
}

Problem behind() {
  return {.status = 409,
          .code = "commit_behind",
          .title =
              "The consumer has committed more than that already: another reader uses its name, or commits crossed. To "
              "set it back, PUT it with the cursor."};
}

void write_consumer(JsonWriter& json, const store::ConsumerRow& consumer, const store::PractitionerRow& practitioner,
                    const std::string& epoch) {
  json.begin_object()
      .member("name", consumer.name)
      .member("practitioner", practitioner.app_practitioner.text())
      .member("cursor", format(feed_cursor(epoch, practitioner.app_practitioner, consumer.position)))
      .member("behind", practitioner.last_position - consumer.position);
  time_member(json, "created_at", consumer.created_at);
  time_member(json, "committed_at", consumer.committed_at);
  json.end_object();
}

Reply consumer_reply(store::ViewsSnapshot& snapshot, const store::ConsumerRow& consumer,
                     const store::PractitionerRow& practitioner, int status) {
  JsonWriter json;
  write_consumer(json, consumer, practitioner, snapshot.feed_epoch());
  return json_response(status, json);
}

constexpr std::array kPutMembers{
    MemberRule{"practitioner"},
    MemberRule{"from", Presence::kOptional},
    MemberRule{"cursor", Presence::kOptional},
};
constexpr std::array kCommitMembers{MemberRule{"practitioner"}, MemberRule{"cursor"}};

// Where a consumer is put, if the body says so.
Checked<std::optional<std::int64_t>> place_of(const std::map<std::string, std::string>& members,
                                              store::ViewsSnapshot& snapshot,
                                              const store::PractitionerRow& practitioner) {
  const auto from = members.find("from");
  const auto cursor = members.find("cursor");
  if (from != members.end() && cursor != members.end()) {
    return std::unexpected(invalid_members({{"from", "may not stand beside cursor"}}));
  }
  if (from != members.end()) {
    if (from->second == "start") return std::optional<std::int64_t>(0);
    if (from->second == "now") return std::optional(practitioner.last_position);
    return std::unexpected(invalid_members({{"from", "must be start or now"}}));
  }
  if (cursor == members.end()) return std::optional<std::int64_t>{};
  const auto position = position_in(snapshot, practitioner, cursor->second);
  if (!position) return std::unexpected(position.error());
  return std::optional(*position);
}

}  // namespace

Checked<std::int64_t> position_in(store::ViewsSnapshot& snapshot, const store::PractitionerRow& practitioner,
                                  std::string_view cursor) {
  const auto parsed = parse_feed_cursor(cursor);
  if (!parsed) return std::unexpected(bad_cursor());
  if (!parsed->is_of(snapshot.feed_epoch(), practitioner.app_practitioner) ||
      parsed->position > practitioner.last_position) {
    return std::unexpected(cursor_gone());
  }
  return parsed->position;
}

Checked<std::int64_t> committed_position(store::ViewsSnapshot& snapshot, const store::PractitionerRow& practitioner,
                                         const std::string& consumer) {
  const auto row = snapshot.readers().consumer(practitioner.key, consumer);
  if (!row) return std::unexpected(unknown_consumer());
  return std::min(row->position, practitioner.last_position);
}

Reply put_consumer(Service& service, const Call& call) {
  const auto name = name_in(call);
  if (!name) return name.error();
  const auto members = read_members(call.body, kPutMembers);
  if (!members) return members.error();
  const auto transaction = service.context.views.begin();
  auto& snapshot = transaction->read();
  const auto practitioner =
      connected_practitioner(snapshot, AppPractitionerId(members->at("practitioner")), call.caller.reach);
  if (!practitioner) return practitioner.error();
  call.objects.add("practitioner", practitioner->app_practitioner.text());
  const auto place = place_of(*members, snapshot, *practitioner);
  if (!place) return place.error();

  const Timestamp now = service.context.clock.now();
  auto consumer = snapshot.readers().consumer(practitioner->key, *name);
  const bool is_new = !consumer;
  if (is_new) {
    if (snapshot.readers().consumers(practitioner->key).size() >= kConsumersMax) {
      return Problem{.status = 409,
                     .code = "too_many_consumers",
                     .title = "This practitioner's feed has 100 consumers already. Delete those that nobody uses."};
    }
    consumer = store::ConsumerRow{.name = *name, .position = 0, .created_at = now, .committed_at = now};
  }
  if (*place) {
    consumer->position = **place;
    consumer->committed_at = now;
  }
  transaction->readers().save_consumer(practitioner->key, *consumer);
  Reply reply = consumer_reply(snapshot, *consumer, *practitioner, is_new ? 201 : 200);
  if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  return reply;
}

Reply get_consumer(Service& service, const Call& call) {
  const auto name = name_in(call);
  if (!name) return name.error();
  const auto id = call.parameters.required_text("practitioner");
  if (!id) return id.error();
  const auto snapshot = service.context.views.snapshot();
  const auto practitioner = connected_practitioner(*snapshot, AppPractitionerId(*id), call.caller.reach);
  if (!practitioner) return practitioner.error();
  const auto consumer = snapshot->readers().consumer(practitioner->key, *name);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (!consumer) return unknown_consumer();
  return consumer_reply(*snapshot, *consumer, *practitioner, 200);
}

Reply list_consumers(Service& service, const Call& call) {
  const auto id = call.parameters.required_text("practitioner");
  if (!id) return id.error();
  const auto snapshot = service.context.views.snapshot();
  const auto practitioner = connected_practitioner(*snapshot, AppPractitionerId(*id), call.caller.reach);
  if (!practitioner) return practitioner.error();
  const std::string epoch = snapshot->feed_epoch();
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& consumer : snapshot->readers().consumers(practitioner->key)) {
    write_consumer(json, consumer, *practitioner, epoch);
  }
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  json.end_array().key("next").null().end_object();
  return json_response(200, json);
}

Reply delete_consumer(Service& service, const Call& call) {
  const auto name = name_in(call);
  if (!name) return name.error();
  const auto id = call.parameters.required_text("practitioner");
  if (!id) return id.error();
  const auto transaction = service.context.views.begin();
  auto& snapshot = transaction->read();
  const auto practitioner = connected_practitioner(snapshot, AppPractitionerId(*id), call.caller.reach);
  if (!practitioner) return practitioner.error();
  if (!snapshot.readers().consumer(practitioner->key, *name)) return unknown_consumer();
  transaction->readers().forget_consumer(practitioner->key, *name);
  if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  return no_content();
}

Reply commit_consumer(Service& service, const Call& call) {
  const auto name = name_in(call);
  if (!name) return name.error();
  const auto members = read_members(call.body, kCommitMembers);
  if (!members) return members.error();
  const auto transaction = service.context.views.begin();
  auto& snapshot = transaction->read();
  const auto practitioner =
      connected_practitioner(snapshot, AppPractitionerId(members->at("practitioner")), call.caller.reach);
  if (!practitioner) return practitioner.error();
  call.objects.add("practitioner", practitioner->app_practitioner.text());
  auto consumer = snapshot.readers().consumer(practitioner->key, *name);
  if (!consumer) return unknown_consumer();
  const auto position = position_in(snapshot, *practitioner, members->at("cursor"));
  if (!position) return position.error();
  if (*position < consumer->position) return behind();
  consumer->position = *position;
  consumer->committed_at = service.context.clock.now();
  transaction->readers().save_consumer(practitioner->key, *consumer);
  Reply reply = consumer_reply(snapshot, *consumer, *practitioner, 200);
  if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  return reply;
}

}  // namespace resultsync::api
