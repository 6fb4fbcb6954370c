// Empty views, and an empty audit log, for a test: in memory, or in a schema of their own where the test program runs
// with a PostgreSQL (tests/postgres/with_cluster.py). So the same tests are the suite of either engine.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "store/postgres/postgres_audit.hpp"
#include "store/postgres/postgres_views.hpp"
#include "store/sqlite/sqlite_audit.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "tests/support/postgres.hpp"

namespace resultsync::test {

// Where both of a test are; nothing in memory.
inline std::shared_ptr<PostgresSchema> open_schema() {
  return has_postgres() ? std::make_shared<PostgresSchema>() : nullptr;
}

inline std::unique_ptr<store::Views> open_views(std::shared_ptr<PostgresSchema> schema = open_schema()) {
  if (!schema) return std::move(*store::open_memory_views());

  class ViewsOfOneTest final : public store::Views {
   public:
    explicit ViewsOfOneTest(std::shared_ptr<PostgresSchema> schema) : schema_(std::move(schema)) {
      auto opened = store::open_postgres_views({.connect = schema_->options(), .readers = 4, .on_failure = {}});
      EXPECT_TRUE(opened) << opened.error().text();
      views_ = std::move(*opened);
    }
    std::unique_ptr<store::ViewsTransaction> begin() override { return views_->begin(); }
    std::unique_ptr<store::ViewsTransaction> begin(const store::HeldSlots& held, store::Company company) override {
      return views_->begin(held, company);
    }
    std::unique_ptr<store::ViewsSnapshot> snapshot() override { return views_->snapshot(); }

   private:
    const std::shared_ptr<PostgresSchema> schema_;  // dropped with the last of its users
    std::unique_ptr<store::Views> views_;
  };
  return std::make_unique<ViewsOfOneTest>(std::move(schema));
}

inline std::unique_ptr<store::AuditLog> open_audit(std::shared_ptr<PostgresSchema> schema = open_schema()) {
  if (!schema) return std::move(*store::open_memory_audit());

  class AuditLogOfOneTest final : public store::AuditLog {
   public:
    explicit AuditLogOfOneTest(std::shared_ptr<PostgresSchema> schema) : schema_(std::move(schema)) {
      auto opened = store::open_postgres_audit({.connect = schema_->options(), .on_failure = {}});
      EXPECT_TRUE(opened) << opened.error().text();
      log_ = std::move(*opened);
    }
    Result<void> append(std::span<const store::AuditRow> rows) override { return log_->append(rows); }
    Result<void> add_checkpoint(const store::AuditCheckpoint& checkpoint) override {
      return log_->add_checkpoint(checkpoint);
    }
    std::unique_ptr<store::AuditSnapshot> snapshot() override { return log_->snapshot(); }

   private:
    const std::shared_ptr<PostgresSchema> schema_;
    std::unique_ptr<store::AuditLog> log_;
  };
  return std::make_unique<AuditLogOfOneTest>(std::move(schema));
}

}  // namespace resultsync::test
