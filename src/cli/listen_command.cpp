#include <fmt/format.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

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

// The server that is listened to. Once it has answered, it may go away for a while, as for an upgrade: it is asked
// again until it is back, also where it then listens elsewhere.
class LastingServer {
 public:
  LastingServer(const ServerOptions& options, ApiClient client, Terminal& terminal)
      : options_(options), client_(std::move(client)), terminal_(terminal) {}

  // What `ask` comes to, when the server is there. Errors: what a server said that is there, and whatever went wrong
  // before the first answer.
  template <class Ask>
  auto when_there(const Ask& ask) -> decltype(ask(std::declval<const ApiClient&>())) {
    while (true) {
      auto answer = ask(client_);
      if (!answer && has_answered_ && is_away(answer.error())) {
        wait_and_look();
        continue;
      }
      has_answered_ = has_answered_ || answer.has_value();
      if (answer && is_away_) terminal_.talk() << "The server is back.\n";
      if (answer) is_away_ = false;
      return answer;
    }
  }

 private:
  static bool is_away(const Error& error) {
    return error.code == "no_server" || error.code == "unavailable" || error.code == "connection_lost" ||
           error.code == "timeout";
  }
  void wait_and_look() {
    if (!is_away_) {
      terminal_.talk() << "The server is away. Asking again until it is back; Ctrl-C ends this.\n";
      pause_ = kFirstPause;
    }
    is_away_ = true;
    std::this_thread::sleep_for(pause_);
    pause_ = std::min(pause_ * 2, kLongestPause);
    if (auto found = ApiClient::find(options_)) client_ = std::move(*found);
  }

  static constexpr std::chrono::milliseconds kFirstPause{250};
  static constexpr std::chrono::milliseconds kLongestPause{5'000};
  const ServerOptions& options_;
  ApiClient client_;
  Terminal& terminal_;
  bool has_answered_ = false;
  bool is_away_ = false;
  std::chrono::milliseconds pause_ = kFirstPause;
};

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
    auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    LastingServer server(server_, std::move(*client), terminal);
    ::signal(SIGINT, end_now);
    ::signal(SIGTERM, end_now);
    return events_ ? follow_events(terminal, server) : follow_feed(terminal, server);
  }

 private:
  ExitCode follow_feed(const Terminal& terminal, LastingServer& server) const {
    const std::string feed = with_query("/v1/feed", {{"practitioner", practitioner_}});
    std::string after;
    bool passing_by = from_ == "now";
    if (terminal.talk_is_terminal())
      terminal.talk() << "Following " << printable(practitioner_) << "; Ctrl-C ends it.\n";
    while (true) {
      const auto answer = server.when_there([&](const ApiClient& client) {
        return client.get(with_query(feed, {{"after", after}, {"limit", "500"}, {"wait", passing_by ? "0" : "25"}}));
      });
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
  ExitCode follow_events(const Terminal& terminal, LastingServer& server) const {
    std::string newest;
    bool first = true;
    if (terminal.talk_is_terminal()) terminal.talk() << "Following all events; Ctrl-C ends it.\n";
    while (true) {
      std::vector<std::pair<std::string, std::string>> fresh;  // the line and the JSON of each, newest first
      std::string newest_now = newest;
      const std::size_t most = first && from_ == "now" ? 1 : 1'000'000;
      const auto done = server.when_there([&](const ApiClient& client) {
        fresh.clear();
        return client.each("/v1/events", most, [&](JsonValue item) {
          const std::string key = shown(item, {"source"}) + "/" + shown(item, {"id"});
          if (key == newest) return false;
          if (fresh.empty()) newest_now = key;
          fresh.emplace_back(event_line(item), compact(item));
          return true;
        });
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
