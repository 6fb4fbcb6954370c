#include "api/key_ring.hpp"

#include <openssl/crypto.h>

#include <algorithm>
#include <cmath>

#include "base/digest.hpp"
#include "base/encoding.hpp"
#include "runtime/random.hpp"

namespace resultsync::api {
namespace {

constexpr std::size_t kIdDigits = 12;
constexpr std::size_t kSecretLetters = 43;  // 32 bytes as base64url
constexpr std::string_view kStart = "rs_";
constexpr std::size_t kKeyLetters = kStart.size() + kIdDigits + 1 + kSecretLetters;
constexpr std::chrono::seconds kFresh{1};

std::string_view id_in(std::string_view text) {
  return text.substr(kStart.size(), kIdDigits);
}

bool same(const Sha256& left, const Sha256& right) {
  return CRYPTO_memcmp(left.bytes.data(), right.bytes.data(), left.bytes.size()) == 0;
}

}  // namespace

NewKey new_key() {
  return new_key(encode_hex(runtime::random_bytes(kIdDigits / 2)));
}

NewKey new_key(const std::string& id) {
  return {id, Secret<std::string>(std::string(kStart) + id + "_" + encode_base64url(runtime::random_bytes(32)))};
}

Sha256 digest_of_key(std::string_view text) {
  return sha256(text);
}

bool looks_like_a_key(std::string_view text) {
  return text.size() == kKeyLetters && text.starts_with(kStart) && text[kStart.size() + kIdDigits] == '_' &&
         id_in(text).find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<void> KeyRing::reload(Instant now) {
  const std::lock_guard one_at_a_time(loading_);
  const auto snapshot = views_.snapshot();
  auto rows = snapshot->access().keys();
  if (auto status = snapshot->status(); !status) return status;

  const std::lock_guard lock(mutex_);
  std::map<std::string, Entry, std::less<>> keys;
  for (store::ApiKeyRow& row : rows) {
    Entry& entry = keys[row.id];
    if (const auto known = keys_.find(row.id); known != keys_.end()) entry = std::move(known->second);
    entry.scopes.clear();
    for (const std::string& name : row.scopes) {
      if (const auto scope = scope_named(name)) entry.scopes.push_back(*scope);
    }
    entry.row = std::move(row);
  }
  keys_ = std::move(keys);
  loaded_ = now;
  return {};
}

bool KeyRing::is_fresh(Instant now) const {
  const std::lock_guard lock(mutex_);
  return loaded_ && now - *loaded_ < kFresh;
}

KeyRing::Found KeyRing::find(std::string_view text, Timestamp now) {
  if (!looks_like_a_key(text)) return {};
  const Sha256 given = digest_of_key(text);
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(id_in(text));
  if (found == keys_.end()) return {};
  const Entry& entry = found->second;
  const bool is_current = same(given, entry.row.secret);
  const bool is_previous = same(given, entry.row.previous.value_or(Sha256{}));
  if (!is_current && !is_previous) return {};
  const bool previous_has_ended = !is_current && (!entry.row.previous_until || *entry.row.previous_until <= now);
  if (entry.row.revoked_at) return {Standing::kRevoked, {}, {}};
  if (previous_has_ended || (entry.row.expires_at && *entry.row.expires_at <= now)) return {Standing::kExpired, {}, {}};
  return {Standing::kGood, {entry.row.id, entry.row.reach()}, entry.scopes};
}

Allowance KeyRing::take(const std::string& id, Instant now) {
  const std::lock_guard lock(mutex_);
  const auto found = keys_.find(id);
  if (found == keys_.end()) return {};
  const auto burst = static_cast<double>(rate_.burst);
  const auto per_second = static_cast<double>(rate_.per_second);
  auto& bucket = found->second.bucket;
  if (!bucket) bucket = Bucket{burst, now};
  const double passed = std::chrono::duration<double>(now - bucket->filled).count();
  bucket->tokens = std::min(burst, bucket->tokens + std::max(passed, 0.0) * per_second);
  bucket->filled = now;
  const bool granted = bucket->tokens >= 1;
  if (granted) bucket->tokens -= 1;
  const double missing = granted ? burst - bucket->tokens : 1 - bucket->tokens;
  return {granted, static_cast<std::int64_t>(bucket->tokens),
          static_cast<std::int64_t>(std::ceil(missing / per_second))};
}

}  // namespace resultsync::api
