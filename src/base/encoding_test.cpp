#include "base/encoding.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace resultsync {
namespace {

TEST(Encoding, knows_the_vectors_of_rfc_4648) {
  EXPECT_EQ(encode_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encode_base64("f"), "Zg==");
  EXPECT_EQ(encode_base64(""), "");
  EXPECT_EQ(encode_hex("\x01\xfe"), "01fe");
}

TEST(Encoding, base64_refuses_every_second_spelling) {
  for (const char* text : {"Zg=", "Zg", "Zh==", "Zg==\n", " Zg==", "Z===", "====", "Zm9v-mFy", "Zg==Zg=="}) {
    EXPECT_FALSE(decode_base64(text).has_value()) << text;
  }
  EXPECT_FALSE(decode_base64url("Zg==").has_value());
  EXPECT_FALSE(decode_hex("0").has_value());
  EXPECT_FALSE(decode_hex("0g").has_value());
  EXPECT_EQ(decode_hex("AbCd"), "\xab\xcd");
}

TEST(Encoding, utf8_repair_keeps_what_is_well_formed) {
  EXPECT_TRUE(is_utf8("µmol 5 ≥ 𝄞"));
  EXPECT_FALSE(is_utf8("\xb5mol"));
  EXPECT_FALSE(is_utf8("\xc0\x80"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
  EXPECT_EQ(repair_utf8("5 \xb5mol"), "5 \xef\xbf\xbdmol");
  EXPECT_EQ(repair_utf8("\xe2\x89"), "\xef\xbf\xbd");
}

RC_GTEST_PROP(Encoding, what_is_encoded_decodes_to_the_same, (const std::string& bytes)) {
  RC_ASSERT(decode_hex(encode_hex(bytes)) == bytes);
  RC_ASSERT(decode_base64(encode_base64(bytes)) == bytes);
  RC_ASSERT(decode_base64url(encode_base64url(bytes)) == bytes);
}

RC_GTEST_PROP(Encoding, repaired_text_is_utf8, (const std::string& bytes)) {
  RC_ASSERT(is_utf8(repair_utf8(bytes)));
}

TEST(PercentEncoding, what_is_not_unreserved_is_escaped) {
  EXPECT_EQ(percent_encoded("aZ09-._~"), "aZ09-._~");
  EXPECT_EQ(percent_encoded("a b/c?\xC3\xA9%"), "a%20b%2Fc%3F%C3%A9%25");
  EXPECT_EQ(percent_encoded(""), "");
}

}  // namespace
}  // namespace resultsync
