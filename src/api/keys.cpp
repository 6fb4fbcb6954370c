// /v1/keys: who may ask this API for what. A key's text is answered once, when it is made or rotated; what is kept is
// its digest.
#include <simdjson.h>

#include <algorithm>
#include <ranges>
#include <set>

#include "api/cursor.hpp"
#include "api/json_body.hpp"
#include "api/key_ring.hpp"
#include "api/service.hpp"

namespace resultsync::api {
namespace {

using simdjson::dom::element;

constexpr std::size_t kLimitsMax = 1'000;  // practitioners, and clinics, of one key
constexpr std::int64_t kOverlapSecondsMax = 30 * 86'400;
constexpr std::int64_t kOverlapSecondsUsual = 86'400;

std::string_view state_of(const store::ApiKeyRow& key, Timestamp now) {
  if (key.revoked_at) return "revoked";
  return key.expires_at && *key.expires_at <= now ? "expired" : "active";
}

void optional_time(JsonWriter& json, std::string_view name, const std::optional<Timestamp>& time) {
  json.key(name);
  time ? json.string(format_timestamp(*time)) : json.null();
}

void write_limits(JsonWriter& json, const store::ApiKeyRow& key) {
  json.key("limits");
  if (!key.limited) {
    json.null();
    return;
  }
  json.begin_object().key("practitioners").begin_array();
  for (const AppPractitionerId& practitioner : key.limits.practitioners) json.string(practitioner.text());
  json.end_array().key("clinics").begin_array();
  for (const auto& [source, clinic] : key.limits.clinics) {
    json.begin_object().member("source", source.text()).member("clinic_id", clinic.text()).end_object();
  }
  json.end_array().end_object();
}

// What its newest row in the audit log says, to the minute: an ETag that changed with each use could not be matched.
using LastUse = std::optional<Timestamp>;
LastUse last_use(store::AuditSnapshot& audit, const std::string& key_id) {
  constexpr std::int64_t kMinute = 60'000'000;
  const auto at = audit.last_of(key_id);
  if (!at) return std::nullopt;
  return Timestamp{at->microseconds - at->microseconds % kMinute};
}
// Error: those of the audit log.
Result<LastUse> last_use(const ApiContext& context, const std::string& key_id) {
  const auto audit = context.audit_log.snapshot();
  const LastUse use = last_use(*audit, key_id);
  if (auto status = audit->status(); !status) return forward_error(std::move(status));
  return use;
}

void write_key_members(JsonWriter& json, const store::ApiKeyRow& key, LastUse used, Timestamp now) {
  json.member("id", key.id).member("name", key.name).key("scopes").begin_array();
  for (const std::string& scope : key.scopes) json.string(scope);
  json.end_array();
  write_limits(json, key);
  json.member("state", state_of(key, now));
  json.member("created_at", format_timestamp(key.created_at));
  optional_time(json, "expires_at", key.expires_at);
  optional_time(json, "revoked_at", key.revoked_at);
  optional_time(json, "last_used_at", used);
  optional_time(json, "previous_secret_until", key.previous_until);
}

std::string json_of(const store::ApiKeyRow& key, LastUse used, Timestamp now) {
  JsonWriter json;
  json.begin_object();
  write_key_members(json, key, used, now);
  return json.end_object().take();
}

// With the key itself: the one time that it is shown.
http::Response key_response(int status, const store::ApiKeyRow& key, LastUse used, const NewKey& made, Timestamp now) {
  JsonWriter json;
  json.begin_object();
  write_key_members(json, key, used, now);
  json.member("key", made.text.reveal()).end_object();
  auto response = json_response(status, json);
  if (status == 201) response.set_header("Location", "/v1/keys/" + key.id);
  return response;
}

Problem unknown_key() {
  return not_found("unknown_key", "There is no API key with this id.");
}

// Reads the members of a body into what they stand for, gathering all that is wrong.
class KeyReader {
 public:
  KeyReader(const ApiContext& context, Timestamp now) : context_(context), now_(now) {}

  Checked<store::ApiKeyRow> read(std::string_view body) {
    const simdjson::padded_string padded(body);
    simdjson::dom::parser parser;
    simdjson::dom::object members;
    if (parser.parse(padded).get_object().get(members) != simdjson::SUCCESS) {
      return std::unexpected(Problem{.status = 400, .code = "bad_json", .title = "The body must be a JSON object."});
    }
    std::set<std::string_view> seen;
    for (const auto& member : members) {
      if (!seen.insert(member.key).second) {
        wrong(member.key.substr(0, 64), "is given twice");
      } else if (!take(member.key, member.value)) {
        wrong(member.key.substr(0, 64),
              "is not known here; known are: name, scopes, practitioners, clinics, expires_at");
      }
      if (errors_.size() >= 20) break;
    }
    if (!seen.contains("name")) wrong("name", "is needed");
    if (!seen.contains("scopes")) wrong("scopes", "is needed: some of " + scope_names());
    const bool is_admin = std::ranges::find(key_.scopes, name_of(Scope::kAdmin)) != key_.scopes.end();
    if (is_admin && key_.limited)
      wrong("scopes", "admin cannot be limited: it may make keys without limits. Leave out admin, or the limits");
    if (!errors_.empty()) return std::unexpected(invalid_members(std::move(errors_)));
    key_.created_at = now_;
    return std::move(key_);
  }

 private:
  void wrong(std::string_view member, std::string reason) {
    errors_.push_back({std::string(member), std::move(reason)});
  }

  bool take(std::string_view name, element value) {
    if (name == "name") return take_name(value);
    if (name == "scopes") return take_scopes(value);
    if (name == "practitioners") return take_practitioners(value);
    if (name == "clinics") return take_clinics(value);
    if (name == "expires_at") return take_expiry(value);
    return false;
  }

  // The text, if it can be an id.
  std::optional<std::string> text_of(std::string_view member, element value) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) {
      wrong(member, "must be text");
      return std::nullopt;
    }
    if (const auto reason = unfit_as_id(text); !reason.empty()) {
      wrong(member, std::string(reason));
      return std::nullopt;
    }
    return std::string(text);
  }

  std::vector<element> list_of(std::string_view member, element value, std::size_t most) {
    simdjson::dom::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS || array.size() == 0 || array.size() > most) {
      wrong(member, "must be a list of 1 to " + std::to_string(most));
      return {};
    }
    return {array.begin(), array.end()};
  }

  bool take_name(element value) {
    key_.name = text_of("name", value).value_or("");
    return true;
  }

  bool take_scopes(element value) {
    for (const element one : list_of("scopes", value, 16)) {
      std::string_view name;
      if (one.get_string().get(name) != simdjson::SUCCESS || !scope_named(name)) {
        wrong("scopes", "must be some of " + scope_names());
        return true;
      }
      if (std::ranges::find(key_.scopes, name) == key_.scopes.end()) key_.scopes.emplace_back(name);
    }
    return true;
  }

  bool take_practitioners(element value) {
    if (value.is_null()) return true;
    key_.limited = true;
    for (const element one : list_of("practitioners", value, kLimitsMax)) {
      if (auto id = text_of("practitioners", one)) key_.limits.practitioners.emplace_back(std::move(*id));
    }
    return true;
  }

  // "cli_1", of the default source, or {"source", "clinic_id"}.
  bool take_clinics(element value) {
    if (value.is_null()) return true;
    key_.limited = true;
    for (const element one : list_of("clinics", value, kLimitsMax)) {
      std::optional<std::string> named;
      element clinic = one;
      if (one.is_object()) {
        element source;
        if (one["source"].get(source) == simdjson::SUCCESS) named = text_of("clinics", source).value_or("");
        if (one["clinic_id"].get(clinic) != simdjson::SUCCESS) {
          wrong("clinics", "each must be an id, or an object with clinic_id and source");
          return true;
        }
      }
      auto source = chosen_source(context_, named);
      if (!source) {
        wrong("clinics", "source " + unknown_source(context_).reason);
        return true;
      }
      if (auto id = text_of("clinics", clinic)) key_.limits.clinics.emplace_back(std::move(*source), ClinicId(*id));
    }
    return true;
  }

  bool take_expiry(element value) {
    if (value.is_null()) return true;
    std::string_view text;
    const auto time = value.get_string().get(text) == simdjson::SUCCESS
                          ? parse_timestamp(text)
                          : Result<ParsedTimestamp>(fail("bad_timestamp", "no text"));
    if (!time) {
      wrong("expires_at", "must be a time: 2027-01-31T00:00:00Z");
    } else if (time->time <= now_) {
      wrong("expires_at", "must lie ahead");
    } else {
      key_.expires_at = time->time;
    }
    return true;
  }

  const ApiContext& context_;
  const Timestamp now_;
  store::ApiKeyRow key_;
  std::vector<MemberError> errors_;
};

// {"overlap_seconds": 3600}, or nothing.
Checked<std::int64_t> read_overlap(std::string_view body) {
  if (body.empty()) return kOverlapSecondsUsual;
  const simdjson::padded_string padded(body);
  simdjson::dom::parser parser;
  simdjson::dom::object members;
  if (parser.parse(padded).get_object().get(members) != simdjson::SUCCESS)
    return std::unexpected(Problem{.status = 400, .code = "bad_json", .title = "The body must be a JSON object."});
  std::int64_t seconds = kOverlapSecondsUsual;
  for (const auto& member : members) {
    if (member.key != "overlap_seconds")
      return std::unexpected(
          invalid_members({{std::string(member.key.substr(0, 64)), "is not known here; known is: overlap_seconds"}}));
    if (member.value.get_int64().get(seconds) != simdjson::SUCCESS || seconds < 0 || seconds > kOverlapSecondsMax)
      return std::unexpected(invalid_members({{"overlap_seconds", "must be a whole number from 0 to 2592000"}}));
  }
  return seconds;
}

}  // namespace

Reply create_key(Service& service, const Call& call) {
  const Timestamp now = service.context.clock.now();
  auto key = KeyReader(service.context, now).read(call.body);
  if (!key) return key.error();
  const NewKey made = new_key();
  key->id = made.id;
  key->secret = digest_of_key(made.text.reveal());
  {
    const auto transaction = service.context.views.begin();
    const auto keys = transaction->read().access().keys();
    if (static_cast<std::size_t>(std::ranges::count_if(keys, [](const auto& one) { return !one.revoked_at; })) >=
        kKeysMax) {
      return Problem{.status = 409, .code = "too_many_keys", .title = "There are too many API keys. Revoke some."};
    }
    transaction->access().add_key(*key);
    if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  }
  service.keys_changed();
  call.objects.add("keys", key->id);
  return key_response(201, *key, std::nullopt, made, now);
}

Reply list_keys(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  std::int64_t after = 0;
  if (const auto cursor = call.parameters.text("after")) {
    const auto place = parse_key_cursor(*cursor);
    if (!place) return bad_cursor();
    after = *place;
  }
  const auto snapshot = service.context.views.snapshot();
  auto keys = snapshot->access().keys();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  std::erase_if(keys, [&](const store::ApiKeyRow& key) { return key.number <= after; });

  const auto count = static_cast<std::size_t>(*limit);
  const auto audit = service.context.audit_log.snapshot();
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& key : keys | std::views::take(count)) {
    json.begin_object();
    write_key_members(json, key, last_use(*audit, key.id), service.context.clock.now());
    json.end_object();
  }
  if (const auto ok = audit->status(); !ok) return store_failed(ok.error());
  json.end_array().key("next");
  keys.size() > count ? json.string(format_key_cursor(keys[count - 1].number)) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply get_key(Service& service, const Call& call) {
  const auto snapshot = service.context.views.snapshot();
  const auto key = snapshot->access().key(call.path.front());
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  if (!key) return unknown_key();
  const auto used = last_use(service.context, key->id);
  if (!used) return store_failed(used.error());
  http::Response response;
  response.body = json_of(*key, *used, service.context.clock.now());
  return response;
}

Reply revoke_key(Service& service, const Call& call) {
  const Timestamp now = service.context.clock.now();
  const auto used = last_use(service.context, call.path.front());
  if (!used) return store_failed(used.error());
  {
    const auto transaction = service.context.views.begin();
    const auto key = transaction->read().access().key(call.path.front());
    if (const auto ok = transaction->read().status(); !ok) return store_failed(ok.error());
    if (!key) return unknown_key();
    if (auto problem = unless_matching(call, etag_of(json_of(*key, *used, now)))) return std::move(*problem);
    transaction->access().revoke_key(key->id, now);
    if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  }
  service.keys_changed();
  return no_content();
}

Reply rotate_key(Service& service, const Call& call) {
  const auto overlap = read_overlap(call.body);
  if (!overlap) return overlap.error();
  const Timestamp now = service.context.clock.now();
  const Timestamp until{now.microseconds + *overlap * 1'000'000};
  const auto used = last_use(service.context, call.path.front());
  if (!used) return store_failed(used.error());
  std::optional<store::ApiKeyRow> key;
  NewKey made;
  {
    const auto transaction = service.context.views.begin();
    key = transaction->read().access().key(call.path.front());
    if (const auto ok = transaction->read().status(); !ok) return store_failed(ok.error());
    if (!key) return unknown_key();
    // Two people who rotate one key at once would each end the other's: whoever names what they saw is told.
    if (auto problem = unless_matching(call, etag_of(json_of(*key, *used, now)))) return std::move(*problem);
    if (state_of(*key, now) != "active") {
      return Problem{
          .status = 409, .code = "key_ended", .title = "The key was revoked or has expired. Make a new one."};
    }
    made = new_key(key->id);
    transaction->access().rotate_key(key->id, digest_of_key(made.text.reveal()), key->secret, until);
    if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  }
  service.keys_changed();
  key->previous_until = until;
  return key_response(200, *key, *used, made, now);
}

}  // namespace resultsync::api
