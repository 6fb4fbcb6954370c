// The configuration of a server: from flags, the environment, a TOML file and defaults, in that precedence, setting by
// setting.
//
//   [server]                                       RESULTSYNC_SERVER_PUBLIC=0.0.0.0:8080      --public 0.0.0.0:8080
//   public = "127.0.0.1:8080"
//
//   [sources.rupa]                                 RESULTSYNC_SOURCES_RUPA_SECRETS=file:/run/secrets/rupa
//   secrets = ["file:rupa.secret"]
//
// Everything that is wrong is reported at once, each with its place and what to do. Secrets stand in files or systemd
// credentials, and never here. The settings are one table (setting_kinds()): docs/reference/config.md shows the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "cli/setting_kinds.hpp"
#include "delivery/delivery.hpp"
#include "http/server.hpp"
#include "network/settings.hpp"
#include "runtime/log.hpp"
#include "store/postgres/database.hpp"
#include "sync/critical.hpp"
#include "vendors/network.hpp"

namespace resultsync::cli {

struct Limits {
  std::size_t body_bytes = 0;
  std::size_t head_bytes = 0;
  std::size_t in_flight_bytes = 0;
  std::size_t connections = 0;
  std::size_t queue_bytes = 0;
  std::uint64_t free_space_bytes = 0;
  std::int64_t idle_seconds = 0;
  std::int64_t key_requests_per_second = 0;
  std::int64_t key_burst = 0;
};

struct Config {
  std::string file;  // absolute; empty without a file
  std::string public_address;
  std::string private_address;
  bool allow_remote_without_tls = false;
  std::optional<http::TlsFiles> public_tls;
  std::optional<http::TlsFiles> private_tls;
  std::string data_dir;                                     // absolute
  std::optional<store::postgres::ConnectOptions> postgres;  // the store that was chosen; none: embedded in data_dir
  bool store_standby = false;                               // a commit must be on a standby too
  std::int64_t threads = 0;                                 // event loops of the public listener
  std::vector<vendors::Source> sources;
  network::Settings network;  // the sources' APIs; public_url may be empty
  Limits limits;
  delivery::DeliveryOptions delivery;
  sync::CriticalOptions critical;
  runtime::log::Level log_level = runtime::log::Level::kInfo;
};

// A setting as it came out, for check-config. Where a list holds the places of secrets, these are places, never the
// secrets themselves.
struct Setting {
  std::string key;
  std::string value;  // as TOML
  std::string
      origin;  // "resultsync.toml:3", "RESULTSYNC_SERVER_PUBLIC", "--public", "default", "default of vendor fullscript"
};

struct ConfigProblem {
  std::string where;  // "resultsync.toml:3", a variable or a flag; the file alone if it is about no line
  std::string what;   // a sentence
  std::string cure;   // what to do; may be empty
};

struct LoadedConfig {
  Config config;  // to be used only if there is no problem
  std::vector<Setting> settings;
  std::vector<ConfigProblem> problems;
  std::vector<ConfigProblem> warnings;
};

struct ConfigInput {
  std::optional<std::string> file;
  std::map<std::string, std::string> environment;  // RESULTSYNC_* only
  std::map<std::string, std::string> flags;        // by key: {"server.public", "0.0.0.0:8080"}
};

LoadedConfig load_config(const ConfigInput& input);

// The RESULTSYNC_* variables of this process.
std::map<std::string, std::string> resultsync_environment();

// A configuration that works as it stands, beside a file with the secret.
std::string_view minimal_config();

// All problems as text for a person, one a paragraph.
std::string describe(const std::vector<ConfigProblem>& problems);

}  // namespace resultsync::cli
