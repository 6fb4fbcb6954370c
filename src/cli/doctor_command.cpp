// doctor: is everything as it must be for results to arrive? One line a check, what to do beside what is wrong.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "cli/api_client.hpp"
#include "cli/config_options.hpp"
#include "cli/json_document.hpp"
#include "cli/make_commands.hpp"
#include "cli/server_file.hpp"
#include "cli/store_on_disk.hpp"
#include "http/client.hpp"
#include "network/api_client.hpp"
#include "network/wire.hpp"
#include "runtime/clock.hpp"
#include "runtime/file.hpp"
#include "vendors/verify.hpp"

namespace resultsync::cli {
namespace {

class Report {
 public:
  explicit Report(const Terminal& terminal) : terminal_(terminal) {}
  void good(std::string_view what) { terminal_.out() << terminal_.on_out(Paint::kGreen, "ok   ") << what << '\n'; }
  void bad(std::string_view what, std::string_view cure) {
    failed_ = true;
    terminal_.out() << terminal_.on_out(Paint::kRed, "bad  ") << what << "\n     " << cure << '\n';
  }
  [[nodiscard]] ExitCode code() const { return failed_ ? ExitCode::kVerificationFailed : ExitCode::kOk; }

 private:
  const Terminal& terminal_;
  bool failed_ = false;
};

class Doctor final : public Command {
 public:
  void declare(Options& options) override { config_.declare(options); }

  ExitCode run(Terminal& terminal) override {
    const LoadedConfig loaded = config_.load();
    Report report(terminal);
    for (const ConfigProblem& problem : loaded.problems) report.bad(problem.where + ": " + problem.what, problem.cure);
    if (!loaded.problems.empty()) return ExitCode::kConfig;
    report.good("the configuration can be read");
    const Config& config = loaded.config;
    check_data_dir(report, config);
    check_server(report, config);
    check_apis(report, config);
    return report.code();
  }

 private:
  static void check_data_dir(Report& report, const Config& config) {
    struct stat found{};
    if (::stat(config.data_dir.c_str(), &found) != 0) {
      return report.good("data_dir does not exist yet; `resultsync serve` makes it");
    }
    (found.st_mode & 077U) == 0 ? report.good("data_dir is its owner's alone")
                                : report.bad("others may look into " + config.data_dir, "chmod 700 " + config.data_dir);
    for (const std::string& key : {master_key_path(config.data_dir), admin_key_path(config.data_dir)}) {
      if (::stat(key.c_str(), &found) != 0) continue;
      (found.st_mode & 077U) == 0 ? report.good(key + " is its owner's alone")
                                  : report.bad("others may read " + key, "chmod 600 " + key);
    }
    const auto free = runtime::free_bytes(config.data_dir);
    if (free && *free < 4 * config.limits.free_space_bytes) {
      report.bad(fmt::format("only {} MiB are free for data_dir", *free >> 20U),
                 "make room: below limits.free_space nothing is acknowledged any more");
    } else if (free) {
      report.good(fmt::format("{} MiB are free for data_dir", *free >> 20U));
    }
  }

  static void check_server(Report& report, const Config& config) {
    ServerOptions options;
    options.data_dir = config.data_dir;
    const auto client = ApiClient::find(options);
    if (!client) return report.bad("no server runs on this data_dir", "start it: resultsync serve --config FILE");
    const auto ready = client->get("/readyz");
    ready ? report.good("the server is ready") : report.bad("the server is not ready", ready.error().text());
    const auto network = client->get("/v1/network");
    if (!network) return report.bad("the server does not answer", network.error().text());
    const auto document = JsonDocument::parse(*network);
    if (!document) return;
    for (const JsonValue consent : elements(document->root(), {"consents"})) {
      const std::string state = shown(consent, {"state"});
      const std::string who =
          fmt::format("the consent of {} ({})", shown(consent, {"practitioner"}), shown(consent, {"source"}));
      if (state == "needs_consent" || state == "failing") {
        report.bad(who + " is " + state + ": " + shown(consent, {"reason"}), shown(consent, {"advice"}));
      } else {
        report.good(who + " is " + state);
      }
    }
    for (const JsonValue clinic : elements(document->root(), {"silent_clinics"})) {
      report.bad("clinic " + shown(clinic, {"clinic_id"}) + " is quieter than it used to be",
                 "resultsync reconcile finds what was never sent");
    }
    const std::string given_up = shown(document->root(), {"documents", "given_up"});
    if (!given_up.empty() && given_up != "0")
      report.bad(given_up + " documents could not be had", "see resultsync_document_fetches_total and the log");
  }

  // As the server asks them: guarded, and verified by `ca_file`. Any answer shows that it is there.
  static void check_apis(Report& report, const Config& config) {
    const auto wire = network::Wire::open(config.network);
    if (!wire)
      return report.bad("the networks' APIs cannot be asked: " + wire.error().text(),
                        "check `api_allow` and `ca_file`");
    for (const network::SourceSettings& source : config.network.sources) {
      if (source.api.empty()) continue;
      http::OutboundRequest request;
      request.method = "GET";
      request.url = source.api;
      request.total_timeout = std::chrono::seconds(10);
      const auto answer = (*wire)->send(source, std::move(request));
      if (!answer) {
        report.bad(fmt::format("the API of {} cannot be reached: {}", source.source.text(), answer.error().text()),
                   "check `api`, the firewall and the network's state");
        continue;
      }
      report.good(fmt::format("the API of {} answers", source.source.text()));
      check_clock(report, config, source, *answer);
    }
  }

  // A signature is stale by our clock, and a token expires by it: both go wrong where the clocks differ. The network's
  // is known to the second.
  static void check_clock(Report& report, const Config& config, const network::SourceSettings& source,
                          const http::ClientResponse& answer) {
    const auto date = answer.headers.only("Date");
    const auto theirs = date ? network::parse_http_date(*date) : std::nullopt;
    if (!theirs) return report.good(fmt::format("{} tells no time to compare the clock with", source.source.text()));
    const std::int64_t ahead = runtime::SystemClock().now().seconds() - theirs->seconds();
    const std::int64_t apart = std::abs(ahead);
    constexpr std::int64_t kApartMax = 30;
    if (apart <= kApartMax) return report.good(fmt::format("the clock agrees with that of {}", source.source.text()));
    const auto own = std::ranges::find(config.sources, source.source, &vendors::Source::id);
    const bool is_stale = own != config.sources.end() && apart > own->tolerance.count();
    report.bad(
        fmt::format("this machine's clock is {} seconds {} that of {}{}", apart, ahead > 0 ? "before" : "behind",
                    source.source.text(), is_stale ? ", more than tolerance_seconds: every event would be stale" : ""),
        "let the clock be set by NTP: timedatectl set-ntp true");
  }

  ConfigOptions config_;
};

// What the network does with our webhook, in advance: a signed request of a type that nobody's results come in.
class DoctorWebhook final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "URL",
                 .help = "The address as the network will reach it: https://hooks.example.com/webhook",
                 .target = &url_,
                 .required = true});
    options.add({.names = "--source",
                 .value = "NAME",
                 .help = "Whose webhook it is; needed if there is more than one",
                 .target = &source_});
    config_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    const LoadedConfig loaded = config_.load();
    if (!loaded.problems.empty()) {
      terminal.talk() << describe(loaded.problems);
      return ExitCode::kConfig;
    }
    const vendors::Source* source = nullptr;
    for (const vendors::Source& one : loaded.config.sources) {
      if (source_.empty() ? loaded.config.sources.size() == 1 : one.id.text() == source_) source = &one;
    }
    if (source == nullptr) return terminal.complain({"usage", "say which source with --source NAME"});
    Report report(terminal);
    const auto url = http::parse_url(url_);
    if (!url) return terminal.complain(url.error());
    url->scheme == "https" ? report.good("the address is https")
                           : report.bad("the address is plain http",
                                        "health data would cross the internet in the open: put a proxy that speaks TLS "
                                        "before the public listener");
    const std::string path = url->target.substr(0, url->target.find('?'));
    const vendors::Source* served = vendors::source_at(loaded.config.sources, path);
    served == source ? report.good(fmt::format("{} is a path of source {}", path, source->id.text()))
                     : report.bad(fmt::format("{} is no path of source {}", path, source->id.text()),
                                  fmt::format("use /webhooks/{}", source->id.text()));
    probe(report, *source);
    terminal.talk() << "\nGive the network's staff, for your OAuth application:\n  webhook URL    " << url_
                    << "\n  redirect URI   " << url->scheme << "://" << url->host
                    << (url->port == 443 || url->port == 80 ? "" : ":" + std::to_string(url->port))
                    << "/oauth/callback\n";
    return report.code();
  }

 private:
  void probe(Report& report, const vendors::Source& source) const {
    const Timestamp now = runtime::SystemClock().now();
    const std::string body =
        fmt::format(R"({{"id":"evt_doctor_{}","type":"resultsync.doctor","created_at":"{}","data":{{}}}})",
                    now.microseconds, format_timestamp(now));
    const auto unsigned_answer =
        http::send({.method = "POST", .url = url_, .body = body, .timeout = std::chrono::seconds(15)});
    if (!unsigned_answer)
      return report.bad("it cannot be reached: " + unsigned_answer.error().text(),
                        "check DNS, the proxy and the firewall; from this machine it may differ from outside");
    report.good("it can be reached");
    unsigned_answer->status == 400
        ? report.good("a request without a signature is refused")
        : report.bad(fmt::format("a request without a signature got {} and not 400", unsigned_answer->status),
                     "something else answers at this address");
    const auto headers = vendors::sign(source.scheme, source.keys, {.id = "doctor", .timestamp = now}, body);
    if (!headers)
      return report.bad("it cannot be signed: " + headers.error().text(),
                        "a public key verifies only; ask the network for a test event");
    const auto answer = http::send(
        {.method = "POST", .url = url_, .headers = *headers, .body = body, .timeout = std::chrono::seconds(15)});
    answer && answer->status == 200
        ? report.good("a signed request is taken, and kept as `unknown_type`")
        : report.bad(answer ? fmt::format("a signed request got {}", answer->status) : answer.error().text(),
                     "the server there has other secrets than this configuration");
  }

  std::string url_;
  std::string source_;
  ConfigOptions config_;
};

}  // namespace

std::unique_ptr<Command> make_doctor() {
  return std::make_unique<Doctor>();
}
std::unique_ptr<Command> make_doctor_webhook() {
  return std::make_unique<DoctorWebhook>();
}

}  // namespace resultsync::cli
