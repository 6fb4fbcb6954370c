// Where a request begins and ends: a strict reading of the raw bytes (RFC 9112), before anything else looks at them.
// What two readers could understand differently is refused, so that no proxy before us can be made to see other
// requests than we do. Pure: bytes in, values out. Views point into the bytes that were given.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace resultsync::http {

inline constexpr std::size_t kFieldsMax = 100;              // beyond: `too_many_fields`
inline constexpr std::size_t kContentLengthDigitsMax = 15;  // no overflow in any reader's 64 bits
inline constexpr std::size_t kChunkSizeDigitsMax = 8;
inline constexpr std::size_t kChunkExtensionBytesMax = 1024;  // of one body, all chunks together
inline constexpr std::size_t kTrailerBytesMax = 4096;         // of one body, all trailer fields together

// Finds the end of a head while its bytes arrive; keep one for each request and show it all the bytes received so far
// each time.
class HeadScanner {
 public:
  // The length of the head with its empty line; nothing if it is not there yet. Fails as soon as the bytes can no
  // longer become a head, so that nobody waits for a time-out: `bad_request_line` (the first byte), `bare_line_feed`.
  Result<std::optional<std::size_t>> find_end(std::string_view received);

 private:
  std::size_t scanned_ = 0;     // these bytes hold no further line end
  std::size_t line_start_ = 0;  // of the line that is being received
};

struct FieldView {
  std::string_view name;
  std::string_view value;  // without white space around it
};

enum class BodyFraming { kNone, kContentLength, kChunked };
enum class Expectation { kNone, kContinue, kUnknown };

struct RequestHead {
  std::string_view method;
  std::string_view target;        // origin-form ("/a?b") or "*"; of an absolute URI the part after the authority
  std::vector<FieldView> fields;  // in the order of the wire
  BodyFraming body = BodyFraming::kNone;
  std::uint64_t content_length = 0;
  bool http_1_0 = false;
  bool keep_alive = true;  // what the client asked for; RFC 9112 §9.3
  Expectation expectation = Expectation::kNone;
};

// Reads one head, from its request line to its empty line, both included. Every error is a 400 that closes the
// connection, except `too_many_fields` (431). Errors: `bad_request_line`, `bad_method`, `bad_target`, `bad_version`,
// `bare_line_feed`, `bad_field_name`, `bad_field_value`, `folded_field`, `too_many_fields`, `bad_host`,
// `bad_content_length`, `two_content_lengths`, `bad_transfer_encoding`, `ambiguous_length`, `bad_connection`,
// `host_mismatch`.
Result<RequestHead> check_request_head(std::string_view head);

// Takes a chunked body apart (RFC 9112 §7.1), however its bytes are split over reads. Extensions and trailers are
// bounded, checked and dropped: a trailer arrives after a decision was made, so it never becomes a header.
class ChunkDecoder {
 public:
  struct Step {
    std::size_t consumed = 0;  // so many bytes of `wire` are done with
    std::string_view data;     // those of them that belong to the body
    bool done = false;         // the body has ended; what follows in `wire` is the next request
  };
  // Takes bytes from the front of `wire`: call again with the rest until `done` or nothing is left. Errors:
  // `bad_chunk_size`, `bad_chunk_extension`, `bad_chunk_end`, `bad_trailer`; after one, the decoder must not be used
  // again.
  Result<Step> next(std::string_view wire);

 private:
  enum class State {
    kSizeStart,
    kSize,
    kExtension,
    kSizeLineFeed,
    kData,
    kDataReturn,
    kDataLineFeed,
    kTrailer,
    kTrailerLineFeed,
    kDone
  };
  Result<void> take_byte(unsigned char byte);

  State state_ = State::kSizeStart;
  std::uint64_t left_ = 0;  // of the size being read, then of the chunk's data
  std::size_t size_digits_ = 0;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::string trailer_line_;
};

// RFC 9110 §5.6.2.
bool is_token(std::string_view text);
// A header value as it may stand on the wire: visible characters, blanks, bytes from 0x80; no control characters.
bool is_field_value(std::string_view text);
// uri-host [ ":" port ] as in a Host header (RFC 9110 §7.2); never empty, never with a user name.
bool is_host(std::string_view text);
// True for a host whose last label is a number: an IPv4 address, or one of the spellings (0x7f.1, 2130706433, 127.1,
// 0177.0.0.1, 127.0.0.1.) that some resolvers take for one and others for a name. (WHATWG URL §3.5.)
bool ends_in_number(std::string_view host);
// Equal without regard to the case of ASCII letters.
bool same_name(std::string_view a, std::string_view b);

}  // namespace resultsync::http
