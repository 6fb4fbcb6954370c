#include "cli/api_client.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "cli/config.hpp"
#include "cli/server_file.hpp"
#include "http/client.hpp"
#include "runtime/file.hpp"

namespace resultsync::cli {
namespace {

// What the server's problem (RFC 9457) says, for a person.
std::string words_of(const std::string& body) {
  const auto document = JsonDocument::parse(body);
  if (!document) return {};
  std::string words = shown(document->root(), {"title"});
  if (const std::string detail = shown(document->root(), {"detail"}); !detail.empty()) words += " " + detail;
  for (const JsonValue error : elements(document->root(), {"errors"})) {
    words += fmt::format("\n{}: {}", shown(error, {"member"}), shown(error, {"reason"}));
  }
  if (const std::string sources = shown(document->root(), {"sources"}); !sources.empty()) {
    words += fmt::format("\nsay which with --source: {}", sources);
  }
  return words;
}

Error error_of(int status, const std::string& body, const std::string& key_file) {
  const std::string words = words_of(body);
  switch (status) {
    case 403:
      return {"unauthorized", words.empty() ? "the key may not do this" : words,
              "resultsync keys create NAME --scope SCOPE makes one that may"};
    case 401:
      return {"unauthorized", fmt::format("the server does not accept the key in {}", key_file),
              "use the admin.key of that server's data directory: --data-dir DIR or --key-file FILE"};
    case 404:
      return {"not_found", words.empty() ? "there is no such thing" : words};
    case 409:
      return {"conflict", words.empty() ? "it contradicts what is there already" : words};
    case 429:
    case 503:
      return {"unavailable", "the server cannot take this now; try again shortly", words};
    case 400:
    case 413:
    case 422:
      return {"usage", "the server cannot take this", words};
    default:
      return {"request_failed", fmt::format("the server answered {}", status), words};
  }
}

}  // namespace

void ServerOptions::declare_data_dir(Options& options) {
  options.add({.names = "--data-dir",
               .value = "DIR",
               .help = "Data directory of the server; default: that of --config, else ./data",
               .target = &data_dir,
               .environment = "RESULTSYNC_DATA_DIR",
               .names_file = true});
  options.add({.names = "-c,--config",
               .value = "FILE",
               .help = "Configuration of the server",
               .target = &config,
               .environment = "RESULTSYNC_CONFIG",
               .names_file = true});
}

void ServerOptions::declare(Options& options) {
  declare_data_dir(options);
  options.add({.names = "--server",
               .value = "URL",
               .help = "Private listener of the server; default: that of the data directory",
               .target = &server,
               .environment = "RESULTSYNC_SERVER_URL"});
  options.add({.names = "--ca-file",
               .value = "FILE",
               .help = "Certificates to verify an https server with; default: the system's",
               .target = &ca_file,
               .environment = "RESULTSYNC_CA_FILE",
               .names_file = true});
  options.add({.names = "--key-file",
               .value = "FILE",
               .help = "File with the admin key; default: admin.key in the data directory",
               .target = &key_file,
               .environment = "RESULTSYNC_KEY_FILE",
               .names_file = true});
}

Result<std::string> ServerOptions::resolved_data_dir() const {
  if (data_dir) return *data_dir;
  const auto environment = resultsync_environment();
  if (const auto own = environment.find("RESULTSYNC_SERVER_DATA_DIR"); own != environment.end()) return own->second;
  if (!config) return std::string("./data");
  const LoadedConfig loaded = load_config({.file = config, .environment = environment, .flags = {}});
  if (!loaded.config.data_dir.empty()) return loaded.config.data_dir;
  return fail("bad_config", fmt::format("{} names no data directory", *config), describe(loaded.problems));
}

Result<ApiClient> ApiClient::find(const ServerOptions& options) {
  const auto data_dir = options.resolved_data_dir();
  if (!data_dir) return std::unexpected(data_dir.error());
  ApiClient client;
  client.ca_file_ = options.ca_file.value_or("");
  client.key_file_ = options.key_file.value_or(admin_key_path(*data_dir));
  if (options.server) {
    client.base_ = *options.server;
    while (client.base_.ends_with('/')) client.base_.pop_back();
  } else {
    const auto file = read_server_file(*data_dir);
    if (!file) return std::unexpected(file.error());
    client.base_ = file->private_url();
  }
  auto key = runtime::read_file(client.key_file_, 4096);
  if (!key) {
    Error error = key.error();
    error.cause +=
        "\nthe key is made when the server starts for the first time; read it as the user that the server runs as";
    return std::unexpected(std::move(error));
  }
  while (key->ends_with('\n') || key->ends_with('\r')) key->pop_back();
  client.key_ = Secret<std::string>(std::move(*key));
  return client;
}

Result<std::string> ApiClient::send(std::string method, const std::string& target, std::string body) const {
  http::ClientRequest request;
  request.method = std::move(method);
  request.url = base_ + target;
  request.headers.push_back({"Authorization", "Bearer " + key_.reveal()});
  if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  request.body = std::move(body);
  request.ca_file = ca_file_;
  request.timeout = std::chrono::seconds(90);  // longer than the longest long poll
  auto response = http::send(request);
  if (!response && response.error().code == "connect_failed") {
    return fail("no_server", fmt::format("no server answers at {}", base_),
                response.error().cause + "\nstart it with: resultsync serve --config FILE");
  }
  if (!response) return std::unexpected(response.error());
  if (response->status >= 200 && response->status < 300) return std::move(response->body);
  return std::unexpected(error_of(response->status, response->body, key_file_));
}

Result<void> ApiClient::each(const std::string& target, std::size_t most,
                             const std::function<bool(JsonValue)>& item) const {
  std::string after;
  std::size_t seen = 0;
  while (seen < most) {
    const std::string limit = std::to_string(std::min<std::size_t>(most - seen, 500));
    const auto body = get(with_query(target, {{"limit", limit}, {"after", after}}));
    if (!body) return std::unexpected(body.error());
    const auto document = JsonDocument::parse(*body);
    if (!document) return std::unexpected(document.error());
    for (const JsonValue one : elements(document->root(), {"items"})) {
      ++seen;
      if (!item(one)) return {};
    }
    after = shown(document->root(), {"next"});
    if (after.empty()) return {};
  }
  return {};
}

std::string with_query(std::string target, const std::vector<std::pair<std::string, std::string>>& parameters) {
  char joint = target.find('?') == std::string::npos ? '?' : '&';
  for (const auto& [name, value] : parameters) {
    if (value.empty()) continue;
    target += fmt::format("{}{}={}", joint, name, percent_encoded(value));
    joint = '&';
  }
  return target;
}

}  // namespace resultsync::cli
