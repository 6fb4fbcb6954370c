#include "cli/signing_options.hpp"

#include <unistd.h>

#include <cerrno>

#include "cli/secret_file.hpp"
#include "runtime/file.hpp"

namespace resultsync::cli {

void SigningOptions::declare(Options& options) {
  options.add({.names = "--secret-file",
               .value = "FILE",
               .help = "File with the signing secret; more than one for a rotation",
               .target = &secret_files,
               .names_file = true});
  std::vector<std::string> presets;
  for (const vendors::SignatureScheme& scheme : vendors::signature_presets()) presets.push_back(scheme.name);
  options.add({.names = "--signature",
               .value = "SCHEME",
               .help = "How requests are signed",
               .target = &signature,
               .choices = std::move(presets)});
  options.add({.names = "--header", .value = "NAME", .help = "Name of the signature header", .target = &header});
  options.add({.names = "--timestamp-header",
               .value = "NAME",
               .help = "Name of the timestamp header",
               .target = &timestamp_header});
  options.add({.names = "--id-header", .value = "NAME", .help = "Name of the message id header", .target = &id_header});
}

Result<Signer> SigningOptions::read() const {
  if (secret_files.empty()) return fail("no_secrets", "no secret was named", "use --secret-file FILE");
  auto preset = vendors::signature_preset(signature);
  if (!preset) return forward_error(std::move(preset));
  auto scheme = vendors::with_header_names(std::move(*preset),
                                           {.signature = header, .timestamp = timestamp_header, .id = id_header});
  if (!scheme) return forward_error(std::move(scheme));
  std::vector<Secret<std::string>> secrets;
  for (const std::string& file : secret_files) {
    auto secret = read_secret_file(file);
    if (!secret) return forward_error(std::move(secret));
    secrets.push_back(std::move(*secret));
  }
  auto keys = vendors::SigningKeys::read(*scheme, secrets);
  if (!keys) return forward_error(std::move(keys));
  return Signer{std::move(*scheme), std::move(*keys)};
}

Result<std::string> read_input(const std::string& path, std::size_t bytes_max) {
  if (path != "-") return runtime::read_file(path, bytes_max);
  std::string text;
  char buffer[64 * 1024];
  while (true) {
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::unexpected(runtime::file_error(errno, "read", "standard input"));
    if (got == 0) return text;
    text.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace resultsync::cli
