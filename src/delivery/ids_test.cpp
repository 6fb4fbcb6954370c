#include "delivery/ids.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace resultsync::delivery {
namespace {

TEST(Ids, are_read_back_as_they_were_written_and_nothing_else_is) {
  const store::DeliveryKey key{26};
  const auto id = delivery_id(key, std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(id, "dlv_1a_7fffffffffffffff");
  EXPECT_FALSE(id.contains('.')) << "a webhook-id has no dot: it is signed between dots";
  ASSERT_TRUE(parse_delivery_id(id).has_value());
  EXPECT_EQ(parse_delivery_id(id)->key, key);
  for (const char* bad : {"", "dlv_", "dlv_1", "dlv_1_", "dlv__1", "dlv_1A_1", "dlv_01_1", "dlv_1_1_1", "dlv_-1_1",
                          "DLV_1_1", "dlv_1_ffffffffffffffff", "job_1"}) {
    EXPECT_FALSE(parse_delivery_id(bad).has_value()) << bad;
  }
  EXPECT_EQ(parse_job_id(job_id(store::JobKey{7})), store::JobKey{7});
  for (const char* bad : {"", "job_", "job_07", "job_-1", "job_7 ", "7"})
    EXPECT_FALSE(parse_job_id(bad).has_value()) << bad;
}

}  // namespace
}  // namespace resultsync::delivery
