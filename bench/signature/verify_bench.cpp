// What one verification costs, on one core, with a body of an event's size: t-v1 with one secret, with the second of
// two (a rotation), a wrong signature, Standard Webhooks by HMAC and by Ed25519, and the bare one-shot HMAC() beside
// them.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/encoding.hpp"
#include "vendors/verify.hpp"

namespace {

using namespace resultsync;

constexpr Timestamp kNow = Timestamp::from_seconds(1'700'000'000);
const std::string kBody(3 * 1024, 'x');

vendors::SigningKeys keys_of(const vendors::SignatureScheme& scheme, const std::vector<std::string>& texts) {
  std::vector<Secret<std::string>> secrets;
  for (const auto& text : texts) secrets.emplace_back(text);
  return vendors::SigningKeys::read(scheme, secrets).value();
}

void run(benchmark::State& state, std::string_view name, const std::vector<std::string>& secrets,
         const std::string& signer) {
  const auto scheme = vendors::signature_preset(name).value();
  const auto keys = keys_of(scheme, secrets);
  http::Headers headers;
  headers.add("Host", "example.com");
  headers.add("Content-Type", "application/json");
  headers.add("User-Agent", "network/1");
  for (auto& [field, value] :
       vendors::sign(scheme, keys_of(scheme, {signer}), {.id = "msg_1", .timestamp = kNow}, kBody).value()) {
    headers.add(field, value);
  }
  for (auto _ : state) benchmark::DoNotOptimize(vendors::verify(scheme, keys, headers, kBody, kNow));
}

const std::string kNew(32, 'n');
const std::string kOld(32, 'o');
const std::string kForeign(32, 'f');

void t_v1(benchmark::State& state) {
  run(state, "t-v1", {kNew}, kNew);
}
void t_v1_older_of_two(benchmark::State& state) {
  run(state, "t-v1", {kNew, kOld}, kOld);
}
void t_v1_wrong(benchmark::State& state) {
  run(state, "t-v1", {kNew}, kForeign);
}
void standard_webhooks(benchmark::State& state) {
  const std::string secret = "whsec_" + encode_base64(kNew);
  run(state, "standard-webhooks", {secret}, secret);
}
void standard_webhooks_ed25519(benchmark::State& state) {
  const std::string secret = "whsk_" + encode_base64(kNew);
  run(state, "standard-webhooks", {secret}, secret);
}
void one_shot_hmac(benchmark::State& state) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  for (auto _ : state) {
    unsigned int length = 0;
    benchmark::DoNotOptimize(HMAC(EVP_sha256(), kNew.data(), static_cast<int>(kNew.size()),
                                  reinterpret_cast<const unsigned char*>(kBody.data()), kBody.size(), mac, &length));
  }
}

BENCHMARK(t_v1);
BENCHMARK(t_v1_older_of_two);
BENCHMARK(t_v1_wrong);
BENCHMARK(standard_webhooks);
BENCHMARK(standard_webhooks_ed25519);
BENCHMARK(one_shot_hmac);

}  // namespace

BENCHMARK_MAIN();
