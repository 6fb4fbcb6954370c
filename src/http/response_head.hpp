// The head of a response, written by hand: it is the same few bytes for every answer. Pure.
#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"

namespace resultsync::http {

enum class Persistence { kKeepAlive, kKeepAliveHttp10, kClose };  // a 1.0 client must be told that the connection stays

// Appends status line, headers and empty line to `out`. Framing is ours: Content-Length, Transfer-Encoding and
// Connection among `response.headers` are left out. `date` is an IMF-fixdate, or empty for none.
void append_response_head(std::string& out, const Response& response, Persistence persistence, std::string_view date);

// The same for an answer that goes on, which is the last of its connection: chunked (RFC 9112 §7.1), or to its end.
void append_stream_head(std::string& out, const Response& response, bool chunked, std::string_view date);
void append_chunk(std::string& out, std::string_view bytes);  // `bytes` not empty

// The status that is sent for one that a handler gave: an answer is final, so a 1xx, like any nonsense, becomes 500.
int final_status(int status);
// RFC 9110 §6.4.1: 1xx, 204 and 304 have no body, whatever the handler put there.
bool status_has_body(int status);
std::string_view reason_phrase(int status);

}  // namespace resultsync::http
