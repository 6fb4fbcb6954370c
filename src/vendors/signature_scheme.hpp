// How a network signs its webhooks, as data: a further network is a further value of SignatureScheme, not a further
// code path. verify.hpp reads these values; docs/reference/signatures.md shows them as a table.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace resultsync::vendors {

// What the value of the signature header looks like.
enum class Layout {
  kBare,           // 5d61…
  kPrefixed,       // sha256=5d61…
  kKeyValues,      // t=1614265330,v1=5d61…,v1=9ab0…
  kVersionedList,  // v1,g0hM9S… v1a,hnO3f9…
};

enum class Encoding { kHex, kBase64 };  // lower-case digits; RFC 4648 §4 with padding
enum class Algorithm { kHmacSha256, kEd25519 };
enum class TimestampUnit { kSeconds, kMilliseconds };

// How the text of a secret, as the network hands it out, becomes a key.
enum class SecretForm {
  kText,              // its bytes are the key
  kStandardWebhooks,  // `whsec_` + base64 or base64 alone: an HMAC key; `whpk_`, `whsk_` + base64: an Ed25519 key
};

// Headers that belong together. A request is read by one set only, never by a mixture of two.
struct HeaderSet {
  std::string signature;
  std::string timestamp = {};  // empty: the timestamp stands in the signature header (kKeyValues), or nothing is timed
  std::string id = {};         // empty: no message id is signed
};

struct SignatureVersion {
  std::string tag;  // "v1"; empty for kBare and kPrefixed, which have one version without a name
  Algorithm algorithm = Algorithm::kHmacSha256;
};

struct SignatureScheme {
  std::string name;                // "stripe"
  std::string summary;             // one line for --help
  std::vector<HeaderSet> headers;  // the first set whose signature header is present decides; sign() writes the first
  Layout layout = Layout::kBare;
  std::string prefix = {};                        // kPrefixed: "sha256="
  std::vector<SignatureVersion> versions = {{}};  // those accepted; signatures of another version are passed over
  Encoding encoding = Encoding::kHex;
  // What is signed: literal text around {id}, {t} and {body}. {body} comes last and a `.` follows each other name, so
  // that no two requests have the same signed content.
  std::string signed_content = "{body}";
  TimestampUnit timestamp_unit = TimestampUnit::kSeconds;
  SecretForm secret_form = SecretForm::kText;
  std::size_t secret_bytes_min = 16;  // shorter keys are refused when they are configured

  [[nodiscard]] bool signs_timestamp() const { return signed_content.contains("{t}"); }
  [[nodiscard]] bool signs_id() const { return signed_content.contains("{id}"); }
};

// The schemes known by name, in the order of --help: t-v1 (the default for Rupa), fullscript, standard-webhooks, svix,
// stripe, github, hex-body, base64-body, terra, terra-ms.
std::span<const SignatureScheme> signature_presets();

// Error: `unknown_scheme`, naming those that there are.
Result<SignatureScheme> signature_preset(std::string_view name);

// Other header names for a scheme, as configured; what is not set stays.
struct HeaderNames {
  std::optional<std::string> signature;
  std::optional<std::string> timestamp;
  std::optional<std::string> id;
};
// The scheme with these names, which are then the only ones it reads. Errors: `bad_header_name` (not a token of RFC
// 9110 §5.6.2, or a timestamp or id header for a scheme that reads none), `ambiguous_scheme` (one header for two
// purposes).
Result<SignatureScheme> with_header_names(SignatureScheme scheme, const HeaderNames& names);

// Whether the parts of a scheme fit together. Every preset passes. Errors: `bad_scheme`, `bad_header_name`,
// `ambiguous_scheme`.
Result<void> check_scheme(const SignatureScheme& scheme);

}  // namespace resultsync::vendors
