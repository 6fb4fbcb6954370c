#include "store/postgres/postgres_audit.hpp"

#include "store/postgres/migrations.hpp"
#include "store/postgres/pool.hpp"
#include "store/sql/audit.hpp"
#include "store/sql/turnstile.hpp"

namespace resultsync::store {
namespace {

using postgres::Database;
using postgres::Pool;

constexpr std::size_t kReaders = 2;

// Between taking the chain's end and committing, an instance only hashes. One that hangs there is ended soon: all
// others wait for it.
constexpr const char* kHangsAtMost = "SET idle_in_transaction_session_timeout = 5000";

class Snapshot final : public sql::SqlAuditSnapshot {
 public:
  Snapshot(std::unique_ptr<Database> database, Pool& pool)
      : SqlAuditSnapshot(*database), reader_(std::move(database)), pool_(pool) {
    reader_->begin(Database::Mode::kSnapshot);
  }
  ~Snapshot() override {
    reader_->end_snapshot();
    pool_.give_back(std::move(reader_));
  }

 private:
  std::unique_ptr<Database> reader_;
  Pool& pool_;
};

// What a snapshot is when there is no connection: everything is empty, and status() says so.
class UnreadableSnapshot final : public AuditSnapshot {
 public:
  UnreadableSnapshot(Error error, Pool& pool) : error_(std::move(error)) { pool.give_back(nullptr); }
  [[nodiscard]] Result<void> status() const override { return std::unexpected(error_); }
  AuditHead head() override { return {}; }
  std::vector<AuditRow> after(std::int64_t, std::size_t) override { return {}; }
  std::vector<AuditRow> before(const AuditFilter&, std::int64_t, std::size_t) override { return {}; }
  std::vector<AuditCheckpoint> checkpoints_after(std::int64_t, std::size_t) override { return {}; }
  std::optional<AuditCheckpoint> last_checkpoint() override { return std::nullopt; }
  std::optional<Timestamp> last_of(const std::string&) override { return std::nullopt; }

 private:
  const Error error_;
};

class PostgresAudit final : public AuditLog {
 public:
  explicit PostgresAudit(PostgresAuditOptions options)
      : options_(std::move(options)), readers_(options_.connect, kReaders) {}

  Result<void> append(std::span<const AuditRow> rows) override {
    return write([&](Database& database) { sql::append_audit_rows(database, rows); });
  }
  Result<void> add_checkpoint(const AuditCheckpoint& checkpoint) override {
    return write([&](Database& database) { sql::add_audit_checkpoint(database, checkpoint); });
  }
  std::unique_ptr<AuditSnapshot> snapshot() override {
    auto reader = readers_.take();
    if (!reader) return std::make_unique<UnreadableSnapshot>(reader.error(), readers_);
    return std::make_unique<Snapshot>(std::move(*reader), readers_);
  }

 private:
  template <class Effects>
  Result<void> write(Effects effects) {
    turnstile_.enter();
    auto outcome = connected();
    if (outcome) {
      writer_->begin(Database::Mode::kWrite);
      effects(*writer_);
      outcome = writer_->commit();
      if (!outcome) writer_->rollback();
      if (!writer_->usable()) writer_.reset();
    }
    turnstile_.leave();
    if (!outcome && outcome.error().code != kUnavailable && options_.on_failure) options_.on_failure(outcome.error());
    return outcome;
  }

  Result<void> connected() {
    if (writer_ && writer_->still_there()) return {};
    writer_.reset();
    auto opened = Database::open(options_.connect);
    if (!opened) return forward_error(std::move(opened));
    (*opened)->execute(kHangsAtMost);
    if (auto status = (*opened)->status(); !status) return status;
    writer_ = std::move(*opened);
    return {};
  }

  const PostgresAuditOptions options_;
  Pool readers_;
  sql::Turnstile turnstile_;
  std::unique_ptr<Database> writer_;  // of whose turn it is; empty before the first row, and after it was lost
};

}  // namespace

Result<std::unique_ptr<AuditLog>> open_postgres_audit(PostgresAuditOptions options) {
  auto opened = Database::open(options.connect);
  if (!opened) return forward_error(std::move(opened));
  if (auto migrated = postgres::migrate(**opened, options.connect.schema); !migrated)
    return forward_error(std::move(migrated));
  return std::make_unique<PostgresAudit>(std::move(options));
}

Result<std::unique_ptr<AuditLog>> open_postgres_audit_beside(PostgresAuditOptions options) {
  auto opened = Database::open(options.connect);
  if (!opened) return forward_error(std::move(opened));
  if (auto known = postgres::check_format(**opened); !known) return forward_error(std::move(known));
  return std::make_unique<PostgresAudit>(std::move(options));
}

}  // namespace resultsync::store
