// Plain requests and responses: what the rest of the house sees of HTTP. Boost.Beast stays behind server.cpp and
// client.cpp.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace resultsync::http {

struct Header {
  std::string name;   // as it was sent; compared without regard to case (RFC 9110 §5.1)
  std::string value;  // without leading and trailing white space
  bool operator==(const Header&) const = default;
};

// The header fields of a message in the order of the wire. Never holds trailers: those arrive after a decision was
// made.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.push_back({std::move(name), std::move(value)}); }
  // The value of the only field of that name; nothing if there is none **or more than one** (an ambiguous header is no
  // header).
  [[nodiscard]] std::optional<std::string_view> only(std::string_view name) const;
  [[nodiscard]] std::size_t count(std::string_view name) const;
  [[nodiscard]] const std::vector<Header>& all() const { return fields_; }

 private:
  std::vector<Header> fields_;
};

// A request whose head and body were read in full, within the limits of its listener.
struct Request {
  std::string method;  // "GET"
  std::string target;  // as sent: "/v1/feed?practitioner=anna"
  std::string
      path;  // the part before `?`, percent-decoded once; refused with 400 if that does not give clean UTF-8 text
  Headers headers;
  std::string body;
  std::string peer;  // "127.0.0.1:51234"
  // A query parameter, percent-decoded, `+` as a space; nothing if it is absent or stands twice. (A query with a broken
  // escape is refused with 400 before it gets here.)
  [[nodiscard]] std::optional<std::string> query(std::string_view name) const;
  [[nodiscard]] std::size_t query_count(std::string_view name) const;
};

class BodyStream;  // body_stream.hpp

// Content-Length, Transfer-Encoding, Connection and Date are the server's: those among `headers` are left out. HEAD,
// 204 and 304 are sent without the body; a status below 200 becomes 500.
struct Response {
  int status = 200;
  std::string content_type = "application/json";  // empty: no Content-Type
  std::vector<Header> headers = {};               // further ones; set_header() refuses CR, LF and NUL
  std::string body = {};
  bool close = false;  // close the connection after this answer
  // In the place of `body`: an answer that goes on until its writer ends it. Shared with that writer.
  std::shared_ptr<BodyStream> stream = nullptr;

  // Adds a header; one whose name is not a token is left out. A value that could break the framing is dropped with its
  // name kept and the value `invalid`.
  Response& set_header(std::string name, std::string value);
};

// An RFC 9457 problem: `type` is `urn:resultsync:problem:<code>`, `title` a sentence for a person, never with health
// data.
Response problem(int status, std::string_view code, std::string_view title, std::string_view detail = {});

// Answers one request, exactly once, from any thread, at any later time. If it is destroyed without having been called,
// the client gets a 500. Calling it after the connection has gone is harmless.
class Responder {
 public:
  using Send = std::move_only_function<void(Response)>;
  explicit Responder(Send send) : send_(std::move(send)) {}
  Responder(Responder&& other) noexcept : send_(std::exchange(other.send_, nullptr)) {}
  Responder& operator=(Responder&&) = delete;
  ~Responder();
  void operator()(Response response);

 private:
  Send send_;
};

// Called on an event-loop thread of the listener: must not block. Work that blocks goes to runtime::Workers and answers
// from there. Called concurrently, from as many threads as the listener has.
using Handler = std::function<void(Request, Responder)>;

}  // namespace resultsync::http
