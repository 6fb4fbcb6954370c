// endpoints …: where webhooks to the application go.
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

std::string path_of(const std::string& endpoint, std::string_view rest = "") {
  return "/v1/endpoints/" + percent_encoded(endpoint) + std::string(rest);
}

// "healthy", or since when it fails and what the breaker does.
std::string health_of(JsonValue item) {
  if (shown(item, {"health", "status"}) != "failing") return "healthy";
  return fmt::format("failing since {}, breaker {}", shown(item, {"health", "since"}),
                     shown(item, {"health", "breaker"}));
}

void member_list(JsonWriter& json, std::string_view name, const std::vector<std::string>& values) {
  if (values.empty()) return;
  json.key(name).begin_array();
  for (const std::string& value : values) json.string(value);
  json.end_array();
}

Option endpoint_argument(std::string* target) {
  return {.names = "ENDPOINT", .help = "The endpoint's id", .target = target, .required = true};
}

class EndpointsList final : public Command {
 public:
  void declare(Options& options) override {
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(terminal, server_, output_,
                         {.target = "/v1/endpoints",
                          .most = 1'000,
                          .columns = {{"ENDPOINT"}, {"URL"}, {"STATE"}, {"HEALTH"}, {"PAYLOAD"}, {"TYPES"}},
                          .cells =
                              [](JsonValue item) {
                                return std::vector{shown(item, {"id"}),      shown(item, {"url"}),
                                                   shown(item, {"state"}),   health_of(item),
                                                   shown(item, {"payload"}), shown(item, {"types"})};
                              },
                          .when_empty = "There is no endpoint. Make one: resultsync endpoints add URL"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
};

class EndpointsAdd final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "URL", .help = "Where its webhooks go", .target = &url_, .required = true});
    options.add({.names = "--description", .value = "TEXT", .help = "For people", .target = &description_});
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "Only items of this practitioner; repeatable",
                 .target = &practitioners_});
    options.add(
        {.names = "--clinic", .value = "ID", .help = "Only items of this clinic; repeatable", .target = &clinics_});
    options.add({.names = "--type",
                 .value = "TYPE",
                 .help = "Only this type (result, order, endpoint.*); repeatable",
                 .target = &types_});
    options.add({.names = "--status",
                 .value = "STATUS",
                 .help = "Only results of this status (final, corrected); repeatable",
                 .target = &statuses_});
    options.add({.names = "--full",
                 .help = "Send the whole item, which holds health data, instead of ids and a link",
                 .target = &full_});
    options.add({.names = "--unordered", .help = "Do not keep the items of an order in order", .target = &unordered_});
    options.add({.names = "--ed25519", .help = "Also sign with a v1a key", .target = &ed25519_});
    options.add({.names = "--rate",
                 .value = "N",
                 .help = "Requests a second; 0 sets no limit",
                 .target = &rate_,
                 .most = 100'000});
    options.add({.names = "--concurrency",
                 .value = "N",
                 .help = "Requests at a time",
                 .target = &concurrency_,
                 .least = 1,
                 .most = 1'000});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    return print_object(terminal, output_, client->send("POST", "/v1/endpoints", body()), [&](JsonValue made) {
      print_facts(terminal, {{"endpoint", shown(made, {"id"})},
                             {"secret", shown(made, {"secret"})},
                             {"public key", shown(made, {"public_key"})}});
      terminal.talk() << "Keep the secret: it is not shown again. Try it: resultsync endpoints test "
                      << shown(made, {"id"}) << '\n';
    });
  }

 private:
  [[nodiscard]] std::string body() const {
    JsonWriter json;
    json.begin_object().member("url", url_);
    if (!description_.empty()) json.member("description", description_);
    member_list(json, "practitioners", practitioners_);
    member_list(json, "clinics", clinics_);
    member_list(json, "types", types_);
    member_list(json, "statuses", statuses_);
    json.member("payload", full_ ? "full" : "thin").member("order", unordered_ ? "none" : "per-order");
    json.member("rate", rate_).member("concurrency", concurrency_).member("ed25519", ed25519_).end_object();
    return json.take();
  }

  ServerOptions server_;
  OutputOption output_;
  std::string url_;
  std::string description_;
  std::vector<std::string> practitioners_;
  std::vector<std::string> clinics_;
  std::vector<std::string> types_;
  std::vector<std::string> statuses_;
  bool full_ = false;
  bool unordered_ = false;
  bool ed25519_ = false;
  std::int64_t rate_ = 0;
  std::int64_t concurrency_ = 8;
};

class EndpointsShow final : public Command {
 public:
  void declare(Options& options) override {
    options.add(endpoint_argument(&endpoint_));
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_object(terminal, server_, output_, path_of(endpoint_), [&](JsonValue endpoint) {
      print_facts(terminal, {{"url", shown(endpoint, {"url"})},
                             {"state", shown(endpoint, {"state"})},
                             {"reason", shown(endpoint, {"state_reason"})},
                             {"health", health_of(endpoint)},
                             {"practitioners", shown(endpoint, {"practitioners"})},
                             {"clinics", shown(endpoint, {"clinics"})},
                             {"types", shown(endpoint, {"types"})},
                             {"statuses", shown(endpoint, {"statuses"})},
                             {"payload", shown(endpoint, {"payload"})},
                             {"order", shown(endpoint, {"order"})},
                             {"open", shown(endpoint, {"deliveries", "open"})},
                             {"oldest open", shown(endpoint, {"deliveries", "oldest_open_at"})},
                             {"dead", shown(endpoint, {"deliveries", "dead"})}});
    });
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string endpoint_;
};

// What is done to one endpoint with one request.
class EndpointAction : public Command {
 public:
  void declare(Options& options) override {
    options.add(endpoint_argument(&endpoint_));
    declare_more(options);
    server_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    const auto answer = client->send(method(), path_of(endpoint_, action()), body());
    if (!answer) return terminal.complain(answer.error());
    if (answer->empty()) {
      terminal.talk() << printable(endpoint_) << " is deleted\n";
      return ExitCode::kOk;
    }
    const auto document = JsonDocument::parse(*answer);
    if (!document) return terminal.complain(document.error());
    tell(terminal, document->root());
    return ExitCode::kOk;
  }

 protected:
  virtual void declare_more(Options&) {}
  [[nodiscard]] virtual std::string method() const { return "POST"; }
  [[nodiscard]] virtual std::string_view action() const = 0;
  [[nodiscard]] virtual std::string body() const { return "{}"; }
  virtual void tell(const Terminal& terminal, JsonValue answer) const {
    terminal.talk() << fmt::format("{} is {}\n", printable(endpoint_), shown(answer, {"state"}));
  }
  std::string endpoint_;

 private:
  ServerOptions server_;
};

class EndpointsPause final : public EndpointAction {
  void declare_more(Options& options) override {
    options.add({.names = "--reason", .value = "TEXT", .help = "Why, for people", .target = &reason_});
  }
  [[nodiscard]] std::string_view action() const override { return "/pause"; }
  [[nodiscard]] std::string body() const override {
    JsonWriter json;
    json.begin_object();
    if (!reason_.empty()) json.member("reason", reason_);
    return json.end_object().take();
  }
  std::string reason_;
};

class EndpointsResume final : public EndpointAction {
  void declare_more(Options& options) override {
    options.add({.names = "--skip",
                 .value = "REASON",
                 .help = "Skip what has gathered instead of sending it; the reason stands beside each delivery",
                 .target = &skip_});
  }
  [[nodiscard]] std::string_view action() const override { return "/resume"; }
  [[nodiscard]] std::string body() const override {
    JsonWriter json;
    json.begin_object();
    if (!skip_.empty()) json.member("skip", true).member("reason", skip_);
    return json.end_object().take();
  }
  std::string skip_;
};

class EndpointsDisable final : public EndpointAction {
  void declare_more(Options& options) override {
    options.add({.names = "--reason", .value = "TEXT", .help = "Why, for people", .target = &reason_});
  }
  [[nodiscard]] std::string_view action() const override { return "/disable"; }
  [[nodiscard]] std::string body() const override {
    JsonWriter json;
    json.begin_object();
    if (!reason_.empty()) json.member("reason", reason_);
    return json.end_object().take();
  }
  std::string reason_;
};

class EndpointsRemove final : public EndpointAction {
  [[nodiscard]] std::string method() const override { return "DELETE"; }
  [[nodiscard]] std::string_view action() const override { return ""; }
  [[nodiscard]] std::string body() const override { return {}; }
};

class EndpointsTest final : public EndpointAction {
  [[nodiscard]] std::string_view action() const override { return "/test"; }
  void tell(const Terminal& terminal, JsonValue answer) const override {
    terminal.out() << shown(answer, {"delivery_id"}) << '\n';
    terminal.talk() << "How it ended: resultsync deliveries show " << shown(answer, {"delivery_id"}) << '\n';
  }
};

class EndpointsRotate final : public EndpointAction {
  void declare_more(Options& options) override {
    options.add({.names = "--overlap",
                 .value = "SECONDS",
                 .help = "How long the secret until now signs too",
                 .target = &overlap_,
                 .most = 604'800});
  }
  [[nodiscard]] std::string_view action() const override { return "/secret/rotate"; }
  [[nodiscard]] std::string body() const override {
    JsonWriter json;
    return json.begin_object().member("overlap_seconds", overlap_).end_object().take();
  }
  void tell(const Terminal& terminal, JsonValue answer) const override {
    terminal.out() << shown(answer, {"secret"}) << '\n';
    terminal.talk() << "Keep it: it is not shown again.\n";
  }
  std::int64_t overlap_ = 86'400;
};

class EndpointsReplay final : public EndpointAction {
  void declare_more(Options& options) override {
    options.add(
        {.names = "--practitioner", .value = "ID", .help = "Only this practitioner's feed", .target = &practitioner_});
    options.add(
        {.names = "--since", .value = "TIME", .help = "Items issued from then on (RFC 3339)", .target = &since_});
    options.add({.names = "--until", .value = "TIME", .help = "And before then; now, if left out", .target = &until_});
    options.add({.names = "--rate",
                 .value = "N",
                 .help = "Items a second; 0 as fast as it goes",
                 .target = &rate_,
                 .most = 100'000});
    options.add({.names = "--dry-run", .help = "Only count", .target = &dry_run_});
  }
  [[nodiscard]] std::string_view action() const override { return "/replay"; }
  [[nodiscard]] std::string body() const override {
    JsonWriter json;
    json.begin_object();
    if (!practitioner_.empty()) json.member("practitioner", practitioner_);
    if (!since_.empty()) json.member("since", since_);
    if (!until_.empty()) json.member("until", until_);
    return json.member("rate", rate_).member("dry_run", dry_run_).end_object().take();
  }
  void tell(const Terminal& terminal, JsonValue answer) const override {
    if (dry_run_) {
      terminal.out() << fmt::format("{} items would be sent\n", shown(answer, {"total"}));
      return;
    }
    terminal.out() << shown(answer, {"id"}) << '\n';
    terminal.talk() << fmt::format("{} items. How far it is: resultsync jobs\n", shown(answer, {"total"}));
  }
  std::string practitioner_;
  std::string since_;
  std::string until_;
  std::int64_t rate_ = 0;
  bool dry_run_ = false;
};

}  // namespace

std::unique_ptr<Command> make_endpoints_list() {
  return std::make_unique<EndpointsList>();
}
std::unique_ptr<Command> make_endpoints_add() {
  return std::make_unique<EndpointsAdd>();
}
std::unique_ptr<Command> make_endpoints_show() {
  return std::make_unique<EndpointsShow>();
}
std::unique_ptr<Command> make_endpoints_pause() {
  return std::make_unique<EndpointsPause>();
}
std::unique_ptr<Command> make_endpoints_resume() {
  return std::make_unique<EndpointsResume>();
}
std::unique_ptr<Command> make_endpoints_disable() {
  return std::make_unique<EndpointsDisable>();
}
std::unique_ptr<Command> make_endpoints_remove() {
  return std::make_unique<EndpointsRemove>();
}
std::unique_ptr<Command> make_endpoints_test() {
  return std::make_unique<EndpointsTest>();
}
std::unique_ptr<Command> make_endpoints_rotate() {
  return std::make_unique<EndpointsRotate>();
}
std::unique_ptr<Command> make_endpoints_replay() {
  return std::make_unique<EndpointsReplay>();
}

}  // namespace resultsync::cli
