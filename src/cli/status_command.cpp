#include <fmt/format.h>

#include "cli/api_client.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/table.hpp"

namespace resultsync::cli {
namespace {

std::string counts_of(JsonValue root, std::string_view name) {
  simdjson::dom::object object;
  std::string text;
  if (root[name].get(object) != simdjson::SUCCESS) return text;
  for (const auto member : object) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", std::string_view(member.key), compact(member.value));
  }
  return text;
}

class Status final : public Command {
 public:
  void declare(Options& options) override {
    server_.declare(options);
    output_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    const auto answer = client->get("/v1/status");
    if (!answer) return terminal.complain(answer.error());
    const auto document = JsonDocument::parse(*answer);
    if (!document) return terminal.complain(document.error());
    const JsonValue root = document->root();
    if (!output_.table()) {
      terminal.out() << (output_.json() ? indented(root) : compact(root)) << '\n';
      return ExitCode::kOk;
    }
    const auto ready = client->get("/readyz");
    const std::string counted_at = shown(root, {"totals_at"});
    const auto total = [&](std::string_view name) { return shown(root, {"totals", name}); };
    print_facts(terminal, {{"server", client->base_url()},
                           {"ready", ready ? "yes" : "no: " + ready.error().text()},
                           {"version", shown(root, {"version"})},
                           {"up for", shown(root, {"uptime_seconds"}) + " s"},
                           {"records received", shown(root, {"log", "end"})},
                           {"not applied yet", shown(root, {"log", "lag_records"})},
                           {"counted at", counted_at.empty() ? "being counted, ask again in a minute" : counted_at},
                           {"events", total("events")},
                           {"  by outcome", counts_of(root, "events_by_outcome")},
                           {"  duplicates", total("duplicates")},
                           {"  conflicts", total("conflicts")},
                           {"orders", total("orders")},
                           {"result versions", total("results")},
                           {"practitioners", total("practitioners")},
                           {"feed items", total("feed_items")},
                           {"unmatched", counts_of(root, "waiting_by_reason")}});
    if (!counts_of(root, "waiting_by_reason").empty())
      terminal.talk() << "See what waits, and what helps: resultsync unmatched\n";
    return ready ? ExitCode::kOk : ExitCode::kUnavailable;
  }

 private:
  ServerOptions server_;
  OutputOption output_;
};

}  // namespace

std::unique_ptr<Command> make_status() {
  return std::make_unique<Status>();
}

}  // namespace resultsync::cli
