#include <fmt/format.h>

#include "base/json_writer.hpp"
#include "cli/api_client.hpp"
#include "cli/config.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/sample_event.hpp"
#include "cli/sending.hpp"
#include "cli/server_file.hpp"
#include "cli/table.hpp"
#include "runtime/file.hpp"

namespace resultsync::cli {
namespace {

constexpr double kCountMost = 100'000;  // all of them are held in memory, at about 3 KB each

class Trigger final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--file",
                 .value = "FILE",
                 .help = "Send this body; - for standard input",
                 .target = &file_,
                 .names_file = true});
    options.add({.names = "--count",
                 .value = "N",
                 .help = "Send so many generated events",
                 .target = &count_,
                 .most = kCountMost});
    options.add({.names = "--seed",
                 .value = "N",
                 .help = "The same seed and numbers generate the same events",
                 .target = &seed_});
    options.add({.names = "--clinics",
                 .value = "N",
                 .help = "Clinics that the generated orders are of",
                 .target = &clinics_,
                 .least = 1,
                 .most = 10'000});
    options.add({.names = "--tests-per-order",
                 .value = "N",
                 .help = "Most tests of a generated order",
                 .target = &tests_,
                 .least = 1,
                 .most = 50});
    options.add({.names = "--corrections",
                 .value = "SHARE",
                 .help = "Share of the generated results that are corrected later",
                 .target = &corrections_,
                 .most = 1});
    options.add({.names = "--duplicates",
                 .value = "SHARE",
                 .help = "Share of the events that are sent twice",
                 .target = &duplicates_,
                 .most = 1});
    options.add({.names = "--shuffle", .help = "Send them out of order", .target = &shuffle_});
    options.add({.names = "--forged",
                 .value = "N",
                 .help = "Send so many more with a wrong signature",
                 .target = &forged_,
                 .most = kCountMost});
    options.add({.names = "--rate",
                 .value = "PER-SECOND",
                 .help = "Pace; 0: as fast as answers come",
                 .target = &rate_,
                 .most = 1e6});
    options.add({.names = "--concurrency",
                 .value = "N",
                 .help = "Connections",
                 .target = &concurrency_,
                 .least = 1,
                 .most = 256});
    options.add({.names = "--url",
                 .value = "URL",
                 .help = "Where to send; default: the server of the data directory",
                 .target = &url_});
    options.add({.names = "--source",
                 .value = "NAME",
                 .help = "As which source of that server; default: the first",
                 .target = &source_});
    signing_.declare(options);
    options.add({.names = "--account",
                 .value = "FILE",
                 .help = "Write down what was sent, and how it was answered, one JSON object a line",
                 .target = &account_,
                 .names_file = true});
    server_.declare_data_dir(options);
    output_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    if (file_ && count_ > 0) return terminal.complain({"usage", "--file and --count exclude each other"});
    auto target = find_target();
    if (!target) return terminal.complain(target.error());
    auto events = events_to_send();
    if (!events) return terminal.complain(events.error());
    const auto sendings = plan_sendings(events->size(), {.seed = static_cast<std::uint64_t>(seed_),
                                                         .duplicates = duplicates_,
                                                         .shuffle = shuffle_,
                                                         .forged = static_cast<std::size_t>(forged_)});
    ProgressBar bar(terminal);
    const auto report = send_all(*events, sendings, target->signer,
                                 {.url = target->url,
                                  .concurrency = static_cast<std::size_t>(concurrency_),
                                  .rate = rate_,
                                  .progress = [&](std::size_t done, std::size_t all) { bar.show(done, all); }});
    bar.clear();
    if (!report) return terminal.complain(report.error());
    if (account_) {
      if (auto written = write_account(*events, sendings, *report); !written) return terminal.complain(written.error());
    }
    output_.table() ? print(terminal, target->url, sendings.size(), *report)
                    : print_json(terminal, sendings.size(), *report);
    return outcome(terminal, target->url, sendings, *report);
  }

 private:
  struct Where {
    std::string url;
    Signer signer;
  };

  // --url and --secret-file, or what the configuration of the local server says.
  Result<Where> find_target() const {
    if (url_ && !signing_.secret_files.empty()) {
      auto signer = signing_.read();
      if (!signer) return forward_error(std::move(signer));
      return Where{*url_, std::move(*signer)};
    }
    const auto data_dir = server_.resolved_data_dir();
    if (!data_dir) return std::unexpected(data_dir.error());
    auto running = read_server_file(*data_dir);
    if (!running && url_) {
      return fail("no_secrets", "which secret signs it? No server runs here that would know", "use --secret-file FILE");
    }
    if (!running) return std::unexpected(running.error());
    std::optional<std::string> config = server_.config;
    if (!config && !running->config_file.empty()) config = running->config_file;
    const LoadedConfig loaded = load_config({.file = config, .environment = resultsync_environment(), .flags = {}});
    const vendors::Source* source = nullptr;
    for (const vendors::Source& one : loaded.config.sources) {
      if (source == nullptr && (source_.empty() || one.id.text() == source_)) source = &one;
    }
    if (source == nullptr) {
      return fail(
          "not_found",
          source_.empty() ? "the server's configuration cannot be read" : fmt::format("there is no source {}", source_),
          describe(loaded.problems));
    }
    const std::string path = source->paths.empty() ? "/webhooks/" + source->id.text() : source->paths.front();
    Where where{url_.value_or(running->public_url() + path), {source->scheme, source->keys}};
    if (signing_.secret_files.empty()) {
      if (source->keys.all().empty())
        return fail("no_secrets", "the server's secret cannot be read", describe(loaded.problems));
      return where;
    }
    auto signer = signing_.read();
    if (!signer) return forward_error(std::move(signer));
    where.signer = std::move(*signer);
    return where;
  }

  Result<std::vector<OutgoingEvent>> events_to_send() const {
    if (count_ > 0) {
      return generate({.options = {.seed = static_cast<std::uint64_t>(seed_),
                                   .clinics = static_cast<std::size_t>(clinics_),
                                   .tests_per_order_max = static_cast<std::size_t>(tests_),
                                   .corrections_permille = static_cast<unsigned>(corrections_ * 1000)},
                       .count = static_cast<std::size_t>(count_),
                       .renamed_clinics = {}});
    }
    std::vector<OutgoingEvent> events(1);
    events[0].kind = file_ ? "file" : "sample";
    events[0].id = file_ ? "msg_trigger" : std::string(kSampleEventId);
    if (!file_) {
      events[0].order = kSampleOrder;
      events[0].clinic = kSampleClinic;
      events[0].body = sample_event();
      return events;
    }
    auto body = read_input(*file_);
    if (!body) return forward_error(std::move(body));
    events[0].body = std::move(*body);
    return events;
  }

  Result<void> write_account(const std::vector<OutgoingEvent>& events, const std::vector<Sending>& sendings,
                             const SendReport& report) const {
    std::string lines;
    for (std::size_t i = 0; i < sendings.size(); ++i) {
      const OutgoingEvent& event = events[sendings[i].event];
      JsonWriter json;
      json.begin_object()
          .member("event_id", event.id)
          .member("order_id", event.order)
          .member("ordered_test_id", event.ordered_test);
      json.member("clinic_id", event.clinic).member("kind", event.kind).member("forged", sendings[i].forged);
      lines += json.member("status", report.statuses[i]).end_object().text() + "\n";
    }
    return runtime::write_file_durably(*account_, lines, 0600);
  }

  static void print(const Terminal& terminal, const std::string& url, std::size_t sent, const SendReport& report) {
    std::string answers;
    for (const auto& [status, count] : report.by_status)
      answers += fmt::format("{}{} × {}", answers.empty() ? "" : ", ", count, status);
    for (const auto& [code, count] : report.failures)
      answers += fmt::format("{}{} × {}", answers.empty() ? "" : ", ", count, code);
    const double seconds = static_cast<double>(report.took.count()) / 1e6;
    print_facts(terminal,
                {{"sent", fmt::format("{} to {}", sent, url)},
                 {"answers", answers},
                 {"took", fmt::format("{:.2f} s, {:.0f} a second", seconds,
                                      static_cast<double>(sent) / std::max(seconds, 1e-9))},
                 {"latency ms", fmt::format("p50 {:.1f}, p90 {:.1f}, p99 {:.1f}, max {:.1f}", report.latency_ms(0.5),
                                            report.latency_ms(0.9), report.latency_ms(0.99), report.latency_ms(1))}});
  }

  static void print_json(const Terminal& terminal, std::size_t sent, const SendReport& report) {
    JsonWriter json;
    json.begin_object().member("sent", std::uint64_t{sent}).key("by_status").begin_object();
    for (const auto& [status, count] : report.by_status) json.member(std::to_string(status), std::uint64_t{count});
    json.end_object().key("failures").begin_object();
    for (const auto& [code, count] : report.failures) json.member(code, std::uint64_t{count});
    json.end_object()
        .member("seconds", static_cast<double>(report.took.count()) / 1e6)
        .key("latency_ms")
        .begin_object();
    json.member("p50", report.latency_ms(0.5))
        .member("p90", report.latency_ms(0.9))
        .member("p99", report.latency_ms(0.99));
    terminal.out() << json.member("max", report.latency_ms(1)).end_object().end_object().text() << '\n';
  }

  // Everything rightly signed must be acknowledged, and nothing that is forged.
  static ExitCode outcome(const Terminal& terminal, const std::string& url, const std::vector<Sending>& sendings,
                          const SendReport& report) {
    bool refused = false;
    bool forgery_taken = false;
    for (std::size_t i = 0; i < sendings.size(); ++i) {
      const bool taken = report.statuses[i] >= 200 && report.statuses[i] < 300;
      refused = refused || (!sendings[i].forged && !taken);
      forgery_taken = forgery_taken || (sendings[i].forged && taken);
    }
    if (forgery_taken) {
      return terminal.complain({"verification_failed", "a request with a wrong signature was acknowledged"});
    }
    if (!refused) return ExitCode::kOk;
    if (report.by_status.empty()) {
      return terminal.complain(
          {"no_server", fmt::format("nothing answers at {}", url), "is the server running, and is the port right?"});
    }
    std::string cure = "see the answers above; the network would send them again";
    if (report.by_status.contains(400)) cure = "400: the secret or the scheme is not the server's";
    if (report.by_status.contains(404)) cure = "404: no source has this path";
    return terminal.complain(
        {report.by_status.contains(503) ? "unavailable" : "refused", "not everything was acknowledged", cure});
  }

  ServerOptions server_;
  SigningOptions signing_;
  OutputOption output_;
  std::optional<std::string> file_;
  std::optional<std::string> url_;
  std::optional<std::string> account_;
  std::string source_;
  std::int64_t count_ = 0;
  std::int64_t seed_ = 1;
  std::int64_t clinics_ = 4;
  std::int64_t tests_ = 2;
  double corrections_ = 0.15;
  double duplicates_ = 0;
  bool shuffle_ = false;
  std::int64_t forged_ = 0;
  double rate_ = 0;
  std::int64_t concurrency_ = 8;
};

}  // namespace

std::unique_ptr<Command> make_trigger() {
  return std::make_unique<Trigger>();
}

}  // namespace resultsync::cli
