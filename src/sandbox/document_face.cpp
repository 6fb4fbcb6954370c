// /documents/{token}/{name}: files behind links that die, and what the switches make of them.
#include <fmt/format.h>

#include <utility>

#include "base/digest.hpp"
#include "http/body_stream.hpp"
#include "sandbox/faces.hpp"
#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::size_t kOversized = 65U * 1024 * 1024;

http::Response refused(int status, std::string_view code, std::string_view message) {
  return {.status = status,
          .content_type = "application/xml",
          .body = fmt::format(
              "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{}</Code><Message>{}</Message></Error>", code,
              message)};
}

// Spoils the first requests of a file, as the switches say. What it does is drawn by the file, not by the link, so that
// a new link does not heal it.
void spoil(const Switches& switches, std::uint64_t seed, const std::string& about, Answer& answer) {
  http::Response& response = answer.response;
  if (drawn(switches.document_slow, seed, "document_slow", about))
    answer.delay = std::chrono::milliseconds(static_cast<std::int64_t>(switches.document_slow_seconds * 1000));
  if (drawn(switches.document_failing, seed, "document_failing", about)) {
    response = refused(mixed(seed, about) % 2 == 0 ? 500 : 503, "InternalError", "We encountered an internal error.");
    if (response.status == 503) response.set_header("Retry-After", "1");
  } else if (drawn(switches.document_redirect, seed, "document_redirect", about)) {
    response = redirect(302, "http://storage.example.com/elsewhere");
  } else if (drawn(switches.document_wrong_type, seed, "document_wrong_type", about)) {
    if (mixed(seed, about) % 2 == 0) {
      response.body = "<!DOCTYPE html><title>Sign in</title><p>Your session has ended. Please sign in.</p>";
    } else {
      response.content_type = "text/html";
    }
  } else if (drawn(switches.document_truncated, seed, "document_truncated", about)) {
    // The connection ends before the document does.
    auto stream = std::make_shared<http::BodyStream>([](http::BodyStream::Told) {});
    response.body.resize(response.body.size() * 2 / 3);
    (void)stream->write(std::exchange(response.body, {}));
    stream->break_off();
    response.stream = std::move(stream);
  } else if (drawn(switches.document_oversized, seed, "document_oversized", about)) {
    response.body.resize(kOversized, '\0');
  }
}

}  // namespace

Answer answer_document(Network& network, const http::Request& request, std::string_view path) {
  if (request.method != "GET" && request.method != "HEAD") {
    http::Response response =
        refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.");
    response.set_header("Allow", "GET, HEAD");
    return {std::move(response)};
  }
  std::string_view rest = path.substr(std::string_view("/documents/").size());
  const std::string_view token = rest.substr(0, rest.find('/'));
  rest = rest.size() > token.size() ? rest.substr(token.size() + 1) : std::string_view{};

  std::optional<DocumentSource> source;
  Switches switches;
  std::string about;
  bool spoilt = false;
  {
    const Network::Inside inside = network.enter();
    const auto found = inside->links.find(token, network.real_now());
    if (!found || file_name(found->name.kind) != rest)
      return {refused(404, "NoSuchKey", "The specified key does not exist.")};
    if (found->expired) return {refused(403, "AccessDenied", "Request has expired")};
    if (inside->switches.documents_need_token) {
      const auto header = request.headers.only("Authorization");
      const bool known = header && header->starts_with("Bearer ") &&
                         inside->oauth.bearer(header->substr(7), network.real_now()).has_value();
      if (!known)
        return {refused(401, "Unauthorized", "A bearer token is needed.").set_header("WWW-Authenticate", "Bearer")};
    }
    source = source_of(inside->world, found->name);
    switches = inside->switches;
    about = fmt::format("{} {} {} {}", found->name.order, found->name.test, found->name.version,
                        static_cast<int>(found->name.kind));
    spoilt = ++inside->document_requests[about] <= switches.document_attempts;
  }
  // Drawn outside of the lock: it is work.
  Answer answer;
  answer.response = {.status = 200, .content_type = std::string(content_type(source->kind)), .body = draw(*source)};
  answer.response.set_header("ETag", "\"" + sha256(answer.response.body).hex() + "\"");
  answer.response.set_header("Cache-Control", "private, no-store");
  if (spoilt) spoil(switches, network.options().world.seed, about, answer);
  return answer;
}

}  // namespace resultsync::sandbox
