// The queries of access.hpp on one connection.
#pragma once

#include "store/access.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

class SqlAccessReads final : public AccessReads {
 public:
  explicit SqlAccessReads(Database& database) : database_(database) {}
  std::vector<ApiKeyRow> keys() override;
  std::optional<ApiKeyRow> key(const std::string& id) override;
  std::optional<IdempotencyRow> idempotency(const std::string& caller, const Sha256& key) override;

 private:
  void fill_limits(ApiKeyRow& key);
  Database& database_;
};

class SqlAccessWrites final : public AccessWrites {
 public:
  explicit SqlAccessWrites(Database& database) : database_(database) {}
  std::int64_t add_key(const ApiKeyRow& key) override;
  void rotate_key(const std::string& id, const Sha256& secret, const Sha256& previous,
                  Timestamp previous_until) override;
  void revoke_key(const std::string& id, Timestamp now) override;
  void save_idempotency(const IdempotencyRow& row) override;
  void forget_idempotency(const std::string& caller, const Sha256& key) override;
  void forget_idempotency_before(Timestamp time) override;

 private:
  Database& database_;
};

}  // namespace resultsync::store::sql
