#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <set>

#include "cli/api_client.hpp"
#include "cli/feed_line.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"

namespace resultsync::cli {
namespace {

// Every line was flushed when it was written: nothing is lost by ending here and now.
void end_now(int) {
  ::_exit(0);
}

class Listen final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "Follow what this practitioner of the application receives",
                 .target = &practitioner_});
    options.add(
        {.names = "--events", .help = "Follow the events that arrive, whoever they are for", .target = &events_});
    options.add(
        {.names = "--from", .value = "WHERE", .help = "Where to begin", .target = &from_, .choices = {"start", "now"}});
    server_.declare(options);
    output_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    if (events_ == !practitioner_.empty()) {
      return terminal.complain({"usage", "say what to follow: --practitioner ID, or --events"});
    }
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    ::signal(SIGINT, end_now);
    ::signal(SIGTERM, end_now);
    return events_ ? follow_events(terminal, *client) : follow_feed(terminal, *client);
  }

 private:
  ExitCode follow_feed(const Terminal& terminal, const ApiClient& client) const {
    const std::string feed = with_query("/v1/feed", {{"practitioner", practitioner_}});
    std::string after;
    bool passing_by = from_ == "now";
    if (terminal.talk_is_terminal())
      terminal.talk() << "Following " << printable(practitioner_) << "; Ctrl-C ends it.\n";
    while (true) {
      const auto answer =
          client.get(with_query(feed, {{"after", after}, {"limit", "500"}, {"wait", passing_by ? "0" : "25"}}));
      if (!answer) return terminal.complain(answer.error());
      const auto page = JsonDocument::parse(*answer);
      if (!page) return terminal.complain(page.error());
      const auto items = elements(page->root(), {"items"});
      for (const JsonValue item : items) {
        if (!passing_by) show(terminal, item, output_.table() ? feed_line(terminal, item) : std::string());
      }
      after = shown(page->root(), {"next"});
      if (items.empty()) passing_by = false;
    }
  }

  // The list of events has no long poll: it is asked once a second, newest first, back to what was seen before.
  ExitCode follow_events(const Terminal& terminal, const ApiClient& client) const {
    std::string newest;
    bool first = true;
    if (terminal.talk_is_terminal()) terminal.talk() << "Following all events; Ctrl-C ends it.\n";
    while (true) {
      std::vector<std::pair<std::string, std::string>> fresh;  // the line and the JSON of each, newest first
      std::string newest_now = newest;
      const std::size_t most = first && from_ == "now" ? 1 : 1'000'000;
      const auto done = client.each("/v1/events", most, [&](JsonValue item) {
        const std::string key = shown(item, {"source"}) + "/" + shown(item, {"id"});
        if (key == newest) return false;
        if (fresh.empty()) newest_now = key;
        fresh.emplace_back(event_line(item), compact(item));
        return true;
      });
      if (!done) return terminal.complain(done.error());
      newest = newest_now;
      if (!(first && from_ == "now")) {
        for (auto it = fresh.rbegin(); it != fresh.rend(); ++it) {
          terminal.out() << (output_.table() ? it->first : it->second) << '\n';
        }
        terminal.out().flush();
      }
      first = false;
      const timespec pause{.tv_sec = 1, .tv_nsec = 0};
      ::nanosleep(&pause, nullptr);
    }
  }

  static std::string event_line(JsonValue item) {
    const std::string time = shown(item, {"received_at"});
    const std::string reason = shown(item, {"reason"});
    return fmt::format("{}  {:<14}  {:<18}  {:<12}  {}{}", time.size() >= 19 ? time.substr(11, 8) : time,
                       printable(shown(item, {"id"})), printable(shown(item, {"type"})),
                       printable(shown(item, {"order_id"})), shown(item, {"outcome"}),
                       reason.empty() ? "" : ": " + reason);
  }

  void show(const Terminal& terminal, JsonValue item, const std::string& line) const {
    terminal.out() << (output_.table() ? line : compact(item)) << '\n';
    terminal.out().flush();
  }

  ServerOptions server_;
  OutputOption output_;
  std::string practitioner_;
  bool events_ = false;
  std::string from_ = "now";
};

}  // namespace

std::unique_ptr<Command> make_listen() {
  return std::make_unique<Listen>();
}

}  // namespace resultsync::cli
