// The faces of the network, each a function from a request to an answer. docs/reference/sandbox.md says what each does.
// Thread-safe: they meet in Network::enter().
#pragma once

#include <string_view>

#include "sandbox/answer.hpp"
#include "sandbox/network.hpp"

namespace resultsync::sandbox {

// `path`: decoded, without a trailing slash.
Answer answer_oauth(Network& network, const http::Request& request, std::string_view path);       // /oauth/…
Answer answer_api(Network& network, const http::Request& request, std::string_view path);         // /orders, …
Answer answer_fullscript(Network& network, const http::Request& request, std::string_view path);  // /api/…
Answer answer_document(Network& network, const http::Request& request, std::string_view path);    // /documents/…
Answer answer_checkout(Network& network, const http::Request& request, std::string_view path);    // /checkout/…
Answer answer_control(Network& network, const http::Request& request, std::string_view path);     // /control…

// The one that a path belongs to.
Answer answer(Network& network, const http::Request& request);

}  // namespace resultsync::sandbox
