#include "http/framing.hpp"

#include <algorithm>
#include <array>
#include <cstring>

namespace resultsync::http {
namespace {

// What a byte may be part of. A table, because every byte of every request passes here.
enum : std::uint8_t { kToken = 1, kValue = 2, kTarget = 4, kHostName = 8, kDigit = 16 };

constexpr std::array<std::uint8_t, 256> make_classes() {
  std::array<std::uint8_t, 256> classes{};
  auto mark = [&](std::string_view characters, std::uint8_t as) {
    for (const char c : characters) classes[static_cast<unsigned char>(c)] |= as;
  };
  constexpr std::string_view alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  mark("0123456789", kDigit);
  mark(alphanumeric, kToken | kHostName);
  mark("!#$%&'*+-.^_`|~", kToken);  // RFC 9110 §5.6.2
  mark("-._~", kHostName);          // of RFC 3986's reg-name only what names hosts: no commas, no escapes
  for (unsigned c = 0x21; c <= 0x7E; ++c) classes[c] |= kValue | kTarget;
  classes[' '] |= kValue;
  classes['\t'] |= kValue;
  for (unsigned c = 0x80; c <= 0xFF; ++c) classes[c] |= kValue;
  classes['#'] = static_cast<std::uint8_t>(classes['#'] & ~kTarget);  // a fragment never travels
  return classes;
}
constexpr auto kClasses = make_classes();

bool is(unsigned char byte, std::uint8_t which) {
  return (kClasses[byte] & which) != 0;
}
bool all(std::string_view text, std::uint8_t which) {
  return std::ranges::all_of(text, [which](char c) { return is(static_cast<unsigned char>(c), which); });
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// The next line of `rest` without its CRLF, which is taken off too. A line feed stands only after a carriage return.
std::optional<std::string_view> take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos || end == 0 || rest[end - 1] != '\r') return std::nullopt;
  const std::string_view line = rest.substr(0, end - 1);
  rest.remove_prefix(end + 1);
  return line;
}

struct RequestLine {
  std::string_view method, target, authority;  // authority: of an absolute URI, else empty
  bool http_1_0 = false;
};

Result<RequestLine> check_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return fail("bad_request_line", "the request line is not `METHOD target HTTP/1.1`");
  RequestLine read{
      .method = line.substr(0, first), .target = line.substr(first + 1, last - first - 1), .authority = {}};

  // Every registered method is made of capitals and hyphens; anything else is a client, or a reader before us, gone
  // astray.
  const auto is_method_letter = [](char c) { return (c >= 'A' && c <= 'Z') || c == '-'; };
  if (read.method.empty() || read.method.size() > 32 || !std::ranges::all_of(read.method, is_method_letter)) {
    return fail("bad_method", "the method of the request is not written in capital letters");
  }
  const std::string_view version = line.substr(last + 1);
  if (version == "HTTP/1.0") {
    read.http_1_0 = true;
  } else if (version != "HTTP/1.1") {
    return fail("bad_version", "only HTTP/1.1 and HTTP/1.0 are spoken here");
  }

  if (read.target.empty() || !all(read.target, kTarget))
    return fail("bad_target", "the target of the request holds characters that may not stand there");
  if (read.target.starts_with('/') || (read.target == "*" && read.method == "OPTIONS")) return read;
  // absolute-form, RFC 9112 §3.2.2: "http://host/path", from clients that think we are a proxy.
  const std::size_t scheme = read.target.find("://");
  if (scheme == std::string_view::npos ||
      !(same_name(read.target.substr(0, scheme), "http") || same_name(read.target.substr(0, scheme), "https"))) {
    return fail("bad_target", "the target of the request is neither a path nor an http URI");
  }
  const std::string_view rest = read.target.substr(scheme + 3);
  const std::size_t path = rest.find_first_of("/?");
  read.authority = rest.substr(0, path);
  if (!is_host(read.authority)) return fail("bad_target", "the host in the target of the request is not a host");
  if (path != std::string_view::npos && rest[path] == '?')
    return fail("bad_target", "the target of the request has no path");
  read.target = path == std::string_view::npos ? std::string_view("/") : rest.substr(path);
  return read;
}

// Collects what the fields say about framing, one field at a time.
class FramingFields {
 public:
  Result<void> see(const FieldView& field) {
    switch (field.name.size()) {
      case 4:
        if (same_name(field.name, "Host")) return see_host(field.value);
        break;
      case 6:
        if (same_name(field.name, "Expect")) return see_expect(field.value);
        break;
      case 10:
        if (same_name(field.name, "Connection")) return see_connection(field.value);
        break;
      case 14:
        if (same_name(field.name, "Content-Length")) return see_content_length(field.value);
        break;
      case 17:
        if (same_name(field.name, "Transfer-Encoding")) return see_transfer_encoding(field.value);
        break;
      default:
        break;
    }
    return {};
  }

  Result<void> decide(const RequestLine& line, RequestHead& head) const {
    if (!host_ && !line.http_1_0) return fail("bad_host", "the request has no Host header");
    if (!line.authority.empty() && host_ && !same_name(*host_, line.authority)) {
      return fail("host_mismatch", "the Host header and the host of the target differ");
    }
    if (chunked_ && content_length_)
      return fail("ambiguous_length", "the request has both Content-Length and Transfer-Encoding");
    if (chunked_ && line.http_1_0) return fail("bad_transfer_encoding", "HTTP/1.0 has no Transfer-Encoding");
    if (chunked_) head.body = BodyFraming::kChunked;
    if (content_length_) {
      head.content_length = *content_length_;
      head.body = *content_length_ == 0 ? BodyFraming::kNone : BodyFraming::kContentLength;
    }
    head.keep_alive = !close_ && (!line.http_1_0 || keep_alive_);
    if (!line.http_1_0) head.expectation = expectation_;  // RFC 9110 §10.1.1: a 1.0 client does not mean it
    return {};
  }

 private:
  Result<void> see_host(std::string_view value) {
    if (host_) return fail("bad_host", "the request has two Host headers");
    if (!is_host(value)) return fail("bad_host", "the Host header is not a host");
    host_ = value;
    return {};
  }
  Result<void> see_expect(std::string_view value) {
    const bool first = expectation_ == Expectation::kNone;
    expectation_ = first && same_name(value, "100-continue") ? Expectation::kContinue : Expectation::kUnknown;
    return {};
  }
  Result<void> see_connection(std::string_view value) {
    while (true) {
      const std::size_t comma = value.find(',');
      const std::string_view option = trim(value.substr(0, comma));
      if (!option.empty() && !is_token(option))
        return fail("bad_connection", "the Connection header is not a list of tokens");
      close_ = close_ || same_name(option, "close");
      keep_alive_ = keep_alive_ || same_name(option, "keep-alive");
      if (comma == std::string_view::npos) return {};
      value.remove_prefix(comma + 1);
    }
  }
  Result<void> see_content_length(std::string_view value) {
    // RFC 9110 §8.6 lets equal ones pass; we do not, for a reader before us may count them differently.
    if (content_length_) return fail("two_content_lengths", "the request has two Content-Length headers");
    if (value.empty() || value.size() > kContentLengthDigitsMax || !all(value, kDigit)) {
      return fail("bad_content_length", "the Content-Length header is not 1 to 15 digits");
    }
    std::uint64_t length = 0;
    for (const char c : value) length = length * 10 + static_cast<std::uint64_t>(c - '0');
    content_length_ = length;
    return {};
  }
  Result<void> see_transfer_encoding(std::string_view value) {
    if (chunked_ || !same_name(value, "chunked")) {
      return fail("bad_transfer_encoding", "the only Transfer-Encoding taken here is one `chunked`");
    }
    chunked_ = true;
    return {};
  }

  std::optional<std::string_view> host_;
  std::optional<std::uint64_t> content_length_;
  bool chunked_ = false;
  bool close_ = false;
  bool keep_alive_ = false;
  Expectation expectation_ = Expectation::kNone;
};

Result<FieldView> check_field(std::string_view line) {
  if (line.front() == ' ' || line.front() == '\t') {
    return fail("folded_field", "a header line begins with white space");  // obs-fold, RFC 9112 §5.2
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return fail("bad_field_name",
                "a header name is not a token followed by a colon");  // also a space before the colon, §5.1
  }
  const FieldView field{line.substr(0, colon), trim(line.substr(colon + 1))};
  if (!is_field_value(field.value)) return fail("bad_field_value", "a header value holds a control character");
  return field;
}

int hex_digit(unsigned char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<std::optional<std::size_t>> HeadScanner::find_end(std::string_view received) {
  if (!received.empty() && !is(static_cast<unsigned char>(received[0]), kToken)) {
    return fail("bad_request_line", "the request does not begin with a method");
  }
  while (true) {
    const std::size_t end = received.find('\n', scanned_);
    if (end == std::string_view::npos) break;
    if (end == 0 || received[end - 1] != '\r')
      return fail("bare_line_feed", "a line of the request ends without a carriage return");
    const bool empty_line = end - line_start_ == 1;
    scanned_ = line_start_ = end + 1;
    if (empty_line) return std::optional<std::size_t>(end + 1);
  }
  scanned_ = received.size();
  return std::optional<std::size_t>{};
}

Result<RequestHead> check_request_head(std::string_view head) {
  std::string_view rest = head;
  const auto first = take_line(rest);
  if (!first) return fail("bare_line_feed", "a line of the request ends without a carriage return");
  auto line = check_request_line(*first);
  if (!line) return forward_error(std::move(line));

  Result<RequestHead> read{std::in_place};
  read->method = line->method;
  read->target = line->target;
  read->http_1_0 = line->http_1_0;
  read->fields.reserve(16);
  FramingFields framing;
  while (true) {
    const auto text = take_line(rest);
    if (!text) return fail("bare_line_feed", "a line of the request ends without a carriage return");
    if (text->empty()) break;
    if (read->fields.size() == kFieldsMax)
      return fail("too_many_fields", "the request has more than 100 header fields");
    auto field = check_field(*text);
    if (!field) return forward_error(std::move(field));
    if (auto seen = framing.see(*field); !seen) return forward_error(std::move(seen));
    read->fields.push_back(*field);
  }
  if (!rest.empty()) return fail("bad_request_line", "bytes follow the empty line of the head");
  if (auto decided = framing.decide(*line, *read); !decided) return forward_error(std::move(decided));
  return read;
}

Result<ChunkDecoder::Step> ChunkDecoder::next(std::string_view wire) {
  Step step;
  while (step.consumed < wire.size() && state_ != State::kDone) {
    if (state_ == State::kData) {
      step.data = wire.substr(step.consumed, left_);
      step.consumed += step.data.size();
      left_ -= step.data.size();
      if (left_ == 0) state_ = State::kDataReturn;
      return step;
    }
    if (auto taken = take_byte(static_cast<unsigned char>(wire[step.consumed])); !taken)
      return forward_error(std::move(taken));
    ++step.consumed;
  }
  step.done = state_ == State::kDone;
  return step;
}

Result<void> ChunkDecoder::take_byte(unsigned char byte) {
  switch (state_) {
    case State::kSizeStart:
      left_ = 0;
      size_digits_ = 0;
      state_ = State::kSize;
      [[fallthrough]];
    case State::kSize:
      if (const int digit = hex_digit(byte); digit >= 0) {
        if (++size_digits_ > kChunkSizeDigitsMax) return fail("bad_chunk_size", "a chunk size has more than 8 digits");
        left_ = left_ * 16 + static_cast<unsigned>(digit);
        return {};
      }
      if (size_digits_ == 0 || (byte != '\r' && byte != ';'))
        return fail("bad_chunk_size", "a chunk size is not a hexadecimal number");
      state_ = byte == '\r' ? State::kSizeLineFeed : State::kExtension;
      return {};
    case State::kExtension:
      if (byte == '\r') {
        state_ = State::kSizeLineFeed;
        return {};
      }
      if (!is(byte, kValue) || ++extension_bytes_ > kChunkExtensionBytesMax) {
        return fail("bad_chunk_extension", "the extensions of the chunks are too long or hold a control character");
      }
      return {};
    case State::kSizeLineFeed:
      if (byte != '\n') return fail("bad_chunk_size", "a chunk size does not end with CRLF");
      state_ = left_ > 0 ? State::kData : State::kTrailer;
      return {};
    case State::kDataReturn:
      if (byte != '\r') return fail("bad_chunk_end", "a chunk is longer than its size");
      state_ = State::kDataLineFeed;
      return {};
    case State::kDataLineFeed:
      if (byte != '\n') return fail("bad_chunk_end", "a chunk does not end with CRLF");
      state_ = State::kSizeStart;
      return {};
    case State::kTrailer:
      if (byte == '\r') {
        state_ = State::kTrailerLineFeed;
        return {};
      }
      if (++trailer_bytes_ > kTrailerBytesMax) return fail("bad_trailer", "the trailer fields are too long");
      trailer_line_.push_back(static_cast<char>(byte));
      return {};
    case State::kTrailerLineFeed:
      if (byte != '\n') return fail("bad_trailer", "a trailer line does not end with CRLF");
      if (trailer_line_.empty()) {
        state_ = State::kDone;
        return {};
      }
      if (!check_field(trailer_line_)) return fail("bad_trailer", "a trailer line is not a header field");
      trailer_line_.clear();
      state_ = State::kTrailer;
      return {};
    case State::kData:
    case State::kDone:
      break;  // next() never comes here with these
  }
  return fail("bad_chunk_end", "bytes follow the end of the body");
}

bool is_token(std::string_view text) {
  return !text.empty() && all(text, kToken);
}
bool is_field_value(std::string_view text) {
  return all(text, kValue);
}

bool is_host(std::string_view text) {
  std::string_view name = text;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos || end < 3) return false;
    name = text.substr(1, end - 1);
    if (!std::ranges::all_of(name, [](char c) {
          return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'f') || c == ':' || c == '.';
        })) {
      return false;
    }
    const std::string_view after = text.substr(end + 1);
    has_port = !after.empty();
    if (has_port && !after.starts_with(':')) return false;
    port = has_port ? after.substr(1) : after;
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    name = text.substr(0, colon);
    port = has_port ? text.substr(colon + 1) : port;
    if (name.empty() || !all(name, kHostName)) return false;
  }
  if (!has_port) return true;
  if (port.empty() || port.size() > 5 || !all(port, kDigit)) return false;
  unsigned number = 0;
  for (const char c : port) number = number * 10 + static_cast<unsigned>(c - '0');
  return number <= 65'535;
}

bool ends_in_number(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view label = host.substr(host.rfind('.') + 1);
  if (label.empty()) return false;
  if (all(label, kDigit)) return true;
  if (label.size() < 2 || label[0] != '0' || (label[1] != 'x' && label[1] != 'X')) return false;
  return std::ranges::all_of(label.substr(2), [](char c) { return hex_digit(static_cast<unsigned char>(c)) >= 0; });
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace resultsync::http
