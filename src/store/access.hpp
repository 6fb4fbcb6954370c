// API keys and what was answered to writes that carry an Idempotency-Key: durable facts, part of the views' snapshots
// and transactions (views.hpp), with the same sticky errors.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/timestamp.hpp"
#include "store/reach.hpp"

namespace resultsync::store {

// What a key is limited to: the clinics that these practitioners are connected to, and these clinics.
struct ReachLimits {
  std::vector<AppPractitionerId> practitioners;
  std::vector<std::pair<SourceId, ClinicId>> clinics;
  [[nodiscard]] bool empty() const { return practitioners.empty() && clinics.empty(); }
};

struct ApiKeyRow {
  std::int64_t number = 0;  // the Reach of a key that is limited
  std::string id;           // stands in the key itself, and names it in the audit log
  std::string name;         // for people
  std::vector<std::string> scopes;
  bool limited = false;
  ReachLimits limits;
  Sha256 secret;                            // the digest of the whole key
  std::optional<Sha256> previous;           // of the key before the last rotation …
  std::optional<Timestamp> previous_until;  // … which is good until then
  Timestamp created_at;
  std::optional<Timestamp> expires_at;
  std::optional<Timestamp> revoked_at;
  [[nodiscard]] Reach reach() const { return {limited ? number : 0}; }
};

// A write that carries an Idempotency-Key.
struct IdempotencyRow {
  std::string caller;
  Sha256 key;      // of the Idempotency-Key
  Sha256 request;  // of method, path, query and body
  Timestamp started_at;
  int status = 0;      // 0 while it is in progress
  std::string answer;  // sealed
};

class AccessReads {
 public:
  virtual ~AccessReads() = default;
  virtual std::vector<ApiKeyRow> keys() = 0;  // oldest first, the revoked ones included
  virtual std::optional<ApiKeyRow> key(const std::string& id) = 0;
  virtual std::optional<IdempotencyRow> idempotency(const std::string& caller, const Sha256& key) = 0;
};

class AccessWrites {
 public:
  virtual ~AccessWrites() = default;
  virtual std::int64_t add_key(const ApiKeyRow& key) = 0;  // its number; that of `key` is not looked at
  virtual void rotate_key(const std::string& id, const Sha256& secret, const Sha256& previous,
                          Timestamp previous_until) = 0;
  virtual void revoke_key(const std::string& id, Timestamp now) = 0;

  virtual void save_idempotency(const IdempotencyRow& row) = 0;
  virtual void forget_idempotency(const std::string& caller, const Sha256& key) = 0;
  virtual void forget_idempotency_before(Timestamp time) = 0;
};

}  // namespace resultsync::store
