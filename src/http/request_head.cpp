#include "http/request_head.hpp"

#include <algorithm>
#include <array>

#include "http/framing.hpp"

namespace resultsync::http {
namespace {

std::string host_header(const Url& url) {
  const std::string host = url.host.find(':') == std::string::npos ? url.host : "[" + url.host + "]";
  const std::uint16_t usual = url.scheme == "https" ? 443 : 80;
  return url.port == usual ? host : host + ":" + std::to_string(url.port);
}

}  // namespace

Result<std::string> request_head(std::string_view method, const Url& url, std::string_view target,
                                 const std::vector<Header>& headers, std::size_t body_bytes, Afterwards afterwards) {
  const auto bad = [](std::string_view what) {
    return fail("bad_request", "the request cannot be sent: " + std::string(what));
  };
  if (!is_token(method)) return bad("its method is not a token");
  if (!is_target(target)) return bad("its target holds characters that may not stand there");
  std::string head;
  head.append(method).append(" ").append(target).append(" HTTP/1.1\r\n");
  bool has_host = false;
  for (const Header& field : headers) {
    if (!is_token(field.name) || !is_field_value(field.value)) return bad("a header would break its framing");
    if (same_name(field.name, "Content-Length") || same_name(field.name, "Transfer-Encoding") ||
        same_name(field.name, "Connection")) {
      return bad("Content-Length, Transfer-Encoding and Connection are not the caller's to set");
    }
    has_host = has_host || same_name(field.name, "Host");
    head.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  if (!has_host) head.append("Host: ").append(host_header(url)).append("\r\n");
  const bool always_with_length = method == "POST" || method == "PUT" || method == "PATCH";
  if (always_with_length || body_bytes > 0) {
    head.append("Content-Length: ").append(std::to_string(body_bytes)).append("\r\n");
  }
  head.append(afterwards == Afterwards::kKeep ? "\r\n" : "Connection: close\r\n\r\n");
  return head;
}

bool is_target(std::string_view text) {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7F && c != '#'; });
}

bool is_idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> idempotent{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::ranges::find(idempotent, method) != idempotent.end();
}

}  // namespace resultsync::http
