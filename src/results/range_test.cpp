#include "results/range.hpp"

#include <gtest/gtest.h>

namespace resultsync::results {
namespace {

// "[3.5,5.0]", "(5,", ",0.50) IU/mL", "text".
std::string shape(const ReferenceRange& range) {
  if (!range.structured()) return "text";
  std::string out;
  if (range.low) out += (range.low->inclusive ? "[" : "(") + range.low->value.text;
  out += ",";
  if (range.high) out += range.high->value.text + (range.high->inclusive ? "]" : ")");
  return range.unit.empty() ? out : out + " " + range.unit;
}

std::string shape(std::string_view text) {
  const ReferenceRanges ranges = read_ranges(text);
  EXPECT_EQ(ranges.text, text);
  return ranges.lines.size() == 1 ? shape(ranges.lines[0]) : std::to_string(ranges.lines.size()) + " lines";
}

TEST(Range, two_bounds_in_every_spelling) {
  EXPECT_EQ(shape("3.5-5.0"), "[3.5,5.0]");
  EXPECT_EQ(shape("3.5 - 5.0"), "[3.5,5.0]");
  EXPECT_EQ(shape("4.3 to 6.2"), "[4.3,6.2]");
  EXPECT_EQ(shape("3.5\u20135.0"), "[3.5,5.0]");
  EXPECT_EQ(shape("(3.5-5.0)"), "[3.5,5.0]");
  EXPECT_EQ(shape("-2.0 to 2.0"), "[-2.0,2.0]");
  EXPECT_EQ(shape("-2.0-2.0"), "[-2.0,2.0]");
  EXPECT_EQ(shape("-2--1"), "[-2,-1]");
  EXPECT_EQ(shape(">=3.5 to <5.0"), "[3.5,5.0)");
  EXPECT_EQ(shape("70-99 mg/dL"), "[70,99] mg/dL");
  EXPECT_EQ(shape(".5-1"), "[0.5,1]");
}

TEST(Range, one_bound_is_on_its_side) {
  EXPECT_EQ(shape(">5"), "(5,");
  EXPECT_EQ(shape(">=60"), "[60,");
  EXPECT_EQ(shape("\u226560"), "[60,");
  EXPECT_EQ(shape("<5"), ",5)");
  EXPECT_EQ(shape("<=5.0"), ",5.0]");
  EXPECT_EQ(shape("< 0.10"), ",0.10)");
  EXPECT_EQ(shape("<0.50 IU/mL"), ",0.50) IU/mL");
  EXPECT_EQ(shape("> OR = 60 mL/min/1.73m2"), "[60, mL/min/1.73m2");
  EXPECT_EQ(shape("< OR = 5.6"), ",5.6]");
  EXPECT_EQ(shape("<or=5"), ",5]");
}

TEST(Range, what_is_no_range_stays_text) {
  for (const std::string_view text : {"Negative",
                                      "70_105",
                                      "<1:40",
                                      "1:40-1:80",
                                      "5",
                                      "5-3",
                                      "1,5-2,5",
                                      "Optimal <70; high >100",
                                      "See note 3",
                                      "3.5-5.0 or 7",
                                      "-",
                                      "<>5",
                                      "High Viral Load > or = 850000iU/mL",
                                      "Exon 7 Present",
                                      "2023-01-05",
                                      "Deficient: <20; Sufficient: 30-100",
                                      "<=",
                                      "up to 5",
                                      "> or 5",
                                      "<> or = 5"}) {
    EXPECT_EQ(shape(text), "text") << text;
  }
}

TEST(Range, a_line_for_each_sex) {
  const ReferenceRanges ranges = read_ranges("M: 13-17; F: 12-16");
  ASSERT_EQ(ranges.lines.size(), 2U);
  EXPECT_EQ(ranges.lines[0].sex, Sex::male);
  EXPECT_EQ(shape(ranges.lines[0]), "[13,17]");
  EXPECT_EQ(ranges.lines[1].sex, Sex::female);
  EXPECT_EQ(shape(ranges.lines[1]), "[12,16]");
  EXPECT_EQ(choose_range(ranges, {.sex = Sex::female, .age_years = {}}), &ranges.lines[1]);
  EXPECT_EQ(choose_range(ranges, {}), nullptr);
  EXPECT_EQ(read_ranges("Male 13-17, Female 12-16").lines.size(), 2U);
  EXPECT_EQ(read_ranges("Men: >40 mg/dL~Women: >50 mg/dL").lines.at(1).sex, Sex::female);
}

TEST(Range, a_line_for_each_age) {
  const ReferenceRanges ranges = read_ranges("0-12 months: 2-6; 1-17 years: 3-7; Adult: 1-5");
  ASSERT_EQ(ranges.lines.size(), 3U);
  EXPECT_EQ(choose_range(ranges, {.sex = Sex::any, .age_years = 0.5}), &ranges.lines[0]);
  EXPECT_EQ(choose_range(ranges, {.sex = Sex::any, .age_years = 17.5}), &ranges.lines[1]);
  EXPECT_EQ(choose_range(ranges, {.sex = Sex::any, .age_years = 40}), &ranges.lines[2]);
  EXPECT_EQ(choose_range(ranges, {}), nullptr);
  const ReferenceRanges both = read_ranges("F >18 years: 12-16");
  EXPECT_EQ(both.lines.at(0).sex, Sex::female);
  ASSERT_TRUE(both.lines[0].age);
  EXPECT_EQ(both.lines[0].age->from, 19.0);
}

// A unit of age is a whole word: "yr: 1-5; >1 yr" is none, or the first line's ages would get the second one's bounds.
TEST(Range, each_line_keeps_its_own_bounds) {
  const ReferenceRanges ranges = read_ranges("0-1 yr: 1-5; >1 yr: 2-6");
  ASSERT_EQ(ranges.lines.size(), 2U);
  EXPECT_EQ(shape(ranges.lines[0]), "[1,5]");
  EXPECT_EQ(shape(ranges.lines[1]), "[2,6]");
  EXPECT_EQ(choose_range(ranges, {.sex = Sex::any, .age_years = 0.5}), &ranges.lines[0]);
  EXPECT_EQ(read_ranges("0-5 ydl: 1-5").lines.at(0).structured(), false);
  EXPECT_TRUE(read_ranges(">=18 years old: 1-5").lines.at(0).age);
}

TEST(Range, a_comparator_in_words) {
  EXPECT_EQ(shape(read_ranges("less than 5").lines.at(0)), shape(read_ranges("<5").lines.at(0)));
  EXPECT_EQ(shape(read_ranges("Greater than or equal to 5 mg/dL").lines.at(0)),
            shape(read_ranges(">=5 mg/dL").lines.at(0)));
  EXPECT_EQ(shape(read_ranges("at most 5").lines.at(0)), shape(read_ranges("<=5").lines.at(0)));
  EXPECT_FALSE(read_ranges("less than 5 or 6").lines.at(0).structured());
  EXPECT_FALSE(read_ranges("less than").lines.at(0).structured());
}

TEST(Range, any_text_is_kept_and_ends) {
  std::string long_text;
  for (int i = 0; i < 5000; ++i) long_text += "M: 1-2;";
  EXPECT_EQ(read_ranges(long_text).text, long_text);
  EXPECT_TRUE(read_ranges("").empty());
  EXPECT_EQ(read_ranges("  ").lines.size(), 0U);
}

}  // namespace
}  // namespace resultsync::results
