#include "runtime/vault.hpp"

#include <gtest/gtest.h>

namespace resultsync::runtime {
namespace {

TEST(Vault, what_was_sealed_opens_under_its_own_name_purpose_and_key_only) {
  const MasterKey master(random_key());
  const Vault tokens(master, "tokens");
  const std::string sealed = tokens.seal("access 1", "a token");
  EXPECT_FALSE(sealed.contains("token"));
  EXPECT_EQ(tokens.open("access 1", sealed).value(), "a token");
  EXPECT_EQ(tokens.open("access 2", sealed).error().code, "bad_seal") << "rows cannot be exchanged";
  EXPECT_EQ(Vault(master, "documents").open("access 1", sealed).error().code, "bad_seal");
  EXPECT_EQ(Vault(MasterKey(random_key()), "tokens").open("access 1", sealed).error().code, "bad_seal");
  EXPECT_EQ(tokens.open("access 1", "short").error().code, "bad_seal");
  EXPECT_NE(sealed, tokens.seal("access 1", "a token")) << "a nonce is never used twice";
}

}  // namespace
}  // namespace resultsync::runtime
