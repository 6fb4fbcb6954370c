// data_dir/server.json: how the other commands on this machine find the server that runs on a data directory. Written
// when it is ready, removed when it ends in order. Holds no secret.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"

namespace resultsync::cli {

struct ServerFile {
  std::int64_t pid = 0;
  std::string public_address;  // "127.0.0.1:8080", with the real port
  std::string private_address;
  std::string config_file;   // absolute
  bool public_tls = false;   // the public listener speaks TLS
  bool private_tls = false;  // the private one does

  // Where a client on this machine reaches them: "http://127.0.0.1:8080".
  [[nodiscard]] std::string public_url() const;
  [[nodiscard]] std::string private_url() const;
};

std::string server_file_path(const std::string& data_dir);
std::string admin_key_path(const std::string& data_dir);

Result<void> write_server_file(const std::string& data_dir, const ServerFile& file);
// Error: `no_server` if there is none, saying how to start one.
Result<ServerFile> read_server_file(const std::string& data_dir);
void remove_server_file(const std::string& data_dir);

// Where a client on this machine reaches a listener on that address: a wildcard is reached by loopback.
std::string reachable(const std::string& address);

}  // namespace resultsync::cli
