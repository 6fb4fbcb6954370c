#include "results/versions.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "results/json.hpp"
#include "results/testing.hpp"

namespace resultsync::results {
namespace {

struct Sent {
  std::string placer = "P-1", filler = "F-1", test = "24323-8^Panel^LN", issued = "20240501", status = "F";
  std::vector<std::string> lines;
};

Report sent(const Sent& what) {
  std::string text = testing::message_of({"OBR|1|" + what.placer + "|" + what.filler + "|" + what.test +
                                          "||||||||||||||||||" + what.issued + "|||" + what.status});
  for (const std::string& line : what.lines) text.append(line).append("\r");
  return testing::interpret_text(std::move(text)).reports.at(0);
}

std::string potassium(const std::string& value, const std::string& status) {
  return "OBX|1|NM|2823-3^Potassium^LN||" + value + "|mmol/L|3.5-5.0||||" + status;
}
std::string sodium(const std::string& value, const std::string& status) {
  return "OBX|2|NM|2951-2^Sodium^LN||" + value + "|mmol/L|135-145||||" + status;
}

std::string shown(const Diff& diff) {
  std::string out;
  for (const AnalyteDiff& analyte : diff.analytes) {
    for (const Change& change : analyte.changes) {
      out += analyte.name + " " + std::string(change_name(change.kind)) + ": " + change.before + " -> " + change.after +
             "\n";
    }
  }
  return out;
}

TEST(Versions, preliminary_final_corrected) {
  const Report p = sent({.issued = "20240501", .status = "P", .lines = {potassium("6.6", "P")}});
  const Report f = sent({.issued = "20240502", .status = "F", .lines = {potassium("6.6", "F")}});
  const Report c = sent({.issued = "20240503", .status = "C", .lines = {potassium("4.6", "C")}});
  EXPECT_EQ(relate(p, f).relation, Relation::replaces);
  EXPECT_TRUE(relate(p, f).second_is_newer);
  EXPECT_FALSE(relate(c, f).second_is_newer);
  EXPECT_EQ(shown(diff(p, f)), "Potassium status: preliminary -> final\n");
  EXPECT_EQ(shown(diff(f, c)), "Potassium value: 6.6 -> 4.6\nPotassium status: final -> corrected\n");
  ASSERT_TRUE(diff(f, c).report_status);
  EXPECT_EQ(diff(f, c).report_status->after, "corrected");
}

TEST(Versions, the_same_again_is_no_version) {
  const Report once = sent({.lines = {potassium("4", "F"), sodium("140", "F")}});
  const Report again = sent({.issued = "20240509", .lines = {sodium("140", "F"), potassium("4", "F")}});
  EXPECT_EQ(relate(once, again).relation, Relation::repeats);
  EXPECT_TRUE(diff(once, again).empty());
}

TEST(Versions, one_analyte_at_a_time) {
  const Report first = sent({.issued = "20240501", .status = "A", .lines = {potassium("4", "F")}});
  const Report second = sent({.issued = "20240502", .status = "F", .lines = {sodium("140", "F")}});
  const Report third = sent({.issued = "20240503", .status = "C", .lines = {potassium("5", "C")}});
  EXPECT_EQ(relate(first, second).relation, Relation::extends);
  EXPECT_TRUE(is_older(first, second));
  EXPECT_TRUE(is_older(second, third));
  const Report both = merge(first, second);
  EXPECT_EQ(relate(both, third).relation, Relation::revises);
  const Report all = merge(both, third);
  ASSERT_EQ(all.observations.size(), 2U);
  EXPECT_EQ(all.observations[0].values.at(0).text, "5");
  EXPECT_EQ(all.observations[1].values.at(0).text, "140");
  EXPECT_EQ(shown(diff(both, all)), "Potassium value: 4 -> 5\nPotassium status: final -> corrected\n");
}

TEST(Versions, cancelled_wrong_patient_deleted_and_final_without_value) {
  const Report p = sent({.issued = "20240501", .lines = {potassium("4", "P"), sodium("140", "P")}});
  const Report x = sent({.issued = "20240502", .lines = {potassium("", "X")}});
  EXPECT_EQ(shown(diff(p, merge(p, x))).find("Potassium value: 4 -> \n"), 0U);
  const Report w = sent({.issued = "20240502", .lines = {potassium("4", "W"), sodium("140", "W")}});
  EXPECT_EQ(merge(p, w).observations.at(0).status->status, Status::entered_in_error);
  const Report d = sent({.issued = "20240502", .lines = {sodium("", "D")}});
  EXPECT_EQ(merge(p, d).observations.size(), 1U);
  EXPECT_EQ(shown(diff(p, merge(p, d))), "Sodium removed: 140 mmol/L -> \n");
  const Report u = sent({.issued = "20240502", .lines = {"OBX|1|NM|2823-3^Potassium^LN||||||||U"}});
  EXPECT_EQ(shown(diff(p, merge(p, u))), "Potassium status: preliminary -> final\n");
  EXPECT_EQ(merge(p, u).observations.at(0).values.at(0).text, "4");
}

TEST(Versions, every_kind_of_change_is_named) {
  const Report before =
      sent({.lines = {"OBX|1|NM|1^K^L||4|mmol/L|3-5|N|||F", "NTE|1||a", "OBX|2|NM|2^Old^L||1||||||F"}});
  const Report after = sent({.lines = {"OBX|1|NM|1^K^L||4|mg/dL|3-6|H|||F", "NTE|1||b", "OBX|2|NM|3^New^L||2||||||F"}});
  EXPECT_EQ(shown(diff(before, after)),
            "K unit: mmol/L -> mg/dL\nK range: 3-5 -> 3-6\nK flag: N -> H\nK note: a -> b\nNew added:  -> 2\nOld "
            "removed: 1 -> \n");
}

TEST(Versions, another_spelling_of_a_unit_is_no_change) {
  const Report before = sent({.lines = {"OBX|1|NM|1^K^L||4|mg/dl|||||F"}});
  const Report after = sent({.lines = {"OBX|1|NM|1^K^L||4|mg/dL|||||F"}});
  EXPECT_TRUE(diff(before, after).empty());
}

TEST(Versions, other_numbers_and_tests_do_not_replace) {
  const Report one = sent({.lines = {potassium("4", "F")}});
  EXPECT_EQ(relate(one, sent({.filler = "F-2", .lines = {potassium("5", "F")}})).relation, Relation::extends);
  EXPECT_EQ(relate(one, sent({.test = "1^Other^L", .lines = {potassium("5", "F")}})).relation, Relation::extends);
  EXPECT_EQ(relate(one, sent({.placer = "P-2", .filler = "F-2", .lines = {potassium("4", "F")}})).relation,
            Relation::unrelated);
  EXPECT_EQ(relate(sent({.placer = "", .filler = "", .lines = {potassium("4", "F")}}),
                   sent({.placer = "", .filler = "", .lines = {potassium("4", "F")}}))
                .relation,
            Relation::unrelated);
}

TEST(Versions, without_a_time_of_issue_the_status_decides) {
  const Report p = sent({.issued = "", .status = "P", .lines = {potassium("4", "P")}});
  const Report c = sent({.issued = "", .status = "C", .lines = {potassium("5", "C")}});
  EXPECT_TRUE(is_older(p, c));
  EXPECT_FALSE(is_older(c, p));
}

RC_GTEST_PROP(VersionsProperty, reports_of_different_content_have_one_order, ()) {
  std::vector<Report> reports;
  const auto count = *rc::gen::inRange<std::size_t>(1, 6);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string status(1, *rc::gen::elementOf(std::string("PFCXDU")));
    std::vector<std::string> lines;
    if (*rc::gen::arbitrary<bool>()) lines.push_back(potassium(std::to_string(*rc::gen::inRange(1, 4)), status));
    if (*rc::gen::arbitrary<bool>()) lines.push_back(sodium(std::to_string(*rc::gen::inRange(1, 4)), status));
    reports.push_back(
        sent({.issued = "2024050" + std::to_string(*rc::gen::inRange(1, 4)), .status = status, .lines = lines}));
  }
  for (const Report& a : reports) {
    for (const Report& b : reports) {
      RC_ASSERT(!(is_older(a, b) && is_older(b, a)));
      if (content_digest(a) != content_digest(b)) RC_ASSERT(is_older(a, b) || is_older(b, a));
      for (const Report& c : reports) RC_ASSERT(!(is_older(a, b) && is_older(b, c)) || is_older(a, c));
    }
  }
  RC_ASSERT(relate(reports.front(), reports.back()).relation == relate(reports.back(), reports.front()).relation);
}

}  // namespace
}  // namespace resultsync::results
