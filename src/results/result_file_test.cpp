#include "results/result_file.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "results/testing.hpp"
#include "results/versions.hpp"

namespace resultsync::results {
namespace {

using testing::message_of;
using Form = ResultFile::Form;

constexpr const char* kOrder = "OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000|||||||||||||||20240501110000|||F";
constexpr const char* kSodium = "OBX|1|NM|2951-2^Sodium^LN||140|mmol/L|135-145|N|||F";
constexpr const char* kPotassium = "OBX|2|NM|2823-3^Potassium^LN||6.6|mmol/L|3.5-5.1|H|||F";

TEST(ResultFile, is_absent_a_link_something_else_or_hl7) {
  EXPECT_EQ(read_result_file("").form, Form::absent);
  EXPECT_EQ(read_result_file(" \r\n").form, Form::absent);
  EXPECT_EQ(read_result_file("https://files.example.com/a.hl7?token=x").form, Form::link);
  EXPECT_EQ(read_result_file("A").form, Form::not_hl7);
  EXPECT_EQ(read_result_file("MSHIELD is a word").form, Form::not_hl7);
  EXPECT_EQ(read_result_file("https://two words").form, Form::not_hl7);
  EXPECT_EQ(read_result_file(message_of({kOrder, kSodium})).form, Form::hl7);
  EXPECT_EQ(read_result_file("FHS|^~\\&\rBHS|^~\\&\r" + message_of({kOrder, kSodium})).form, Form::hl7);
}

TEST(ResultFile, base64_is_read_line_breaks_and_all) {
  std::string encoded = encode_base64(message_of({kOrder, kSodium}));
  for (std::size_t at = 60; at < encoded.size(); at += 62) encoded.insert(at, "\r\n");
  const ResultFile file = read_result_file(encoded);
  ASSERT_EQ(file.form, Form::hl7);
  EXPECT_EQ(file.content.reports.at(0).observations.at(0).values.at(0).text, "140");
}

TEST(ResultFile, several_messages_are_one_content_with_one_account) {
  const ResultFile file =
      read_result_file(message_of({kOrder, kSodium}) + message_of({kOrder, kPotassium, "ZXX|1"}) + "OBX|lost");
  ASSERT_EQ(file.content.reports.size(), 2U);
  EXPECT_EQ(file.content.reports[1].patient, 1U);
  EXPECT_TRUE(file.content.account.balanced());
  EXPECT_EQ(file.content.account.obx_in, 3U);
}

TEST(Compare, a_correction_is_told_analyte_by_analyte) {
  const auto before = read_result_file(message_of({kOrder, kSodium, kPotassium})).content;
  const auto after =
      read_result_file(message_of({kOrder, kSodium, "OBX|2|NM|2823-3^Potassium^LN||4.6|mmol/L|3.5-5.1|N|||C"})).content;
  const auto found = compare(before.reports, after.reports);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].relation, Relation::replaces);
  ASSERT_EQ(found[0].diff.analytes.size(), 1U);
  const AnalyteDiff& potassium = found[0].diff.analytes[0];
  EXPECT_EQ(potassium.name, "Potassium");
  const std::vector<Change> expected{{Change::Kind::value, "6.6", "4.6"},
                                     {Change::Kind::flag, "H", "N"},
                                     {Change::Kind::status, "final", "corrected"}};
  EXPECT_EQ(potassium.changes, expected);
  EXPECT_TRUE(found[0].not_sent_again.empty());
}

TEST(Compare, what_is_not_sent_again_stands_and_is_named) {
  const auto before = read_result_file(message_of({kOrder, kSodium, kPotassium})).content;
  const auto after =
      read_result_file(message_of({kOrder, "OBX|1|NM|2951-2^Sodium^LN||141|mmol/L|135-145|N|||C"})).content;
  const auto found = compare(before.reports, after.reports);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].relation, Relation::revises);
  ASSERT_EQ(found[0].diff.analytes.size(), 1U) << "nothing is called removed that the lab did not take back";
  EXPECT_EQ(found[0].not_sent_again, std::vector<std::string>{"Potassium"});
}

TEST(Compare, an_analyte_that_the_lab_deletes_is_removed) {
  const auto before = read_result_file(message_of({kOrder, kSodium, kPotassium})).content;
  const auto after = read_result_file(message_of({kOrder, kSodium, "OBX|2|NM|2823-3^Potassium^LN||||||||D"})).content;
  const auto found = compare(before.reports, after.reports);
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].diff.analytes.size(), 1U);
  EXPECT_EQ(found[0].diff.analytes[0].changes.at(0).kind, Change::Kind::removed);
}

TEST(Compare, a_first_report_adds_all_and_another_order_is_another_report) {
  const auto first = read_result_file(message_of({kOrder, kSodium, kPotassium})).content;
  const auto all = compare({}, first.reports);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].diff.analytes.size(), 2U);
  const auto other = read_result_file(message_of({"OBR|1|P-9|F-9|58410-2^CBC^LN|||20240430080000", kSodium})).content;
  const auto found = compare(first.reports, other.reports);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].older, nullptr);
  EXPECT_EQ(found[0].relation, Relation::extends);
  EXPECT_EQ(found[1].newer, nullptr);
  EXPECT_EQ(found[1].older, &first.reports[0]);
  const auto again = compare(first.reports, first.reports);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_TRUE(again[0].repeats());
}

TEST(Compare, what_the_lab_took_back_is_not_missed_later) {
  const auto before = read_result_file(message_of({kOrder, kSodium, "OBX|2|NM|2823-3^Potassium^LN||||||||D"})).content;
  const auto after = read_result_file(message_of({kOrder, kSodium})).content;
  const auto found = compare(before.reports, after.reports);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].not_sent_again.empty());
}

TEST(Compare, another_filler_number_is_another_measurement_and_no_correction) {
  const auto before = read_result_file(message_of({kOrder, kPotassium})).content;
  const auto after =
      read_result_file(message_of({"OBR|1|P-1|F-2|24323-8^Panel^LN|||20240501080000", kPotassium})).content;
  const auto found = compare(before.reports, after.reports);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].older, nullptr);
  EXPECT_EQ(found[1].newer, nullptr);
}

TEST(Compare, the_relation_is_of_what_came_later_also_if_it_was_issued_earlier) {
  constexpr const char* kEarlier = "OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000|||||||||||||||20240430110000|||P";
  const auto before = read_result_file(message_of({kOrder, kSodium, kPotassium})).content;
  const auto after =
      read_result_file(message_of({kEarlier, "OBX|1|NM|2951-2^Sodium^LN||139|mmol/L|135-145|N|||P"})).content;
  const auto found = compare(before.reports, after.reports);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].relation, Relation::revises);
  EXPECT_FALSE(found[0].newer_was_issued_later);
}

}  // namespace
}  // namespace resultsync::results
