#include "network/page.hpp"

namespace resultsync::network {
namespace {

std::string escaped(std::string_view text) {
  std::string html;
  for (const char c : text) {
    switch (c) {
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '&':
        html += "&amp;";
        break;
      case '"':
        html += "&quot;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

}  // namespace

http::Response secured(http::Response response) {
  response.set_header("Cache-Control", "no-store")
      .set_header("Referrer-Policy", "no-referrer")
      .set_header("X-Content-Type-Options", "nosniff")
      .set_header("X-Frame-Options", "DENY");
  return response;
}

http::Response render(const Page& page) {
  http::Response response;
  response.status = page.status;
  response.content_type = "text/html; charset=utf-8";
  response.body =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>" +
      escaped(page.title) +
      "</title><style>body{font:1.1rem/1.5 system-ui,sans-serif;max-width:32rem;margin:12vh auto;padding:0 "
      "1.5rem;color:#1a1a1a;background:#fff}h1{font-size:1.6rem}button{font:inherit;padding:.6rem "
      "1.6rem;border:0;border-radius:.4rem;background:#0b5c50;color:#fff;cursor:pointer}button:focus-visible{outline:"
      "3px "
      "solid "
      "#9ad0c5}@media(prefers-color-scheme:dark){body{background:#16191b;color:#eee}}</style></head><body><main><h1>" +
      escaped(page.title) + "</h1>";
  for (const std::string& paragraph : page.paragraphs) response.body += "<p>" + escaped(paragraph) + "</p>";
  if (!page.button.empty()) {
    response.body += "<form method=\"post\"><button autofocus>" + escaped(page.button) + "</button></form>";
  }
  response.body += "</main></body></html>\n";
  // `form-action` is left open: the button's answer leads to the network's consent page.
  response.set_header("Content-Security-Policy",
                      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'");
  return secured(std::move(response));
}

}  // namespace resultsync::network
