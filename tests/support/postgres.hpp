// A schema of its own in the PostgreSQL that tests/postgres/with_cluster.py gives, for tests that need one.
#pragma once

#include <cstdlib>
#include <optional>
#include <string>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "store/postgres/database.hpp"

namespace resultsync::test {

// Nothing without that server: the test says so with GTEST_SKIP() << kNoPostgres.
inline constexpr const char* kNoPostgres = "skipped: no PostgreSQL (tests/postgres/with_cluster.py gives one)";

inline bool has_postgres() {
  const char* conninfo = std::getenv("RESULTSYNC_TEST_POSTGRES");
  return conninfo != nullptr && *conninfo != '\0';
}

class PostgresSchema {
 public:
  PostgresSchema() {
    options_.conninfo = std::getenv("RESULTSYNC_TEST_POSTGRES");
    options_.schema = "test_" + encode_hex(runtime::random_bytes(6));
  }
  ~PostgresSchema() {
    if (auto database = store::postgres::Database::open(options_))
      (*database)->execute("DROP SCHEMA IF EXISTS " + options_.schema + " CASCADE");
  }
  PostgresSchema(const PostgresSchema&) = delete;
  PostgresSchema& operator=(const PostgresSchema&) = delete;
  [[nodiscard]] const store::postgres::ConnectOptions& options() const { return options_; }

 private:
  store::postgres::ConnectOptions options_;
};

}  // namespace resultsync::test
