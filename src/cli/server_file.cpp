#include "cli/server_file.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/json_writer.hpp"
#include "cli/json_document.hpp"
#include "runtime/file.hpp"

namespace resultsync::cli {

std::string server_file_path(const std::string& data_dir) {
  return (std::filesystem::path(data_dir) / "server.json").string();
}
std::string admin_key_path(const std::string& data_dir) {
  return (std::filesystem::path(data_dir) / "admin.key").string();
}

Result<void> write_server_file(const std::string& data_dir, const ServerFile& file) {
  JsonWriter json;
  json.begin_object()
      .member("pid", file.pid)
      .member("public", file.public_address)
      .member("private", file.private_address)
      .member("config", file.config_file)
      .member("public_tls", file.public_tls)
      .member("private_tls", file.private_tls)
      .end_object();
  return runtime::write_file_durably(server_file_path(data_dir), json.text() + "\n");
}

Result<ServerFile> read_server_file(const std::string& data_dir) {
  const std::string path = server_file_path(data_dir);
  const auto text = runtime::read_file(path, 64 * 1024);
  if (!text && text.error().code == "not_found") {
    return fail("no_server", fmt::format("no server runs on {}", data_dir),
                "start one with: resultsync serve --config FILE\nor name the data directory of the one that runs: "
                "--data-dir DIR");
  }
  if (!text) return std::unexpected(text.error());
  const auto document = JsonDocument::parse(*text);
  if (!document) return fail("no_server", fmt::format("{} cannot be read", path), document.error().cause);
  ServerFile file;
  const std::string pid = shown(document->root(), {"pid"});
  std::from_chars(pid.data(), pid.data() + pid.size(), file.pid);
  file.public_address = shown(document->root(), {"public"});
  file.private_address = shown(document->root(), {"private"});
  file.config_file = shown(document->root(), {"config"});
  file.public_tls = shown(document->root(), {"public_tls"}) == "true";
  file.private_tls = shown(document->root(), {"private_tls"}) == "true";
  if (file.pid > 0 && ::kill(static_cast<pid_t>(file.pid), 0) != 0 && errno == ESRCH) {
    return fail("no_server", fmt::format("the server of {} (process {}) is not running any more", data_dir, file.pid),
                fmt::format("start it again with: resultsync serve --config {}", file.config_file));
  }
  return file;
}

std::string ServerFile::public_url() const {
  return (public_tls ? "https://" : "http://") + reachable(public_address);
}
std::string ServerFile::private_url() const {
  return (private_tls ? "https://" : "http://") + reachable(private_address);
}

void remove_server_file(const std::string& data_dir) {
  ::unlink(server_file_path(data_dir).c_str());
}

std::string reachable(const std::string& address) {
  const auto colon = address.rfind(':');
  const std::string host = address.substr(0, colon);
  if (host == "0.0.0.0") return "127.0.0.1" + address.substr(colon);
  if (host == "[::]") return "[::1]" + address.substr(colon);
  return address;
}

}  // namespace resultsync::cli
