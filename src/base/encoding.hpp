// Bytes as text and back: hexadecimal and base64 (RFC 4648), and percent-encoding. Decoders are strict and total:
// anything that is not exactly one encoding of some bytes is refused, so two different texts never stand for the same
// bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace resultsync {

std::string encode_hex(std::string_view bytes);                // lower case
std::optional<std::string> decode_hex(std::string_view text);  // either case; even length

std::string encode_base64(std::string_view bytes);                   // RFC 4648 §4, padded
std::optional<std::string> decode_base64(std::string_view text);     // padded, no white space, zero trailing bits
std::string encode_base64url(std::string_view bytes);                // RFC 4648 §5, without padding
std::optional<std::string> decode_base64url(std::string_view text);  // without padding

// A path segment or a query's value (RFC 3986 §2): what is not unreserved stands as %XX.
std::string percent_encoded(std::string_view text);

// True for text that is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing past U+10FFFF).
bool is_utf8(std::string_view text);
// A copy in which every maximal ill-formed sequence stands as U+FFFD.
std::string repair_utf8(std::string_view text);

}  // namespace resultsync
