#include "vendors/signature_scheme.hpp"

#include <algorithm>
#include <array>

#include "http/framing.hpp"

namespace resultsync::vendors {
namespace {

// Standard Webhooks 1.0.0 under other header names is what Svix sends.
SignatureScheme standard_webhooks(std::string name, std::string summary, std::vector<HeaderSet> headers) {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .headers = std::move(headers),
          .layout = Layout::kVersionedList,
          .versions = {{.tag = "v1"}, {.tag = "v1a", .algorithm = Algorithm::kEd25519}},
          .encoding = Encoding::kBase64,
          .signed_content = "{id}.{t}.{body}",
          .secret_form = SecretForm::kStandardWebhooks,
          .secret_bytes_min = 24};
}

// `t=<time>,v1=<hex>` over `<time>.<body>`: the form that Stripe made common.
SignatureScheme timed_hex(std::string name, std::string summary, std::vector<HeaderSet> headers,
                          TimestampUnit unit = TimestampUnit::kSeconds) {
  return {.name = std::move(name),
          .summary = std::move(summary),
          .headers = std::move(headers),
          .layout = Layout::kKeyValues,
          .versions = {{.tag = "v1"}},
          .signed_content = "{t}.{body}",
          .timestamp_unit = unit};
}

std::vector<SignatureScheme> make_presets() {
  const HeaderSet webhook{.signature = "webhook-signature", .timestamp = "webhook-timestamp", .id = "webhook-id"};
  const HeaderSet svix{.signature = "svix-signature", .timestamp = "svix-timestamp", .id = "svix-id"};
  return {
      timed_hex("t-v1", "t=<unix>,v1=<hex> over <unix>.<body>; the default for Rupa",
                {{.signature = "Rupa-Signature"}}),
      timed_hex("fullscript", "t=<unix>,v1=<hex> over <unix>.<body>, as Fullscript sends it",
                {{.signature = "Fullscript-Signature"}}),
      standard_webhooks("standard-webhooks", "Standard Webhooks 1.0.0: v1 (HMAC-SHA256) and v1a (Ed25519)", {webhook}),
      standard_webhooks("svix", "Standard Webhooks under svix-* headers, or else webhook-*", {svix, webhook}),
      timed_hex("stripe", "t=<unix>,v1=<hex>[,v1=<hex>...] over <unix>.<body>; v0 is passed over",
                {{.signature = "Stripe-Signature"}}),
      {.name = "github",
       .summary = "sha256=<hex> over the body; signs no time",
       .headers = {{.signature = "X-Hub-Signature-256"}},
       .layout = Layout::kPrefixed,
       .prefix = "sha256="},
      {.name = "hex-body",
       .summary = "<hex> HMAC-SHA256 of the body; signs no time",
       .headers = {{.signature = "X-Signature"}}},
      {.name = "base64-body",
       .summary = "<base64> HMAC-SHA256 of the body; signs no time",
       .headers = {{.signature = "X-Signature"}},
       .encoding = Encoding::kBase64},
      timed_hex("terra", "t=<unix>,v1=<hex> over <unix>.<body>, as Terra sends it",
                {{.signature = "Terra-Signature"}, {.signature = "X-Terra-Signature"}}),
      timed_hex("terra-ms", "as terra, with t in milliseconds (its older form)",
                {{.signature = "Terra-Signature"}, {.signature = "X-Terra-Signature"}}, TimestampUnit::kMilliseconds),
  };
}

Result<void> check_headers(const SignatureScheme& scheme) {
  if (scheme.headers.empty()) return fail("bad_scheme", "a signature scheme needs a signature header");
  const bool timestamp_header = scheme.signs_timestamp() && scheme.layout != Layout::kKeyValues;
  for (const HeaderSet& set : scheme.headers) {
    const std::array names{std::string_view(set.signature), std::string_view(set.timestamp), std::string_view(set.id)};
    const std::array needed{true, timestamp_header, scheme.signs_id()};
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (needed[i] ? !http::is_token(names[i]) : !names[i].empty()) {
        return fail("bad_header_name",
                    needed[i] ? "this is no name of a header field" : "the signature scheme reads no such header",
                    std::string(names[i]));
      }
      for (std::size_t j = 0; j < i; ++j) {
        if (needed[i] && needed[j] && http::same_name(names[i], names[j])) {
          return fail("ambiguous_scheme", "one header cannot have two meanings in a signature scheme",
                      std::string(names[i]));
        }
      }
    }
  }
  return {};
}

// {body} is last, each other name stands at most once and is followed by a dot. A timestamp is digits and an id has no
// dot (verify.cpp), so the signed content can be taken apart in one way only.
Result<void> check_signed_content(std::string_view content) {
  const auto wrong = [&] {
    return fail("bad_scheme", "what is signed must be {body}, {t}.{body} or {id}.{t}.{body}", std::string(content));
  };
  if (!content.ends_with("{body}")) return wrong();
  content.remove_suffix(std::string_view("{body}").size());
  for (const std::string_view name : {"{id}.", "{t}."}) {
    const auto at = content.find(name);
    if (at == std::string_view::npos) continue;
    if (content.substr(0, at).contains('{')) return wrong();
    content.remove_prefix(at + name.size());
  }
  if (content.contains('{') || content.contains('}')) return wrong();
  return {};
}

Result<void> check_versions(const SignatureScheme& scheme) {
  const bool tagged = scheme.layout == Layout::kKeyValues || scheme.layout == Layout::kVersionedList;
  if (scheme.versions.empty()) return fail("bad_scheme", "a signature scheme needs a version that it accepts");
  for (const SignatureVersion& version : scheme.versions) {
    if (tagged != http::is_token(version.tag) || version.tag == "t") {
      return fail("bad_scheme", "the versions of a signature scheme do not fit its layout", version.tag);
    }
    if (version.algorithm == Algorithm::kEd25519 && scheme.secret_form != SecretForm::kStandardWebhooks) {
      return fail("bad_scheme", "Ed25519 needs secrets in the form of Standard Webhooks", version.tag);
    }
  }
  if (!tagged && scheme.versions.size() != 1)
    return fail("bad_scheme", "a signature without a version has one form only");
  return {};
}

}  // namespace

std::span<const SignatureScheme> signature_presets() {
  static const std::vector<SignatureScheme> presets = make_presets();
  return presets;
}

Result<SignatureScheme> signature_preset(std::string_view name) {
  std::string known;
  for (const SignatureScheme& scheme : signature_presets()) {
    if (scheme.name == name) return scheme;
    known += (known.empty() ? "" : ", ") + scheme.name;
  }
  return fail("unknown_scheme", "there is no signature scheme \"" + std::string(name) + "\"", "known are " + known);
}

Result<SignatureScheme> with_header_names(SignatureScheme scheme, const HeaderNames& names) {
  if (!names.signature && !names.timestamp && !names.id) return scheme;
  scheme.headers.resize(1);
  HeaderSet& set = scheme.headers.front();
  if (names.signature) set.signature = *names.signature;
  if (names.timestamp) set.timestamp = *names.timestamp;
  if (names.id) set.id = *names.id;
  if (auto checked = check_scheme(scheme); !checked) return forward_error(std::move(checked));
  return scheme;
}

Result<void> check_scheme(const SignatureScheme& scheme) {
  if (auto checked = check_signed_content(scheme.signed_content); !checked) return checked;
  if (auto checked = check_headers(scheme); !checked) return checked;
  if (scheme.layout == Layout::kKeyValues && !scheme.signs_timestamp()) {
    return fail("bad_scheme", "a list of key and value carries a timestamp, which must be signed");
  }
  if ((scheme.layout == Layout::kPrefixed) == scheme.prefix.empty()) {
    return fail("bad_scheme", "a prefix belongs to the layout `prefixed`, and to no other");
  }
  return check_versions(scheme);
}

}  // namespace resultsync::vendors
