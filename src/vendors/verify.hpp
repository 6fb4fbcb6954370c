// Is this request from whom it says it is from? And the inverse: signing what the sandbox, `trigger` and the tests
// send.
//
//   auto keys = SigningKeys::read(scheme, secrets);                       // once, when the configuration is read
//   auto verified = verify(scheme, *keys, request.headers, request.body, clock.now());
//   if (!verified) …  verified.error().code == "signature_mismatch"
//
// Strict and total: works on the raw bytes of any body, never throws, and reads every header in exactly one way or not
// at all. What is refused, and where this differs from the libraries of others, stands in docs/reference/signatures.md.
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/timestamp.hpp"
#include "http/message.hpp"
#include "vendors/signature_scheme.hpp"
#include "vendors/signing_keys.hpp"

namespace resultsync::vendors {

inline constexpr std::chrono::seconds kDefaultTolerance{300};  // either side; what every published library uses

// Limits on what a stranger can make us look at.
inline constexpr std::size_t kSignaturesMax = 16;  // signatures of accepted versions in one header
inline constexpr std::size_t kSignatureHeaderBytesMax = 2048;
inline constexpr std::size_t kMessageIdBytesMax = 256;

// A right signature may still be old: a replay, a retry after days (its timestamp is that of the attempt), or a clock
// that is wrong.
enum class Freshness { kFresh, kTooOld, kTooNew };

struct Verified {
  std::optional<Timestamp>
      timestamp;   // when it was signed; nothing where the scheme signs no time (then it is never stale)
  std::string id;  // the signed message id; empty where the scheme signs none
  Freshness freshness = Freshness::kFresh;
  std::size_t key_index = 0;  // which of the keys matched; 0 is the newest

  [[nodiscard]] bool stale() const { return freshness != Freshness::kFresh; }
};

// Every error code of verify(), and those of staleness(), for metrics and documentation.
inline constexpr std::array<std::string_view, 11> kSignatureErrorCodes = {
    "signature_missing",          // no signature header
    "signature_malformed",        // not in the scheme's layout, or too long, or too many
    "signature_version_unknown",  // well-formed, but of no version that the scheme accepts
    "signature_mismatch",         // well-formed, and not that of these bytes under any of the keys
    "timestamp_missing",          //
    "timestamp_malformed",        // not [0-9]{1,12} ({1,15} in milliseconds)
    "id_missing",                 //
    "id_malformed",               // not 1 to 256 visible ASCII characters without a dot
    "header_duplicated",          // one of the scheme's headers stands twice
    "timestamp_too_old",          // only from staleness()
    "timestamp_too_new",
};

// Thread-safe. `now` and `tolerance` decide about freshness only: a stale request with a right signature is a value,
// not an error.
Result<Verified> verify(const SignatureScheme& scheme, const SigningKeys& keys, const http::Headers& headers,
                        std::string_view body, Timestamp now, std::chrono::seconds tolerance = kDefaultTolerance);

// The set of headers by which verify() reads this request: the first of the scheme whose signature header is present,
// else its first.
const HeaderSet& headers_in_use(const SignatureScheme& scheme, const http::Headers& headers);

// The error that a stale request is where staleness is refused: `timestamp_too_old` or `timestamp_too_new`.
Result<void> staleness(const Verified& verified);

struct Signing {
  std::string_view id;  // needed where the scheme signs an id
  Timestamp timestamp;
};
// The headers that verify() accepts for this body. Signs with every key where the layout can carry several signatures
// (a rotation), else with the newest. Errors: `id_malformed`, `timestamp_malformed` (before 1970, or too far ahead for
// the scheme), `cannot_sign`.
Result<std::vector<http::Header>> sign(const SignatureScheme& scheme, const SigningKeys& keys, const Signing& signing,
                                       std::string_view body);

}  // namespace resultsync::vendors
