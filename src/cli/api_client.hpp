// The private API, as the commands use it. Finds the server of a data directory and its admin key by itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/secret.hpp"
#include "cli/json_document.hpp"
#include "cli/options.hpp"

namespace resultsync::cli {

// Where the server is: by --server and --key-file, else by --data-dir, else by the data_dir of --config, else ./data.
struct ServerOptions {
  std::optional<std::string> data_dir;
  std::optional<std::string> config;
  std::optional<std::string> server;
  std::optional<std::string> key_file;
  std::optional<std::string> ca_file;

  void declare(Options& options);
  void declare_data_dir(Options& options);  // only --data-dir and --config, for commands that read the store itself
  [[nodiscard]] Result<std::string> resolved_data_dir() const;
};

class ApiClient {
 public:
  // Errors: `no_server`, `not_found`, `permission_denied` (the key file), `bad_config`.
  static Result<ApiClient> find(const ServerOptions& options);

  // The body of a 2xx answer. Errors: `no_server`, `unauthorized`, `not_found`, `conflict`, `unavailable`, `usage`
  // (what was sent cannot be taken), `request_failed`; each with what the server said and what to do.
  [[nodiscard]] Result<std::string> get(const std::string& target) const { return send("GET", target, {}); }
  [[nodiscard]] Result<std::string> send(std::string method, const std::string& target, std::string body) const;

  // Calls `item` for each item of a list, page after page, up to `most`; stops early if it answers false.
  Result<void> each(const std::string& target, std::size_t most, const std::function<bool(JsonValue)>& item) const;

  [[nodiscard]] const std::string& base_url() const { return base_; }

 private:
  std::string base_;  // "http://127.0.0.1:8081", "https://results.example:8443"
  std::string key_file_;
  std::string ca_file_;
  Secret<std::string> key_;
};

// "/v1/events" and pairs of name and value; pairs without a value are left out.
std::string with_query(std::string target, const std::vector<std::pair<std::string, std::string>>& parameters);

}  // namespace resultsync::cli
