#include "vendors/verify.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/encoding.hpp"

namespace resultsync::vendors {
namespace {

// The published vector of Standard Webhooks 1.0.0.
constexpr std::string_view kVectorSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view kVectorId = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::string_view kVectorTime = "1614265330";
constexpr std::string_view kVectorBody = R"({"test": 2432232314})";
constexpr std::string_view kVectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
constexpr std::string_view kForeignSignature = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc=";
constexpr Timestamp kVectorNow = Timestamp::from_seconds(1614265330);

SignatureScheme preset(std::string_view name) {
  return signature_preset(name).value();
}

SigningKeys keys_of(const SignatureScheme& scheme, const std::vector<std::string>& texts) {
  std::vector<Secret<std::string>> secrets;
  for (const std::string& text : texts) secrets.emplace_back(text);
  return SigningKeys::read(scheme, secrets).value();
}

std::string secret_for(const SignatureScheme& scheme, char fill) {
  const std::string bytes(32, fill);
  return scheme.secret_form == SecretForm::kText ? bytes : "whsec_" + encode_base64(bytes);
}

http::Headers headers_of(const std::vector<http::Header>& fields) {
  http::Headers headers;
  headers.add("Content-Type", "application/json");
  for (const auto& [name, value] : fields) headers.add(name, value);
  return headers;
}

std::string code_of(const Result<Verified>& result) {
  return result ? "accepted" : std::string(result.error().code);
}

// A request of Standard Webhooks, right unless a test changes it.
struct StandardRequest {
  std::string secret{kVectorSecret};
  std::vector<http::Header> fields{{"webhook-id", std::string(kVectorId)},
                                   {"webhook-timestamp", std::string(kVectorTime)},
                                   {"webhook-signature", std::string(kVectorSignature)}};
  std::string body{kVectorBody};
  Timestamp now = kVectorNow;

  StandardRequest& set(std::string_view name, std::string value) {
    for (auto& field : fields) {
      if (field.name == name) field.value = std::move(value);
    }
    return *this;
  }
  StandardRequest& drop(std::string_view name) {
    std::erase_if(fields, [&](const http::Header& field) { return field.name == name; });
    return *this;
  }
  // Signs again after a change to what is signed.
  StandardRequest& sign_text(std::string_view id, std::string_view time) {
    const auto scheme = preset("standard-webhooks");
    const std::vector<std::string_view> pieces{id, ".", time, ".", body};
    const auto signature = keys_of(scheme, {secret}).all().front().sign(pieces).value();
    return set("webhook-id", std::string(id))
        .set("webhook-timestamp", std::string(time))
        .set("webhook-signature", "v1," + encode_base64(signature));
  }
  [[nodiscard]] Result<Verified> verified() const {
    const auto scheme = preset("standard-webhooks");
    return verify(scheme, keys_of(scheme, {secret}), headers_of(fields), body, now);
  }
  [[nodiscard]] std::string code() const { return code_of(verified()); }
};

TEST(StandardWebhooks, the_published_vector_verifies_and_is_what_sign_writes) {
  const auto verified = StandardRequest{}.verified();
  ASSERT_TRUE(verified) << verified.error().text();
  EXPECT_EQ(verified->id, kVectorId);
  EXPECT_EQ(verified->timestamp, kVectorNow);
  EXPECT_FALSE(verified->stale());

  const auto scheme = preset("standard-webhooks");
  const auto keys = keys_of(scheme, {std::string(kVectorSecret)});
  const auto headers = sign(scheme, keys, {.id = kVectorId, .timestamp = kVectorNow}, kVectorBody).value();
  EXPECT_EQ(headers, StandardRequest{}.fields);
}

TEST(StandardWebhooks, a_secret_reads_the_same_with_and_without_its_prefix) {
  StandardRequest request;
  request.secret = kVectorSecret.substr(6);
  EXPECT_EQ(request.code(), "accepted");
}

TEST(StandardWebhooks, header_names_are_compared_without_regard_to_case) {
  StandardRequest request;
  request.fields = {{"Webhook-Id", std::string(kVectorId)},
                    {"WEBHOOK-TIMESTAMP", std::string(kVectorTime)},
                    {"WebHook-Signature", std::string(kVectorSignature)}};
  EXPECT_EQ(request.code(), "accepted");
}

TEST(StandardWebhooks, says_which_header_is_missing) {
  EXPECT_EQ(StandardRequest{}.drop("webhook-id").code(), "id_missing");
  EXPECT_EQ(StandardRequest{}.drop("webhook-timestamp").code(), "timestamp_missing");
  EXPECT_EQ(StandardRequest{}.drop("webhook-signature").code(), "signature_missing");
}

TEST(StandardWebhooks, a_header_twice_is_refused_even_if_both_say_the_same) {
  for (const auto& field : StandardRequest{}.fields) {
    StandardRequest request;
    request.fields.push_back(field);
    EXPECT_EQ(request.code(), "header_duplicated") << field.name;
  }
}

TEST(StandardWebhooks, a_timestamp_is_one_to_twelve_digits_and_nothing_else) {
  for (const std::string text : {"", "hello", "1614265330junk", "1614265330.9", " 1614265330", "+1614265330", "-1",
                                 "0x10", "1e9", "1614265330000", "\xd9\xa1"}) {
    EXPECT_EQ(StandardRequest{}.sign_text(kVectorId, text).code(), "timestamp_malformed") << '"' << text << '"';
  }
  EXPECT_EQ(StandardRequest{}.sign_text(kVectorId, "999999999999").code(), "accepted") << "though stale";
  EXPECT_EQ(StandardRequest{}.sign_text(kVectorId, "0").code(), "accepted") << "though stale";
}

TEST(StandardWebhooks, an_id_with_a_dot_could_be_read_in_two_ways_and_is_refused) {
  EXPECT_EQ(StandardRequest{}.sign_text("msg.1614265330", kVectorTime).code(), "id_malformed");
  EXPECT_EQ(StandardRequest{}.sign_text("", kVectorTime).code(), "id_malformed");
  EXPECT_EQ(StandardRequest{}.sign_text("a b", kVectorTime).code(), "id_malformed");
  EXPECT_EQ(StandardRequest{}.sign_text(std::string(256, 'i'), kVectorTime).code(), "accepted");
  EXPECT_EQ(StandardRequest{}.sign_text(std::string(257, 'i'), kVectorTime).code(), "id_malformed");
}

TEST(StandardWebhooks, the_list_of_signatures_is_read_strictly) {
  const std::string good(kVectorSignature);
  const std::string foreign(kForeignSignature);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {foreign, "signature_mismatch"},
      {foreign + " " + good, "accepted"},
      {good + " " + foreign, "accepted"},
      {foreign + " v2,abc " + good + " " + foreign, "accepted"},
      {foreign + " " + foreign, "signature_mismatch"},
      {"v2," + good.substr(3), "signature_version_unknown"},
      {"v1,", "signature_malformed"},
      {"v1", "signature_malformed"},
      {good.substr(3), "signature_malformed"},
      {"", "signature_malformed"},
      {good + ",extra", "signature_malformed"},
      {good + " ", "signature_malformed"},
      {good + "  " + foreign, "signature_malformed"},
      {good + " unversioned", "signature_malformed"},
      {"v1,####", "signature_malformed"},
      {"v1,AAAA", "signature_malformed"},
      {good.substr(0, good.size() - 1), "signature_malformed"},
      {"V1," + good.substr(3), "signature_version_unknown"},
  };
  for (const auto& [header, code] : cases) {
    EXPECT_EQ(StandardRequest{}.set("webhook-signature", header).code(), code) << header;
  }
}

TEST(StandardWebhooks, sixteen_signatures_are_looked_at_and_seventeen_refused) {
  std::string header;
  for (std::size_t i = 1; i < kSignaturesMax; ++i) header += std::string(kForeignSignature) + " ";
  EXPECT_EQ(StandardRequest{}.set("webhook-signature", header + std::string(kVectorSignature)).code(), "accepted");
  header += std::string(kForeignSignature) + " ";
  EXPECT_EQ(StandardRequest{}.set("webhook-signature", header + std::string(kVectorSignature)).code(),
            "signature_malformed");
}

TEST(StandardWebhooks, staleness_is_a_flag_and_not_a_wrong_signature) {
  const auto at = [](std::int64_t seconds) {
    StandardRequest request;
    request.now = Timestamp::from_seconds(kVectorNow.seconds() + seconds);
    return request.verified().value();
  };
  EXPECT_EQ(at(300).freshness, Freshness::kFresh);
  EXPECT_EQ(at(301).freshness, Freshness::kTooOld);
  EXPECT_EQ(at(-300).freshness, Freshness::kFresh);
  EXPECT_EQ(at(-301).freshness, Freshness::kTooNew);
  EXPECT_EQ(staleness(at(301)).error().code, "timestamp_too_old");
  EXPECT_EQ(staleness(at(-301)).error().code, "timestamp_too_new");
  EXPECT_TRUE(staleness(at(0)));
}

TEST(StandardWebhooks, any_bytes_can_be_a_body) {
  for (const std::string& body :
       {std::string(), std::string("\xff\xfe\x00\x80", 4), std::string("{\"a\":1,\"a\":2}")}) {
    StandardRequest request;
    request.body = body;
    EXPECT_EQ(request.sign_text(kVectorId, kVectorTime).code(), "accepted");
  }
}

TEST(StandardWebhooks, an_ed25519_pair_signs_with_its_private_half_and_verifies_with_either) {
  const auto scheme = preset("standard-webhooks");
  // RFC 8032 §7.1, test 1: private key, public key.
  const auto seed = decode_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").value();
  const auto point = decode_hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a").value();
  const auto pair = keys_of(scheme, {"whsk_" + encode_base64(seed + point)});
  const auto seed_alone = keys_of(scheme, {"whsk_" + encode_base64(seed)});
  const auto public_half = keys_of(scheme, {"whpk_" + encode_base64(point)});

  const auto headers = sign(scheme, pair, {.id = kVectorId, .timestamp = kVectorNow}, kVectorBody).value();
  EXPECT_TRUE(headers.back().value.starts_with("v1a,"));
  for (const auto& keys : {pair, seed_alone, public_half}) {
    EXPECT_EQ(code_of(verify(scheme, keys, headers_of(headers), kVectorBody, kVectorNow)), "accepted");
    EXPECT_EQ(code_of(verify(scheme, keys, headers_of(headers), "other", kVectorNow)), "signature_mismatch");
  }
  EXPECT_EQ(sign(scheme, public_half, {.id = kVectorId, .timestamp = kVectorNow}, "x").error().code, "cannot_sign");

  // RFC 8032 §7.1, test 1: the signature of the empty message.
  const std::vector<std::string_view> nothing;
  EXPECT_EQ(
      encode_hex(pair.all().front().sign(nothing).value()),
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe"
      "24655141438e7a100b");
}

TEST(StandardWebhooks, an_hmac_key_is_never_tried_on_an_ed25519_signature) {
  EXPECT_EQ(StandardRequest{}.set("webhook-signature", "v1a," + std::string(kVectorSignature).substr(3)).code(),
            "signature_malformed");
}

TEST(Svix, reads_either_set_of_headers_and_never_a_mixture) {
  const auto scheme = preset("svix");
  const auto keys = keys_of(scheme, {std::string(kVectorSecret)});
  const auto code = [&](const std::vector<http::Header>& fields) {
    return code_of(verify(scheme, keys, headers_of(fields), kVectorBody, kVectorNow));
  };
  const http::Header svix_id{"svix-id", std::string(kVectorId)};
  const http::Header svix_time{"svix-timestamp", std::string(kVectorTime)};
  const http::Header svix_signature{"svix-signature", std::string(kVectorSignature)};
  const auto standard = StandardRequest{}.fields;
  EXPECT_EQ(code({svix_id, svix_time, svix_signature}), "accepted");
  EXPECT_EQ(code(standard), "accepted");
  EXPECT_EQ(code({standard[0], standard[1], svix_signature}), "id_missing");
  EXPECT_EQ(code({standard[0],
                  standard[1],
                  standard[2],
                  {"svix-signature", std::string(kForeignSignature)},
                  svix_id,
                  svix_time}),
            "signature_mismatch")
      << "the first set whose signature is present decides";
}

TEST(Stripe, several_v1_may_stand_there_and_v0_is_passed_over) {
  const auto scheme = preset("stripe");
  const auto keys = keys_of(scheme, {std::string(32, 's')});
  const auto right = sign(scheme, keys, {.id = {}, .timestamp = kVectorNow}, "{}").value().front().value;
  const std::string good = right.substr(right.find("v1="));
  const std::string foreign = "v1=" + std::string(64, '0');
  const auto code = [&](const std::string& value) {
    return code_of(verify(scheme, keys, headers_of({{"Stripe-Signature", value}}), "{}", kVectorNow));
  };
  const std::string t = "t=1614265330";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {t + "," + good, "accepted"},
      {good + "," + t, "accepted"},
      {t + "," + foreign + "," + good, "accepted"},
      {t + "," + good + ",v0=" + std::string(64, '1'), "accepted"},
      {t + ",v0=" + good.substr(3), "signature_version_unknown"},
      {t, "signature_version_unknown"},
      {good, "timestamp_missing"},
      {t + "," + t + "," + good, "signature_malformed"},
      {t + ",t=1," + good, "signature_malformed"},
      {"t=," + good, "signature_malformed"},
      {t + ",," + good, "signature_malformed"},
      {t + "," + good + ",", "signature_malformed"},
      {"," + t + "," + good, "signature_malformed"},
      {t + ", " + good, "signature_version_unknown"},
      {"t=NaN," + good, "timestamp_malformed"},
      {"t=Infinity," + good, "timestamp_malformed"},
      {"t= 1614265330," + good, "timestamp_malformed"},
      {t + "," + foreign, "signature_mismatch"},
      {t + ",v1=" + std::string(63, '0'), "signature_malformed"},
      {t + "," + good + "=", "signature_malformed"},
      {t + ",=x," + good, "signature_malformed"},
  };
  for (const auto& [header, expected] : cases) EXPECT_EQ(code(header), expected) << header;
}

TEST(GitHub, its_documented_example_verifies) {
  const auto scheme = preset("github");
  const auto keys = keys_of(scheme, {"It's a Secret to Everybody"});
  const std::string digest = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
  const auto code = [&](const std::string& value) {
    return code_of(verify(scheme, keys, headers_of({{"X-Hub-Signature-256", value}}), "Hello, World!", kVectorNow));
  };
  EXPECT_EQ(code("sha256=" + digest), "accepted");
  EXPECT_EQ(code("sha1=" + digest), "signature_malformed");
  EXPECT_EQ(code(digest), "signature_malformed");
  EXPECT_EQ(code("sha256=757107EA" + digest.substr(8)), "signature_malformed") << "one signature has one spelling";
}

class EveryPreset : public testing::TestWithParam<SignatureScheme> {};
INSTANTIATE_TEST_SUITE_P(Presets, EveryPreset,
                         testing::ValuesIn(signature_presets().begin(), signature_presets().end()),
                         [](const auto& test) {
                           std::string name = test.param.name;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_P(EveryPreset, verifies_what_it_signs) {
  const auto& scheme = GetParam();
  ASSERT_TRUE(check_scheme(scheme));
  const auto keys = keys_of(scheme, {secret_for(scheme, 'k')});
  const auto headers = sign(scheme, keys, {.id = kVectorId, .timestamp = kVectorNow}, kVectorBody).value();
  const auto verified = verify(scheme, keys, headers_of(headers), kVectorBody, kVectorNow);
  ASSERT_TRUE(verified) << verified.error().text();
  EXPECT_EQ(verified->timestamp.has_value(), scheme.signs_timestamp());
  EXPECT_EQ(verified->id, scheme.signs_id() ? kVectorId : "");
  EXPECT_FALSE(verified->stale());
}

TEST_P(EveryPreset, a_flipped_bit_anywhere_is_noticed) {
  const auto& scheme = GetParam();
  const auto keys = keys_of(scheme, {secret_for(scheme, 'k')});
  const std::string body(kVectorBody);
  const auto headers = sign(scheme, keys, {.id = kVectorId, .timestamp = kVectorNow}, body).value();
  const auto flipped = [](std::string text, std::size_t bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    return text;
  };
  for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
    EXPECT_EQ(code_of(verify(scheme, keys, headers_of(headers), flipped(body, bit), kVectorNow)), "signature_mismatch");
  }
  for (std::size_t field = 0; field < headers.size(); ++field) {
    for (std::size_t bit = 0; bit < headers[field].value.size() * 8; ++bit) {
      auto changed = headers;
      changed[field].value = flipped(changed[field].value, bit);
      EXPECT_NE(code_of(verify(scheme, keys, headers_of(changed), body, kVectorNow)), "accepted")
          << changed[field].value;
    }
  }
}

TEST_P(EveryPreset, old_and_new_secrets_are_in_force_together_during_a_rotation) {
  const auto& scheme = GetParam();
  const std::string old_secret = secret_for(scheme, 'o');
  const std::string new_secret = secret_for(scheme, 'n');
  const auto both = keys_of(scheme, {new_secret, old_secret});
  const auto key_index = [&](const SigningKeys& signer) {
    const auto headers = sign(scheme, signer, {.id = kVectorId, .timestamp = kVectorNow}, "body").value();
    const auto verified = verify(scheme, both, headers_of(headers), "body", kVectorNow);
    return verified ? static_cast<int>(verified->key_index) : -1;
  };
  EXPECT_EQ(key_index(keys_of(scheme, {new_secret})), 0);
  EXPECT_EQ(key_index(keys_of(scheme, {old_secret})), 1);
  EXPECT_EQ(key_index(keys_of(scheme, {secret_for(scheme, 'x')})), -1) << "a secret that is not in force";
  EXPECT_EQ(key_index(both), 0);
}

TEST_P(EveryPreset, no_header_makes_it_throw_or_accept) {
  const auto scheme = GetParam();
  const auto keys = keys_of(scheme, {secret_for(scheme, 'k')});
  EXPECT_TRUE(rc::check([&](const std::string& signature, const std::string& time, const std::string& id) {
    const auto& set = scheme.headers.front();
    http::Headers headers;
    headers.add(set.signature, scheme.prefix + signature);
    if (!set.timestamp.empty()) headers.add(set.timestamp, time);
    if (!set.id.empty()) headers.add(set.id, id);
    RC_ASSERT(!verify(scheme, keys, headers, "body", kVectorNow));
  }));
}

TEST(Keys, more_keys_than_a_thread_keeps_contexts_for_still_verify) {
  const auto scheme = preset("hex-body");
  std::vector<SigningKeys> many;
  for (int i = 0; i < 40; ++i) many.push_back(keys_of(scheme, {std::string(32, static_cast<char>('A' + i))}));
  for (int round = 0; round < 3; ++round) {
    for (std::size_t i = 0; i < many.size(); ++i) {
      const auto headers = headers_of(sign(scheme, many[i], {.id = {}, .timestamp = kVectorNow}, "body").value());
      EXPECT_EQ(code_of(verify(scheme, many[i], headers, "body", kVectorNow)), "accepted");
      EXPECT_EQ(code_of(verify(scheme, many[(i + 1) % many.size()], headers, "body", kVectorNow)),
                "signature_mismatch");
    }
  }
}

TEST(Keys, unsafe_and_unreadable_secrets_are_refused_when_they_are_configured) {
  const auto code = [](std::string_view scheme, std::string secret) {
    const std::vector<Secret<std::string>> secrets{Secret<std::string>(std::move(secret))};
    const auto keys = SigningKeys::read(preset(scheme), secrets);
    return keys ? std::string("read") : std::string(keys.error().code);
  };
  EXPECT_EQ(code("standard-webhooks", ""), "secret_empty");
  EXPECT_EQ(code("standard-webhooks", "whsec_"), "secret_empty");
  EXPECT_EQ(code("standard-webhooks", "whsec_" + encode_base64(std::string(24, 'k'))), "read");
  EXPECT_EQ(code("standard-webhooks", "whsec_" + encode_base64(std::string(23, 'k'))), "secret_weak");
  EXPECT_EQ(code("standard-webhooks", "whsec_not base64!"), "secret_malformed");
  EXPECT_EQ(code("standard-webhooks", "whpk_" + encode_base64(std::string(31, 'k'))), "secret_malformed");
  EXPECT_EQ(code("standard-webhooks", "whsk_" + encode_base64(std::string(64, 'k'))), "secret_malformed")
      << "two halves that are no pair";
  EXPECT_EQ(code("stripe", std::string(16, 'k')), "read");
  EXPECT_EQ(code("stripe", std::string(15, 'k')), "secret_weak");
  EXPECT_EQ(code("stripe", std::string(32, 'k') + "\n"), "secret_malformed");
  EXPECT_EQ(code("stripe", std::string(1025, 'k')), "secret_malformed");
  EXPECT_EQ(SigningKeys::read(preset("stripe"), {}).error().code, "no_secrets");
  const std::vector<Secret<std::string>> nine(9, Secret<std::string>(std::string(32, 'k')));
  EXPECT_EQ(SigningKeys::read(preset("stripe"), nine).error().code, "too_many_secrets");
}

TEST(Sign, refuses_what_verify_would_refuse) {
  const auto scheme = preset("standard-webhooks");
  const auto keys = keys_of(scheme, {std::string(kVectorSecret)});
  EXPECT_EQ(sign(scheme, keys, {.id = "a.b", .timestamp = kVectorNow}, "x").error().code, "id_malformed");
  EXPECT_EQ(sign(scheme, keys, {.id = "", .timestamp = kVectorNow}, "x").error().code, "id_malformed");
  EXPECT_EQ(sign(scheme, keys, {.id = "a", .timestamp = Timestamp::from_seconds(-5)}, "x").error().code,
            "timestamp_malformed");
}

}  // namespace
}  // namespace resultsync::vendors
