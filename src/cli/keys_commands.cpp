#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

std::string limits_of(JsonValue key) {
  std::string limits = shown(key, {"limits", "practitioners"});
  for (const JsonValue clinic : elements(key, {"limits", "clinics"}))
    limits += (limits.empty() ? "" : ", ") + shown(clinic, {"clinic_id"});
  return limits.empty() ? "everything" : limits;
}

void write_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& texts) {
  if (texts.empty()) return;
  json.key(name).begin_array();
  for (const std::string& text : texts) json.string(text);
  json.end_array();
}

// The key alone on stdout, so that it can be redirected into a file; what there is to say about it on stderr.
ExitCode show_made(const Terminal& terminal, const OutputOption& output, const std::string& answer,
                   std::string_view advice) {
  const auto document = JsonDocument::parse(answer);
  if (!document) return terminal.complain(document.error());
  if (!output.table()) {
    terminal.out() << answer << '\n';
    return ExitCode::kOk;
  }
  terminal.talk() << fmt::format("Key {}. {} It is shown this once:\n", printable(shown(document->root(), {"id"})),
                                 advice);
  terminal.talk().flush();
  terminal.out() << printable(shown(document->root(), {"key"})) << '\n';
  return ExitCode::kOk;
}

class KeysCreate final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "NAME", .help = "What the key is for, for people", .target = &name_, .required = true});
    options.add({.names = "--scope",
                 .value = "SCOPE",
                 .help = "What it may do; may stand several times",
                 .target = &scopes_,
                 .required = true,
                 .choices = {"read_results", "review_results", "read_events", "manage_endpoints", "manage_connections",
                             "admin"}});
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "Limit it to the clinics of this practitioner; may stand several times",
                 .target = &practitioners_});
    options.add({.names = "--clinic",
                 .value = "ID",
                 .help = "Limit it to this clinic of the default source; may stand several times",
                 .target = &clinics_});
    options.add(
        {.names = "--expires", .value = "TIME", .help = "When it ends: 2027-01-31T00:00:00Z", .target = &expires_});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    JsonWriter json;
    json.begin_object().member("name", name_);
    write_list(json, "scopes", scopes_);
    write_list(json, "practitioners", practitioners_);
    write_list(json, "clinics", clinics_);
    if (!expires_.empty()) json.member("expires_at", expires_);
    json.end_object();
    const auto answer = client->send("POST", "/v1/keys", json.take());
    if (!answer) return terminal.complain(answer.error());
    return show_made(terminal, output_, *answer, "Keep it in a file that only its user can read.");
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string name_;
  std::vector<std::string> scopes_;
  std::vector<std::string> practitioners_;
  std::vector<std::string> clinics_;
  std::string expires_;
};

class KeysList final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "--limit", .value = "N", .help = "Show at most so many", .target = &limit_, .least = 1, .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(
        terminal, server_, output_,
        {.target = "/v1/keys",
         .most = limit_,
         .columns = {{"KEY"}, {"NAME"}, {"STATE"}, {"SCOPES"}, {"REACHES"}, {"LAST USED"}},
         .cells =
             [](JsonValue item) {
               return std::vector{shown(item, {"id"}),     shown(item, {"name"}), shown(item, {"state"}),
                                  shown(item, {"scopes"}), limits_of(item),       shown(item, {"last_used_at"})};
             },
         .when_empty = "There is no API key beside the root key in admin.key. Make one: resultsync keys "
                       "create NAME --scope read_results"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::int64_t limit_ = 1000;
};

class KeysShow final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "KEY",
                 .help = "The key's id, which also stands in the key itself",
                 .target = &key_,
                 .required = true});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_object(terminal, server_, output_, "/v1/keys/" + percent_encoded(key_),
                        [&](JsonValue key) { show(terminal, key); });
  }

 private:
  static void show(const Terminal& terminal, JsonValue key) {
    print_facts(terminal, {{"key", shown(key, {"id"})},
                           {"name", shown(key, {"name"})},
                           {"state", shown(key, {"state"})},
                           {"scopes", shown(key, {"scopes"})},
                           {"reaches", limits_of(key)},
                           {"created", shown(key, {"created_at"})},
                           {"expires", shown(key, {"expires_at"})},
                           {"last used", shown(key, {"last_used_at"})}});
  }

  ServerOptions server_;
  OutputOption output_;
  std::string key_;
};

class KeysRevoke final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "KEY", .help = "The key's id", .target = &key_, .required = true});
    server_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    const auto answer = client->send("DELETE", "/v1/keys/" + percent_encoded(key_), {});
    if (!answer) return terminal.complain(answer.error());
    terminal.talk() << fmt::format("{} is revoked\n", printable(key_));
    return ExitCode::kOk;
  }

 private:
  ServerOptions server_;
  std::string key_;
};

class KeysRotate final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "KEY", .help = "The key's id", .target = &key_, .required = true});
    options.add({.names = "--overlap",
                 .value = "SECONDS",
                 .help = "How long the secret before stays good",
                 .target = &overlap_,
                 .least = 0,
                 .most = 2'592'000});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    JsonWriter json;
    json.begin_object().member("overlap_seconds", overlap_).end_object();
    const auto answer = client->send("POST", "/v1/keys/" + percent_encoded(key_) + "/rotate", json.take());
    if (!answer) return terminal.complain(answer.error());
    return show_made(terminal, output_, *answer, fmt::format("The secret before is good for {} s more.", overlap_));
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string key_;
  std::int64_t overlap_ = 86'400;
};

}  // namespace

std::unique_ptr<Command> make_keys_create() {
  return std::make_unique<KeysCreate>();
}
std::unique_ptr<Command> make_keys_list() {
  return std::make_unique<KeysList>();
}
std::unique_ptr<Command> make_keys_show() {
  return std::make_unique<KeysShow>();
}
std::unique_ptr<Command> make_keys_revoke() {
  return std::make_unique<KeysRevoke>();
}
std::unique_ptr<Command> make_keys_rotate() {
  return std::make_unique<KeysRotate>();
}

}  // namespace resultsync::cli
