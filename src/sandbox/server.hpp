// The sandbox as a process has it: the network behind one listener.
//
//   auto sandbox = Sandbox::start({.listen = "127.0.0.1:0"}, clock);
//   open((*sandbox)->base() + "/control");
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"
#include "http/server.hpp"
#include "sandbox/network.hpp"

namespace resultsync::sandbox {

struct SandboxOptions {
  std::string listen = "127.0.0.1:8090";
  // What its links begin with; empty: "http://" and the address that it listens on.
  std::string base = {};
  unsigned threads = 2;
  NetworkOptions network;
};

class Sandbox {
 public:
  // Listens, then lets time run. Errors: those of http::Server::start(), `remote_listener` (beyond loopback without
  // allow_remote), and those of check_target() for the webhook. The clock must outlive it.
  static Result<std::unique_ptr<Sandbox>> start(SandboxOptions options, const runtime::Clock& clock);
  virtual ~Sandbox() = default;

  [[nodiscard]] virtual const std::string& base() const = 0;
  [[nodiscard]] virtual std::string address() const = 0;  // "127.0.0.1:8090", where it listens
  [[nodiscard]] virtual Network& network() = 0;
  virtual void stop(std::chrono::milliseconds patience) = 0;  // as http::Server::stop(), once
};

}  // namespace resultsync::sandbox
