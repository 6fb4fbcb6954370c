// reconcile: read the clinics' orders from the network, and apply what was missed.
#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "base/json_writer.hpp"
#include "cli/api_client.hpp"
#include "cli/json_document.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/table.hpp"

namespace resultsync::cli {
namespace {

constexpr std::chrono::milliseconds kAskEvery{250};

class Reconcile final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--since",
                 .value = "TIME",
                 .help = "Leave out orders submitted before it (RFC 3339)",
                 .target = &since_});
    options.add({.names = "--source", .value = "NAME", .help = "Only this network", .target = &source_});
    options.add({.names = "--no-wait", .help = "Only ask for it, and end", .target = &no_wait_});
    server_.declare(options);
    output_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    JsonWriter json;
    json.begin_object();
    if (!since_.empty()) json.member("since", since_);
    if (!source_.empty()) json.member("source", source_);
    json.end_object();
    const auto asked = client->send("POST", "/v1/reconciliations", json.take());
    if (!asked) return terminal.complain(asked.error());
    const auto document = JsonDocument::parse(*asked);
    if (!document) return terminal.complain(document.error());
    std::vector<std::string> ids;
    for (const JsonValue run : elements(document->root(), {"items"})) ids.push_back(shown(run, {"id"}));
    if (ids.empty()) {
      terminal.talk() << "No practitioner has given a consent yet: resultsync connect PRACTITIONER --link\n";
      return ExitCode::kOk;
    }
    return follow(terminal, *client, ids);
  }

 private:
  // Asks until every run has ended, and prints each.
  ExitCode follow(const Terminal& terminal, const ApiClient& client, const std::vector<std::string>& ids) const {
    std::vector<std::vector<std::string>> rows;
    bool failed = false;
    for (const std::string& id : ids) {
      while (true) {
        const auto answer = client.get("/v1/reconciliations/" + id);
        if (!answer) return terminal.complain(answer.error());
        const auto run = JsonDocument::parse(*answer);
        if (!run) return terminal.complain(run.error());
        const std::string state = shown(run->root(), {"state"});
        const bool ended = no_wait_ || state == "finished" || state == "failed";
        if (terminal.talk_is_terminal()) {
          terminal.talk() << fmt::format("\r{}: {} of {} orders", shown(run->root(), {"clinic_id"}),
                                         shown(run->root(), {"orders_read"}), shown(run->root(), {"orders_total"}))
                          << std::flush;
        }
        if (!ended) {
          std::this_thread::sleep_for(kAskEvery);
          continue;
        }
        failed |= state == "failed";
        if (!output_.table()) terminal.out() << compact(run->root()) << '\n';
        rows.push_back({shown(run->root(), {"source"}), shown(run->root(), {"clinic_id"}), state,
                        shown(run->root(), {"orders_read"}), shown(run->root(), {"gaps"}),
                        shown(run->root(), {"reason"})});
        break;
      }
    }
    if (terminal.talk_is_terminal()) terminal.talk() << '\r' << std::string(60, ' ') << '\r';
    if (output_.table()) {
      for (const auto& row : rows) {
        terminal.out() << fmt::format("{} {}: {}, {} orders read, {} with something missed{}\n", printable(row[0]),
                                      printable(row[1]), row[2], row[3], row[4],
                                      row[5].empty() ? "" : " (" + row[5] + ")");
      }
    }
    return failed ? ExitCode::kUnavailable : ExitCode::kOk;
  }

  ServerOptions server_;
  OutputOption output_;
  std::string since_;
  std::string source_;
  bool no_wait_ = false;
};

}  // namespace

std::unique_ptr<Command> make_reconcile() {
  return std::make_unique<Reconcile>();
}

}  // namespace resultsync::cli
