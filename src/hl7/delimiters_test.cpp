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

TEST(Delimiters, a_character_of_several_bytes_makes_no_fifth) {
  EXPECT_EQ(read_delimiters("MSH~\\&|\xa3=L~").delimiters.truncation, '\0') << "as it came";
  EXPECT_EQ(read_delimiters("MSH~\\&|\xc2\xa3=L~").delimiters.truncation, '\0') << "and as it is written in UTF-8";
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
