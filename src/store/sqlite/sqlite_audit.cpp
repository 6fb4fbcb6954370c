#include "store/sqlite/sqlite_audit.hpp"

#include <filesystem>

#include "runtime/file.hpp"
#include "store/sql/audit.hpp"
#include "store/sql/turnstile.hpp"
#include "store/sqlite/migrations.hpp"

namespace resultsync::store {
namespace {

using sql::Turnstile;
using sqlite::Database;

std::string database_path(const std::string& directory) {
  return (std::filesystem::path(directory) / "audit.db").string();
}

// A read transaction on a connection of its own: who reads the audit log is rare.
class OwnSnapshot final : public sql::SqlAuditSnapshot {
 public:
  explicit OwnSnapshot(std::unique_ptr<Database> database) : SqlAuditSnapshot(*database), reader_(std::move(database)) {
    reader_->execute("BEGIN");
  }

 private:
  std::unique_ptr<Database> reader_;
};

// A snapshot of an in-memory database, which has one connection: it waits for the writer's turn.
class SharedSnapshot final : public sql::SqlAuditSnapshot {
 public:
  SharedSnapshot(Database& database, Turnstile& turnstile) : SqlAuditSnapshot(database), turnstile_(turnstile) {}
  ~SharedSnapshot() override { turnstile_.leave(); }

 private:
  Turnstile& turnstile_;
};

class UnreadableSnapshot final : public sql::SqlAuditSnapshot {
 public:
  UnreadableSnapshot(std::unique_ptr<Database> empty, Error error)
      : SqlAuditSnapshot(*empty), empty_(std::move(empty)), error_(std::move(error)) {}
  [[nodiscard]] Result<void> status() const override { return std::unexpected(error_); }

 private:
  std::unique_ptr<Database> empty_;
  const Error error_;
};

class SqliteAudit final : public AuditLog {
 public:
  // `path` is empty in memory, `writer` for a log that is only read.
  SqliteAudit(std::unique_ptr<Database> writer, std::string path, SqliteAuditOptions options)
      : writer_(std::move(writer)), path_(std::move(path)), options_(std::move(options)) {}

  Result<void> append(std::span<const AuditRow> rows) override {
    return write([&] { sql::append_audit_rows(*writer_, rows); });
  }
  Result<void> add_checkpoint(const AuditCheckpoint& checkpoint) override {
    return write([&] { sql::add_audit_checkpoint(*writer_, checkpoint); });
  }
  std::unique_ptr<AuditSnapshot> snapshot() override {
    if (path_.empty()) {
      turnstile_.enter();
      return std::make_unique<SharedSnapshot>(*writer_, turnstile_);
    }
    auto reader = Database::open(path_, Database::Access::kReadOnly);
    if (reader) return std::make_unique<OwnSnapshot>(std::move(*reader));
    auto empty = Database::open(":memory:", Database::Access::kReadWrite);
    return std::make_unique<UnreadableSnapshot>(std::move(*empty), reader.error());
  }

 private:
  template <class Effects>
  Result<void> write(Effects effects) {
    turnstile_.enter();
    writer_->clear_error();
    writer_->execute("BEGIN IMMEDIATE");
    effects();
    writer_->execute("COMMIT");
    auto outcome = writer_->status();
    if (!outcome) {
      writer_->clear_error();
      if (writer_->in_transaction()) writer_->execute("ROLLBACK");
      writer_->clear_error();
    }
    turnstile_.leave();
    if (!outcome && options_.on_failure) options_.on_failure(outcome.error());
    return outcome;
  }

  const std::unique_ptr<Database> writer_;
  const std::string path_;
  const SqliteAuditOptions options_;
  Turnstile turnstile_;  // of the writer
};

// Each row is written once and read rarely: a small cache will do.
void configure_writer(Database& database) {
  database.execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF; PRAGMA temp_store=MEMORY;"
      "PRAGMA cell_size_check=ON");
}

bool holds_a_chain(Database& database, const char* in) {
  sql::Query query(database, in);
  return query.next();
}

// Before it had a file of its own, the audit log was a part of views.db. Its rows are copied, durable here, and then
// taken out there: killed in between, the next start finds both and goes on.
Result<void> take_over(Database& database, const std::string& views_path) {
  if (!std::filesystem::exists(views_path)) return {};
  sql::Query(database, "ATTACH ?1 AS views", views_path).run();
  if (holds_a_chain(database, "SELECT 1 FROM views.sqlite_schema WHERE name = 'audit_head'")) {
    const bool copied = holds_a_chain(database, "SELECT 1 FROM main.audit_head");
    const bool goes_on = holds_a_chain(
        database, "SELECT 1 FROM views.audit_head h JOIN main.audit a ON a.seq = h.seq AND a.hash = h.hash");
    const bool something = holds_a_chain(database, "SELECT 1 FROM views.audit_head");
    if (copied && something && !goes_on) {
      return fail("conflict", "views.db holds an older audit log, and that of audit.db is not the same one continued",
                  "restore views.db and audit.db from the same backup");
    }
    if (!copied) {
      database.execute(
          "BEGIN IMMEDIATE;"
          "INSERT INTO main.audit (seq, at, actor, action, objects, purpose, peer, outcome, request_id, hash)"
          "  SELECT seq, at, actor, action, objects, purpose, peer, outcome, request_id, hash FROM views.audit;"
          "INSERT INTO main.audit_head (only_row, seq, hash) SELECT only_row, seq, hash FROM views.audit_head;"
          "INSERT INTO main.audit_checkpoints (seq, at, hash, public_key, signature)"
          "  SELECT seq, at, hash, public_key, signature FROM views.audit_checkpoints;"
          "COMMIT");
    }
    // When a key was last used is what its newest row says.
    database.execute(
        "BEGIN IMMEDIATE; DROP TABLE views.audit_checkpoints; DROP TABLE views.audit_head; DROP TABLE views.audit;"
        "ALTER TABLE views.api_keys DROP COLUMN last_used_at; COMMIT");
  }
  database.execute("DETACH views");
  return database.status();
}

// As for the views: what a killed process left in the write-ahead log may be readable and not on disk.
Result<void> settle(Database& database, const std::string& directory) {
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (auto status = database.status(); !status) return status;
  return runtime::sync_directory(directory);
}

Result<void> check(const std::string& path) {
  auto probe = Database::open(path, Database::Access::kReadOnly);
  if (!probe) {
    if (probe.error().code == "not_found")
      probe.error().cause += "\nstart the server once: it makes the audit log's file";
    return forward_error(std::move(probe));
  }
  return sqlite::check_format(**probe, sqlite::Tables::kAudit);
}

}  // namespace

Result<std::unique_ptr<AuditLog>> open_sqlite_audit(const std::string& directory, SqliteAuditOptions options) {
  if (auto made = runtime::make_directories(directory); !made) return forward_error(std::move(made));
  const std::string path = database_path(directory);
  auto opened = Database::open(path, Database::Access::kReadWrite);
  if (!opened) return forward_error(std::move(opened));
  Database& database = **opened;
  configure_writer(database);
  if (auto migrated = sqlite::migrate(database, sqlite::Tables::kAudit); !migrated)
    return forward_error(std::move(migrated));
  const std::string views_path = (std::filesystem::path(directory) / "views.db").string();
  if (auto taken = take_over(database, views_path); !taken) return forward_error(std::move(taken));
  if (auto settled = settle(database, directory); !settled) return forward_error(std::move(settled));
  return std::make_unique<SqliteAudit>(std::move(*opened), path, std::move(options));
}

Result<std::unique_ptr<AuditLog>> open_sqlite_audit_read_only(const std::string& directory) {
  std::string path = database_path(directory);
  if (auto known = check(path); !known) return forward_error(std::move(known));
  return std::make_unique<SqliteAudit>(nullptr, std::move(path), SqliteAuditOptions{});
}

Result<std::unique_ptr<AuditLog>> open_sqlite_audit_beside(const std::string& directory) {
  std::string path = database_path(directory);
  if (auto known = check(path); !known) return forward_error(std::move(known));
  auto opened = Database::open(path, Database::Access::kReadWrite);
  if (!opened) return forward_error(std::move(opened));
  (*opened)->execute("PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF");
  return std::make_unique<SqliteAudit>(std::move(*opened), std::move(path), SqliteAuditOptions{});
}

Result<std::unique_ptr<AuditLog>> open_memory_audit() {
  auto opened = Database::open(":memory:", Database::Access::kReadWrite);
  if (!opened) return forward_error(std::move(opened));
  if (auto migrated = sqlite::migrate(**opened, sqlite::Tables::kAudit); !migrated)
    return forward_error(std::move(migrated));
  return std::make_unique<SqliteAudit>(std::move(*opened), "", SqliteAuditOptions{});
}

}  // namespace resultsync::store
