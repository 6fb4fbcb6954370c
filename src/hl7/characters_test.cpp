#include "hl7/characters.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"

namespace resultsync::hl7 {
namespace {

std::string read_as(const char* name, std::string_view bytes) {
  std::string text;
  append_utf8(*find_character_set(name), bytes, text);
  return text;
}

TEST(Characters, table_0211_and_its_spellings_are_known) {
  for (const char* name :
       {"ASCII",     "8859/1",        "8859/2",         "8859/3",         "8859/4",         "8859/5",
        "8859/6",    "8859/7",        "8859/8",         "8859/9",         "8859/15",        "ISO IR14",
        "ISO IR87",  "ISO IR159",     "GB 18030-2000",  "KS X 1001",      "CNS 11643-1992", "BIG-5",
        "UNICODE",   "UNICODE UTF-8", "UNICODE UTF-16", "UNICODE UTF-32", "utf-8",          "ISO-8859-1",
        "iso8859-1", "windows-1252",  "UNICODE  UTF-8 "}) {
    const CharacterSet* set = find_character_set(name);
    ASSERT_NE(set, nullptr) << name;
    std::string text;
    EXPECT_TRUE(append_utf8(*set,
                            set->kind == CharacterSet::Kind::utf16   ? std::string_view("\0A", 2)
                            : set->kind == CharacterSet::Kind::utf32 ? std::string_view("\0\0\0A", 4)
                                                                     : "A",
                            text))
        << name;
    EXPECT_EQ(text, "A") << name;
  }
  EXPECT_EQ(find_character_set("EBCDIC"), nullptr);
  EXPECT_EQ(find_character_set(""), nullptr);
}

TEST(Characters, are_converted) {
  EXPECT_EQ(read_as("8859/1", "\xb5g/l \x96"), "µg/l –");
  EXPECT_EQ(read_as("8859/2", "\xb1"), "ą");
  EXPECT_EQ(read_as("8859/15", "\xa4"), "€");
  EXPECT_EQ(read_as("ISO IR87", "\x1b$B;3ED\x1b(B"), "山田");
  EXPECT_EQ(read_as("GB18030", "\xd6\xd0"), "中");
  EXPECT_EQ(read_as("BIG-5", "\xa4\xa4"), "中");
  EXPECT_EQ(read_as("KS X 1001", "\xc7\xd1"), "한");
  EXPECT_EQ(read_as("UTF-8", "a\xff"), "a\xef\xbf\xbd");
}

std::string_view chosen(std::string_view bytes, std::string_view msh_18) {
  return choose_character_set(bytes, msh_18, '~').read_as->name;
}

TEST(Characters, bytes_are_believed_over_a_wrong_declaration) {
  EXPECT_EQ(chosen("Mu\xcc\x88ller", "ASCII"), "UNICODE UTF-8");
  EXPECT_EQ(chosen("M\xc3\xbcller", "8859/1"), "UNICODE UTF-8");
  EXPECT_EQ(chosen("M\xfcller", "ASCII"), "WINDOWS-1252");
  EXPECT_EQ(chosen("M\xfcller", ""), "WINDOWS-1252");
  EXPECT_EQ(chosen("M\xfcller", "8859/1"), "8859/1");
  EXPECT_EQ(chosen("M\xfcller", "8859/2"), "8859/2");
  EXPECT_EQ(chosen("Muller", "8859/5"), "8859/5") << "hex escapes still need the set";
  EXPECT_EQ(chosen("Muller", ""), "ASCII");
  EXPECT_EQ(chosen("\xc4\xa3", "GB 18030-2000"), "GB 18030-2000") << "also valid as UTF-8, but declared and fitting";
  EXPECT_EQ(chosen("\x1b$B;3ED\x1b(B", "ASCII~ISO IR87"), "ISO IR87");
  EXPECT_TRUE(choose_character_set("a", "EBCDIC", '~').declared_unknown);
}

TEST(Characters, a_signature_says_what_the_input_is) {
  using namespace std::string_view_literals;
  EXPECT_EQ(find_signature("\xef\xbb\xbfMSH").length, 3U);
  EXPECT_EQ(find_signature("M\0S\0H\0|\0"sv).set->name, "UNICODE UTF-16LE");
  EXPECT_EQ(find_signature("\0M\0S\0H\0|"sv).set->name, "UNICODE UTF-16");
  EXPECT_EQ(find_signature("\xff\xfeM\0"sv).length, 2U);
  EXPECT_EQ(find_signature("MSH|"sv).set, nullptr);
}

TEST(Characters, what_is_no_character_is_replaced_and_said) {
  struct Case {
    const char* set;
    std::string_view bytes;
  };
  for (const Case& c :
       {Case{"8859/3", "\xa5"}, Case{"8859/7", "\xae"}, Case{"KS X 1001", "\xff"}, Case{"SHIFT_JIS", "\xff"},
        Case{"CNS 11643-1992", "\xff"}, Case{"GB18030", "\xff"}, Case{"BIG-5", "\xa4"}, Case{"UTF-8", "\xff"}}) {
    std::string text;
    EXPECT_FALSE(append_utf8(*find_character_set(c.set), c.bytes, text)) << c.set;
    EXPECT_EQ(text, "\xef\xbf\xbd") << c.set;
  }
}

TEST(Characters, encode_refuses_what_the_set_lacks) {
  std::string out = "x";
  EXPECT_FALSE(append_encoded(*find_character_set("8859/1"), "中", out));
  EXPECT_EQ(out, "x");
  EXPECT_TRUE(append_encoded(*find_character_set("8859/1"), "µ", out));
  EXPECT_EQ(out, "x\xb5");
}

}  // namespace
}  // namespace resultsync::hl7
