#include "cli/config_options.hpp"

namespace resultsync::cli {

void ConfigOptions::declare(Options& options) {
  options.add({.names = "-c,--config",
               .value = "FILE",
               .help = "Configuration (TOML)",
               .target = &file,
               .environment = "RESULTSYNC_CONFIG",
               .names_file = true});
  options.add({.names = "--data-dir",
               .value = "DIR",
               .help = "Overrides server.data_dir",
               .target = &data_dir,
               .names_file = true});
  options.add(
      {.names = "--public", .value = "HOST:PORT", .help = "Overrides server.public", .target = &public_address});
  options.add(
      {.names = "--private", .value = "HOST:PORT", .help = "Overrides server.private", .target = &private_address});
  options.add({.names = "--log-level",
               .value = "LEVEL",
               .help = "Overrides log.level",
               .target = &log_level,
               .choices = {"debug", "info", "warning", "error", "off"}});
}

LoadedConfig ConfigOptions::load() const {
  ConfigInput input{.file = file, .environment = resultsync_environment(), .flags = {}};
  if (data_dir) input.flags["server.data_dir"] = *data_dir;
  if (public_address) input.flags["server.public"] = *public_address;
  if (private_address) input.flags["server.private"] = *private_address;
  if (log_level) input.flags["log.level"] = *log_level;
  return load_config(input);
}

}  // namespace resultsync::cli
