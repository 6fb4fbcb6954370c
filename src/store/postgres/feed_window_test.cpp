#include "store/postgres/feed_window.hpp"

#include <gtest/gtest.h>

#include "store/postgres/database.hpp"
#include "store/postgres/migrations.hpp"
#include "tests/support/postgres.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;

// 4,000 orders with an item each, which two practitioners have in turns.
class PostgresFeedWindow : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_postgres()) GTEST_SKIP() << test::kNoPostgres;
    schema_.emplace();
    database_ = open();
    ASSERT_TRUE(migrate(*database_, schema_->options().schema));
    for (const char* statement :
         {"INSERT INTO practitioners VALUES (1, 'anna', 2000), (2, 'ben', 2000)",
          "INSERT INTO connections SELECT key, key, 'rupa', 'cli_' || key, '', 0, NULL FROM generate_series(1, 2) key",
          "INSERT INTO orders (order_key, source, order_id, clinic_id, reason, patient_id, practitioner, "
          "updated_at) SELECT key, 'rupa', 'ord_' || key, 'cli_' || 2 - key % 2, '', 'pat_' || key, '', 0 FROM "
          "generate_series(1, 4000) key",
          "INSERT INTO entries SELECT key, key, key, 'order', '', 0, 0, 0, 0, 1 FROM generate_series(1, 4000) key",
          "INSERT INTO feed SELECT 2 - key % 2, (key + 1) / 2, key, 2 - key % 2, 1, 0, 0 FROM generate_series(1, 4000) "
          "key",
          "ANALYZE"}) {
      database_->execute(statement);
    }
    ASSERT_TRUE(database_->status()) << database_->status().error().text();
  }
  std::unique_ptr<Database> open() {
    auto opened = Database::open(schema_->options());
    EXPECT_TRUE(opened) << opened.error().text();
    return std::move(*opened);
  }

  std::optional<test::PostgresSchema> schema_;
  std::unique_ptr<Database> database_;
};

TEST_F(PostgresFeedWindow, the_items_of_a_stretch_come_in_their_order) {
  const auto window = feed_window(*database_, PractitionerKey{2}, 10, 60, kEverything);
  ASSERT_EQ(window.items.size(), 50U);
  for (std::size_t i = 0; i < 50; ++i) {
    EXPECT_EQ(window.items[i].position, static_cast<std::int64_t>(i) + 11);
    EXPECT_EQ(window.items[i].entry.key.value, static_cast<std::int64_t>(2 * i) + 22);
  }
  EXPECT_FALSE(window.is_end);
  EXPECT_TRUE(feed_window(*database_, PractitionerKey{2}, 1'990, 2'040, kEverything).is_end);
}

// Decision 0042: rows that a bitmap led to are not counted as fetched by the index.
TEST_F(PostgresFeedWindow, which_blocks_hold_the_rows_is_known_before_they_are_read) {
  for (int i = 0; i < 10; ++i)  // also with the plan that is kept for the statement
    (void)feed_window(*database_, PractitionerKey{2}, 100 * i, 100 * i + 50, kEverything);
  database_->execute("SELECT pg_stat_force_next_flush()");
  database_.reset();  // tells what it counted
  const auto other = open();
  Query query(*other,
              "SELECT indexrelname::text, idx_scan, idx_tup_fetch FROM pg_stat_user_indexes WHERE schemaname = ?1 AND "
              "indexrelname IN ('feed_pkey', 'entries_pkey', 'orders_pkey') ORDER BY indexrelname",
              schema_->options().schema);
  int indexes = 0;
  for (; query.next(); ++indexes) {
    EXPECT_GE(query.integer(1), 10) << query.text(0);
    EXPECT_EQ(query.integer(2), 0) << query.text(0) << " fetched row by row";
  }
  EXPECT_EQ(indexes, 3);
}

}  // namespace
}  // namespace resultsync::store::postgres
