#include "delivery/secrets.hpp"

#include <gtest/gtest.h>

#include "vendors/verify.hpp"

namespace resultsync::delivery {
namespace {

const Timestamp kNow = Timestamp::from_seconds(1'800'000'000);

http::Headers signed_by(const EndpointSecrets& secrets, bool with_previous) {
  const auto scheme = vendors::signature_preset("standard-webhooks").value();
  const auto headers =
      vendors::sign(scheme, secrets.keys(with_previous).value(), {.id = "dlv_1_1", .timestamp = kNow}, "{}");
  http::Headers all;
  for (const auto& header : headers.value()) all.add(header.name, header.value);
  return all;
}

bool accepts(const std::string& secret, const http::Headers& headers) {
  const auto scheme = vendors::signature_preset("standard-webhooks").value();
  const std::vector<Secret<std::string>> secrets{Secret<std::string>(secret)};
  return vendors::verify(scheme, vendors::SigningKeys::read(scheme, secrets).value(), headers, "{}", kNow).has_value();
}

TEST(Secrets, during_a_rotation_either_secret_verifies_and_after_it_only_the_new_one) {
  EndpointSecrets secrets;
  secrets.current.push_back(new_hmac_secret());
  secrets.previous.push_back(new_hmac_secret());
  const std::string fresh = secrets.current.front().reveal();
  const std::string old = secrets.previous.front().reveal();
  EXPECT_TRUE(accepts(fresh, signed_by(secrets, true)));
  EXPECT_TRUE(accepts(old, signed_by(secrets, true)));
  EXPECT_TRUE(accepts(fresh, signed_by(secrets, false)));
  EXPECT_FALSE(accepts(old, signed_by(secrets, false)));
}

TEST(Secrets, an_ed25519_signature_is_verified_with_the_public_key_alone) {
  EndpointSecrets secrets;
  secrets.current.push_back(new_hmac_secret());
  secrets.current.push_back(new_ed25519_secret());
  EXPECT_TRUE(secrets.has_ed25519());
  const std::string public_key = public_key_of(secrets.current.back());
  EXPECT_TRUE(public_key.starts_with("whpk_"));
  EXPECT_EQ(public_key_of(secrets.current.front()), "");
  EXPECT_TRUE(accepts(public_key, signed_by(secrets, false)));
  EXPECT_FALSE(accepts(public_key_of(new_ed25519_secret()), signed_by(secrets, false)));
}

TEST(Secrets, are_read_back_from_their_text) {
  EndpointSecrets secrets;
  secrets.current.push_back(new_hmac_secret());
  secrets.current.push_back(new_ed25519_secret());
  secrets.previous.push_back(new_hmac_secret());
  const auto read = EndpointSecrets::parse(secrets.text());
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->text().reveal(), secrets.text().reveal());
  EXPECT_EQ(read->previous.size(), 1U);
  for (const char* bad : {"", "\n", "whsec_x"})
    EXPECT_FALSE(EndpointSecrets::parse(Secret<std::string>(bad)).has_value());
}

}  // namespace
}  // namespace resultsync::delivery
