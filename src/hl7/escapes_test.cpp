#include "hl7/escapes.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/encoding.hpp"

namespace resultsync::hl7 {
namespace {

using namespace std::string_literals;

std::string plain(std::string_view raw, const CharacterSet& set = utf8(), const Delimiters& d = {}) {
  return decode_escapes(raw, d, set);
}

std::vector<std::string_view> faults(std::string_view raw, const CharacterSet& set = utf8()) {
  std::vector<std::string_view> codes;
  for (const EscapeFault& fault : find_escape_faults(raw, {}, set, 100)) codes.push_back(fault.kind->code);
  return codes;
}

using Codes = std::vector<std::string_view>;

TEST(Escapes, delimiters) {
  EXPECT_EQ(plain("\\F\\ \\S\\ \\T\\ \\R\\ \\E\\ \\P\\"), "| ^ & ~ \\ #");
  EXPECT_EQ(plain("A\\E\\T\\E\\B"), "A\\T\\B") << "what is decoded is not decoded again";
  EXPECT_EQ(plain("%F%%S%", utf8(), Delimiters{'*', '@', '!', '%', '$', '\0', false}), "*@");
  EXPECT_TRUE(faults("\\F\\\\S\\\\T\\").empty());
}

TEST(Escapes, formatting_becomes_plain_text) {
  EXPECT_EQ(plain("a\\.br\\b\\.sp\\c\\.sp2\\d\\.sp+3\\e"), "a\nb\nc\n\nd\n\n\ne");
  EXPECT_EQ(plain("a\\.br\\\\.br\\b"), "a\n\nb");
  EXPECT_EQ(plain("\\.in2\\a\\.ti+1\\b\\.sk3\\c\\.ti-4\\d"), "  a b   cd");
  EXPECT_EQ(plain("\\.ce\\title\\.fi\\x\\.nf\\y"), "\ntitlexy");
  EXPECT_EQ(plain("\\H\\high\\N\\"), "high");
  EXPECT_LE(plain("\\.sp999999999999999999999\\").size(), 200U);
  EXPECT_LE(plain("\\.in99999\\").size(), 200U);
}

TEST(Escapes, hex_is_read_in_the_character_set_of_the_message) {
  const CharacterSet& latin1 = *find_character_set("8859/1");
  EXPECT_EQ(plain("caf\\XE9\\", latin1), "café");
  EXPECT_EQ(plain("\\X00E0\\", latin1), "à");
  EXPECT_EQ(plain("a\\X000d\\b", latin1), "a\nb");
  EXPECT_EQ(plain("\\XE4\\", *find_character_set("8859/5")), "ф");
  EXPECT_EQ(plain("\\XB5\\mol", *find_character_set("8859/15")), "µmol");
  EXPECT_EQ(plain("\\XC3A9\\", utf8()), "é");
  EXPECT_EQ(plain("\\XC3\\\\XA9\\", utf8()), "é") << "two escapes, one character";
  EXPECT_EQ(plain("\\XD6D0\\", *find_character_set("GB 18030-2000")), "中");
  EXPECT_EQ(plain("\\X4E2D\\", utf16()), "中");
  EXPECT_EQ(plain("a\\X0D0A\\b\\X0A\\c\\X0D\\\\X0A\\d"), "a\nb\nc\nd");
  EXPECT_EQ(plain("\\XE9\\", utf8()), "é");
  EXPECT_EQ(faults("\\XE9\\", utf8()), Codes{"escape_unreadable"});
  EXPECT_EQ(plain("\\X00\\"), "\xef\xbf\xbd") << "a NUL is replaced";
}

TEST(Escapes, odd_hex_gets_a_zero) {
  EXPECT_EQ(plain("a\\XA\\b\\XD0A\\c"), "a\nb\nc");
  EXPECT_EQ(faults("\\XA\\"), Codes{"escape_bad_hex"});
}

TEST(Escapes, unknown_and_local_ones_are_kept) {
  EXPECT_EQ(plain("a\\Q\\b\\Z12\\c\\.xx\\d\\XGG\\e"), "a\\Q\\b\\Z12\\c\\.xx\\d\\XGG\\e");
  EXPECT_EQ(faults("\\Q\\ \\Z12\\ \\.xx\\"), (Codes{"escape_unknown", "escape_local", "escape_unknown"}));
}

TEST(Escapes, a_lone_escape_character_is_text) {
  EXPECT_EQ(plain("C:\\dir name\\more \\T\\ end\\"), "C:\\dir name\\more & end\\");
  EXPECT_EQ(plain("a\\\\T\\b"), "a\\&b");
  EXPECT_EQ(plain("\\"), "\\");
  EXPECT_EQ(plain("50\\% \\.br\\"), "50\\% \n");
  EXPECT_EQ(faults("a\\b c"), Codes{"escape_unfinished"});
}

TEST(Escapes, a_sender_that_doubles_escape_characters_is_understood) {
  Delimiters d;
  d.escape_doubled = true;
  EXPECT_EQ(plain("a\\\\T\\\\b \\.br\\\\.br\\ \\\\.br\\\\", utf8(), d), "a&b \n\n \n");
}

TEST(Escapes, iso_2022_switches) {
  EXPECT_EQ(plain("\\M2442\\;3ED\\C2842\\ A"), "山田 A");
  EXPECT_EQ(plain("\\C2842\\A"), "A");
  EXPECT_EQ(plain("\\M999999\\A"), "\\M999999\\A");
  EXPECT_EQ(faults("\\C2D41\\A"), Codes{"escape_shift_ignored"});
}

TEST(Escapes, line_breaks_are_one_kind) {
  EXPECT_EQ(plain("a\r\nb\rc\nd\\.br\\"), "a\nb\nc\nd\n");
}

RC_GTEST_PROP(Escapes, what_is_encoded_decodes_to_itself, ()) {
  const auto text = *rc::gen::container<std::string>(rc::gen::elementOf(std::string("aXF09|^~\\&#.b \n\t\x01")));
  Delimiters d;
  d.truncation = *rc::gen::elementOf(std::string("\0#", 2));
  const std::string raw = encode_escapes(text, d);
  RC_ASSERT(decode_escapes(raw, d, utf8()) == text);
  RC_ASSERT(raw.find_first_of("|^~&\n") == std::string::npos);
  RC_ASSERT(find_escape_faults(raw, d, utf8(), 100).empty());
}

RC_GTEST_PROP(Escapes, any_text_decodes_to_valid_utf8, ()) {
  const auto raw = *rc::gen::container<std::string>(rc::gen::elementOf("\\\\\\\\XCMZTFE.br0123456789ABCDEF$ \r\n\0"s));
  for (const char* name :
       {"8859/1", "8859/7", "UTF-8", "UTF-16", "ISO IR87", "GB18030", "BIG-5", "KS X 1001", "ASCII"}) {
    RC_ASSERT(is_utf8(decode_escapes(raw, {}, *find_character_set(name))));
  }
}

TEST(Escapes, a_million_backslashes_are_read_in_linear_time) {
  const std::string raw(1'000'000, '\\');
  EXPECT_EQ(plain(raw).size(), raw.size());
  std::string hex;
  for (int i = 0; i < 200'000; ++i) hex += "\\XE9\\a";
  EXPECT_EQ(plain(hex, *find_character_set("8859/1")).size(), 600'000U);
}

}  // namespace
}  // namespace resultsync::hl7
