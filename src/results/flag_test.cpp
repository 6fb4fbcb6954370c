#include "results/flag.hpp"

#include <gtest/gtest.h>

#include "results/testing.hpp"

namespace resultsync::results {
namespace {

using Place = Assessment::Place;
using Agreement = Assessment::Agreement;

Assessment assessed(const std::string& value, const std::string& range, const std::string& flags) {
  return testing::observation_of("OBX|1|NM|2823-3^Potassium^LN||" + value + "|mmol/L|" + range + "|" + flags + "|||F")
      .assessment;
}

TEST(Flag, every_repetition_is_kept_as_sent) {
  const Observation observation = testing::observation_of("OBX|1|NM|1^a^L||5|||HH^Panic^HL70078~A~zz|||F");
  ASSERT_EQ(observation.flags.size(), 3U);
  EXPECT_EQ(observation.flags[0].code, "HH");
  EXPECT_EQ(observation.flags[0].meaning->level, FlagMeaning::Level::critical);
  EXPECT_EQ(observation.flags[1].meaning->level, FlagMeaning::Level::abnormal);
  EXPECT_EQ(observation.flags[2].code, "zz");
  EXPECT_EQ(observation.flags[2].meaning->level, FlagMeaning::Level::none);
}

TEST(Flag, the_range_is_compared_with_the_flag) {
  EXPECT_EQ(assessed("6.1", "3.5-5.0", "H").agreement, Agreement::agrees);
  EXPECT_EQ(assessed("7.9", "3.5-5.0", "HH").agreement, Agreement::agrees);
  EXPECT_EQ(assessed("3.1", "3.5-5.0", "L").place, Place::below);
  EXPECT_EQ(assessed("3.1", "3.5-5.0", "H").agreement, Agreement::disagrees);
  EXPECT_EQ(assessed("4.0", "3.5-5.0", "H").agreement, Agreement::disagrees);
  EXPECT_EQ(assessed("6.1", "3.5-5.0", "N").agreement, Agreement::disagrees);
  EXPECT_EQ(assessed("6.1", "3.5-5.0", "").agreement, Agreement::not_flagged);
  EXPECT_EQ(assessed("4.0", "3.5-5.0", "").agreement, Agreement::agrees);
  EXPECT_EQ(assessed("6.1", "3.5-5.0", "A").agreement, Agreement::agrees);
  EXPECT_EQ(assessed("4.0", "3.5-5.0", "S").agreement, Agreement::not_compared);
}

TEST(Flag, bounds_are_inclusive_or_not) {
  EXPECT_EQ(assessed("5.0", "3.5-5.0", "").place, Place::within);
  EXPECT_EQ(assessed("5.0", "<5", "").place, Place::above);
  EXPECT_EQ(assessed("5", "<=5.0", "").place, Place::within);
  EXPECT_EQ(assessed("5", ">5", "").place, Place::below);
}

TEST(Flag, a_comparator_is_placed_only_where_it_must_be) {
  EXPECT_EQ(assessed("<0.2", "<5", "").place, Place::within);
  EXPECT_EQ(assessed("<0.2", "0-5", "").place, Place::within);
  EXPECT_EQ(assessed("<3.5", "3.5-5.0", "").place, Place::below);
  EXPECT_EQ(assessed("<4", "3.5-5.0", "").reason, "comparator_overlaps");
  EXPECT_EQ(assessed(">5", "3.5-5.0", "").place, Place::above);
  EXPECT_EQ(assessed(">100", ">60", "").place, Place::within);
  EXPECT_EQ(assessed("<-3", "-2 to 2", "").place, Place::below);
}

TEST(Flag, it_says_why_it_cannot_say) {
  EXPECT_EQ(assessed("Negative", "3.5-5.0", "").reason, "no_number");
  EXPECT_EQ(assessed("5", "", "").reason, "no_range");
  EXPECT_EQ(assessed("5", "see note", "").reason, "text_range");
  EXPECT_EQ(assessed("5", "3.5-5.0 mg/dL", "").reason, "other_unit");
  EXPECT_EQ(assessed("5", "Adult: 1-5; M: 3-9", "").place, Place::within);  // the patient is a woman of 44 years
  EXPECT_EQ(assessed("5", "M: 1-5; 1-17 years: 3-9", "").reason, "several_ranges");
}

TEST(PanicFlags, are_those_of_every_laboratory_or_of_one) {
  const auto panic = PanicFlags::parse({"PP", "Acme Lab:CRIT", "H"});
  ASSERT_TRUE(panic.has_value());
  EXPECT_TRUE(panic->holds("pp", ""));
  EXPECT_TRUE(panic->holds(" PP", "ACME LAB"));
  EXPECT_TRUE(panic->holds("crit", "acme lab "));
  EXPECT_TRUE(panic->holds("H", "anybody")) << "whoever says so means it";
  for (const auto& [code, lab] : {std::pair{"CRIT", ""}, {"CRIT", "Other"}, {"P", "Acme Lab"}, {"", "Acme Lab"}})
    EXPECT_FALSE(panic->holds(code, lab)) << code << " of " << lab;
  EXPECT_FALSE(PanicFlags().holds("HH", "")) << "table 0078 speaks for itself";
}

TEST(PanicFlags, what_no_flag_can_be_is_refused) {
  for (const char* wrong : {"", "N", "n", "ACME:N", "ACME:", ":PP", "P P", "P|P", "P^P", "123456789012345678901"})
    EXPECT_FALSE(PanicFlags::parse({wrong}).has_value()) << wrong;
  EXPECT_TRUE(PanicFlags::parse({"12345678901234567890"}).has_value());
  EXPECT_TRUE(PanicFlags::parse(std::vector<std::string>(PanicFlags::kFlagsMax, "PP")).has_value());
  EXPECT_FALSE(PanicFlags::parse(std::vector<std::string>(PanicFlags::kFlagsMax + 1, "PP")).has_value());
}

}  // namespace
}  // namespace resultsync::results
