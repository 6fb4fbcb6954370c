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
      EXPECT_TRUE(writes_.finish(finish, kNow).written);
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

// One more version of an order: its row, its claim, and that nobody may see it, which lets the next one go.
TEST_F(DeliverySteps, cost_the_same_however_many_versions_an_order_has_had) {
  Entry entry;
  entry.order = OrderKey{7};
  entry.notice.kind = orders::Notice::Kind::kResult;
  ConnectionRow connection;
  connection.practitioner = PractitionerKey{1};
  const auto cost_of_two = [&] {
    const auto before = database_->steps();
    writes_.plan(connection, entry, 1, kNow);
    writes_.plan(connection, entry, 2, kNow);
    EXPECT_TRUE(writes_.claim(endpoint_, kNow, kLease, 10).empty()) << "nobody may see it";
    EXPECT_EQ(writes_.read().next_due(endpoint_.key, {}), Timestamp{}) << "it is the second one's turn";
    EXPECT_TRUE(writes_.claim(endpoint_, kNow, kLease, 10).empty());
    EXPECT_FALSE(writes_.read().next_due(endpoint_.key, {}));
    return database_->steps() - before;
  };
  cost_of_two();
  const auto at_first = cost_of_two();
  for (int i = 0; i < 1'000; ++i) cost_of_two();
  const auto later = cost_of_two();
  EXPECT_LT(later, at_first + at_first / 10) << "at first " << at_first;
}

TEST_F(DeliverySteps, only_claims_do_not_wait_for_the_disk) {
  const auto level = [&] {
    Query query(*database_, "PRAGMA synchronous");
    return query.next() ? query.integer(0) : -1;
  };
  database_->execute("PRAGMA synchronous=FULL");
  database_->begin();
  EXPECT_EQ(level(), 2);
  database_->execute("COMMIT");
  database_->begin();
  writes_.only_claims();
  EXPECT_EQ(level(), 1);
  database_->execute("COMMIT");
  database_->begin();
  EXPECT_EQ(level(), 2) << "it is said of one transaction";
  database_->execute("COMMIT");
  EXPECT_TRUE(database_->status().has_value());
}

}  // namespace
}  // namespace resultsync::store::sql
