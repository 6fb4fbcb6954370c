// What a face answers: a response, and how much later it comes.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "http/message.hpp"

namespace resultsync::sandbox {

struct Answer {
  http::Response response;
  std::chrono::milliseconds delay{0};
};

inline http::Response html(int status, std::string body) {
  http::Response response{.status = status, .content_type = "text/html; charset=utf-8", .body = std::move(body)};
  response.set_header("Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; "
                      "img-src data:; base-uri 'none'; frame-ancestors 'none'");
  // Not `no-referrer`: with it, browsers send `Origin: null` with the forms of the control page, which then seem to be
  // another site's (Fetch standard, "append a request Origin header").
  response.set_header("X-Content-Type-Options", "nosniff").set_header("Referrer-Policy", "same-origin");
  return response;
}

inline http::Response redirect(int status, std::string location) {
  http::Response response{.status = status, .content_type = ""};
  response.set_header("Location", std::move(location)).set_header("Cache-Control", "no-store");
  return response;
}

inline http::Response json_answer(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body)};
}

}  // namespace resultsync::sandbox
