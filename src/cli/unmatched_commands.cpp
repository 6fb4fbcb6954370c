#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

// The one action that helps.
std::string cure_for(JsonValue item) {
  const std::string reason = shown(item, {"reason"});
  const std::string clinic = shown(item, {"clinic_id"});
  if (reason == "nobody_connected")
    return fmt::format("resultsync connect PRACTITIONER --clinic {}", clinic.empty() ? "ID" : clinic);
  return fmt::format("resultsync unmatched match {} --clinic ID", shown(item, {"event_id"}));
}

class UnmatchedList final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--limit",
                 .value = "N",
                 .help = "Show at most so many, oldest first",
                 .target = &limit_,
                 .least = 1,
                 .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(terminal, server_, output_,
                         {.target = "/v1/unmatched",
                          .most = limit_,
                          .columns = {{"EVENT"}, {"REASON"}, {"ORDER"}, {"CLINIC"}, {"SINCE"}, {"WHAT HELPS"}},
                          .cells =
                              [](JsonValue item) {
                                return std::vector{shown(item, {"event_id"}), shown(item, {"reason"}),
                                                   shown(item, {"order_id"}), shown(item, {"clinic_id"}),
                                                   shown(item, {"since"}),    cure_for(item)};
                              },
                          .when_empty = "Nothing is unmatched: every result has somebody it belongs to."});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::int64_t limit_ = 100;
};

class UnmatchedMatch final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "EVENT", .help = "The event's id", .target = &event_, .required = true});
    options.add({.names = "--clinic",
                 .value = "ID",
                 .help = "The clinic that its order belongs to",
                 .target = &clinic_,
                 .required = true});
    options.add(
        {.names = "--source", .value = "NAME", .help = "Which network, if two have this id", .target = &source_});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    JsonWriter json;
    json.begin_object().member("clinic_id", clinic_);
    if (!source_.empty()) json.member("source", source_);
    json.end_object();
    const auto answer = client->send("POST", "/v1/unmatched/" + percent_encoded(event_) + "/match", json.take());
    return print_object(terminal, output_, answer, [&](JsonValue matched) {
      const std::string items = shown(matched, {"items"});
      terminal.out() << fmt::format("order {} belongs to {}; {} feed item{} issued\n",
                                    printable(shown(matched, {"order_id"})), printable(clinic_), items,
                                    items == "1" ? "" : "s");
      if (shown(matched, {"nobody_connected"}) == "true") {
        terminal.talk() << fmt::format("Nobody is connected to {} yet: resultsync connect PRACTITIONER --clinic {}\n",
                                       printable(clinic_), printable(clinic_));
      }
    });
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string event_;
  std::string clinic_;
  std::string source_;
};

}  // namespace

std::unique_ptr<Command> make_unmatched_list() {
  return std::make_unique<UnmatchedList>();
}
std::unique_ptr<Command> make_unmatched_match() {
  return std::make_unique<UnmatchedMatch>();
}

}  // namespace resultsync::cli
