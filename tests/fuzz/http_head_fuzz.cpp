// The framing check on arbitrary bytes: whatever it accepts, Boost.Beast must understand in the same way, and a chunked
// body must come out the same however it is split.
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/framing.hpp"
#include "http/target.hpp"

namespace {

using namespace resultsync::http;
namespace beast = boost::beast;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void compare_with_beast(std::string_view bytes, const RequestHead& head) {
  beast::http::request_parser<beast::http::empty_body> parser;
  parser.header_limit(1U << 20);
  parser.body_limit(boost::none);
  parser.skip(true);
  beast::error_code error;
  parser.put(boost::asio::buffer(bytes.data(), bytes.size()), error);
  require(!error && parser.is_header_done(), "Beast reads every head that we accept");
  const auto& message = parser.get();
  require(std::string_view(message.method_string()) == head.method, "the same method");
  require(std::string_view(message.target()).ends_with(head.target) || head.target == "/", "the same target");
  require(parser.chunked() == (head.body == BodyFraming::kChunked), "the same transfer coding");
  if (const auto length = parser.content_length()) require(*length == head.content_length, "the same length");
  require(message.keep_alive() == head.keep_alive, "the same persistence");
  std::size_t fields = 0;
  for (const auto& field : message) {
    (void)field;
    ++fields;
  }
  require(fields == head.fields.size(), "the same number of fields");
}

void read_head(std::string_view bytes) {
  HeadScanner at_once;
  const auto end = at_once.find_end(bytes);
  HeadScanner piecewise;
  for (std::size_t size = 1; size <= bytes.size() && size <= 200; ++size) {
    const auto found = piecewise.find_end(bytes.substr(0, size));
    if (!found) {
      require(!end, "a scanner fails only where the whole fails");
      break;
    }
    if (*found) {
      require(end && *end && **end == **found, "the same end however the bytes arrive");
      break;
    }
  }
  if (!end || !*end) return;
  const std::string_view whole = bytes.substr(0, **end);
  const auto head = check_request_head(whole);
  if (!head) return;
  compare_with_beast(whole, *head);
  (void)decode_path(split_target(head->target).path);
  (void)decode_query_part(split_target(head->target).query);
}

struct Decoded {
  bool done = false;
  bool failed = false;
  std::string data;
  std::size_t consumed = 0;
};

Decoded decode(std::string_view wire, std::size_t piece) {
  ChunkDecoder decoder;
  Decoded decoded;
  while (decoded.consumed < wire.size() && !decoded.done) {
    const auto step = decoder.next(wire.substr(decoded.consumed, piece));
    if (!step) {
      decoded.failed = true;
      break;
    }
    decoded.data += step->data;
    decoded.consumed += step->consumed;
    decoded.done = step->done;
    require(step->consumed > 0 || step->done, "a decoder makes progress");
  }
  return decoded;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_head(bytes);
  const Decoded whole = decode(bytes, bytes.size() + 1);
  const Decoded split = decode(bytes, 1);
  require(whole.done == split.done && whole.failed == split.failed, "the same outcome however a chunked body is split");
  require(whole.data == split.data, "the same body however a chunked body is split");
  return 0;
}
