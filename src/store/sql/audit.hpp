// The queries of audit.hpp on one connection.
#pragma once

#include "store/audit.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

class SqlAuditReads final : public AuditReads {
 public:
  explicit SqlAuditReads(Database& database) : database_(database) {}
  AuditHead head() override;
  std::vector<AuditRow> after(std::int64_t seq, std::size_t limit) override;
  std::vector<AuditRow> before(const AuditFilter& filter, std::int64_t before, std::size_t limit) override;
  std::vector<AuditCheckpoint> checkpoints_after(std::int64_t seq, std::size_t limit) override;
  std::optional<AuditCheckpoint> last_checkpoint() override;

 private:
  Database& database_;
};

class SqlAuditWrites final : public AuditWrites {
 public:
  explicit SqlAuditWrites(Database& database) : database_(database) {}
  void append(std::span<const AuditRow> rows) override;
  void add_checkpoint(const AuditCheckpoint& checkpoint) override;

 private:
  Database& database_;
};

}  // namespace resultsync::store::sql
