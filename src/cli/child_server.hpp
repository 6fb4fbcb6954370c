// A server of the demo's own: this same program, as a child process that ends with it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "cli/server_file.hpp"

namespace resultsync::cli {

class ChildServer {
 public:
  // Starts `serve --config <config_file>` with its log in `log_file`, and waits until it is ready. Errors:
  // `server_failed` (with the end of its log), `timeout`.
  static Result<std::unique_ptr<ChildServer>> start(const std::string& config_file, const std::string& data_dir,
                                                    const std::string& log_file);
  ~ChildServer();  // SIGKILL if it still runs

  [[nodiscard]] const ServerFile& addresses() const { return addresses_; }
  // Asks it to end (SIGTERM) and waits; its exit code.
  int stop();
  // Waits for it to end by itself; its exit code.
  int wait();

 private:
  explicit ChildServer(pid_t pid) : pid_(pid) {}
  std::optional<int> ended();  // its exit code, if it has ended

  pid_t pid_;
  std::optional<int> exit_code_;
  ServerFile addresses_;
};

}  // namespace resultsync::cli
