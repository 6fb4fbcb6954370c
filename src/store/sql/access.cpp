#include "store/sql/access.hpp"

namespace resultsync::store::sql {
namespace {

#define KEY_COLUMNS \
  "key_number, key_id, name, scopes, limited, secret, previous, previous_until, created_at, expires_at, revoked_at"

std::optional<Timestamp> time_at(const Query& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  return Timestamp{query.integer(column)};
}

std::optional<std::int64_t> number(const std::optional<Timestamp>& time) {
  return time ? std::optional(time->microseconds) : std::nullopt;
}

// Scopes stand in one column, separated by spaces.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  while (!text.empty()) {
    const auto end = text.find(' ');
    words.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

ApiKeyRow key_row(const Query& query) {
  ApiKeyRow key;
  key.number = query.integer(0);
  key.id = query.text(1);
  key.name = query.text(2);
  key.scopes = words_of(query.text(3));
  key.limited = query.boolean(4);
  key.secret = query.digest(5);
  if (!query.is_null(6)) key.previous = query.digest(6);
  key.previous_until = time_at(query, 7);
  key.created_at = Timestamp{query.integer(8)};
  key.expires_at = time_at(query, 9);
  key.revoked_at = time_at(query, 10);
  return key;
}

}  // namespace

std::vector<ApiKeyRow> SqlAccessReads::keys() {
  std::vector<ApiKeyRow> keys;
  {
    Query query(database_, "SELECT " KEY_COLUMNS " FROM api_keys ORDER BY key_number");
    while (query.next()) keys.push_back(key_row(query));
  }
  for (ApiKeyRow& key : keys) fill_limits(key);
  return keys;
}

std::optional<ApiKeyRow> SqlAccessReads::key(const std::string& id) {
  std::optional<ApiKeyRow> key;
  {
    Query query(database_, "SELECT " KEY_COLUMNS " FROM api_keys WHERE key_id = ?1", id);
    if (!query.next()) return std::nullopt;
    key = key_row(query);
  }
  fill_limits(*key);
  return key;
}

void SqlAccessReads::fill_limits(ApiKeyRow& key) {
  if (!key.limited) return;
  {
    Query query(database_, "SELECT app_id FROM reach_practitioners WHERE reach = ?1 ORDER BY app_id", key.number);
    while (query.next()) key.limits.practitioners.emplace_back(query.text(0));
  }
  Query query(database_, "SELECT source, clinic_id FROM reach_clinics WHERE reach = ?1 ORDER BY source, clinic_id",
              key.number);
  while (query.next()) key.limits.clinics.emplace_back(SourceId(query.text(0)), ClinicId(query.text(1)));
}

std::optional<IdempotencyRow> SqlAccessReads::idempotency(const std::string& caller, const Sha256& key) {
  Query query(database_, "SELECT request, started_at, status, answer FROM idempotency WHERE caller = ?1 AND key = ?2",
              caller, key);
  if (!query.next()) return std::nullopt;
  return IdempotencyRow{
      caller, key, query.digest(0), Timestamp{query.integer(1)}, static_cast<int>(query.integer(2)), query.blob(3)};
}

std::int64_t SqlAccessWrites::add_key(const ApiKeyRow& key) {
  std::int64_t given = 0;
  const std::string scopes = joined(key.scopes);
  {
    Query query(database_,
                "INSERT INTO api_keys (key_id, name, scopes, limited, secret, created_at, expires_at) VALUES (?1, ?2, "
                "?3, ?4, ?5, ?6, ?7) RETURNING key_number",
                key.id, key.name, scopes, key.limited, key.secret, key.created_at.microseconds, number(key.expires_at));
    if (query.next()) given = query.integer(0);
  }
  if (!key.limited) return given;
  for (const AppPractitionerId& practitioner : key.limits.practitioners) {
    Query(database_, "INSERT INTO reach_practitioners VALUES (?1, ?2) ON CONFLICT DO NOTHING", given,
          practitioner.text())
        .run();
  }
  for (const auto& [source, clinic] : key.limits.clinics) {
    Query(database_, "INSERT INTO reach_clinics VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING", given, source.text(),
          clinic.text())
        .run();
  }
  return given;
}

void SqlAccessWrites::rotate_key(const std::string& id, const Sha256& secret, const Sha256& previous,
                                 Timestamp previous_until) {
  Query(database_, "UPDATE api_keys SET secret = ?2, previous = ?3, previous_until = ?4 WHERE key_id = ?1", id, secret,
        previous, previous_until.microseconds)
      .run();
}

void SqlAccessWrites::revoke_key(const std::string& id, Timestamp now) {
  Query(database_, "UPDATE api_keys SET revoked_at = ?2 WHERE key_id = ?1 AND revoked_at IS NULL", id, now.microseconds)
      .run();
}

void SqlAccessWrites::save_idempotency(const IdempotencyRow& row) {
  Query(database_,
        "INSERT INTO idempotency (caller, key, request, started_at, status, answer) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON "
        "CONFLICT (caller, key) DO UPDATE SET request = excluded.request, started_at = excluded.started_at, status = "
        "excluded.status, answer = excluded.answer",
        row.caller, row.key, row.request, row.started_at.microseconds, row.status, Blob{row.answer})
      .run();
}

void SqlAccessWrites::forget_idempotency(const std::string& caller, const Sha256& key) {
  Query(database_, "DELETE FROM idempotency WHERE caller = ?1 AND key = ?2", caller, key).run();
}

void SqlAccessWrites::forget_idempotency_before(Timestamp time) {
  Query(database_, "DELETE FROM idempotency WHERE started_at < ?1", time.microseconds).run();
}

}  // namespace resultsync::store::sql
