#include "store/audit.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>
#include <thread>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "runtime/signing.hpp"
#include "store/audit_verify.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/sqlite_audit.hpp"

namespace resultsync::store {
namespace {

AuditRow row_of(int number) {
  AuditRow row;
  row.at = Timestamp::from_seconds(1'700'000'000 + number);
  row.actor = number % 2 == 0 ? "admin" : "a1b2c3d4e5f6";
  row.action = "GET /v1/orders/{id}";
  row.objects = {"orders/ord_" + std::to_string(number), "source/rupa"};
  row.peer = "127.0.0.1";
  row.outcome = "200";
  row.request_id = "req_" + std::to_string(number);
  return row;
}

class Audit : public testing::Test {
 protected:
  Audit() : directory_(std::filesystem::temp_directory_path() / ("audit-" + encode_hex(runtime::random_bytes(6)))) {
    std::filesystem::create_directories(directory_);
    auto log = open_sqlite_audit(directory_);
    EXPECT_TRUE(log.has_value());
    log_ = std::move(*log);
  }
  ~Audit() override {
    log_.reset();
    std::filesystem::remove_all(directory_);
  }

  void append(int from, int count) {
    std::vector<AuditRow> rows;
    for (int i = 0; i < count; ++i) rows.push_back(row_of(from + i));
    EXPECT_TRUE(log_->append(rows).has_value());
  }
  AuditCheckpoint checkpoint(bool keep_in_store = true) {
    const auto head = log_->snapshot()->head();
    AuditCheckpoint made{head.seq, Timestamp::from_seconds(1'800'000'000), head.hash, key_.public_key(), {}};
    made.signature = key_.sign(statement_of(made));
    if (keep_in_store) EXPECT_TRUE(log_->add_checkpoint(made).has_value());
    return made;
  }
  // What somebody does who has the file.
  void tamper(const std::string& sql) { run(directory_ / "audit.db", sql); }
  static void run(const std::filesystem::path& file, const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  AuditReport verify(std::vector<AuditCheckpoint> kept = {}) {
    const auto snapshot = log_->snapshot();
    auto report = verify_audit(*snapshot, kept, key_.public_key());
    EXPECT_TRUE(report.has_value());
    return *report;
  }
  std::int64_t first_fault(std::vector<AuditCheckpoint> kept = {}) {
    const auto report = verify(std::move(kept));
    return report.sound() ? 0 : report.faults.front().seq;
  }

  std::filesystem::path directory_;
  std::unique_ptr<AuditLog> log_;
  runtime::SigningKey key_{runtime::random_key()};
};

TEST_F(Audit, rows_are_chained_across_transactions) {
  append(1, 3);
  append(4, 2);
  checkpoint();
  append(6, 1);
  const auto report = verify();
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.rows, 6);
  EXPECT_EQ(report.checkpoints, 1);
  const auto snapshot = log_->snapshot();
  const auto rows = snapshot->after(0, 10);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].hash, sha256(std::string(64, '0') + "\n" + canonical(rows[0])));
  EXPECT_EQ(
      canonical(rows[0]),
      R"({"seq":1,"at":"2023-11-14T22:13:21Z","actor":"a1b2c3d4e5f6","action":"GET /v1/orders/{id}",)"
      R"("objects":["orders/ord_1","source/rupa"],"purpose":"","peer":"127.0.0.1","outcome":"200","request_id":"req_1"})");
}

TEST_F(Audit, rows_that_are_appended_at_once_are_one_chain) {
  constexpr int kThreads = 6;
  constexpr int kEach = 40;
  {
    std::vector<std::jthread> writers;
    for (int t = 0; t < kThreads; ++t) {
      writers.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) append(t * kEach + i, 1);
      });
    }
  }
  // Beside them, as a command does it while the server runs.
  const auto beside = open_sqlite_audit_beside(directory_);
  ASSERT_TRUE(beside.has_value()) << beside.error().text();
  EXPECT_TRUE((*beside)->append(row_of(1)).has_value());
  append(2, 1);
  const auto report = verify();
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.rows, kThreads * kEach + 2);
}

TEST_F(Audit, a_change_that_has_no_end_is_counted) {
  const auto row = [](const char* request, const char* outcome) {
    AuditRow made = row_of(1);
    made.request_id = request;
    made.outcome = outcome;
    return made;
  };
  const std::vector<AuditRow> rows{row("req_a", "begun"), row("req_b", "begun"), row("req_a", "204"),
                                   row("req_c", "200"), row("", "begun")};
  EXPECT_TRUE(log_->append(rows).has_value());
  EXPECT_EQ(verify().unfinished, 1) << "req_b; a command's row has no request and no end";
}

TEST_F(Audit, when_somebody_was_there_last_is_their_newest_row) {
  EXPECT_EQ(log_->snapshot()->last_of("admin"), std::nullopt);
  append(1, 4);
  EXPECT_EQ(log_->snapshot()->last_of("admin"), row_of(4).at);
  EXPECT_EQ(log_->snapshot()->last_of("a1b2c3d4e5f6"), row_of(3).at);
}

TEST_F(Audit, what_is_only_looked_at_is_neither_made_nor_changed) {
  const auto elsewhere = directory_ / "elsewhere";
  std::filesystem::create_directories(elsewhere);
  for (const auto& opened : {open_sqlite_audit_read_only(elsewhere), open_sqlite_audit_beside(elsewhere)}) {
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, "not_found");
    EXPECT_TRUE(opened.error().text().contains("start the server once")) << opened.error().text();
  }
  EXPECT_TRUE(std::filesystem::is_empty(elsewhere));
}

// The audit log was a part of views.db before it had a file of its own.
class AuditWithinViews : public Audit {
 protected:
  AuditWithinViews() {
    append(1, 5);
    checkpoint();
    log_.reset();
    std::filesystem::rename(directory_ / "audit.db", directory_ / "views.db");
    std::filesystem::remove(directory_ / "audit.db-wal");
    std::filesystem::remove(directory_ / "audit.db-shm");
    in_views("CREATE TABLE api_keys (key_id TEXT, last_used_at INTEGER)");
  }
  void in_views(const std::string& sql) { run(directory_ / "views.db", sql); }
  bool in_views_still() {
    const auto database = sqlite::Database::open(directory_ / "views.db", sqlite::Database::Access::kReadOnly);
    sql::Query query(**database, "SELECT 1 FROM sqlite_schema WHERE name LIKE 'audit%'");
    return query.next();
  }
  Result<void> open() {
    auto log = open_sqlite_audit(directory_);
    if (!log) return forward_error(std::move(log));
    log_ = std::move(*log);
    return {};
  }
};

TEST_F(AuditWithinViews, is_moved_over_and_goes_on) {
  ASSERT_TRUE(open().has_value());
  EXPECT_FALSE(in_views_still());
  append(6, 2);
  const auto report = verify();
  EXPECT_TRUE(report.sound());
  EXPECT_EQ(report.rows, 7);
  EXPECT_EQ(report.checkpoints, 1);
  log_.reset();
  ASSERT_TRUE(open().has_value()) << "again moves nothing";
  EXPECT_EQ(verify().rows, 7);
}

TEST_F(AuditWithinViews, is_taken_out_there_also_by_a_start_that_finds_it_copied) {
  std::filesystem::copy(directory_ / "views.db", directory_ / "before.db");
  ASSERT_TRUE(open().has_value());
  append(6, 1);
  log_.reset();
  std::filesystem::rename(directory_ / "before.db", directory_ / "views.db");  // as if killed after the copy
  ASSERT_TRUE(open().has_value());
  EXPECT_FALSE(in_views_still());
  EXPECT_EQ(verify().rows, 6);
}

TEST_F(AuditWithinViews, is_refused_where_another_chain_stands_already) {
  in_views("UPDATE audit_head SET hash = zeroblob(32)");
  std::filesystem::copy(directory_ / "views.db", directory_ / "before.db");
  ASSERT_TRUE(open().has_value());
  log_.reset();
  std::filesystem::rename(directory_ / "before.db", directory_ / "views.db");
  const auto refused = open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, "conflict");
  EXPECT_TRUE(in_views_still()) << "nothing was lost";
}

TEST_F(Audit, an_edited_row_is_named) {
  append(1, 5);
  for (const char* column : {"actor", "action", "objects", "purpose", "peer", "outcome", "request_id"}) {
    SCOPED_TRACE(column);
    tamper(std::string("UPDATE audit SET ") + column + " = " + column + " || 'x' WHERE seq = 3");
    EXPECT_EQ(first_fault(), 3);
    tamper(std::string("UPDATE audit SET ") + column + " = substr(" + column + ", 1, length(" + column +
           ") - 1) WHERE seq = 3");
    EXPECT_EQ(first_fault(), 0);
  }
  tamper("UPDATE audit SET at = at + 1 WHERE seq = 3");
  EXPECT_EQ(first_fault(), 3);
}

TEST_F(Audit, a_row_that_was_taken_out_is_named) {
  append(1, 5);
  tamper("DELETE FROM audit WHERE seq = 3");
  EXPECT_EQ(first_fault(), 3);
  tamper("UPDATE audit SET seq = seq - 1 WHERE seq > 3");
  EXPECT_EQ(first_fault(), 3);
}

TEST_F(Audit, rows_that_changed_places_are_named) {
  append(1, 5);
  tamper(
      "UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE "
      "seq = 99");
  EXPECT_EQ(first_fault(), 2);
}

TEST_F(Audit, an_end_that_was_cut_off_is_missed) {
  append(1, 5);
  const auto kept = checkpoint();
  tamper("DELETE FROM audit WHERE seq > 3");
  EXPECT_EQ(first_fault(), 4) << "the head says 5";
  tamper("UPDATE audit_head SET seq = 3, hash = (SELECT hash FROM audit WHERE seq = 3)");
  EXPECT_EQ(first_fault(), 4) << "the store's own checkpoint says 5";
  tamper("DELETE FROM audit_checkpoints");
  EXPECT_EQ(first_fault(), 0) << "nothing in the store knows any more";
  EXPECT_EQ(first_fault({kept}), 4) << "the checkpoint that was kept elsewhere does";
}

TEST_F(Audit, a_chain_that_was_computed_anew_is_not_what_was_signed) {
  append(1, 5);
  const auto kept = checkpoint();
  tamper("DELETE FROM audit; DELETE FROM audit_head; DELETE FROM audit_checkpoints");
  append(2, 7);
  EXPECT_EQ(first_fault(), 0);
  EXPECT_EQ(first_fault({kept}), 5);
}

TEST_F(Audit, only_this_stores_key_signs) {
  append(1, 2);
  const auto kept = checkpoint(false);
  const runtime::SigningKey other{runtime::random_key()};
  AuditCheckpoint forged = kept;
  forged.public_key = other.public_key();
  forged.signature = other.sign(statement_of(forged));
  EXPECT_EQ(first_fault({forged}), 2);
  AuditCheckpoint changed = kept;
  changed.seq = 1;
  EXPECT_EQ(first_fault({changed}), 1);
  EXPECT_EQ(first_fault({kept}), 0);
}

TEST_F(Audit, a_checkpoint_is_a_line_and_back) {
  append(1, 2);
  const auto made = checkpoint(false);
  const auto parsed = parse_checkpoint(line_of(made));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->seq, made.seq);
  EXPECT_EQ(parsed->hash, made.hash);
  EXPECT_EQ(statement_of(*parsed), statement_of(made));
  EXPECT_EQ(parsed->signature, made.signature);
  EXPECT_FALSE(parse_checkpoint("").has_value());
  EXPECT_FALSE(parse_checkpoint(R"({"seq":1})").has_value());
}

}  // namespace
}  // namespace resultsync::store
