#include "store/postgres/postgres_audit.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "store/audit_verify.hpp"
#include "tests/support/postgres.hpp"

namespace resultsync::store {
namespace {

class PostgresAudit : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_postgres()) GTEST_SKIP() << test::kNoPostgres;
    schema_.emplace();
  }
  std::unique_ptr<AuditLog> open() {
    auto log = open_postgres_audit({.connect = schema_->options(), .on_failure = {}});
    EXPECT_TRUE(log.has_value()) << log.error().text();
    return std::move(*log);
  }
  static AuditRow row_of(const std::string& actor) {
    AuditRow row;
    row.at = Timestamp::from_seconds(1'700'000'000);
    row.actor = actor;
    row.action = "GET /v1/orders/{id}";
    row.outcome = "200";
    return row;
  }

  std::optional<test::PostgresSchema> schema_;
};

TEST_F(PostgresAudit, instances_append_to_one_chain) {
  constexpr int kInstances = 4;
  constexpr int kEach = 25;
  {
    std::vector<std::jthread> instances;
    for (int i = 0; i < kInstances; ++i) {
      instances.emplace_back([&, i] {
        const auto log = open();
        for (int n = 0; n < kEach; ++n) {
          const std::vector<AuditRow> rows(2, row_of(std::to_string(i)));
          EXPECT_TRUE(log->append(rows).has_value());
        }
      });
    }
  }
  const auto log = open();
  const auto report = verify_audit(*log->snapshot(), {}, {});
  ASSERT_TRUE(report.has_value());
  EXPECT_TRUE(report->sound());
  EXPECT_EQ(report->rows, kInstances * kEach * 2);
}

TEST_F(PostgresAudit, a_connection_that_was_lost_is_replaced) {
  const auto log = open();
  ASSERT_TRUE(log->append(row_of("a")).has_value());
  auto admin = postgres::Database::open(schema_->options());
  ASSERT_TRUE(admin.has_value());
  (*admin)->execute(
      "DO $$ BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
      "AND application_name = 'resultsync'; END $$");
  ASSERT_TRUE((*admin)->status().has_value()) << (*admin)->status().error().text();
  // What was on its way may be refused as unavailable once; never as a failure for good.
  auto appended = log->append(row_of("a"));
  if (!appended) {
    EXPECT_EQ(appended.error().code, kUnavailable);
    appended = log->append(row_of("a"));
  }
  EXPECT_TRUE(appended.has_value());
  EXPECT_EQ(log->snapshot()->head().seq, 2);
}

}  // namespace
}  // namespace resultsync::store
