#include "cli/config.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "base/json_writer.hpp"
#include "cli/command_line.hpp"
#include "cli/secret_file.hpp"
#include "http/address_policy.hpp"
#include "http/client.hpp"
#include "runtime/file.hpp"

extern char** environ;

namespace resultsync::cli {
namespace {

namespace fs = std::filesystem;
using Form = SettingKind::Form;

// A value as one of the layers gives it.
struct Raw {
  std::variant<std::string, std::int64_t, bool, std::vector<std::string>> value;
  std::string origin;
  bool from_file = false;  // paths in it are relative to the file's folder
  bool is_default = false;
};

std::vector<std::string> split(std::string_view text, char mark) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto end = std::min(text.find(mark), text.size());
    std::string_view part = text.substr(0, end);
    while (part.starts_with(' ')) part.remove_prefix(1);
    while (part.ends_with(' ')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

// "sources.rupa.path" → "sources.*.path" and "rupa".
std::pair<std::string, std::string> generic_key(const std::string& key) {
  if (!key.starts_with("sources.")) return {key, {}};
  const auto dot = key.rfind('.');
  if (dot <= 8) return {key, {}};
  return {"sources.*" + key.substr(dot), key.substr(8, dot - 8)};
}

const SettingKind* kind_of(const std::string& key) {
  const std::string generic = generic_key(key).first;
  const auto kinds = setting_kinds();
  const auto found = std::ranges::find(kinds, generic, &SettingKind::key);
  return found == kinds.end() ? nullptr : &*found;
}

bool is_source_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

std::string upper(std::string text) {
  for (char& c : text) c = c == '-' || c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

class Loader {
 public:
  explicit Loader(const ConfigInput& input) : input_(input) {}

  LoadedConfig load() {
    if (!read_file()) return std::move(loaded_);  // without the file, all else would be noise
    read_environment();
    for (const auto& [key, value] : input_.flags) raw_[key] = {value, "--" + flag_name(key)};
    note_places();
    build();
    return std::move(loaded_);
  }

 private:
  static std::string flag_name(const std::string& key) {
    std::string name = key.substr(key.rfind('.') + 1);
    std::ranges::replace(name, '_', '-');
    return name;
  }

  void problem(std::string where, std::string what, std::string cure = {}) {
    loaded_.problems.push_back({std::move(where), std::move(what), std::move(cure)});
  }

  // ---- the layers, lowest first

  // False if there is one that cannot be read as TOML.
  [[nodiscard]] bool read_file() {
    if (!input_.file) return true;
    const std::string& path = *input_.file;
    shown_file_ = path;
    loaded_.config.file = fs::absolute(path).lexically_normal().string();
    folder_ = fs::path(loaded_.config.file).parent_path().string();
    auto text = runtime::read_file(path, std::size_t{1} << 20U);
    if (!text) {
      problem(path, text.error().text(),
              text.error().code == "not_found" ? fmt::format("write it first; this is enough:\n\n{}", minimal_config())
                                               : "check that it is a file and that you may read it");
      return false;
    }
    try {
      const toml::table document = toml::parse(*text, path);
      walk(document, "");
    } catch (const toml::parse_error& error) {
      problem(fmt::format("{}:{}", path, error.source().begin.line),
              fmt::format("not valid TOML: {}", error.description()),
              "text stands in quotes: public = \"127.0.0.1:8080\"");
      return false;
    }
    return true;
  }

  void walk(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix.empty() ? std::string(name.str()) : prefix + "." + std::string(name.str());
      const std::string where = fmt::format("{}:{}", shown_file_, node.source().begin.line);
      const bool source_table = prefix == "sources";
      if (const toml::table* inner = node.as_table()) {
        if (source_table && !is_source_name(name.str())) {
          problem(where, fmt::format("\"{}\" cannot be the name of a source", name.str()),
                  "use up to 64 of a-z, 0-9, _ and -, as in [sources.rupa]");
          continue;
        }
        if (source_table) source_where_[std::string(name.str())] = where;
        if (!is_section(key)) {
          unknown(key, where);
          continue;
        }
        walk(*inner, key);
        continue;
      }
      if (is_section(key) || source_table) {
        problem(where, fmt::format("{} must be a table", key), fmt::format("write [{}] on a line of its own", key));
        continue;
      }
      if (kind_of(key) == nullptr) {
        unknown(key, where);
        continue;
      }
      if (auto raw = raw_of(node, key, where)) raw_[key] = std::move(*raw);
    }
  }

  static bool is_section(const std::string& key) {
    return key == "server" || key == "sources" || key == "limits" || key == "delivery" || key == "critical" ||
           key == "log" || key == "documents" || key == "reconcile" ||
           (key.starts_with("sources.") && key.find('.', 8) == std::string::npos);
  }

  void unknown(const std::string& key, const std::string& where) {
    std::vector<std::string> names;
    const std::string source = generic_key(key).second;
    for (const SettingKind& kind : setting_kinds()) {
      std::string name(kind.key);
      if (const auto star = name.find('*'); star != std::string::npos)
        name.replace(star, 1, source.empty() ? "NAME" : source);
      names.push_back(std::move(name));
    }
    const std::string_view meant = nearest(key, {names.begin(), names.end()});
    problem(
        where, fmt::format("there is no setting {}", key),
        meant.empty() ? "`resultsync check-config --settings` lists them all" : fmt::format("did you mean {}?", meant));
  }

  std::optional<Raw> raw_of(const toml::node& node, const std::string& key, const std::string& where) {
    if (const auto* text = node.as_string()) return Raw{text->get(), where, true};
    if (const auto* number = node.as_integer()) return Raw{number->get(), where, true};
    if (const auto* boolean = node.as_boolean()) return Raw{boolean->get(), where, true};
    if (const auto* array = node.as_array()) {
      std::vector<std::string> items;
      for (const toml::node& item : *array) {
        const auto* text = item.as_string();
        if (text == nullptr) {
          problem(fmt::format("{}:{}", shown_file_, item.source().begin.line),
                  fmt::format("{} must be a list of texts", key), "put each item in quotes");
          return std::nullopt;
        }
        items.push_back(text->get());
      }
      return Raw{std::move(items), where, true};
    }
    problem(where, fmt::format("{} has a value of a type that no setting has", key));
    return std::nullopt;
  }

  void read_environment() {
    for (const auto& [name, value] : input_.environment) {
      if (const auto key = key_of_variable(name)) {
        raw_[*key] = {value, name};
      } else if (name.starts_with("RESULTSYNC_SERVER_") || name.starts_with("RESULTSYNC_LIMITS_") ||
                 name.starts_with("RESULTSYNC_LOG_") || name.starts_with("RESULTSYNC_DOCUMENTS_") ||
                 name.starts_with("RESULTSYNC_RECONCILE_") || name.starts_with("RESULTSYNC_SOURCES_")) {
        loaded_.warnings.push_back(
            {name, "this variable is no setting, and is ignored", "see `resultsync check-config --settings`"});
      }
    }
  }

  // RESULTSYNC_SOURCES_RUPA_PATH → "sources.rupa.path". A source that the file names keeps its spelling there
  // ("my-lab").
  [[nodiscard]] std::optional<std::string> key_of_variable(const std::string& name) const {
    constexpr std::string_view kPrefix = "RESULTSYNC_";
    constexpr std::string_view kSources = "RESULTSYNC_SOURCES_";
    std::optional<std::string> key;
    std::size_t longest = 0;
    for (const SettingKind& kind : setting_kinds()) {
      const std::string own(kind.key);
      const auto star = own.find('*');
      if (star == std::string::npos) {
        if (name == std::string(kPrefix) + upper(own)) return own;
        continue;
      }
      const std::string ending = upper(own.substr(star + 1));
      if (!name.starts_with(kSources) || !name.ends_with(ending) || name.size() <= kSources.size() + ending.size())
        continue;
      if (ending.size() < longest) continue;  // _TOLERANCE_SECONDS before _SECONDS
      longest = ending.size();
      const std::string shouted = name.substr(kSources.size(), name.size() - kSources.size() - ending.size());
      std::string source;
      for (const auto& [known, where] : source_where_) {
        if (upper(known) == shouted) source = known;
      }
      if (source.empty()) {
        for (const char c : shouted) source += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      }
      key = "sources." + source + own.substr(star + 1);
    }
    return key;
  }

  void note_places() {
    for (const auto& [key, raw] : raw_) {
      if (const std::string source = generic_key(key).second; !source.empty())
        source_where_.try_emplace(source, raw.origin);
    }
  }

  // ---- one setting, with its type

  // The setting's raw value, or its default; notes it for check-config.
  Raw take(const std::string& key) {
    const SettingKind& kind = *kind_of(key);
    const auto found = raw_.find(key);
    if (found != raw_.end()) return found->second;
    const std::string vendor = vendor_of(key);
    const auto of_vendor = vendor_default(vendor, last(key));
    const std::string_view fallback = of_vendor.value_or(kind.fallback);
    const std::string origin = of_vendor ? default_of(vendor) : "default";
    if (kind.form == Form::kList) return {split(fallback, ','), origin, true, true};
    return {std::string(fallback), origin, true, true};
  }

  // The vendor of the source that a setting is of; empty if it is of none, or it says none.
  [[nodiscard]] std::string vendor_of(const std::string& key) const {
    const std::string source = generic_key(key).second;
    const auto vendor = source.empty() ? raw_.end() : raw_.find("sources." + source + ".vendor");
    const auto* name = vendor == raw_.end() ? nullptr : std::get_if<std::string>(&vendor->second.value);
    return name == nullptr ? std::string{} : *name;
  }
  static std::string default_of(std::string_view vendor) { return fmt::format("default of vendor {}", vendor); }

  void note(const std::string& key, std::string value, const Raw& raw) {
    loaded_.settings.push_back({key, std::move(value), raw.origin});
  }

  std::string text(const std::string& key) {
    const Raw raw = take(key);
    const auto* value = std::get_if<std::string>(&raw.value);
    if (value == nullptr) {
      problem(raw.origin, fmt::format("{} must be a text", key), fmt::format("write {} = \"…\"", last(key)));
      return {};
    }
    note(key, json_string(*value), raw);
    return *value;
  }

  static std::string last(const std::string& key) { return key.substr(key.rfind('.') + 1); }

  std::string choice(const std::string& key) {
    const std::string value = text(key);
    const auto choices = split(kind_of(key)->choices, '|');
    if (std::ranges::find(choices, value) != choices.end()) return value;
    std::string list;
    for (const std::string& one : choices) list += (list.empty() ? "" : ", ") + one;
    if (loaded_.problems.empty() || !loaded_.problems.back().what.starts_with(key + " must be a text")) {
      problem(take(key).origin, fmt::format("{} cannot be \"{}\"", key, value), "one of: " + list);
    }
    return choices.front();
  }

  std::string path(const std::string& key) {
    const Raw raw = take(key);
    const auto* value = std::get_if<std::string>(&raw.value);
    if (value == nullptr || value->empty()) {
      problem(raw.origin, fmt::format("{} must be a path", key), fmt::format("write {} = \"./data\"", last(key)));
      return {};
    }
    const std::string resolved = resolve(*value, raw);
    note(key, json_string(resolved), raw);
    return resolved;
  }

  [[nodiscard]] std::string resolve(const std::string& path, const Raw& raw) const {
    const fs::path base = raw.from_file && !folder_.empty() ? fs::path(folder_) : fs::current_path();
    return (base / path).lexically_normal().string();
  }

  std::int64_t number(const std::string& key) {
    const SettingKind& kind = *kind_of(key);
    const Raw raw = take(key);
    std::optional<std::int64_t> value;
    if (const auto* integer = std::get_if<std::int64_t>(&raw.value)) value = *integer;
    if (const auto* written = std::get_if<std::string>(&raw.value)) {
      if (kind.form == Form::kBytes) {
        value = parse_bytes(*written);
      } else if (!raw.from_file || raw.is_default) {
        // A number in quotes is a mistake in a file, and all there is elsewhere.
        std::int64_t parsed = 0;
        const auto [end, error] = std::from_chars(written->data(), written->data() + written->size(), parsed);
        if (error == std::errc() && end == written->data() + written->size() && !written->empty()) value = parsed;
      }
    }
    const std::int64_t least = kind.form == Form::kBytes ? 1 : kind.least;
    const std::int64_t most =
        kind.form == Form::kBytes && kind.most == SettingKind::kNoLimit ? std::int64_t{1} << 50U : kind.most;
    if (!value) {
      problem(raw.origin, fmt::format("{} must be a {}", key, kind.form == Form::kBytes ? "size" : "whole number"),
              kind.form == Form::kBytes ? fmt::format("write {} = \"32 MiB\", or a number of bytes", last(key))
                                        : fmt::format("write {} = {}", last(key), kind.fallback));
      return least;
    }
    if (*value < least || *value > most) {
      problem(raw.origin, fmt::format("{} = {} is out of range", key, *value),
              fmt::format("from {} to {}", least, most));
      return least;
    }
    note(key, fmt::format("{}", *value), raw);
    return *value;
  }

  bool boolean(const std::string& key) {
    const Raw raw = take(key);
    std::optional<bool> value;
    if (const auto* own = std::get_if<bool>(&raw.value)) value = *own;
    if (const auto* written = std::get_if<std::string>(&raw.value);
        written != nullptr && (!raw.from_file || raw.is_default)) {
      if (*written == "true") value = true;
      if (*written == "false") value = false;
    }
    if (!value) problem(raw.origin, fmt::format("{} must be true or false", key), "without quotes");
    note(key, value.value_or(false) ? "true" : "false", raw);
    return value.value_or(false);
  }

  std::vector<std::string> list(const std::string& key) {
    const Raw raw = take(key);
    std::vector<std::string> items;
    if (const auto* own = std::get_if<std::vector<std::string>>(&raw.value)) {
      items = *own;
    } else if (const auto* written = std::get_if<std::string>(&raw.value); written != nullptr && !raw.from_file) {
      items = split(*written, ',');
    } else {
      problem(raw.origin, fmt::format("{} must be a list of texts", key), fmt::format("write {} = [\"…\"]", last(key)));
      return {};
    }
    return items;
  }

  void note_list(const std::string& key, const std::vector<std::string>& items) {
    std::string shown = "[";
    for (const std::string& item : items) shown += (shown.size() > 1 ? ", " : "") + json_string(item);
    note(key, shown + "]", take(key));
  }

  // An address as http://host:port has it.
  std::string address(const std::string& key) {
    const std::string value = text(key);
    const auto url = http::parse_url("http://" + value);
    const auto colon = value.rfind(':');
    const bool has_port = colon != std::string::npos && colon + 1 < value.size() &&
                          std::all_of(value.begin() + static_cast<std::ptrdiff_t>(colon) + 1, value.end(),
                                      [](unsigned char c) { return std::isdigit(c) != 0; });
    if (!has_port || value.find('/') != std::string::npos || (!url && !value.ends_with(":0")) || colon == 0) {
      if (!value.empty()) {
        problem(take(key).origin, fmt::format("{} = \"{}\" is no address", key, value),
                "write host:port, as in \"127.0.0.1:8080\" or \"[::1]:8080\"");
      }
    }
    return value;
  }

  // A certificate and its key: both, or none of them.
  std::optional<http::TlsFiles> tls_files(const std::string& start) {
    const auto given = [&](const std::string& key) {
      const Raw raw = take(key);
      const auto* value = std::get_if<std::string>(&raw.value);
      return value == nullptr || !value->empty();
    };
    const bool has_certificate = given(start + "_certificate");
    const bool has_key = given(start + "_key");
    if (!has_certificate && !has_key) return std::nullopt;
    if (has_certificate != has_key) {
      problem(take(start + (has_key ? "_key" : "_certificate")).origin,
              fmt::format("{}_certificate and {}_key belong together, and one is missing", start, start),
              "name both files, or neither to listen without TLS");
      return std::nullopt;
    }
    return http::TlsFiles{.certificate = path(start + "_certificate"), .key = path(start + "_key")};
  }

  // ---- the whole

  void build() {
    Config& config = loaded_.config;
    config.public_address = address("server.public");
    config.private_address = address("server.private");
    config.allow_remote_without_tls = boolean("server.allow_remote_without_tls");
    config.data_dir = path("server.data_dir");
    config.threads = number("server.threads");
    build_store(config);
    config.public_tls = tls_files("server.public_tls");
    config.private_tls = tls_files("server.private_tls");
    if (!is_loopback(config.private_address) && !config.private_tls && !config.allow_remote_without_tls) {
      problem(take("server.private").origin,
              fmt::format("server.private = \"{}\" can be reached from other machines, and speaks no TLS",
                          config.private_address),
              "give it a certificate (server.private_tls_certificate and _key), listen on 127.0.0.1 or [::1] behind a "
              "proxy that speaks TLS, or set server.allow_remote_without_tls = true if the network between is yours "
              "alone");
    }
    if (config.public_address == config.private_address && !config.public_address.ends_with(":0")) {
      problem(take("server.private").origin, "server.public and server.private are the same address",
              "give them different ports: what is private must not be reached where webhooks are");
    }
    if (source_where_.empty()) {
      problem(shown_file_.empty() ? "configuration" : shown_file_, "there is no source: nobody could send anything",
              "add a [sources.rupa] table with its secrets");
    }
    for (const auto& [name, where] : source_where_) build_source(name, where);
    check_paths();
    build_network();
    config.limits.body_bytes = static_cast<std::size_t>(number("limits.body"));
    config.limits.head_bytes = static_cast<std::size_t>(number("limits.head"));
    config.limits.in_flight_bytes = static_cast<std::size_t>(number("limits.in_flight"));
    config.limits.connections = static_cast<std::size_t>(number("limits.connections"));
    config.limits.queue_bytes = static_cast<std::size_t>(number("limits.queue"));
    config.limits.free_space_bytes = static_cast<std::uint64_t>(number("limits.free_space"));
    config.limits.idle_seconds = number("limits.idle_seconds");
    config.limits.key_requests_per_second = number("limits.key_requests_per_second");
    config.limits.key_burst = number("limits.key_burst");
    if (config.limits.in_flight_bytes < config.limits.body_bytes) {
      problem(take("limits.in_flight").origin,
              "limits.in_flight is smaller than limits.body: the largest body could never be taken",
              "raise limits.in_flight or lower limits.body");
    }
    if (config.limits.queue_bytes < config.limits.body_bytes) {
      problem(take("limits.queue").origin,
              "limits.queue is smaller than limits.body: the largest body could never be taken",
              "raise limits.queue or lower limits.body");
    }
    build_delivery(config.delivery);
    build_critical(config.critical);
    using runtime::log::Level;
    const std::map<std::string, Level> levels = {{"debug", Level::kDebug},
                                                 {"info", Level::kInfo},
                                                 {"warning", Level::kWarning},
                                                 {"error", Level::kError},
                                                 {"off", Level::kOff}};
    config.log_level = levels.at(choice("log.level"));
  }

  void build_store(Config& config) {
    const std::string store = text("server.store");
    const std::string schema = text("server.store_schema");
    const std::string password = text("server.store_password");
    config.store_standby = boolean("server.store_standby");
    if (store == "embedded") return;
    constexpr std::string_view kPrefix = "postgres:";
    store::postgres::ConnectOptions options;
    options.schema = schema;
    if (store.starts_with("postgresql://") || store.starts_with("postgres://")) {
      options.conninfo = store;
    } else if (store.starts_with(kPrefix)) {
      options.conninfo = store.substr(kPrefix.size());
    } else {
      hide("server.store");
      problem(take("server.store").origin, "server.store is neither embedded nor a PostgreSQL",
              "write store = \"postgres:host=db.example dbname=resultsync user=resultsync\"");
      return;
    }
    if (auto sound = store::postgres::check(options); !sound) {
      hide("server.store");
      problem(take("server.store").origin, "server.store: " + sound.error().message, sound.error().cause);
      return;
    }
    if (!password.empty()) {
      const Raw raw = take("server.store_password");
      auto place =
          resolve_secret_place(password, raw.from_file && !folder_.empty() ? folder_ : fs::current_path().string());
      auto secret = place ? read_secret_file(*place) : Result<Secret<std::string>>(std::unexpected(place.error()));
      if (!place) hide("server.store_password");
      if (!secret) {
        problem(raw.origin, "server.store_password: " + secret.error().message, secret.error().cause);
        return;
      }
      options.password = std::move(*secret);
    }
    config.postgres = std::move(options);
  }

  // What was written may be a secret, and is not shown (P4).
  void hide(const std::string& key) {
    for (Setting& setting : loaded_.settings) {
      if (setting.key == key) setting.value = "\"(refused)\"";
    }
  }

  static bool is_loopback(const std::string& address) {
    const std::string host = address.substr(0, address.rfind(':'));
    return host.starts_with("127.") || host == "localhost" || host == "[::1]";
  }

  void build_delivery(delivery::DeliveryOptions& options) {
    const auto allowed = list("delivery.allow");
    note_list("delivery.allow", allowed);
    if (auto policy = http::AddressPolicy::with_allowed(allowed)) {
      options.destinations.policy = std::move(*policy);
    } else {
      problem(take("delivery.allow").origin, "delivery.allow: " + policy.error().text(),
              "write addresses, networks or host names: [\"10.1.2.0/24\", \"127.0.0.1:9000\"]");
    }
    options.destinations.allow_http = boolean("delivery.allow_http");
    const std::string ca_file = text_or("delivery.ca_file", "");
    if (!ca_file.empty()) options.ca_file = resolve(ca_file, take("delivery.ca_file"));
    const auto delays = list("delivery.schedule");
    note_list("delivery.schedule", delays);
    if (const auto schedule = delivery::Schedule::parse(delays)) {
      options.schedule = *schedule;
    } else {
      problem(take("delivery.schedule").origin, "delivery.schedule is no list of delays",
              "write 1 to 50 delays of at most 30d: [\"0s\", \"5s\", \"5m\", \"2h\"]");
    }
    options.request_timeout = std::chrono::milliseconds(number("delivery.timeout_ms"));
    options.lease = std::chrono::milliseconds(number("delivery.lease_ms"));
    options.in_flight_max = static_cast<std::size_t>(number("delivery.in_flight"));
    options.response_bytes_max = static_cast<std::size_t>(number("delivery.response"));
    options.breaker.failures = static_cast<int>(number("delivery.breaker_failures"));
    options.breaker.cooldown = std::chrono::milliseconds(number("delivery.breaker_ms"));
    options.breaker.cooldown_max = options.breaker.cooldown * 20;
    options.disable_after = std::chrono::hours(number("delivery.disable_after_hours"));
    options.keep = std::chrono::hours(24 * number("delivery.keep_days"));
    if (auto checked = delivery::check_options(options); !checked)
      problem(take("delivery.lease_ms").origin, "delivery.lease_ms: " + checked.error().message, checked.error().cause);
  }

  void build_critical(sync::CriticalOptions& options) {
    constexpr std::size_t kStepsMax = 20;
    options.escalate_after.clear();
    const auto delays = list("critical.escalate_after");
    note_list("critical.escalate_after", delays);
    bool sound = delays.size() <= kStepsMax;
    for (const std::string& text : delays) {
      const auto delay = delivery::parse_duration(text);
      sound = sound && delay && delay->count() > 0 &&
              (options.escalate_after.empty() || *delay > options.escalate_after.back());
      if (!sound) break;
      options.escalate_after.push_back(*delay);
    }
    if (!sound) {
      problem(take("critical.escalate_after").origin, "critical.escalate_after is no list of ascending delays",
              "write at most 20 delays of at most 30d, each longer than the one before: [\"15m\", \"1h\", \"4h\"]");
    }
    options.escalate_younger_than = std::chrono::hours(number("critical.escalate_younger_than_hours"));
  }

  void build_source(const std::string& name, const std::string& where) {
    const std::string prefix = "sources." + name + ".";
    vendors::Source source;
    source.id = SourceId(name);
    source.vendor = choice(prefix + "vendor");
    const std::string own_path = text_or(prefix + "path", source_where_.size() == 1 ? "/webhook" : "/webhooks/" + name);
    if (own_path != "/webhooks/" + name) source.paths.push_back(own_path);
    const auto scheme = vendors::signature_preset(choice(prefix + "signature"));
    vendors::HeaderNames names;
    for (const auto& [key, target] :
         {std::pair{"header", &names.signature}, std::pair{"timestamp_header", &names.timestamp},
          std::pair{"id_header", &names.id}}) {
      if (raw_.contains(prefix + key)) *target = text(prefix + key);
    }
    if (scheme) {
      auto named = vendors::with_header_names(*scheme, names);
      if (named) {
        source.scheme = std::move(*named);
        if (!names.signature) {
          loaded_.settings.push_back(
              {prefix + "header", json_string(source.scheme.headers.front().signature), "default of the scheme"});
        }
      } else {
        problem(take(prefix + "header").origin, fmt::format("source {}: {}", name, named.error().text()),
                "leave the header names out to use those of the scheme");
      }
    }
    const std::string policy = choice(prefix + "tolerance");
    source.stale_policy = policy == "strict" ? vendors::StalePolicy::kRefuse : vendors::StalePolicy::kFlag;
    source.tolerance = std::chrono::seconds(number(prefix + "tolerance_seconds"));
    source.result_event_types = list(prefix + "event_types");
    note_list(prefix + "event_types", source.result_event_types);
    if (source.result_event_types.empty()) {
      problem(take(prefix + "event_types").origin, fmt::format("source {} takes no event type", name),
              "write event_types = [\"order.new_result\"], or leave it out");
    }
    source.other_event_types = noted_list(prefix + "other_event_types");
    build_pointers(source, where);
    build_critical_flags(source.id);
    build_challenge(source);
    read_secrets(source, name, where);
    build_api(source);
    loaded_.config.sources.push_back(std::move(source));
  }

  // What the laboratories of a source call critical of their own.
  void build_critical_flags(const SourceId& source) {
    const std::string key = "sources." + source.text() + ".critical_flags";
    const auto texts = list(key);
    note_list(key, texts);
    auto flags = results::PanicFlags::parse(texts);
    if (flags) {
      if (!texts.empty()) loaded_.config.critical.panic_flags[source] = std::move(*flags);
      return;
    }
    problem(take(key).origin, fmt::format("{}: {}", key, flags.error().text()),
            "write codes of OBX-8, with the laboratory's MSH-4 where it is one's own: [\"PP\", \"ACME:CRIT\"]");
  }

  // Where the bodies of a `generic` network have what.
  void build_pointers(vendors::Source& source, const std::string& where) {
    const std::string prefix = "sources." + source.id.text() + ".";
    const bool is_generic = source.vendor == "generic";
    for (const vendors::NamedPointer& named : vendors::pointer_names()) {
      const std::string key = prefix + "pointer_" + std::string(named.name);
      const bool is_set = raw_.contains(key);
      if (is_set && !is_generic) {
        problem(raw_.at(key).origin, fmt::format("{} is for sources with vendor = \"generic\"", key),
                "leave it out, or set the vendor");
        continue;
      }
      if (!is_generic || (!is_set && kind_of(key)->fallback.empty())) continue;
      const std::string pointer = text(key);
      if (const auto checked = vendors::check_pointer(pointer); !checked) {
        problem(take(key).origin, fmt::format("{} = \"{}\": {}", key, pointer, checked.error().message),
                checked.error().cause.empty() ? "write it as in \"/data/order/id\"" : checked.error().cause);
        continue;
      }
      source.pointers.*named.member = pointer;
    }
    if (is_generic) check_pointers(source, prefix, where);
  }

  // Whether the pointers together can give anybody a result.
  void check_pointers(const vendors::Source& source, const std::string& prefix, const std::string& where) {
    const auto is_written = [&](std::string_view name) {
      return raw_.contains(prefix + "pointer_" + std::string(name));
    };
    if (!is_written("order")) {
      problem(where, fmt::format("source {} does not say where its bodies have the order's id", source.id.text()),
              "write pointer_order = \"/data/order/id\", as the network's documentation shows its bodies");
    }
    if (!is_written("clinic") && !is_written("practitioner")) {
      problem(where,
              fmt::format("source {} says neither where the clinic's id stands nor the practitioner's: no event "
                          "could be given to anybody",
                          source.id.text()),
              "write pointer_clinic = \"/data/clinic_id\", or pointer_practitioner");
    }
    for (const vendors::NamedPointer& named : vendors::pointer_names()) {
      if (!named.of_test || !is_written(named.name) || is_written("tests")) continue;
      problem(raw_.at(prefix + "pointer_" + std::string(named.name)).origin,
              fmt::format("{}pointer_{} is read in each ordered test, and no pointer_tests says where those are",
                          prefix, named.name),
              "write pointer_tests = \"/data/tests\"; pointer_tests = \"\" makes the whole body the one test");
      break;
    }
    if (!is_written("id") && !source.scheme.name.empty() && !source.scheme.signs_id()) {
      loaded_.warnings.push_back(
          {where,
           fmt::format("source {} has no event id: {} signs none, and there is no pointer_id", source.id.text(),
                       source.scheme.name),
           "bodies are then told apart by their SHA-256; write pointer_id if the network's bodies have an id"});
    }
  }

  static bool kind_has_none(std::string_view key) {
    const auto fallback = vendor_default("fullscript", key);
    return fallback && fallback->empty();
  }

  // What a 200 says to a network that asks for its challenge.
  void build_challenge(vendors::Source& source) {
    const std::string prefix = "sources." + source.id.text() + ".";
    source.answers_empty = boolean(prefix + "challenge_unsigned");
    const Raw raw = take(prefix + "challenge");
    const std::string place = text(prefix + "challenge");
    if (place.empty()) {
      if (source.answers_empty)
        problem(take(prefix + "challenge_unsigned").origin,
                fmt::format("{}challenge_unsigned has no challenge to answer with", prefix),
                "write challenge = \"file:challenge.secret\"");
      if (source.vendor == "fullscript") {
        loaded_.warnings.push_back(
            {source_where_.at(source.id.text()),
             fmt::format("source {} has no challenge: Fullscript takes only answers that repeat its challenge token",
                         source.id.text()),
             "write challenge = \"file:challenge.secret\", a file with the token of the webhook's settings"});
      }
      return;
    }
    auto resolved =
        resolve_secret_place(place, raw.from_file && !folder_.empty() ? folder_ : fs::current_path().string());
    if (!resolved) hide(prefix + "challenge");
    auto secret =
        resolved ? read_secret_file(*resolved) : Result<Secret<std::string>>(forward_error(std::move(resolved)));
    if (!secret) {
      problem(raw.origin, fmt::format("{}challenge: {}", prefix, secret.error().text()),
              "write challenge = \"file:challenge.secret\", a file with the token of the webhook's settings");
      return;
    }
    source.acknowledgement = "{\"challenge\":" + json_string(secret->reveal()) + "}";
  }

  // What is known of the source's API.
  void build_api(const vendors::Source& source) {
    const std::string name = source.id.text();
    const std::string prefix = "sources." + name + ".";
    network::SourceSettings api;
    api.source = source.id;
    api.network_name = source.vendor == "rupa" ? "Rupa Health" : source.vendor == "fullscript" ? "Fullscript" : name;
    if (source.vendor == "fullscript") api.order_form = network::OrderForm::kFullscript;
    if (!source.result_event_types.empty()) api.event_type = source.result_event_types.front();
    api.api = text(prefix + "api");
    api.allow_http = boolean(prefix + "api_http");
    api.allow = noted_list(prefix + "api_allow");
    api.ca_file = text(prefix + "ca_file");
    api.client_id = text(prefix + "client_id");
    api.client_authentication = choice(prefix + "client_authentication") == "body"
                                    ? network::ClientAuthentication::kBody
                                    : network::ClientAuthentication::kBasic;
    const bool is_rupa = api.api.starts_with("https://api.rupahealth.com");
    api.authorize_url = is_rupa ? text_or(prefix + "authorize_url", "https://labs.rupahealth.com/oauth/authorize",
                                          "default for https://api.rupahealth.com")
                                : text_or(prefix + "authorize_url", "/oauth/authorize");
    api.token_url = text(prefix + "token_url");
    api.revoke_url = text(prefix + "revoke_url");
    api.token_form = choice(prefix + "token_request") == "json" ? network::TokenRequestForm::kJson
                                                                : network::TokenRequestForm::kForm;
    api.token_lifetime = std::chrono::seconds(number(prefix + "token_seconds"));
    api.scope = text(prefix + "scope");
    api.pkce = boolean(prefix + "pkce");
    api.refresh_redirect_uri = boolean(prefix + "refresh_redirect_uri");
    api.media_type = text(prefix + "media_type");
    for (const auto& [key, target] : {std::pair{"me_path", &api.me_path},
                                      {"practitioner_path", &api.practitioner_path},
                                      {"practitioner_pointer", &api.practitioner_pointer},
                                      {"clinic_pointer", &api.clinic_pointer},
                                      {"orders_path", &api.orders_path},
                                      {"order_path", &api.order_path},
                                      {"order_intents_path", &api.order_intents_path},
                                      {"patient_path", &api.patient_path}}) {
      *target = text(prefix + key);
      // Where a vendor has no such thing, it has no such path.
      const bool may_lack = source.vendor == "fullscript" && kind_has_none(key);
      if (!target->starts_with('/') && !(target->empty() && may_lack)) {
        problem(take(prefix + key).origin,
                fmt::format("{}{} = \"{}\" does not begin with a slash", prefix, key, *target),
                "write a path of the API, or a JSON pointer");
      }
    }
    api.page_size = static_cast<int>(number(prefix + "page_size"));
    api.requests_per_second = static_cast<int>(number(prefix + "requests_per_second"));
    api.document_hosts = list(prefix + "document_hosts");
    note_document_hosts(api, prefix + "document_hosts");
    api.documents_need_token = boolean(prefix + "documents_need_token");
    api.renew_on.clear();
    for (const std::string& status : noted_list(prefix + "renew_on")) {
      int value = 0;
      const auto [end, error] = std::from_chars(status.data(), status.data() + status.size(), value);
      if (error == std::errc() && end == status.data() + status.size() && value >= 400 && value < 500) {
        api.renew_on.push_back(value);
      } else {
        problem(take(prefix + "renew_on").origin, fmt::format("{}renew_on: \"{}\" is no 4xx status", prefix, status),
                "write renew_on = [\"403\", \"410\"]");
      }
    }
    if (source.vendor == "fullscript" && api.api.empty()) {
      loaded_.warnings.push_back({source_where_.at(name),
                                  fmt::format("source {} has no API: Fullscript's events say that a lab order has "
                                              "changed, and what it holds could not be read",
                                              name),
                                  "write api = \"https://api-us.fullscript.io\", with client_id and client_secret"});
    }
    check_api(api, prefix);
    loaded_.config.network.sources.push_back(std::move(api));
  }

  void check_api(network::SourceSettings& api, const std::string& prefix) {
    if (auto policy = http::AddressPolicy::with_allowed(api.allow); !policy) {
      problem(take(prefix + "api_allow").origin, policy.error().text(), "write api_allow = [\"127.0.0.1:8090\"]");
    }
    if (api.api.empty()) return;
    const auto url = http::parse_url(api.api);
    if (!url || (url->scheme != "https" && !api.allow_http)) {
      problem(take(prefix + "api").origin, fmt::format("{}api = \"{}\" is no https address", prefix, api.api),
              "write api = \"https://…\"; api_http = true lets it be http, for a sandbox on this machine");
    }
    if (api.client_id.empty()) return;
    const Raw raw = take(prefix + "client_secret");
    const std::string place = text(prefix + "client_secret");
    auto resolved =
        resolve_secret_place(place, raw.from_file && !folder_.empty() ? folder_ : fs::current_path().string());
    auto secret =
        resolved ? read_secret_file(*resolved) : Result<Secret<std::string>>(forward_error(std::move(resolved)));
    if (secret) {
      api.client_secret = std::move(*secret);
    } else {
      problem(take(prefix + "client_secret").origin, fmt::format("{}client_secret: {}", prefix, secret.error().text()),
              "write client_secret = \"file:client.secret\", a file that holds what the network handed out");
    }
  }

  std::vector<std::string> noted_list(const std::string& key) {
    auto items = list(key);
    note_list(key, items);
    return items;
  }

  // Empty means the host of the API, and that is what a person should see.
  void note_document_hosts(const network::SourceSettings& api, const std::string& key) {
    const auto url = http::parse_url(api.api);
    if (!api.document_hosts.empty() || !url) return note_list(key, api.document_hosts);
    const Raw raw = take(key);
    loaded_.settings.push_back({key, "[" + json_string(url->host) + "]",
                                raw.is_default ? "default: the host of api" : raw.origin + ", empty: the host of api"});
  }

  void build_network() {
    network::Settings& network = loaded_.config.network;
    network.public_url = text("server.public_url");
    while (network.public_url.ends_with('/')) network.public_url.pop_back();
    if (!network.public_url.empty() && !http::parse_url(network.public_url)) {
      problem(take("server.public_url").origin,
              fmt::format("server.public_url = \"{}\" is no address", network.public_url),
              "write public_url = \"https://hooks.example.com\"");
    }
    network.document_bytes_max = static_cast<std::size_t>(number("documents.size"));
    network.document_timeout = std::chrono::seconds(number("documents.timeout_seconds"));
    network.document_wait = std::chrono::seconds(number("documents.wait_seconds"));
    network.document_give_up = std::chrono::seconds(number("documents.give_up_seconds"));
    network.document_retry_first = std::chrono::seconds(number("documents.retry_seconds"));
    network.document_retry_most = std::chrono::seconds(number("documents.retry_most_seconds"));
    network.document_threads = static_cast<unsigned>(number("documents.at_once"));
    network.reconcile_every = std::chrono::seconds(number("reconcile.every_seconds"));
    network.reconcile_window = std::chrono::seconds(number("reconcile.window_seconds"));
  }

  // A text whose default is worked out here.
  std::string text_or(const std::string& key, const std::string& fallback, std::string origin = "default") {
    if (raw_.contains(key)) return text(key);
    loaded_.settings.push_back({key, json_string(fallback), std::move(origin)});
    return fallback;
  }

  void read_secrets(vendors::Source& source, const std::string& name, const std::string& where) {
    const std::string key = "sources." + name + ".secrets";
    const Raw raw = take(key);
    const std::vector<std::string> places = list(key);
    const std::string origin = raw_.contains(key) ? raw.origin : where;
    if (places.empty()) {
      if (loaded_.problems.empty() || !loaded_.problems.back().what.starts_with(key)) {
        problem(
            origin, fmt::format("source {} has no secrets: no signature could be checked", name),
            "write secrets = [\"file:rupa.secret\"], a file that holds the secret of the network's webhook settings");
      }
      return;
    }
    std::vector<Secret<std::string>> secrets;
    std::vector<std::string> shown;
    for (const std::string& place : places) {
      auto resolved =
          resolve_secret_place(place, raw.from_file && !folder_.empty() ? folder_ : fs::current_path().string());
      if (!resolved) {
        shown.emplace_back("(refused)");
        problem(origin, fmt::format("source {}: {}", name, resolved.error().message), resolved.error().cause);
        continue;
      }
      shown.push_back(place);
      auto secret = read_secret_file(*resolved);
      if (!secret) {
        problem(origin, fmt::format("source {}: {}", name, secret.error().text()),
                secret.error().code == "not_found" ? "put the secret of the network's webhook settings there" : "");
        continue;
      }
      secrets.push_back(std::move(*secret));
    }
    note_list(key, shown);
    if (secrets.size() != places.size() || source.scheme.name.empty()) return;
    auto keys = vendors::SigningKeys::read(source.scheme, secrets);
    if (keys) {
      source.keys = std::move(*keys);
    } else {
      problem(origin, fmt::format("source {}: {}", name, keys.error().text()),
              "take the secret from the network's webhook settings as it is");
    }
  }

  void check_paths() {
    std::map<std::string, std::string> taken;
    for (const vendors::Source& source : loaded_.config.sources)
      taken["/webhooks/" + source.id.text()] = source.id.text();
    for (const vendors::Source& source : loaded_.config.sources) {
      for (const std::string& path : source.paths) {
        const std::string where = take("sources." + source.id.text() + ".path").origin;
        if (!path.starts_with('/') || path.find_first_of(" ?#%\t") != std::string::npos) {
          problem(where, fmt::format("source {}: \"{}\" is no path", source.id.text(), path),
                  "write path = \"/webhook\"");
        } else if (const auto [other, is_new] = taken.emplace(path, source.id.text());
                   !is_new && other->second != source.id.text()) {
          problem(where, fmt::format("sources {} and {} have the same path {}", other->second, source.id.text(), path),
                  "give each source a path of its own");
        }
      }
    }
  }

  const ConfigInput& input_;
  LoadedConfig loaded_;
  std::string shown_file_;
  std::string folder_;
  std::map<std::string, Raw> raw_;
  std::map<std::string, std::string> source_where_;  // where each source was first named
};

}  // namespace

LoadedConfig load_config(const ConfigInput& input) {
  return Loader(input).load();
}

std::map<std::string, std::string> resultsync_environment() {
  std::map<std::string, std::string> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view line(*entry);
    const auto equals = line.find('=');
    if (line.starts_with("RESULTSYNC_") && equals != std::string_view::npos) {
      found.emplace(line.substr(0, equals), line.substr(equals + 1));
    }
  }
  return found;
}

std::string_view minimal_config() {
  return "[server]\n"
         "public = \"127.0.0.1:8080\"\n"
         "private = \"127.0.0.1:8081\"\n"
         "data_dir = \"./data\"\n"
         "\n"
         "[sources.rupa]\n"
         "secrets = [\"file:rupa.secret\"]\n";
}

std::string describe(const std::vector<ConfigProblem>& problems) {
  std::string text;
  for (const ConfigProblem& problem : problems) {
    text += fmt::format("{}: {}\n", problem.where, problem.what);
    std::string_view rest = problem.cure;
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      text += fmt::format("{}{}\n", end == 0 ? "" : "    ", rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
  }
  return text;
}

}  // namespace resultsync::cli
