// What the views in a file cost whoever writes them.
#include "store/sqlite/sqlite_views.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>

#include "store/deliveries.hpp"

namespace resultsync::store {
namespace {

namespace fs = std::filesystem;

TEST(SqliteViews, a_long_log_is_begun_anew_while_others_write) {
  const fs::path directory = fs::path(::testing::TempDir()) / "sqlite_views_test";
  fs::remove_all(directory);
  {
    const auto views = open_sqlite_views(directory.string(), {}).value();
    EndpointRow row;
    row.id = "ep_1";
    const auto write_a_megabyte = [&] {
      const auto transaction = views->begin();
      auto& write = transaction->deliveries();
      if (!row.key) row.key = write.add_endpoint(row);
      row.description = std::string(1 << 20, row.description.starts_with('a') ? 'b' : 'a');
      write.save_endpoint(row);
      ASSERT_TRUE(transaction->commit().has_value());
    };
    const auto log_bytes = [&] { return fs::file_size(directory / "views.db-wal"); };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    write_a_megabyte();
    for (auto before = std::uintmax_t{0}; log_bytes() > before; write_a_megabyte()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << log_bytes();
      ASSERT_LE(before, std::uintmax_t{300} << 20U) << "the log is bounded";
      before = log_bytes();
    }
    EXPECT_GT(fs::file_size(directory / "views.db"), std::uintmax_t{1} << 20U);
  }
  fs::remove_all(directory);
}

}  // namespace
}  // namespace resultsync::store
