// Any header, id, timestamp and body against every scheme: verify() never crashes, and what it accepts carries the
// signature that sign() would have made.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "vendors/verify.hpp"

namespace {

using namespace resultsync;

// The input up to the next zero byte.
std::string_view take(std::string_view& input) {
  const auto end = std::min(input.find('\0'), input.size());
  const auto taken = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return taken;
}

struct Known {
  vendors::SignatureScheme scheme;
  vendors::SigningKeys keys;
};

const std::vector<Known>& known() {
  static const std::vector<Known> all = [] {
    std::vector<Known> made;
    for (const auto& scheme : vendors::signature_presets()) {
      const std::vector<Secret<std::string>> secrets{Secret<std::string>("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")};
      made.push_back({scheme, vendors::SigningKeys::read(scheme, secrets).value()});
    }
    return made;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& [scheme, keys] = known()[data[0] % known().size()];
  const bool sign_first =
      (data[0] & 0x80) != 0;  // begins from right headers, so that the fuzzer need not guess an HMAC
  std::string_view input(reinterpret_cast<const char*>(data + 1), size - 1);
  const auto extra = take(input);
  const auto timestamp = take(input);
  const auto id = take(input);
  const auto body = input;
  const Timestamp now = Timestamp::from_seconds(1'614'265'330);

  const auto& names = scheme.headers.front();
  http::Headers headers;
  if (sign_first) {
    auto made = vendors::sign(scheme, keys, {.id = id, .timestamp = now}, body);
    if (!made) return 0;
    for (auto& [name, value] : *made) headers.add(name, name == names.signature ? value + std::string(extra) : value);
  } else {
    headers.add(names.signature, std::string(extra));
    if (!names.timestamp.empty()) headers.add(names.timestamp, std::string(timestamp));
    if (!names.id.empty()) headers.add(names.id, std::string(id));
  }

  const auto verified = vendors::verify(scheme, keys, headers, body, now);
  if (!verified) {
    if (sign_first && extra.empty()) std::abort();
    const auto& codes = vendors::kSignatureErrorCodes;
    if (std::find(codes.begin(), codes.end(), verified.error().code) == codes.end()) std::abort();
    return 0;
  }
  const auto again =
      vendors::sign(scheme, keys, {.id = verified->id, .timestamp = verified->timestamp.value_or(now)}, body);
  if (!again) std::abort();
  const auto& expected = again->back().value;
  const auto signature =
      expected.substr(expected.find_last_of(scheme.layout == vendors::Layout::kKeyValues ? '=' : ',') + 1);
  if (!headers.only(names.signature)->contains(signature)) std::abort();
  return 0;
}
