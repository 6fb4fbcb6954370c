// Empty views for a test: in memory, or in a schema of their own where the test program runs with a PostgreSQL
// (tests/postgres/with_cluster.py). So the same tests are the suite of either engine.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "store/postgres/postgres_views.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "tests/support/postgres.hpp"

namespace resultsync::test {

inline std::unique_ptr<store::Views> open_views() {
  if (!has_postgres()) return std::move(*store::open_memory_views());

  class ViewsOfOneTest final : public store::Views {
   public:
    ViewsOfOneTest() {
      auto opened = store::open_postgres_views({.connect = schema_.options(), .readers = 4, .on_failure = {}});
      EXPECT_TRUE(opened) << opened.error().text();
      views_ = std::move(*opened);
    }
    std::unique_ptr<store::ViewsTransaction> begin() override { return views_->begin(); }
    std::unique_ptr<store::ViewsSnapshot> snapshot() override { return views_->snapshot(); }

   private:
    PostgresSchema schema_;
    std::unique_ptr<store::Views> views_;
  };
  return std::make_unique<ViewsOfOneTest>();
}

}  // namespace resultsync::test
