#include "orders/match.hpp"

#include <gtest/gtest.h>

namespace resultsync::orders {
namespace {

OrderHistory history_naming(const std::vector<std::string>& clinics) {
  OrderHistory history;
  std::int64_t time = 0;
  for (const auto& clinic : clinics) {
    OrderPoint point;
    point.key.created_at = Timestamp{++time};
    point.clinic = ClinicId(clinic);
    history.points.push_back(point);
  }
  return history;
}

TEST(Match, the_last_event_that_names_a_clinic_decides) {
  EXPECT_EQ(decide_clinic(history_naming({"cli_1", "cli_2", ""}), {}, {}).clinic.text(), "cli_2");
}

TEST(Match, where_no_event_names_one_the_map_decides_if_it_says_one_thing) {
  const auto history = history_naming({""});
  EXPECT_EQ(decide_clinic(history, {}, {ClinicId("cli_1")}).clinic.text(), "cli_1");
  EXPECT_EQ(decide_clinic(history, {}, {}).reason, Unmatched::kUnknownClinic);
  EXPECT_EQ(decide_clinic(history, {}, {ClinicId("cli_1"), ClinicId("cli_2")}).reason, Unmatched::kAmbiguousClinic);
}

TEST(Match, a_settled_clinic_stays_and_only_an_operator_can_contradict_it) {
  const SettledClinic delivered{ClinicId("cli_1"), false};
  EXPECT_EQ(decide_clinic(history_naming({"cli_2"}), delivered, {}).clinic.text(), "cli_1");
  EXPECT_TRUE(contradicts(delivered, ClinicId("cli_2")));
  EXPECT_FALSE(contradicts(delivered, ClinicId("cli_1")));
  EXPECT_FALSE(contradicts(delivered, ClinicId()));
  EXPECT_FALSE(contradicts({}, ClinicId("cli_2")));
  EXPECT_FALSE(contradicts({ClinicId("cli_1"), true}, ClinicId("cli_2")));
}

TEST(Match, every_reason_has_a_name_of_its_own) {
  for (const auto reason : {Unmatched::kUnknownClinic, Unmatched::kAmbiguousClinic, Unmatched::kNobodyConnected,
                            Unmatched::kClinicChanged}) {
    EXPECT_EQ(unmatched_named(name_of(reason)), reason);
  }
}

}  // namespace
}  // namespace resultsync::orders
