// The options of every command that reads a configuration.
#pragma once

#include <optional>
#include <string>

#include "cli/config.hpp"
#include "cli/options.hpp"

namespace resultsync::cli {

struct ConfigOptions {
  std::optional<std::string> file;
  std::optional<std::string> data_dir;
  std::optional<std::string> public_address;
  std::optional<std::string> private_address;
  std::optional<std::string> log_level;

  void declare(Options& options);
  [[nodiscard]] LoadedConfig load() const;
};

}  // namespace resultsync::cli
