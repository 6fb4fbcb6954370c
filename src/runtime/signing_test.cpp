#include "runtime/signing.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/encoding.hpp"

namespace resultsync::runtime {
namespace {

// RFC 8032 §7.1, test 2.
TEST(Signing, signs_as_the_rfc_says) {
  const std::string raw = *decode_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  Key256 seed{};
  std::ranges::transform(raw, seed.begin(), [](char byte) { return static_cast<std::uint8_t>(byte); });
  const SigningKey key{Secret<Key256>(seed)};
  EXPECT_EQ(encode_hex(key.public_key()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(encode_hex(key.sign("r")),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST(Signing, nothing_else_is_signed) {
  const SigningKey key{random_key()};
  const std::string signature = key.sign("text");
  EXPECT_TRUE(is_signed(key.public_key(), "text", signature));
  EXPECT_FALSE(is_signed(key.public_key(), "texT", signature));
  EXPECT_FALSE(is_signed(SigningKey{random_key()}.public_key(), "text", signature));
  EXPECT_FALSE(is_signed(key.public_key(), "text", signature.substr(1)));
  EXPECT_FALSE(is_signed("", "text", signature));
}

}  // namespace
}  // namespace resultsync::runtime
