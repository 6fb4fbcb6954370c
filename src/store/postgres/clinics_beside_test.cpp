// What an instance from before result_tests.clinic_key leaves to be completed (decision 0043).
#include <gtest/gtest.h>

#include <memory>
#include <optional>

#include "store/postgres/database.hpp"
#include "store/postgres/migrations.hpp"
#include "tests/support/postgres.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;

TEST(PostgresClinicsBeside, results_of_an_order_that_an_older_instance_moved_are_completed_anew) {
  if (!test::has_postgres()) GTEST_SKIP() << test::kNoPostgres;
  const test::PostgresSchema schema;
  const auto opened = Database::open(schema.options());
  ASSERT_TRUE(opened) << opened.error().text();
  Database& database = **opened;
  ASSERT_TRUE(migrate(database, schema.options().schema));
  for (const int order : {1, 2}) {
    Query(database, "INSERT INTO orders VALUES (?1, 'rupa', ?1 || '', 'cli_1', '', '', '', 0)", order).run();
    // As an older instance adds it: it does not know the column.
    Query(database,
          "INSERT INTO result_tests (order_key, test_id, fhir_prefix, current_version, status, changed_at, taken_from, "
          "taken_to) VALUES (?1, 't', '', 1, '', 0, 0, 0)",
          order)
        .run();
  }
  const auto noted = [&](int order) {
    Query query(database, "SELECT clinic_key FROM result_tests WHERE order_key = ?1", order);
    return query.next() ? query.integer(0) : 0;
  };
  EXPECT_EQ(noted(1), -1);
  database.execute("UPDATE result_tests SET clinic_key = 7");
  const auto move = [&](int order, const char* clinic) {
    Query(database, "UPDATE orders SET clinic_id = ?2 WHERE order_key = ?1", order, clinic).run();
    database.finish();
  };
  move(1, "cli_2");
  EXPECT_EQ(noted(1), 7) << "whoever knows the column says it";
  database.execute("SET resultsync.clinics = ''");
  move(1, "cli_2");
  EXPECT_EQ(noted(1), 7) << "nothing was changed";
  move(1, "cli_3");
  EXPECT_EQ(noted(1), -1);
  EXPECT_EQ(noted(2), 7) << "another order's";
  EXPECT_TRUE(database.status()) << database.status().error().text();
}

}  // namespace
}  // namespace resultsync::store::postgres
