// A blocking HTTP/1.1 client for the command line and tests: it goes wherever it is told to. Requests to addresses that
// somebody else named go through outbound.hpp.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "http/message.hpp"

namespace resultsync::http {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // without brackets for IPv6
  std::uint16_t port = 80;
  std::string target;  // "/webhook?x=1", at least "/"
};
// Errors: `bad_url`. User names and passwords in a URL are refused, and so is a host that is a number in an odd
// spelling (0x7f.1, 2130706433, 127.1).
Result<Url> parse_url(std::string_view text);

struct ClientRequest {
  std::string method = "GET";
  std::string url = {};
  std::vector<Header> headers = {};
  std::string body = {};
  std::chrono::milliseconds timeout{30'000};  // for the whole exchange, connect included
  std::size_t response_bytes_max = 64 * 1024 * 1024;
  std::string ca_file = {};  // https: the PEM bundle to verify the server with; empty: the system's store
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

// Sends one request on a fresh connection and waits for the whole answer. No redirects are followed. Blocks;
// thread-safe. Errors: `bad_url`, `bad_request`, `bad_ca_file`, `connect_failed`, `tls_failed`, `timeout`,
// `connection_lost`, `bad_response`, `response_too_large`.
Result<ClientResponse> send(const ClientRequest& request);

// One keep-alive connection to one host, used by one thread at a time; reconnects when the server has closed it between
// requests.
class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const std::string& url, std::chrono::milliseconds timeout,
                                                  const std::string& ca_file = {});
  virtual ~Connection() = default;
  // As send() above, over this connection; `url` of the request may be only a target ("/webhook"), else it must name
  // the same host.
  virtual Result<ClientResponse> send(const ClientRequest& request) = 0;
};

}  // namespace resultsync::http
