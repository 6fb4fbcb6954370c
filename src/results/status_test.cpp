#include "results/status.hpp"

#include <gtest/gtest.h>

#include <map>

#include "results/testing.hpp"

namespace resultsync::results {
namespace {

TEST(Status, every_code_of_obx_11_has_its_row) {
  const std::map<std::string, Status> kExpected = {{"A", Status::amended},     {"B", Status::amended},
                                                   {"C", Status::corrected},   {"D", Status::entered_in_error},
                                                   {"F", Status::final},       {"I", Status::registered},
                                                   {"N", Status::cancelled},   {"O", Status::registered},
                                                   {"P", Status::preliminary}, {"R", Status::preliminary},
                                                   {"S", Status::preliminary}, {"U", Status::final},
                                                   {"V", Status::final},       {"W", Status::entered_in_error},
                                                   {"X", Status::cancelled},   {"", Status::unknown},
                                                   {"Q", Status::unknown},     {"FINAL", Status::unknown},
                                                   {"f", Status::final}};
  for (const auto& [code, status] : kExpected) {
    const Observation observation = testing::observation_of("OBX|1|NM|1-8^Thing^LN||5||||||" + code);
    EXPECT_EQ(observation.status->status, status) << code;
    EXPECT_EQ(observation.status_code, code);
    EXPECT_FALSE(observation.status->reason.empty()) << code;
  }
  EXPECT_EQ(observation_statuses().size(), 17U);
}

TEST(Status, what_has_no_value_says_why) {
  EXPECT_EQ(observation_status("N").absent, "not-asked");
  EXPECT_EQ(observation_status("X").absent, "error");
  EXPECT_EQ(observation_status("F").absent, "");
}

TEST(Status, reports_too) {
  EXPECT_EQ(report_status("A").status, Status::partial);
  EXPECT_EQ(report_status("C").status, Status::corrected);
  EXPECT_EQ(report_status("").status, Status::unknown);
  for (const StatusRow& row : report_statuses()) EXPECT_FALSE(row.reason.empty());
}

}  // namespace
}  // namespace resultsync::results
