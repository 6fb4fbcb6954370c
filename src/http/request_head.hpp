// The head of a request that we send. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "http/client.hpp"
#include "http/message.hpp"

namespace resultsync::http {

enum class Afterwards { kKeep, kClose };  // what becomes of the connection after the answer

// Errors: `bad_request`, if anything in it would break the framing.
Result<std::string> request_head(std::string_view method, const Url& url, std::string_view target,
                                 const std::vector<Header>& headers, std::size_t body_bytes, Afterwards afterwards);

// Origin-form as it may stand in a request line.
bool is_target(std::string_view text);
// RFC 9110 §9.2.2: those that may be sent again when nobody knows whether they arrived.
bool is_idempotent(std::string_view method);

}  // namespace resultsync::http
