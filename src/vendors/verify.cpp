#include "vendors/verify.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "base/encoding.hpp"

namespace resultsync::vendors {
namespace {

struct TaggedSignature {
  const SignatureVersion* version = nullptr;
  std::string bytes;
};

// What the headers say, each part well-formed, nothing of it trusted yet. The views are into the request's headers.
struct Claim {
  std::string_view timestamp;
  std::string_view id;
  std::vector<TaggedSignature> signatures;  // at least one
};

Result<Claim> read_claim(const SignatureScheme& scheme, const http::Headers& headers);
Result<void> read_signatures(const SignatureScheme& scheme, std::string_view value, Claim& claim);
Result<void> read_key_values(const SignatureScheme& scheme, std::string_view value, Claim& claim);
Result<void> read_versioned_list(const SignatureScheme& scheme, std::string_view value, Claim& claim);
Result<void> add_signature(const SignatureScheme& scheme, const SignatureVersion& version, std::string_view text,
                           Claim& claim);
Result<void> check_id(std::string_view id);
Result<std::optional<Timestamp>> read_timestamp(const SignatureScheme& scheme, std::string_view text);
std::optional<std::size_t> matching_key(const SignatureScheme& scheme, const SigningKeys& keys, const Claim& claim,
                                        std::string_view body);
std::vector<std::string_view> signed_pieces(std::string_view content, std::string_view id, std::string_view timestamp,
                                            std::string_view body);
Freshness freshness_of(Timestamp signed_at, Timestamp now, std::chrono::seconds tolerance);

}  // namespace

Result<Verified> verify(const SignatureScheme& scheme, const SigningKeys& keys, const http::Headers& headers,
                        std::string_view body, Timestamp now, std::chrono::seconds tolerance) {
  const auto claim = read_claim(scheme, headers);
  if (!claim) return std::unexpected(claim.error());
  const auto timestamp = read_timestamp(scheme, claim->timestamp);
  if (!timestamp) return std::unexpected(timestamp.error());

  const auto key = matching_key(scheme, keys, *claim, body);
  if (!key)
    return fail("signature_mismatch", "no signature of the request is that of its bytes under any of the secrets");
  return Verified{.timestamp = *timestamp,
                  .id = std::string(claim->id),
                  .freshness = *timestamp ? freshness_of(**timestamp, now, tolerance) : Freshness::kFresh,
                  .key_index = *key};
}

const HeaderSet& headers_in_use(const SignatureScheme& scheme, const http::Headers& headers) {
  const auto present =
      std::ranges::find_if(scheme.headers, [&](const HeaderSet& set) { return headers.count(set.signature) > 0; });
  return present != scheme.headers.end() ? *present : scheme.headers.front();
}

Result<void> staleness(const Verified& verified) {
  switch (verified.freshness) {
    case Freshness::kFresh:
      return {};
    case Freshness::kTooOld:
      return fail("timestamp_too_old", "the signature is right, but older than the tolerance");
    case Freshness::kTooNew:
      return fail("timestamp_too_new", "the signature is right, but its time is ahead by more than the tolerance");
  }
  return {};
}

namespace {

Result<std::string_view> only_header(const http::Headers& headers, std::string_view name,
                                     std::string_view code_if_missing) {
  if (headers.count(name) > 1) {
    return fail("header_duplicated", "a header that must stand once stands several times", std::string(name));
  }
  const auto value = headers.only(name);
  if (!value) return fail(code_if_missing, "a header that the signature scheme needs is missing", std::string(name));
  return *value;
}

Result<Claim> read_claim(const SignatureScheme& scheme, const http::Headers& headers) {
  const HeaderSet& set = headers_in_use(scheme, headers);
  Claim claim;
  const auto signature = only_header(headers, set.signature, "signature_missing");
  if (!signature) return std::unexpected(signature.error());
  if (!set.id.empty()) {
    const auto id = only_header(headers, set.id, "id_missing");
    if (!id) return std::unexpected(id.error());
    if (auto checked = check_id(*id); !checked) return forward_error(std::move(checked));
    claim.id = *id;
  }
  if (!set.timestamp.empty()) {
    const auto timestamp = only_header(headers, set.timestamp, "timestamp_missing");
    if (!timestamp) return std::unexpected(timestamp.error());
    claim.timestamp = *timestamp;
  }
  if (auto read = read_signatures(scheme, *signature, claim); !read) return forward_error(std::move(read));
  return claim;
}

std::unexpected<Error> malformed(std::string cause) {
  return fail("signature_malformed", "the signature header is not in the form of its scheme", std::move(cause));
}

Result<void> read_signatures(const SignatureScheme& scheme, std::string_view value, Claim& claim) {
  if (value.size() > kSignatureHeaderBytesMax) return malformed("it is too long");
  switch (scheme.layout) {
    case Layout::kBare:
      return add_signature(scheme, scheme.versions.front(), value, claim);
    case Layout::kPrefixed:
      if (!value.starts_with(scheme.prefix)) return malformed("it does not begin with " + scheme.prefix);
      return add_signature(scheme, scheme.versions.front(), value.substr(scheme.prefix.size()), claim);
    case Layout::kKeyValues:
      return read_key_values(scheme, value, claim);
    case Layout::kVersionedList:
      return read_versioned_list(scheme, value, claim);
  }
  return malformed("unknown layout");
}

// Takes `text` up to the next `separator` off the front; what is left tells whether there is more. An empty last
// element counts.
std::string_view take_element(std::string_view& text, char separator, bool& more) {
  const auto end = text.find(separator);
  const auto element = text.substr(0, end);
  more = end != std::string_view::npos;
  text.remove_prefix(more ? end + 1 : text.size());
  return element;
}

const SignatureVersion* accepted_version(const SignatureScheme& scheme, std::string_view tag) {
  const auto found = std::ranges::find(scheme.versions, tag, &SignatureVersion::tag);
  return found == scheme.versions.end() ? nullptr : &*found;
}

Result<void> require_signature(const Claim& claim) {
  if (claim.signatures.empty()) {
    return fail("signature_version_unknown", "the signature header holds no signature of a version that is accepted");
  }
  return {};
}

Result<void> read_key_values(const SignatureScheme& scheme, std::string_view value, Claim& claim) {
  for (bool more = true; more;) {
    const auto element = take_element(value, ',', more);
    const auto equals = element.find('=');
    if (equals == std::string_view::npos || equals == 0) return malformed("an element is not key=value");
    const auto key = element.substr(0, equals);
    const auto text = element.substr(equals + 1);
    if (text.empty()) return malformed("an element has no value");
    if (key == "t") {
      if (!claim.timestamp.empty()) return malformed("t stands twice");
      claim.timestamp = text;
    } else if (const auto* version = accepted_version(scheme, key)) {
      if (auto added = add_signature(scheme, *version, text, claim); !added) return added;
    }
  }
  return require_signature(claim);
}

Result<void> read_versioned_list(const SignatureScheme& scheme, std::string_view value, Claim& claim) {
  for (bool more = true; more;) {
    const auto element = take_element(value, ' ', more);
    const auto comma = element.find(',');
    if (comma == std::string_view::npos || comma == 0) return malformed("an element is not version,signature");
    const auto* version = accepted_version(scheme, element.substr(0, comma));
    if (version == nullptr) continue;
    if (auto added = add_signature(scheme, *version, element.substr(comma + 1), claim); !added) return added;
  }
  return require_signature(claim);
}

Result<void> add_signature(const SignatureScheme& scheme, const SignatureVersion& version, std::string_view text,
                           Claim& claim) {
  if (claim.signatures.size() == kSignaturesMax) return malformed("it holds too many signatures");
  // Lower case only, as every network writes it: one signature, one spelling.
  const bool upper_hex =
      scheme.encoding == Encoding::kHex && std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'F'; });
  auto bytes = upper_hex ? std::nullopt : scheme.encoding == Encoding::kHex ? decode_hex(text) : decode_base64(text);
  const std::size_t expected = version.algorithm == Algorithm::kEd25519 ? 64 : 32;
  if (!bytes || bytes->size() != expected) {
    return malformed(scheme.encoding == Encoding::kHex ? "a signature is not lower-case hexadecimal of the right length"
                                                       : "a signature is not base64 of the right length");
  }
  claim.signatures.push_back({&version, *std::move(bytes)});
  return {};
}

// A dot would let `m` + `.` + `1` be read as another id and another timestamp of the same signed content.
Result<void> check_id(std::string_view id) {
  const bool clean = std::ranges::all_of(id, [](char c) { return c > 0x20 && c < 0x7f && c != '.'; });
  if (id.empty() || id.size() > kMessageIdBytesMax || !clean) {
    return fail("id_malformed", "a message id is 1 to 256 visible ASCII characters without a dot");
  }
  return {};
}

std::size_t timestamp_digits_max(TimestampUnit unit) {
  return unit == TimestampUnit::kSeconds ? 12 : 15;
}
std::int64_t microseconds_in(TimestampUnit unit) {
  return unit == TimestampUnit::kSeconds ? 1'000'000 : 1'000;
}

Result<std::optional<Timestamp>> read_timestamp(const SignatureScheme& scheme, std::string_view text) {
  if (!scheme.signs_timestamp()) return std::optional<Timestamp>{};
  if (text.empty() && scheme.layout == Layout::kKeyValues) {
    return fail("timestamp_missing", "the signature header holds no t=");
  }
  const bool digits = std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (text.empty() || text.size() > timestamp_digits_max(scheme.timestamp_unit) || !digits) {
    return fail("timestamp_malformed", "the signed timestamp is not a plain decimal number of the expected length");
  }
  std::int64_t number = 0;  // at most 15 digits: cannot overflow, also not in microseconds
  std::from_chars(text.data(), text.data() + text.size(), number);
  return std::optional(Timestamp{number * microseconds_in(scheme.timestamp_unit)});
}

std::optional<std::size_t> matching_key(const SignatureScheme& scheme, const SigningKeys& keys, const Claim& claim,
                                        std::string_view body) {
  const auto pieces = signed_pieces(scheme.signed_content, claim.id, claim.timestamp, body);
  std::vector<std::string> candidates;
  for (std::size_t i = 0; i < keys.all().size(); ++i) {
    const SigningKey& key = keys.all()[i];
    candidates.clear();
    for (const TaggedSignature& one : claim.signatures) {
      if (one.version->algorithm == key.algorithm()) candidates.push_back(one.bytes);
    }
    if (!candidates.empty() && key.matches_any(candidates, pieces)) return i;
  }
  return std::nullopt;
}

std::vector<std::string_view> signed_pieces(std::string_view content, std::string_view id, std::string_view timestamp,
                                            std::string_view body) {
  std::vector<std::string_view> pieces;
  pieces.reserve(6);
  while (!content.empty()) {
    const auto open = std::min(content.find('{'), content.size());
    if (open > 0) pieces.push_back(content.substr(0, open));
    content.remove_prefix(open);
    if (content.empty()) break;
    const auto name = content.substr(0, content.find('}') + 1);  // check_scheme() saw that it is closed
    pieces.push_back(name == "{id}" ? id : name == "{t}" ? timestamp : body);
    content.remove_prefix(name.size());
  }
  return pieces;
}

Freshness freshness_of(Timestamp signed_at, Timestamp now, std::chrono::seconds tolerance) {
  const auto limit = std::chrono::microseconds(tolerance).count();
  if (now.microseconds - signed_at.microseconds > limit) return Freshness::kTooOld;
  if (signed_at.microseconds - now.microseconds > limit) return Freshness::kTooNew;
  return Freshness::kFresh;
}

std::string encode(Encoding encoding, std::string_view bytes) {
  return encoding == Encoding::kHex ? encode_hex(bytes) : encode_base64(bytes);
}

// The tag under which a scheme carries the signatures of this algorithm; none where it does not.
const SignatureVersion* version_for(const SignatureScheme& scheme, Algorithm algorithm) {
  const auto found = std::ranges::find(scheme.versions, algorithm, &SignatureVersion::algorithm);
  return found == scheme.versions.end() ? nullptr : &*found;
}

}  // namespace

Result<std::vector<http::Header>> sign(const SignatureScheme& scheme, const SigningKeys& keys, const Signing& signing,
                                       std::string_view body) {
  if (scheme.signs_id()) {
    if (auto checked = check_id(signing.id); !checked) return forward_error(std::move(checked));
  }
  const auto unit = signing.timestamp.microseconds / microseconds_in(scheme.timestamp_unit);
  const std::string timestamp = std::to_string(unit);
  if (auto read = read_timestamp(scheme, timestamp); !read) return forward_error(std::move(read));

  const HeaderSet& set = scheme.headers.front();
  const auto pieces = signed_pieces(scheme.signed_content, signing.id, timestamp, body);
  std::string value = scheme.layout == Layout::kKeyValues ? "t=" + timestamp : scheme.prefix;
  for (const SigningKey& key : keys.all()) {
    const auto* version = version_for(scheme, key.algorithm());
    if (version == nullptr) return fail("cannot_sign", "the scheme has no version for this kind of key", scheme.name);
    auto signature = key.sign(pieces);
    if (!signature) return forward_error(std::move(signature));
    const std::string text = encode(scheme.encoding, *signature);
    if (scheme.layout == Layout::kKeyValues) {
      value += "," + version->tag + "=" + text;
    } else if (scheme.layout == Layout::kVersionedList) {
      value += (value.empty() ? "" : " ") + version->tag + "," + text;
    } else {
      value += text;
      break;
    }
  }

  std::vector<http::Header> headers;
  if (!set.id.empty()) headers.push_back({set.id, std::string(signing.id)});
  if (!set.timestamp.empty()) headers.push_back({set.timestamp, timestamp});
  headers.push_back({set.signature, std::move(value)});
  return headers;
}

}  // namespace resultsync::vendors
