#include "hl7/delimiters.hpp"

#include <gtest/gtest.h>

namespace resultsync::hl7 {
namespace {

std::vector<std::string_view> faults(std::string_view header) {
  std::vector<std::string_view> codes;
  for (const DiagnosticKind* kind : read_delimiters(header).faults) codes.push_back(kind->code);
  return codes;
}

using Codes = std::vector<std::string_view>;

TEST(Delimiters, are_those_of_the_header) {
  const Delimiters d = read_delimiters("MSH*@!%$#*LAB*").delimiters;
  EXPECT_EQ(d, (Delimiters{'*', '@', '!', '%', '$', '#', false}));
  EXPECT_TRUE(faults("MSH|^~\\&|LAB").empty());
  EXPECT_EQ(read_delimiters("MSH|^~\\&|LAB").delimiters, Delimiters{});
}

TEST(Delimiters, a_fifth_character_marks_truncation) {
  EXPECT_EQ(read_delimiters("MSH|^~\\&#|").delimiters.truncation, '#');
  EXPECT_TRUE(faults("MSH|^~\\&#|").empty());
}

TEST(Delimiters, a_character_that_is_not_ascii_shifts_no_other) {
  for (const auto& [came, written] : {std::pair("MSH~\\&|\xa3=L~", "MSH~\\&|\xc2\xa3=L~"),
                                      std::pair("MSH~\xa4\xe0|\xa3=L~", "MSH~\xc2\xa4\xc3\xa0|\xc2\xa3=L~")}) {
    EXPECT_EQ(read_delimiters(came).delimiters, read_delimiters(written).delimiters) << "as it came, and in UTF-8";
    EXPECT_EQ(read_delimiters(came).delimiters.truncation, '\0');
  }
  EXPECT_EQ(read_delimiters("MSH|\xc2\xa4^~\\&|").delimiters, Delimiters{}) << "none behind it is believed";
}

TEST(Delimiters, a_doubled_escape_character_is_one) {
  const DeclaredDelimiters declared = read_delimiters("MSH|^~\\\\&|");
  EXPECT_EQ(declared.delimiters, (Delimiters{'|', '^', '~', '\\', '&', '\0', true}));
  EXPECT_EQ(faults("MSH|^~\\\\&|"), Codes{"escape_delimiter_doubled"});
}

TEST(Delimiters, the_usual_ones_stand_for_the_missing) {
  EXPECT_EQ(read_delimiters("MSH||LAB").delimiters, Delimiters{});
  EXPECT_EQ(read_delimiters("MSH|").delimiters, Delimiters{});
  EXPECT_EQ(read_delimiters("MSH|^|LAB").delimiters, Delimiters{});
  EXPECT_EQ(read_delimiters("MSH|^~&|LAB").delimiters, Delimiters{});
  EXPECT_EQ(faults("MSH|^~&|LAB"), Codes{"delimiter_missing"});
  EXPECT_EQ(faults("MSH|^~|LAB"), Codes{"delimiter_missing"});
}

TEST(Delimiters, a_markup_entity_is_its_character) {
  EXPECT_EQ(read_delimiters("MSH|^~\\&amp;|LAB").delimiters, Delimiters{});
  EXPECT_EQ(faults("MSH|^~\\&amp;|LAB"), Codes{"delimiter_markup"});
}

TEST(Delimiters, one_character_has_one_purpose) {
  const Delimiters d = read_delimiters("MSH|^^\\&|").delimiters;
  EXPECT_EQ(d.component, '^');
  EXPECT_EQ(d.repetition, '\0');
  EXPECT_EQ(faults("MSH|^^\\&|"), Codes{"delimiter_repeated"});
}

TEST(Delimiters, a_letter_delimits_nothing) {
  EXPECT_EQ(read_delimiters("MSH|a~\\&|").delimiters, Delimiters{});
  EXPECT_EQ(faults("MSH|a~\\&|"), Codes{"delimiter_invalid"});
}

}  // namespace
}  // namespace resultsync::hl7
