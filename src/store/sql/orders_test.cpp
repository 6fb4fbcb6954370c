// Which orders somebody sees and which events wait, and what finding them costs the store.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "store/sql/session.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/migrations.hpp"

namespace resultsync::store::sql {
namespace {

constexpr PractitionerKey kDoctor{1};
constexpr Reach kReach{7};

class OrdersInSight : public ::testing::Test {
 protected:
  OrdersInSight() { EXPECT_TRUE(sqlite::migrate(*database_, sqlite::Tables::kViews).has_value()); }

  void add(const std::string& clinic) {
    const std::int64_t key = ++last_;
    Query(*database_, "INSERT INTO orders VALUES (?1, 'rupa', ?2, ?3, '', '', 'pat_1', ?1)", key,
          fmt::format("o{}", key), clinic)
        .run();
  }
  void add_many(int count, const std::string& clinic) {
    for (int i = 0; i < count; ++i) add(clinic);
  }
  void let_see(const std::string& clinic) {
    Query(*database_,
          "INSERT INTO connections (practitioner_key, source, clinic_id, vendor_practitioner, created_at) VALUES (?1, "
          "'rupa', ?2, '', 0)",
          kDoctor.value, clinic)
        .run();
    Query(*database_, "INSERT INTO reach_clinics VALUES (?1, 'rupa', ?2)", kReach.value, clinic).run();
  }
  // How many there are, page by page in the order of change; all of them of clinics that begin so.
  std::size_t seen(bool by_practitioner, const std::string& clinic) {
    OrderFilter filter;
    if (by_practitioner) filter.practitioner = kDoctor;
    std::size_t count = 0;
    OrderPlace after;
    while (true) {
      const auto rows = session_.orders(filter, after, 100, by_practitioner ? Reach{} : kReach);
      if (rows.empty()) return count;
      for (const OrderRow& row : rows) {
        EXPECT_LT(after.updated_at, row.updated_at);
        EXPECT_TRUE(row.clinic.text().starts_with(clinic)) << row.clinic.text();
        after = {row.updated_at, row.key};
      }
      count += rows.size();
    }
  }
  std::int64_t cost_of_a_page() {
    OrderFilter filter;
    filter.practitioner = kDoctor;
    const auto before = database_->steps();
    EXPECT_EQ(session_.orders(filter, {}, 50, {}).size(), 30U);
    EXPECT_EQ(session_.orders({}, {}, 50, kReach).size(), 30U);
    return database_->steps() - before;
  }

  std::unique_ptr<sqlite::Database> database_ =
      std::move(*sqlite::Database::open(":memory:", sqlite::Database::Access::kReadWrite));
  Session session_{*database_};
  std::int64_t last_ = 0;
};

TEST_F(OrdersInSight, are_those_of_ones_clinics_be_they_few_or_many) {
  let_see("ours_1");
  let_see("ours_2");
  add_many(20, "theirs");
  add_many(150, "ours_1");
  add_many(20, "theirs");
  add_many(70, "ours_2");
  for (const bool by_practitioner : {true, false}) EXPECT_EQ(seen(by_practitioner, "ours_"), 220U);
  add_many(5'000, "ours_2");
  add_many(1, "");
  for (const bool by_practitioner : {true, false}) EXPECT_EQ(seen(by_practitioner, "ours_"), 5'220U);
}

TEST_F(OrdersInSight, that_are_few_cost_the_same_however_many_are_others) {
  let_see("ours");
  add_many(30, "ours");
  add_many(300, "theirs");
  const auto at_first = cost_of_a_page();
  add_many(30'000, "theirs");
  EXPECT_LT(cost_of_a_page(), at_first + at_first / 10) << "at first " << at_first;
}

TEST_F(OrdersInSight, what_waits_is_found_without_a_look_at_what_does_not) {
  std::int64_t record = 0;
  const auto add_events = [&](int count, const char* outcome) {
    for (int i = 0; i < count; ++i) {
      ++record;
      Query(*database_, "INSERT INTO events VALUES (?1, 'rupa', ?2, 't', 0, 0, x'00', 0, ?3, '', 'o', 1)", record,
            fmt::format("e{}", record), outcome)
          .run();
    }
  };
  const auto cost = [&] {
    const auto before = database_->steps();
    EXPECT_EQ(session_.waiting({}, 50).size(), 3U);
    EXPECT_TRUE(session_.waiting_of(OrderKey{2}).empty());
    return database_->steps() - before;
  };
  add_events(3, "waiting");
  add_events(30, "synced");
  const auto at_first = cost();
  add_events(3'000, "synced");
  EXPECT_LT(cost(), at_first + at_first / 10) << "at first " << at_first;
}

}  // namespace
}  // namespace resultsync::store::sql
