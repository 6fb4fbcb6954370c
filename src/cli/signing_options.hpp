// The options of every command that signs or verifies: which scheme, which header names, which secrets.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/options.hpp"
#include "vendors/signature_scheme.hpp"
#include "vendors/signing_keys.hpp"

namespace resultsync::cli {

struct Signer {
  vendors::SignatureScheme scheme;
  vendors::SigningKeys keys;
};

struct SigningOptions {
  std::vector<std::string> secret_files;
  std::string signature = "t-v1";
  std::optional<std::string> header;
  std::optional<std::string> timestamp_header;
  std::optional<std::string> id_header;

  void declare(Options& options);
  // Reads the secrets. Errors: `no_secrets` (none was named) and those of the files, the scheme and the keys.
  [[nodiscard]] Result<Signer> read() const;
};

// The whole of a file, or of stdin for "-". The limit is that of files; stdin has none.
Result<std::string> read_input(const std::string& path, std::size_t bytes_max = 64 * 1024 * 1024);

}  // namespace resultsync::cli
