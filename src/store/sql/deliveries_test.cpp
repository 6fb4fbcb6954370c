// What a step of the deliveries costs the store.
#include "store/sql/deliveries.hpp"

#include <gtest/gtest.h>

#include "store/sqlite/database.hpp"
#include "store/sqlite/migrations.hpp"

namespace resultsync::store::sql {
namespace {

constexpr Timestamp kNow{1'700'000'000'000'000};
constexpr Timestamp kLease{kNow.microseconds + 60'000'000};

class DeliverySteps : public ::testing::Test {
 protected:
  DeliverySteps() {
    EXPECT_TRUE(sqlite::migrate(*database_, sqlite::Tables::kViews).has_value());
    EndpointRow row;
    row.id = "ep_1";
    row.created_at = kNow;
    writes_.add_endpoint(row);
    endpoint_ = *writes_.read().endpoint("ep_1", {});
  }
  void tell(int count) {
    for (int i = 0; i < count; ++i) writes_.add(endpoint_.key, "endpoint.test", "{}", kNow);
  }
  // What the delivery thread asks of one endpoint in a step, and how each of ten attempts ended.
  void step() {
    auto claimed = writes_.claim(endpoint_, kNow, kLease, 10);
    ASSERT_EQ(claimed.size(), 10U);
    writes_.read().next_due(endpoint_.key, {});
    for (const DueDelivery& due : claimed) {
      Finish finish;
      finish.row = due.row;
      finish.attempt.outcome = "delivered";
      EXPECT_TRUE(writes_.finish(finish, kNow));
    }
  }
  std::int64_t steps_of_a_step() {
    tell(20);
    const auto before = database_->steps();
    step();
    const auto cost = database_->steps() - before;
    step();
    return cost;
  }

  std::unique_ptr<sqlite::Database> database_ =
      std::move(*sqlite::Database::open(":memory:", sqlite::Database::Access::kReadWrite));
  SqlDeliveryWrites writes_{*database_};
  EndpointRow endpoint_;
};

TEST_F(DeliverySteps, cost_the_same_however_long_the_history_and_the_backlog_are) {
  const auto at_first = steps_of_a_step();
  tell(2'000);
  for (int i = 0; i < 200; ++i) step();
  const auto after_history = steps_of_a_step();
  EXPECT_LT(after_history, at_first + at_first / 10) << "at first " << at_first;
  tell(2'000);
  const auto with_backlog = steps_of_a_step();
  EXPECT_LT(with_backlog, at_first + at_first / 10) << "at first " << at_first;
}

}  // namespace
}  // namespace resultsync::store::sql
