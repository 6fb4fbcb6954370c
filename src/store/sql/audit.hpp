// The statements of audit.hpp on one connection.
#pragma once

#include "store/audit.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

class SqlAuditSnapshot : public AuditSnapshot {
 public:
  explicit SqlAuditSnapshot(Database& database) : database_(database) {}
  [[nodiscard]] Result<void> status() const override { return database_.status(); }
  AuditHead head() override;
  std::vector<AuditRow> after(std::int64_t seq, std::size_t limit) override;
  std::vector<AuditRow> before(const AuditFilter& filter, std::int64_t before, std::size_t limit) override;
  std::vector<AuditCheckpoint> checkpoints_after(std::int64_t seq, std::size_t limit) override;
  std::optional<AuditCheckpoint> last_checkpoint() override;
  std::optional<Timestamp> last_of(const std::string& actor) override;

 private:
  Database& database_;
};

// In the caller's transaction, which is the only one that appends until it ends: others wait for the chain's end.
void append_audit_rows(Database& database, std::span<const AuditRow> rows);
void add_audit_checkpoint(Database& database, const AuditCheckpoint& checkpoint);

}  // namespace resultsync::store::sql
