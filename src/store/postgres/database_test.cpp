#include "store/postgres/database.hpp"

#include <gtest/gtest.h>

#include <thread>

#include "store/postgres/dialect.hpp"
#include "store/postgres/migrations.hpp"
#include "store/sql/migrations.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/migrations.hpp"
#include "tests/support/postgres.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;

class PostgresDatabase : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::has_postgres()) GTEST_SKIP() << test::kNoPostgres;
    schema_.emplace();
    database_ = open();
    database_->execute("CREATE SCHEMA " + schema_->options().schema);
    database_->execute("CREATE TABLE t (k BIGINT PRIMARY KEY, v TEXT, b BYTEA)");
    ASSERT_TRUE(database_->status()) << database_->status().error().text();
  }
  std::unique_ptr<Database> open() {
    auto opened = Database::open(schema_->options());
    EXPECT_TRUE(opened) << opened.error().text();
    return std::move(*opened);
  }
  std::int64_t count() {
    Query query(*database_, "SELECT count(*) FROM t");
    return query.next() ? query.integer(0) : -1;
  }
  std::optional<test::PostgresSchema> schema_;
  std::unique_ptr<Database> database_;
};

TEST_F(PostgresDatabase, what_is_bound_is_read_back_by_its_type) {
  const std::string odd("a\0b\x01\xff", 5);
  Query(*database_, "INSERT INTO t VALUES (?1, ?2, ?3)", std::int64_t{-7}, odd, sql::Blob{odd}).run();
  Query(*database_, "INSERT INTO t VALUES (?1, ?2, ?3)", std::int64_t{8}, std::optional<std::string>(),
        std::optional<std::string>())
      .run();
  Query query(*database_, "SELECT k, v, b, k > 0, sum(k * 1000000) OVER () FROM t ORDER BY k");
  ASSERT_TRUE(query.next()) << database_->status().error().text();
  EXPECT_EQ(query.integer(0), -7);
  EXPECT_EQ(query.text(1), odd);
  EXPECT_EQ(query.blob(2), odd);
  EXPECT_FALSE(query.boolean(3));
  EXPECT_EQ(query.integer(4), 1'000'000);
  ASSERT_TRUE(query.next());
  EXPECT_TRUE(query.is_null(1));
  EXPECT_TRUE(query.is_null(2));
  EXPECT_TRUE(query.boolean(3));
  EXPECT_FALSE(query.next());
}

// In a table of millions of rows a worker's start would take several times as long as the page that it is to help with.
TEST_F(PostgresDatabase, no_workers_are_started_for_a_statement_however_costly_it_looks) {
  for (const char* cheap : {"parallel_setup_cost = 0", "parallel_tuple_cost = 0", "min_parallel_table_scan_size = 0"})
    database_->execute(std::string("SET ") + cheap);
  database_->execute(
      "CREATE FUNCTION plan() RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN SELECT "
      "count(*) FROM t WHERE v IS NULL'; END $$");
  Query plan(*database_, "SELECT plan FROM plan()");
  std::string lines;
  while (plan.next()) lines += plan.text(0) + '\n';
  EXPECT_NE(lines.find("Seq Scan on t"), std::string::npos) << lines;
  EXPECT_EQ(lines.find("Parallel"), std::string::npos) << lines;
}

TEST_F(PostgresDatabase, the_server_fetches_blocks_ahead_unless_it_was_told_more_or_nothing) {
  const auto of = [](Database& database) {
    Query query(database, "SELECT current_setting('effective_io_concurrency')");
    return query.next() ? query.text(0) : "";
  };
  EXPECT_EQ(of(*database_), std::to_string(Database::kBlocksAhead));
  for (const char* told : {"0", "200"}) {
    auto options = schema_->options();
    options.conninfo += std::string(" options='-c effective_io_concurrency=") + told + "'";
    auto opened = Database::open(options);
    ASSERT_TRUE(opened) << opened.error().text();
    EXPECT_EQ(of(**opened), told);
  }
}

// An index scan waits for the disk once for each row; only a bitmap's blocks are fetched ahead.
TEST_F(PostgresDatabase, rows_that_are_asked_for_by_many_keys_are_found_by_a_bitmap) {
  database_->execute("INSERT INTO t SELECT k, repeat('x', 100) FROM generate_series(1, 20000) AS k; ANALYZE t");
  std::string statement = with_dollar_parameters(
      "EXPLAIN SELECT v FROM t WHERE k IN (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)");
  for (std::size_t at = statement.find('$'); at != std::string::npos; at = statement.find('$')) statement.erase(at, 1);
  database_->execute(
      "CREATE FUNCTION plan(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE "
      "statement; END $$");
  Query plan(*database_, "SELECT plan FROM plan(?1)", statement);
  std::string lines;
  while (plan.next()) lines += plan.text(0) + '\n';
  EXPECT_NE(lines.find("Bitmap Heap Scan on t"), std::string::npos) << lines;
}

TEST_F(PostgresDatabase, what_is_sent_without_waiting_is_there_when_something_asks_for_rows) {
  database_->begin(Database::Mode::kWrite);
  for (std::int64_t k = 1; k <= 5000; ++k) Query(*database_, "INSERT INTO t VALUES (?1, 'x', NULL)", k).run();
  EXPECT_EQ(count(), 5000);
  ASSERT_TRUE(database_->commit());
  EXPECT_EQ(count(), 5000);
}

// Gathered rows
// ------------------------------------------------------------------------------------------------------------------------

constexpr sql::Gathered kRow{"INSERT INTO t VALUES (?1, ?2, ?3)"};
constexpr sql::Gathered kUpsert{
    .sql = "INSERT INTO t VALUES (?1, ?2, ?3) ON CONFLICT (k) DO UPDATE SET v = t.v || excluded.v", .key = 1};

TEST_F(PostgresDatabase, gathered_rows_are_there_for_whatever_is_asked_next) {
  const std::string odd("a\0b\x01\xff", 5);
  database_->begin(Database::Mode::kWrite);
  for (std::int64_t k = 1; k <= 1000; ++k) {
    Query(*database_, kRow, k, odd, sql::Blob{odd}).run();
    if (k == 10) {
      Query query(*database_, "SELECT count(*), sum(k) FROM t");
      ASSERT_TRUE(query.next()) << database_->status().error().text();
      EXPECT_EQ(query.integer(0), 10);
      EXPECT_EQ(query.integer(1), 55);
    }
  }
  Query(*database_, "UPDATE t SET v = 'changed' WHERE k = 1000").run();  // behind what was gathered
  ASSERT_TRUE(database_->commit());
  EXPECT_EQ(count(), 1000);
  Query query(*database_, "SELECT v, b FROM t WHERE k >= 999 ORDER BY k");
  ASSERT_TRUE(query.next());
  EXPECT_EQ(query.text(0), odd);
  EXPECT_EQ(query.blob(1), odd);
  ASSERT_TRUE(query.next());
  EXPECT_EQ(query.text(0), "changed");
}

TEST_F(PostgresDatabase, a_row_that_is_gathered_twice_is_written_twice_in_its_order) {
  database_->begin(Database::Mode::kWrite);
  for (const char* text : {"a", "b", "c"}) {
    for (const int k : {1, 2, 11}) Query(*database_, kUpsert, k, text, sql::Blob{}).run();
  }
  ASSERT_TRUE(database_->commit()) << database_->status().error().text();
  Query query(*database_, "SELECT v FROM t WHERE v = 'abc'");
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(query.next());
  EXPECT_FALSE(query.next());
}

// Even if theirs was the first kind of row to be gathered, and others are sent again and again meanwhile.
TEST_F(PostgresDatabase, gathered_rows_that_look_others_up_find_them) {
  database_->execute("CREATE TABLE u (name TEXT NOT NULL, k BIGINT NOT NULL)");
  constexpr sql::Gathered kLooksUp{.sql = "INSERT INTO u VALUES (?1, (SELECT k FROM t WHERE v = ?1))",
                                   .looks_up = true};
  database_->begin(Database::Mode::kWrite);
  for (int k = 1; k <= 300; ++k) {
    const std::string name = "n" + std::to_string(k);
    Query(*database_, kRow, k, name, sql::Blob{}).run();
    for (int i = 0; i < 3; ++i) Query(*database_, kLooksUp, name).run();
  }
  ASSERT_TRUE(database_->commit()) << database_->status().error().text();
  Query query(*database_, "SELECT count(*) FROM u JOIN t ON t.k = u.k AND t.v = u.name");
  ASSERT_TRUE(query.next());
  EXPECT_EQ(query.integer(0), 900);
}

TEST_F(PostgresDatabase, gathered_rows_of_a_transaction_that_was_given_up_are_in_no_other) {
  database_->begin(Database::Mode::kWrite);
  Query(*database_, kRow, 1, "x", sql::Blob{}).run();
  Query(*database_, kUpsert, 2, "x", sql::Blob{}).run();
  database_->rollback();
  database_->begin(Database::Mode::kWrite);
  Query(*database_, kUpsert, 2, "y", sql::Blob{}).run();
  ASSERT_TRUE(database_->commit());
  EXPECT_EQ(count(), 1);
}

TEST_F(PostgresDatabase, what_is_wrong_with_a_gathered_row_is_found_at_the_commit_and_nothing_remains) {
  database_->begin(Database::Mode::kWrite);
  for (const int k : {1, 2, 1}) Query(*database_, kRow, k, "x", sql::Blob{}).run();
  const auto committed = database_->commit();
  ASSERT_FALSE(committed);
  EXPECT_NE(committed.error().cause.find("23505"), std::string::npos) << committed.error().cause;
  database_->rollback();
  EXPECT_EQ(count(), 0);
  Query(*database_, kRow, 1, "x", sql::Blob{}).run();  // outside of a transaction: at once
  EXPECT_EQ(count(), 1);
}

TEST_F(PostgresDatabase, what_cannot_be_gathered_is_refused) {
  Query(*database_, kRow, 1, "x", std::optional<std::string>()).run();
  EXPECT_EQ(database_->status().error().code, "io_error");
  database_->clear_error();
  Query(*database_, sql::Gathered{"INSERT INTO t SELECT ?1, 'x', ''"}, 1).run();
  EXPECT_EQ(database_->status().error().code, "io_error");
  database_->clear_error();
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresDatabase, an_error_of_what_was_not_waited_for_is_found_at_the_commit_and_nothing_remains) {
  database_->begin(Database::Mode::kWrite);
  Query(*database_, "INSERT INTO t VALUES (?1, 'x', NULL)", 1).run();
  Query(*database_, "INSERT INTO t VALUES (?1, 'y', NULL)", 1).run();
  Query(*database_, "INSERT INTO t VALUES (?1, 'z', NULL)", 2).run();
  const auto committed = database_->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, "io_error");
  EXPECT_NE(committed.error().cause.find("23505"), std::string::npos) << committed.error().cause;
  database_->rollback();
  ASSERT_TRUE(database_->usable());
  EXPECT_EQ(count(), 0);
  // Statements whose preparation was passed over after the error are prepared again.
  Query(*database_, "INSERT INTO t VALUES (?1, 'z', NULL)", 2).run();
  EXPECT_EQ(count(), 1);
}

TEST_F(PostgresDatabase, a_rollback_leaves_nothing_and_the_connection_usable) {
  database_->begin(Database::Mode::kWrite);
  Query(*database_, "INSERT INTO t VALUES (?1, 'x', NULL)", 1).run();
  database_->rollback();
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresDatabase, rows_stay_readable_while_other_statements_run) {
  for (const int k : {1, 2, 3}) Query(*database_, "INSERT INTO t VALUES (?1, 'x', NULL)", k).run();
  database_->begin(Database::Mode::kWrite);
  Query outer(*database_, "SELECT k FROM t ORDER BY k");
  std::int64_t sum = 0;
  while (outer.next()) {
    Query inner(*database_, "SELECT v FROM t WHERE k = ?1", outer.integer(0));
    ASSERT_TRUE(inner.next());
    sum += outer.integer(0);
  }
  EXPECT_EQ(sum, 6);
  database_->rollback();
}

TEST_F(PostgresDatabase, what_is_asked_ahead_gives_its_rows_whatever_is_asked_or_read_in_between) {
  constexpr const char* kFrom = "SELECT k, v FROM t WHERE k >= ?1 ORDER BY k";
  constexpr const char* kCount = "SELECT count(*) FROM t WHERE v <> ?1";
  for (const int k : {1, 2, 3}) Query(*database_, "INSERT INTO t VALUES (?1, ?2)", k, "v" + std::to_string(k)).run();
  database_->begin(Database::Mode::kSnapshot);
  {
    Query given_up(*database_, kFrom, 1);
    given_up.ask_ahead();  // and never read
  }
  Query rows(*database_, kFrom, 2);
  rows.ask_ahead();
  Query counted(*database_, kCount, std::string("v1"));
  counted.ask_ahead();
  EXPECT_EQ(count(), 3);
  ASSERT_TRUE(counted.next());
  EXPECT_EQ(counted.integer(0), 2);
  EXPECT_FALSE(counted.next());
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.text(1), "v2");
  EXPECT_EQ(count(), 3);
  ASSERT_TRUE(rows.next());
  EXPECT_EQ(rows.text(1), "v3");
  EXPECT_FALSE(rows.next());
  Query none(*database_, "SELECT k FROM t WHERE k > ?1", 3);
  none.ask_ahead();
  EXPECT_FALSE(none.next());
  EXPECT_TRUE(database_->status());
  database_->rollback();
}

// However much is sent in between: from some number on, sending more means receiving first.
TEST_F(PostgresDatabase, rows_of_a_question_that_was_given_up_are_never_those_of_the_next) {
  constexpr const char* kEcho = "SELECT ?1 + 0";
  for (int between = 500; between < 516; ++between) {
    database_->begin(Database::Mode::kWrite);
    {
      Query given_up(*database_, kEcho, 1);
      given_up.ask_ahead();
    }
    for (int i = 0; i < between; ++i) Query(*database_, "DELETE FROM t WHERE k = ?1", i).run();
    Query next(*database_, kEcho, 2);
    next.ask_ahead();
    ASSERT_TRUE(next.next()) << between;
    ASSERT_EQ(next.integer(0), 2) << between;
    database_->rollback();
  }
}

TEST_F(PostgresDatabase, an_error_of_what_was_asked_ahead_is_found_by_whoever_reads_first) {
  database_->begin(Database::Mode::kSnapshot);
  Query wrong(*database_, "SELECT 1 / (k - ?1) FROM (SELECT 1 AS k) one", 1);
  wrong.ask_ahead();
  Query right(*database_, "SELECT count(*) FROM t WHERE k > ?1", 0);
  right.ask_ahead();
  EXPECT_FALSE(right.next());
  EXPECT_FALSE(database_->status());
  EXPECT_FALSE(wrong.next());
  database_->rollback();
  EXPECT_TRUE(database_->usable());
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresDatabase, a_lost_connection_is_unavailable_and_says_nothing_about_the_commit) {
  const auto other = open();
  std::int64_t pid = 0;
  {
    Query query(*database_, "SELECT pg_backend_pid()");
    ASSERT_TRUE(query.next());
    pid = query.integer(0);
  }
  database_->begin(Database::Mode::kWrite);
  Query(*database_, "INSERT INTO t VALUES (?1, 'x', NULL)", 1).run();
  EXPECT_EQ(count(), 1);
  {
    Query killed(*other, "SELECT pg_terminate_backend(?1::int)", pid);
    ASSERT_TRUE(killed.next()) << other->status().error().text();
  }
  const auto committed = database_->commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, kUnavailable);
  EXPECT_FALSE(database_->usable());
}

TEST_F(PostgresDatabase, an_idle_connection_that_the_server_ended_is_found_out_before_it_is_used) {
  const auto idle = open();
  std::int64_t pid = 0;
  {
    Query query(*idle, "SELECT pg_backend_pid()");
    ASSERT_TRUE(query.next());
    pid = query.integer(0);
  }
  EXPECT_TRUE(idle->still_there());
  Query killed(*database_, "SELECT pg_terminate_backend(?1::int, 5000)", pid);
  ASSERT_TRUE(killed.next()) << database_->status().error().text();
  EXPECT_TRUE(killed.boolean(0));
  EXPECT_FALSE(idle->still_there());
}

TEST_F(PostgresDatabase, a_snapshot_ends_though_nobody_waits_for_it) {
  const auto reader = open();
  const auto see = [](Database& database) {
    Query query(database, "SELECT count(*), pg_backend_pid() FROM t");
    return query.next() ? std::pair(query.integer(0), query.integer(1)) : std::pair<std::int64_t, std::int64_t>(-1, -1);
  };
  reader->begin(Database::Mode::kSnapshot);
  const auto [none, pid] = see(*reader);
  EXPECT_EQ(none, 0);
  Query(*database_, "INSERT INTO t VALUES (?1, 'x', NULL)", 1).run();
  reader->end_snapshot();
  // Whether its end has come back by now or not, the next one sees what was committed meanwhile.
  reader->begin(Database::Mode::kSnapshot);
  EXPECT_EQ(see(*reader).first, 1);
  reader->end_snapshot();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto is_idle = [&] {
    Query query(*database_, "SELECT 1 FROM pg_stat_activity WHERE pid = ?1 AND state = 'idle'", pid);
    return query.next();
  };
  while (!is_idle()) ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "it was not sent";
  EXPECT_TRUE(reader->still_there());
  EXPECT_TRUE(reader->still_there()) << "nothing is left to read";
  EXPECT_EQ(see(*reader).first, 1) << "and it can be used outside a transaction";
}

TEST_F(PostgresDatabase, a_connection_that_the_server_ended_behind_a_snapshot_is_found_out) {
  const auto reader = open();
  reader->begin(Database::Mode::kSnapshot);
  std::int64_t pid = 0;
  {
    Query query(*reader, "SELECT pg_backend_pid()");
    ASSERT_TRUE(query.next());
    pid = query.integer(0);
  }
  reader->end_snapshot();
  Query killed(*database_, "SELECT pg_terminate_backend(?1::int, 5000)", pid);
  ASSERT_TRUE(killed.next()) << database_->status().error().text();
  EXPECT_TRUE(killed.boolean(0));
  EXPECT_FALSE(reader->still_there());
}

TEST_F(PostgresDatabase, a_snapshot_with_an_error_is_rolled_back) {
  database_->begin(Database::Mode::kSnapshot);
  Query(*database_, "SELECT k FROM t WHERE k = 1 / (SELECT 0)").next();
  EXPECT_TRUE(database_->failed());
  database_->end_snapshot();
  EXPECT_TRUE(database_->usable());
  EXPECT_EQ(count(), 0);
}

TEST_F(PostgresDatabase, a_deadlock_is_to_be_tried_again) {
  for (const int k : {1, 2}) Query(*database_, "INSERT INTO t VALUES (?1, 'x', NULL)", k).run();
  const auto other = open();
  const auto update = [](Database& database, int k) {
    Query query(database, "UPDATE t SET v = 'y' WHERE k = ?1 RETURNING k", k);
    query.next();
  };
  database_->begin(Database::Mode::kWrite);
  other->begin(Database::Mode::kWrite);
  update(*database_, 1);
  update(*other, 2);
  std::jthread waits([&] { update(*database_, 2); });
  update(*other, 1);
  waits.join();
  const bool one = database_->failed();
  ASSERT_NE(one, other->failed());
  EXPECT_EQ((one ? *database_ : *other).status().error().code, kUnavailable);
  database_->rollback();
  other->rollback();
}

TEST_F(PostgresDatabase, an_error_quotes_no_value) {
  Query(*database_, "INSERT INTO t VALUES (?1, ?2, NULL)", 1, "Zebulon").run();
  Query(*database_, "UPDATE t SET k = (v || '!')::bigint").run();
  const auto status = database_->status();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().text().find("Zebulon"), std::string::npos) << status.error().text();
}

TEST_F(PostgresDatabase, both_engines_have_the_same_tables_and_columns) {
  ASSERT_TRUE(migrate(*database_, schema_->options().schema));
  const auto lite = std::move(*sqlite::Database::open(":memory:", sqlite::Database::Access::kReadWrite));
  ASSERT_TRUE(sqlite::migrate(*lite, sqlite::Tables::kViews));
  lite->execute(sql::migrations(sql::Tables::kAudit).front().up);  // a file of its own there
  std::string expected;
  {
    Query query(*lite,
                "SELECT m.name, c.name, c.type FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = "
                "'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.name");
    while (query.next()) expected += query.text(0) + "." + query.text(1) + " " + query.text(2) + "\n";
  }
  std::string found;
  {
    Query query(*database_,
                "SELECT c.table_name::text, c.column_name::text, c.data_type::text FROM information_schema.columns c "
                "JOIN information_schema.tables t ON t.table_name = c.table_name AND t.table_schema = c.table_schema "
                "WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.table_name NOT LIKE "
                "'log\\_%' AND c.table_name NOT LIKE 'sync\\_%' AND c.table_name NOT IN ('t', 'format', 'instances', "
                "'progress') ORDER BY c.table_name COLLATE \"C\", "
                "c.column_name COLLATE \"C\"");
    while (query.next()) {
      const std::string type = query.text(2);
      found += query.text(0) + "." + query.text(1) + " " +
               (type == "bigint"  ? "INTEGER"
                : type == "text"  ? "TEXT"
                : type == "bytea" ? "BLOB"
                                  : type) +
               "\n";
    }
  }
  ASSERT_TRUE(database_->status()) << database_->status().error().text();
  EXPECT_FALSE(expected.empty());
  EXPECT_EQ(found, expected);
}

TEST_F(PostgresDatabase, several_instances_migrate_at_once_and_a_newer_format_is_refused) {
  std::vector<std::jthread> instances;
  for (int i = 0; i < 4; ++i) {
    instances.emplace_back([&] {
      const auto own = open();
      const auto migrated = migrate(*own, schema_->options().schema);
      EXPECT_TRUE(migrated) << migrated.error().text();
    });
  }
  instances.clear();
  ASSERT_TRUE(check_format(*database_));
  database_->execute("UPDATE format SET views = views + 1");
  EXPECT_EQ(migrate(*database_, schema_->options().schema).error().code, "newer_format");
  EXPECT_EQ(check_format(*database_).error().code, "newer_format");
}

TEST_F(PostgresDatabase, every_migration_has_a_way_back) {
  ASSERT_TRUE(migrate(*database_, schema_->options().schema));
  for (const sql::Tables tables : {sql::Tables::kViews, sql::Tables::kAudit}) {
    for (std::size_t i = 0; i < sql::migrations(tables).size(); ++i) {
      const auto down = migrate_down(*database_, tables);
      ASSERT_TRUE(down) << down.error().text();
    }
  }
  const auto again = migrate(*database_, schema_->options().schema);
  EXPECT_TRUE(again) << again.error().text();
}

TEST(PostgresOptions, a_password_in_the_address_is_refused_and_not_repeated) {
  const auto refused = check({.conninfo = "host=db password=hunter2", .password = {}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "bad_conninfo");
  EXPECT_EQ(refused.error().text().find("hunter2"), std::string::npos);
  EXPECT_EQ(check({.conninfo = "hunter2=", .password = {}}).error().text().find("hunter2"), std::string::npos);
  EXPECT_FALSE(check({.conninfo = "host=db", .password = {}, .schema = "a;b"}));
  EXPECT_TRUE(check({.conninfo = "postgresql://me@a,b/results", .password = {}}));
}

TEST(PostgresOptions, errors_are_classed_by_what_may_be_done_about_them) {
  for (const char* again : {"", "40001", "40P01", "57P01", "57P03", "08006", "25006", "53300", "55P03", "25P03"})
    EXPECT_EQ(code_of(again), kUnavailable) << again;
  EXPECT_EQ(code_of("53100"), "disk_full");
  EXPECT_EQ(code_of("28P01"), "permission_denied");
  EXPECT_EQ(code_of("XX001"), "corrupt_views");
  EXPECT_EQ(code_of("23505"), "io_error");
}

}  // namespace
}  // namespace resultsync::store::postgres
