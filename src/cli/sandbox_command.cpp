// sandbox: a simulated lab-ordering network on this machine, until it is stopped.
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/make_commands.hpp"
#include "cli/secret_file.hpp"
#include "cli/signing_options.hpp"
#include "runtime/clock.hpp"
#include "runtime/file.hpp"
#include "sandbox/numbers.hpp"
#include "sandbox/server.hpp"

namespace resultsync::cli {
namespace {

constexpr std::chrono::milliseconds kPatience{3'000};

// A secret that is the same for the same seed, so that a configuration stays right over restarts. It guards nothing but
// invented data.
std::string secret_of(std::int64_t seed, std::string_view name) {
  std::string text = "sandbox-";
  for (std::uint64_t i = 0; i < 3; ++i)
    text += fmt::format("{:016x}", sandbox::mixed(static_cast<std::uint64_t>(seed), name, i));
  return text;
}

// "600", "600x"
Result<double> read_speed(const std::string& text) {
  char* end = nullptr;
  const double speed = std::strtod(text.c_str(), &end);
  if (end == text.c_str() || (*end != '\0' && std::string_view(end) != "x") || !(speed >= 0.001) || speed > 1e6)
    return fail("usage", fmt::format("\"{}\" is no speed", text), "say 1x to 1000000x");
  return speed;
}

// "600/60": 600 requests in 60 seconds.
Result<std::pair<std::int64_t, std::int64_t>> read_rate(const std::string& text) {
  long long requests = 0, seconds = 0;
  int used = 0;
  if (std::sscanf(text.c_str(), "%lld/%lld%n", &requests, &seconds, &used) != 2 ||  // NOLINT: bounded by its format
      static_cast<std::size_t>(used) != text.size() || requests < 0 || seconds < 1 || seconds > 86'400)
    return fail("usage", fmt::format("\"{}\" is no rate", text), "say REQUESTS/SECONDS, 600/60; 0/1 for no limit");
  return std::pair<std::int64_t, std::int64_t>{requests, seconds};
}

class SandboxCommand final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--listen",
                 .value = "ADDRESS",
                 .help = "Where it listens; port 0 takes a free one",
                 .target = &listen_});
    options.add({.names = "--network",
                 .value = "NAME",
                 .help = "Whose faces it has",
                 .target = &network_,
                 .choices = {"rupa", "fullscript"}});
    options.add({.names = "--webhook",
                 .value = "URL",
                 .help = "Where events are sent; also by the control page",
                 .target = &webhook_});
    options.add({.names = "--seed", .value = "N", .help = "The same seed gives the same world", .target = &seed_});
    options.add({.names = "--speed",
                 .value = "FACTOR",
                 .help = "How fast its time runs: 600x is a day in 2.4 minutes",
                 .target = &speed_});
    options.add(
        {.names = "--start", .value = "TIME", .help = "When its time begins (ISO 8601), or: now", .target = &start_});
    options.add({.names = "--clinics", .value = "N", .help = "Clinics", .target = &clinics_, .least = 1, .most = 1000});
    options.add({.names = "--practitioners",
                 .value = "N",
                 .help = "Practitioners of each clinic",
                 .target = &practitioners_,
                 .least = 1,
                 .most = 100});
    options.add({.names = "--patients",
                 .value = "N",
                 .help = "Patients of each clinic",
                 .target = &patients_,
                 .least = 1,
                 .most = 10'000});
    options.add({.names = "--orders",
                 .value = "N",
                 .help = "How many orders it makes by itself",
                 .target = &orders_,
                 .most = 100'000});
    options.add({.names = "--orders-per-day",
                 .value = "N",
                 .help = "And how often, in simulated time; 0: none by itself",
                 .target = &orders_per_day_,
                 .most = 1e6});
    options.add({.names = "--all-clinics",
                 .help = "Tell of every clinic's events, not only of those with a connected practitioner",
                 .target = &all_clinics_});
    options.add({.names = "--switch",
                 .value = "NAME=VALUE",
                 .help = "Something that goes wrong; see docs/reference/sandbox.md",
                 .target = &switches_});
    options.add({.names = "--hostile", .help = "Everything goes wrong at once", .target = &hostile_});
    options.add({.names = "--client-id", .value = "ID", .help = "OAuth client id", .target = &client_id_});
    options.add({.names = "--client-secret-file",
                 .value = "FILE",
                 .help = "File with the OAuth client secret; without it one is made from the seed",
                 .target = &client_secret_file_,
                 .names_file = true});
    options.add({.names = "--redirect-uri",
                 .value = "URI",
                 .help = "Allowed redirect URI; without any, every one on this machine",
                 .target = &redirect_uris_});
    options.add({.names = "--code-seconds",
                 .value = "N",
                 .help = "How long a code lives",
                 .target = &code_seconds_,
                 .least = 1});
    options.add({.names = "--access-seconds",
                 .value = "N",
                 .help = "How long an access token lives",
                 .target = &access_seconds_,
                 .least = 1});
    options.add({.names = "--refresh-seconds",
                 .value = "N",
                 .help = "How long a refresh token lives; 0: without end",
                 .target = &refresh_seconds_});
    options.add({.names = "--refresh-grace-seconds",
                 .value = "N",
                 .help = "How long a spent refresh token may be used again",
                 .target = &refresh_grace_seconds_});
    options.add({.names = "--rate-limit",
                 .value = "N/SECONDS",
                 .help = "Requests of a grant; 0/1: no limit",
                 .target = &rate_limit_});
    options.add({.names = "--base",
                 .value = "URL",
                 .help = "What its own links begin with, when it is reached by another name",
                 .target = &base_});
    options.add({.names = "--allow-remote", .help = "Listen and send beyond this machine", .target = &allow_remote_});
    options.add({.names = "--write",
                 .value = "DIR",
                 .help = "Write resultsync.toml and its secrets there, to start a server with",
                 .target = &write_,
                 .names_file = true});
    options.add({.names = "-o,--output",
                 .value = "FORM",
                 .help = "How to say where it is",
                 .target = &output_,
                 .choices = {"text", "json"}});
    signing_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before any thread is started
    ::signal(SIGPIPE, SIG_IGN);

    if (is_fullscript() && signing_.signature == SigningOptions{}.signature) signing_.signature = "fullscript";
    auto options = read();
    if (!options) return terminal.complain(options.error());
    const runtime::SystemClock clock;
    auto started = sandbox::Sandbox::start(std::move(*options), clock);
    if (!started) return terminal.complain(started.error());
    sandbox::Sandbox& sandbox = **started;
    if (write_) {
      if (const auto written = write_folder(sandbox.base()); !written) return terminal.complain(written.error());
    }
    say(terminal, sandbox);
    int got = 0;
    while (::sigwait(&signals, &got) != 0) {
    }
    sandbox.stop(kPatience);
    return ExitCode::kOk;
  }

 private:
  [[nodiscard]] bool is_fullscript() const { return network_ == "fullscript"; }
  [[nodiscard]] std::string challenge() const {
    return is_fullscript() ? secret_of(seed_, "challenge") : std::string();
  }

  Result<sandbox::SandboxOptions> read() {
    sandbox::SandboxOptions options;
    options.listen = listen_;
    options.base = base_.value_or("");
    sandbox::NetworkOptions& network = options.network;
    const auto speed = read_speed(speed_);
    if (!speed) return std::unexpected(speed.error());
    network.speed = *speed;
    const auto rate = read_rate(rate_limit_);
    if (!rate) return std::unexpected(rate.error());
    std::tie(network.rate_requests, network.rate_seconds) = *rate;
    if (start_ == "now") {
      network.world.start = Timestamp::from_seconds(runtime::SystemClock().now().seconds());
    } else if (!start_.empty()) {
      const auto start = parse_timestamp(start_);
      if (!start) return std::unexpected(start.error());
      network.world.start = start->time;
    }
    if (is_fullscript()) {
      network.kind = sandbox::NetworkKind::kFullscript;
      network.courier.challenge = challenge();
      network.courier.waits_s = {60, 300, 1'800, 3'600, 18'000};  // six attempts, then it is dropped
    }
    network.world.seed = static_cast<std::uint64_t>(seed_);
    network.world.clinics = static_cast<std::size_t>(clinics_);
    network.world.practitioners_per_clinic = static_cast<std::size_t>(practitioners_);
    network.world.patients_per_clinic = static_cast<std::size_t>(patients_);
    network.world.orders_max = static_cast<std::size_t>(orders_);
    network.world.orders_per_day = orders_per_day_;
    network.all_clinics = all_clinics_;
    network.webhook = webhook_;

    client_secret_ = secret_of(seed_, "client");
    if (client_secret_file_) {
      auto secret = read_secret_file(*client_secret_file_);
      if (!secret) return std::unexpected(secret.error());
      client_secret_ = secret->reveal();
    }
    network.oauth = {.client_id = client_id_,
                     .client_secret = client_secret_,
                     .redirect_uris = redirect_uris_,
                     .code_seconds = code_seconds_,
                     .access_seconds = access_seconds_,
                     .refresh_seconds = refresh_seconds_,
                     .refresh_grace_seconds = refresh_grace_seconds_};

    if (hostile_) sandbox::make_hostile(network.switches);
    for (const std::string& one : switches_) {
      const std::size_t equals = one.find('=');
      if (equals == std::string::npos) return fail("usage", fmt::format("\"{}\" is no NAME=VALUE", one));
      if (const auto set = sandbox::set_switch(network.switches, one.substr(0, equals), one.substr(equals + 1)); !set)
        return std::unexpected(Error{"usage", set.error().message, set.error().cause});
    }
    if (auto signing = read_signing(network.courier); !signing) return std::unexpected(signing.error());
    network.courier.seed = network.world.seed;
    network.courier.allow_remote = allow_remote_;
    return options;
  }

  // With --secret-file as `sign` has it; without, a secret made from the seed.
  Result<void> read_signing(sandbox::CourierOptions& courier) {
    auto scheme = vendors::signature_preset(signing_.signature);
    if (!scheme) return std::unexpected(scheme.error());
    const bool standard = scheme->secret_form == vendors::SecretForm::kStandardWebhooks;
    const auto in_form = [&](std::string text) { return standard ? "whsec_" + encode_base64(text) : text; };
    if (signing_.secret_files.empty()) {
      auto named = vendors::with_header_names(
          std::move(*scheme),
          {.signature = signing_.header, .timestamp = signing_.timestamp_header, .id = signing_.id_header});
      if (!named) return std::unexpected(named.error());
      webhook_secret_ = in_form(secret_of(seed_, "webhook"));
      const Secret<std::string> secret(webhook_secret_);
      auto keys = vendors::SigningKeys::read(*named, {&secret, 1});
      if (!keys) return std::unexpected(keys.error());
      courier.scheme = std::move(*named);
      courier.keys = std::move(*keys);
    } else {
      auto signer = signing_.read();
      if (!signer) return std::unexpected(signer.error());
      courier.scheme = std::move(signer->scheme);
      courier.keys = std::move(signer->keys);
      webhook_secret_.clear();
    }
    const Secret<std::string> wrong(in_form(secret_of(seed_, "nobody's")));
    auto keys = vendors::SigningKeys::read(courier.scheme, {&wrong, 1});
    if (!keys) return std::unexpected(keys.error());
    courier.wrong_keys = std::move(*keys);
    return {};
  }

  // What a server needs to talk to this sandbox.
  [[nodiscard]] std::string configuration(const std::string& base, std::string_view webhook_secret) const {
    const auto quoted = [](std::string_view text) { return json_string(text); };
    std::string text = fmt::format("[sources.{}]\nvendor = \"{}\"\npath = \"/webhook\"\n", network_, network_);
    if (is_fullscript()) text += "challenge = \"file:./sandbox-challenge.secret\"\n";
    text += fmt::format("secrets = [{}]\nsignature = {}\n", quoted(webhook_secret), quoted(signing_.signature));
    if (signing_.header) text += fmt::format("header = {}\n", quoted(*signing_.header));
    if (!is_fullscript())
      text += "event_types = [\"order.new_result\", \"order.updated\"]\nother_event_types = [\"webhook.test\"]\n";
    text += fmt::format(
        "api = {}\napi_http = true\napi_allow = [{}]\n"
        "client_id = {}\nclient_secret = \"file:./sandbox-client.secret\"\n",
        quoted(base), quoted(base.substr(base.find("//") + 2)), quoted(client_id_));
    return text;
  }

  [[nodiscard]] Result<void> write_folder(const std::string& base) const {
    if (auto made = runtime::make_directories(*write_); !made) return made;
    const std::string server =
        "# Made by resultsync sandbox --write.\n[server]\npublic = \"127.0.0.1:8080\"\nprivate = \"127.0.0.1:8081\"\n"
        "data_dir = \"./data\"\n\n";
    if (auto done = runtime::write_file_durably(*write_ + "/resultsync.toml",
                                                server + configuration(base, "file:./sandbox-webhook.secret"));
        !done)
      return done;
    if (auto done = runtime::write_file_durably(*write_ + "/sandbox-client.secret", client_secret_ + "\n"); !done)
      return done;
    if (is_fullscript()) {
      if (auto done = runtime::write_file_durably(*write_ + "/sandbox-challenge.secret", challenge() + "\n"); !done)
        return done;
    }
    std::string secret = webhook_secret_;
    if (secret.empty()) {
      auto read = read_secret_file(signing_.secret_files.front());
      if (!read) return std::unexpected(read.error());
      secret = read->reveal();
    }
    return runtime::write_file_durably(*write_ + "/sandbox-webhook.secret", secret + "\n");
  }

  void say(Terminal& terminal, const sandbox::Sandbox& sandbox) const {
    const std::string& base = sandbox.base();
    if (output_ == "json") {
      JsonWriter json;
      json.begin_object()
          .member("address", sandbox.address())
          .member("base", base)
          .member("control", base + "/control")
          .member("client_id", client_id_);
      json.member("client_secret", client_secret_);
      json.member("webhook_secret", webhook_secret_.empty() ? std::nullopt : std::optional(webhook_secret_));
      json.member("network", network_);
      if (is_fullscript()) json.member("challenge", challenge());
      json.member("signature", signing_.signature).member("seed", seed_).end_object();
      terminal.out() << json.text() << std::endl;
      return;
    }
    terminal.out() << terminal.on_out(Paint::kBold, "The sandbox network is at " + base) << "\n\n"
                   << "  control page    " << base << "/control\n"
                   << "  consent page    " << base << "/oauth/authorize\n"
                   << "  client id       " << client_id_ << "\n"
                   << "  client secret   " << client_secret_ << "\n"
                   << "  webhook secret  " << (webhook_secret_.empty() ? "that of --secret-file" : webhook_secret_)
                   << "\n"
                   << (is_fullscript() ? "  challenge       " + challenge() + "\n" : "") << "  events go to    "
                   << webhook_.value_or("nobody yet: --webhook URL, or the control page") << "\n\n";
    if (write_) {
      terminal.out() << "Next, in two other terminals:\n\n"
                     << "  cd " << *write_ << " && resultsync serve --config resultsync.toml\n"
                     << "  cd " << *write_
                     << " && resultsync connect anna --link      # and open the link in a browser\n";
    } else {
      terminal.out()
          << "For resultsync.toml, with the webhook secret in the file that it names (--write DIR does it):\n\n"
          << configuration(base, "file:./sandbox-webhook.secret");
    }
    terminal.out() << "\nCtrl-C ends it." << std::endl;
  }

  std::string listen_ = "127.0.0.1:8090", network_ = "rupa";
  std::optional<std::string> webhook_, client_secret_file_, base_, write_;
  std::int64_t seed_ = 1, clinics_ = 3, practitioners_ = 3, patients_ = 12, orders_ = 100'000;
  double orders_per_day_ = 10;
  std::string speed_ = "1x", start_, rate_limit_ = "600/60", output_ = "text";
  bool all_clinics_ = false, hostile_ = false, allow_remote_ = false;
  std::vector<std::string> switches_, redirect_uris_;
  std::string client_id_ = "rupa-sandbox-client", client_secret_, webhook_secret_;
  std::int64_t code_seconds_ = 60, access_seconds_ = 36'000, refresh_seconds_ = 0, refresh_grace_seconds_ = 0;
  SigningOptions signing_;
};

}  // namespace

std::unique_ptr<Command> make_sandbox() {
  return std::make_unique<SandboxCommand>();
}

}  // namespace resultsync::cli
