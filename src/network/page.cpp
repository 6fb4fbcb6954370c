#include "network/page.hpp"

#include <fmt/format.h>

namespace resultsync::network {
namespace {

constexpr std::string_view kStyle = R"css(
:root{color-scheme:light dark;--ink:#1c2430;--soft:#4d5868;--line:#d9dee6;--paper:#fff;--ground:#f3f5f8;--house:#0b5c50;--on-house:#fff;--good:#166534;--trouble:#9a3412}
@media(prefers-color-scheme:dark){:root{--ink:#e8ecf2;--soft:#b4bdca;--line:#333c49;--paper:#1b212b;--ground:#12161d;--house:#4cc2a1;--on-house:#06251d;--good:#86efac;--trouble:#fdba74}}
*{box-sizing:border-box}
body{margin:0;padding:1rem;background:var(--ground);color:var(--ink);font:1.05rem/1.55 system-ui,"DejaVu Sans",sans-serif}
main{max-width:34rem;margin:10vh auto 0;padding:2rem;background:var(--paper);border:1px solid var(--line);border-radius:14px;--sign:var(--house)}
main.done{--sign:var(--good)}main.stopped{--sign:var(--soft)}main.trouble{--sign:var(--trouble)}
svg{display:block;width:2.75rem;height:2.75rem;margin:0 0 1.1rem;padding:.55rem;border:2px solid var(--sign);border-radius:50%;fill:none;stroke:var(--sign);stroke-width:2.2;stroke-linecap:round;stroke-linejoin:round}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem;text-wrap:balance}
p{margin:.7rem 0;color:var(--soft)}h1+p{color:var(--ink)}
form{margin:1.5rem 0 0}
button{font:inherit;font-weight:600;padding:.7rem 2rem;border:0;border-radius:9px;background:var(--house);color:var(--on-house);cursor:pointer}
button:hover{filter:brightness(1.08)}button:focus-visible{outline:3px solid var(--house);outline-offset:3px}
@media(max-width:30rem){main{margin-top:1rem;padding:1.5rem}button{width:100%}}
)css";

std::string_view class_of(Mood mood) {
  constexpr std::string_view kNames[] = {"ask", "done", "stopped", "trouble"};
  return kNames[static_cast<int>(mood)];
}

// Two links of a chain, a check mark, a dash, an exclamation mark.
std::string_view sign_of(Mood mood) {
  constexpr std::string_view kPaths[] = {
      "M10 14a4 4 0 0 0 5.7 0l3.1-3.1a4 4 0 0 0-5.7-5.7L11.6 6.7M14 10a4 4 0 0 0-5.7 0l-3.1 3.1a4 4 0 0 0 5.7 "
      "5.7l1.5-1.5",
      "M5 12.5l4.5 4.5L19 7.5", "M6 12h12", "M12 5v8M12 18v.2"};
  return kPaths[static_cast<int>(mood)];
}

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
  response.body = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\"><title>{0}</title><style>{1}</style></head><body><main "
      "class=\"{2}\"><svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"{3}\"/></svg><h1>{0}</h1>",
      escaped(page.title), kStyle, class_of(page.mood), sign_of(page.mood));
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
