#include "store/audit.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <filesystem>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "runtime/signing.hpp"
#include "store/audit_verify.hpp"
#include "store/sqlite/sqlite_views.hpp"

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
    auto views = open_sqlite_views(directory_);
    EXPECT_TRUE(views.has_value());
    views_ = std::move(*views);
  }
  ~Audit() override {
    views_.reset();
    std::filesystem::remove_all(directory_);
  }

  void append(int from, int count) {
    const auto transaction = views_->begin();
    std::vector<AuditRow> rows;
    for (int i = 0; i < count; ++i) rows.push_back(row_of(from + i));
    transaction->audit().append(rows);
    EXPECT_TRUE(transaction->commit().has_value());
  }
  AuditCheckpoint checkpoint(bool keep_in_store = true) {
    const auto transaction = views_->begin();
    const auto head = transaction->read().audit().head();
    AuditCheckpoint made{head.seq, Timestamp::from_seconds(1'800'000'000), head.hash, key_.public_key(), {}};
    made.signature = key_.sign(statement_of(made));
    if (keep_in_store) transaction->audit().add_checkpoint(made);
    EXPECT_TRUE(transaction->commit().has_value());
    return made;
  }
  // What somebody does who has the file.
  void tamper(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ / "views.db").c_str(), &database), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(database);
    sqlite3_close(database);
  }
  AuditReport verify(std::vector<AuditCheckpoint> kept = {}) {
    const auto snapshot = views_->snapshot();
    auto report = verify_audit(*snapshot, kept, key_.public_key());
    EXPECT_TRUE(report.has_value());
    return *report;
  }
  std::int64_t first_fault(std::vector<AuditCheckpoint> kept = {}) {
    const auto report = verify(std::move(kept));
    return report.sound() ? 0 : report.faults.front().seq;
  }

  std::filesystem::path directory_;
  std::unique_ptr<Views> views_;
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
  const auto snapshot = views_->snapshot();
  const auto rows = snapshot->audit().after(0, 10);
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].hash, sha256(std::string(64, '0') + "\n" + canonical(rows[0])));
  EXPECT_EQ(
      canonical(rows[0]),
      R"({"seq":1,"at":"2023-11-14T22:13:21Z","actor":"a1b2c3d4e5f6","action":"GET /v1/orders/{id}",)"
      R"("objects":["orders/ord_1","source/rupa"],"purpose":"","peer":"127.0.0.1","outcome":"200","request_id":"req_1"})");
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
