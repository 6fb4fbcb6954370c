#include "http/response_head.hpp"

#include <array>
#include <charconv>

#include "http/framing.hpp"

namespace resultsync::http {
namespace {

void append_number(std::string& out, std::size_t number) {
  std::array<char, 24> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  out.append(digits.data(), end.ptr);
}

bool belongs_to_framing(std::string_view name) {
  return same_name(name, "Content-Length") || same_name(name, "Transfer-Encoding") || same_name(name, "Connection") ||
         same_name(name, "Date");
}

// Response::headers is open to everybody, so what leaves is checked here once more.
void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(is_field_value(value) ? value : std::string_view("invalid")).append("\r\n");
}

void append_status_line(std::string& out, int status, std::string_view date) {
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::size_t>(status));
  out.append(" ").append(reason_phrase(status)).append("\r\n");
  if (!date.empty()) out.append("Date: ").append(date).append("\r\n");
}

void append_further_fields(std::string& out, const Response& response) {
  for (const Header& field : response.headers) {
    if (is_token(field.name) && !belongs_to_framing(field.name)) append_field(out, field.name, field.value);
  }
}

}  // namespace

void append_response_head(std::string& out, const Response& response, Persistence persistence, std::string_view date) {
  const int status = final_status(response.status);
  append_status_line(out, status, date);
  if (status_has_body(status)) {
    if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
    out.append("Content-Length: ");
    append_number(out, response.body.size());
    out.append("\r\n");
  }
  append_further_fields(out, response);
  if (persistence == Persistence::kClose) out.append("Connection: close\r\n");
  if (persistence == Persistence::kKeepAliveHttp10) out.append("Connection: keep-alive\r\n");
  out.append("\r\n");
}

void append_stream_head(std::string& out, const Response& response, bool chunked, std::string_view date) {
  append_status_line(out, final_status(response.status), date);
  if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
  append_further_fields(out, response);
  if (chunked) out.append("Transfer-Encoding: chunked\r\n");
  out.append("Connection: close\r\n\r\n");
}

void append_chunk(std::string& out, std::string_view bytes) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16);
  out.append(digits.data(), end.ptr).append("\r\n").append(bytes).append("\r\n");
}

int final_status(int status) {
  return status >= 200 && status <= 999 ? status : 500;
}

bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 100:
      return "Continue";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";  // RFC 9112 §4: the phrase may be empty
  }
}

}  // namespace resultsync::http
