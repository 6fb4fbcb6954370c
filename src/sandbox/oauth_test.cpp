#include "sandbox/oauth.hpp"

#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "base/encoding.hpp"

namespace resultsync::sandbox {
namespace {

constexpr Timestamp at(std::int64_t seconds) {
  return Timestamp::from_seconds(1'000'000 + seconds);
}

struct Server {
  int given = 0;
  OAuth oauth;
  explicit Server(OAuthOptions options = {})
      : oauth(with_secret(std::move(options)), [this] { return "secret" + std::to_string(++given); }) {}
  static OAuthOptions with_secret(OAuthOptions options) {
    options.client_secret = "s3cret";
    return options;
  }
  TokenAnswer connect(std::size_t practitioner = 0) {
    const auto code = oauth.accept(request(), practitioner, at(0));
    return oauth.exchange(*code, request().redirect_uri, "", at(1)).value();
  }
  static AuthorizationRequest request() {
    return {.client_id = "rupa-sandbox-client",
            .redirect_uri = "http://127.0.0.1:8080/oauth/callback",
            .response_type = "code",
            .scope = {},
            .state = {},
            .code_challenge = {},
            .code_challenge_method = {}};
  }
};

TEST(OAuth, a_code_lives_for_its_seconds_and_not_one_more) {
  Server server;
  const auto in_time = server.oauth.accept(Server::request(), 0, at(0));
  EXPECT_TRUE(server.oauth.exchange(*in_time, Server::request().redirect_uri, "", {at(60).microseconds - 1}));
  const auto too_late = server.oauth.accept(Server::request(), 0, at(0));
  EXPECT_EQ(server.oauth.exchange(*too_late, Server::request().redirect_uri, "", at(60)).error().code, "invalid_grant");
}

TEST(OAuth, an_access_token_lives_for_its_seconds_and_speaks_for_its_practitioner) {
  Server server({.access_seconds = 10});
  const TokenAnswer tokens = server.connect(4);
  EXPECT_EQ(server.oauth.bearer(tokens.access_token, at(10)).value().practitioner, 4U);
  EXPECT_EQ(server.oauth.bearer(tokens.access_token, at(11)), std::nullopt);
  EXPECT_EQ(server.oauth.bearer("at_other", at(2)), std::nullopt);
}

TEST(OAuth, a_refresh_token_of_one_grant_says_nothing_about_another) {
  Server server;
  const TokenAnswer mine = server.connect(1);
  const TokenAnswer other = server.connect(2);
  ASSERT_TRUE(server.oauth.refresh(mine.refresh_token, at(5)));
  EXPECT_EQ(server.oauth.refresh(mine.refresh_token, at(6)).error().code, "invalid_grant");
  EXPECT_TRUE(server.oauth.bearer(other.access_token, at(7))) << "only the family of the spent token is revoked";
  EXPECT_EQ(server.oauth.grants()[0].state, GrantState::kRevoked);
  EXPECT_EQ(server.oauth.grants()[1].state, GrantState::kActive);
}

TEST(OAuth, within_the_grace_two_refreshes_may_race) {
  Server server({.refresh_grace_seconds = 10});
  const TokenAnswer tokens = server.connect();
  ASSERT_TRUE(server.oauth.refresh(tokens.refresh_token, at(5)));
  EXPECT_TRUE(server.oauth.refresh(tokens.refresh_token, {at(15).microseconds - 1}));
  EXPECT_FALSE(server.oauth.refresh(tokens.refresh_token, at(15)));
}

TEST(OAuth, refresh_tokens_can_expire) {
  Server server({.refresh_seconds = 100});
  const TokenAnswer tokens = server.connect();
  EXPECT_EQ(server.oauth.refresh(tokens.refresh_token, at(101)).error().code, "invalid_grant");
}

TEST(OAuth, only_loopback_or_registered_addresses_are_redirected_to) {
  const Server open;
  const Server registered({.redirect_uris = {"https://app.example/cb"}});
  AuthorizationRequest request = Server::request();
  EXPECT_TRUE(open.oauth.check_client(request));
  EXPECT_FALSE(registered.oauth.check_client(request));
  request.redirect_uri = "https://app.example/cb";
  EXPECT_FALSE(open.oauth.check_client(request));
  EXPECT_TRUE(registered.oauth.check_client(request));
  for (const char* uri : {"", "http://127.0.0.1.evil.example/", "http://evil.example@127.0.0.1/", "javascript:alert(1)",
                          "http://127.0.0.1/#fragment", "https://app.example/cb/"}) {
    request.redirect_uri = uri;
    EXPECT_FALSE(open.oauth.check_client(request)) << uri;
    EXPECT_FALSE(registered.oauth.check_client(request)) << uri;
  }
}

TEST(OAuth, a_challenge_is_checked_and_plain_ones_are_not_taken) {
  Server server;
  AuthorizationRequest request = Server::request();
  request.code_challenge = encode_base64url(sha256("verifier").view());
  request.code_challenge_method = "plain";
  EXPECT_EQ(server.oauth.check_request(request).error().code, "invalid_request");
  request.code_challenge_method = "S256";
  ASSERT_TRUE(server.oauth.check_request(request));
  const auto code = server.oauth.accept(request, 0, at(0));
  EXPECT_FALSE(server.oauth.exchange(*code, request.redirect_uri, "", at(1)));
  EXPECT_TRUE(server.oauth.exchange(*code, request.redirect_uri, "verifier", at(1)));
}

TEST(OAuth, there_is_an_end_to_how_many_grants_are_remembered) {
  Server server({.grants_max = 2});
  server.connect();
  server.connect();
  EXPECT_EQ(server.oauth.accept(Server::request(), 0, at(3)).error().code, "temporarily_unavailable");
}

}  // namespace
}  // namespace resultsync::sandbox
