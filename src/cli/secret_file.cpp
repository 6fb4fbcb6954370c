#include "cli/secret_file.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/file.hpp"

namespace resultsync::cli {

Result<std::string> resolve_secret_place(std::string_view place, const std::string& folder) {
  constexpr std::string_view kFile = "file:";
  constexpr std::string_view kCredential = "credential:";
  if (place.starts_with(kFile) && place.size() > kFile.size()) {
    return (std::filesystem::path(folder) / place.substr(kFile.size())).lexically_normal().string();
  }
  if (place.starts_with(kCredential)) {
    const std::string_view name = place.substr(kCredential.size());
    if (name.empty() || name.find('/') != std::string_view::npos || name.starts_with('.')) {
      return fail("bad_credential_name", "a credential's name is no path",
                  "write credential:NAME as in LoadCredential=NAME:…");
    }
    const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
    if (directory == nullptr) {
      return fail("no_credentials",
                  fmt::format("the credential {} cannot be read: CREDENTIALS_DIRECTORY is not set", name),
                  "start the server by systemd with LoadCredential=, or use file:PATH");
    }
    return (std::filesystem::path(directory) / name).string();
  }
  return fail(
      "literal_secret", "a secret must not stand in the configuration itself",
      "put it into a file that only the server may read, and write secrets = [\"file:PATH\"] or [\"credential:NAME\"]");
}

Result<Secret<std::string>> read_secret_file(const std::string& path) {
  constexpr std::size_t kSecretBytesMax = 64 * 1024;
  auto text = runtime::read_file(path, kSecretBytesMax);
  if (!text) return forward_error(std::move(text));
  if (text->ends_with("\r\n")) {
    text->resize(text->size() - 2);
  } else if (text->ends_with('\n')) {
    text->pop_back();
  }
  if (text->empty()) return fail("secret_empty", fmt::format("{} is empty", path));
  return Secret<std::string>(std::move(*text));
}

}  // namespace resultsync::cli
