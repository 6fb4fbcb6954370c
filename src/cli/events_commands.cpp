#include <fmt/format.h>

#include "base/encoding.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

class EventsList final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--outcome",
                 .value = "OUTCOME",
                 .help = "Only these",
                 .target = &outcome_,
                 .choices = {"synced", "waiting", "no_results", "unknown_type", "unreadable"}});
    options.add({.names = "--type", .value = "TYPE", .help = "Only events of this type", .target = &type_});
    options.add({.names = "--source", .value = "NAME", .help = "Only events of this network", .target = &source_});
    options.add(
        {.names = "--conflicts", .help = "Only events that came with two different bodies", .target = &conflicts_});
    options.add({.names = "--limit",
                 .value = "N",
                 .help = "Show at most so many, newest first",
                 .target = &limit_,
                 .least = 1,
                 .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(
        terminal, server_, output_,
        {.target = with_query(
             "/v1/events",
             {{"outcome", outcome_}, {"type", type_}, {"source", source_}, {"conflict", conflicts_ ? "1" : ""}}),
         .most = limit_,
         .columns = {{"EVENT"}, {"SOURCE"}, {"TYPE"}, {"RECEIVED"}, {"OUTCOME"}, {"ORDER"}, {"FLAGS"}},
         .cells =
             [](JsonValue item) {
               const std::string reason = shown(item, {"reason"});
               return std::vector{shown(item, {"id"}),
                                  shown(item, {"source"}),
                                  shown(item, {"type"}),
                                  shown(item, {"received_at"}),
                                  shown(item, {"outcome"}) + (reason.empty() ? "" : ": " + reason),
                                  shown(item, {"order_id"}),
                                  shown(item, {"flags"})};
             },
         .when_empty = "No such event has been received. Send one: resultsync trigger"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string outcome_;
  std::string type_;
  std::string source_;
  bool conflicts_ = false;
  std::int64_t limit_ = 100;
};

class EventsGet final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "EVENT", .help = "The event's id", .target = &event_, .required = true});
    options.add(
        {.names = "--source", .value = "NAME", .help = "Which network, if two have this id", .target = &source_});
    options.add({.names = "--body", .help = "With the body, which holds health data", .target = &body_});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_object(
        terminal, server_, output_,
        with_query("/v1/events/" + percent_encoded(event_), {{"source", source_}, {"body", body_ ? "1" : ""}}),
        [&](JsonValue event) { show(terminal, event); });
  }

 private:
  void show(const Terminal& terminal, JsonValue event) const {
    const auto receipts = elements(event, {"receipts"});
    print_facts(terminal, {{"event", shown(event, {"id"})},
                           {"source", shown(event, {"source"})},
                           {"type", shown(event, {"type"})},
                           {"created", shown(event, {"created_at"})},
                           {"received", shown(event, {"received_at"})},
                           {"outcome", shown(event, {"outcome"})},
                           {"reason", shown(event, {"reason"})},
                           {"order", shown(event, {"order_id"})},
                           {"flags", shown(event, {"flags"})},
                           {"body SHA-256", shown(event, {"body_sha256"})},
                           {"receipts", std::to_string(receipts.size())}});
    if (!receipts.empty()) {
      terminal.out() << '\n';
      Table table({{"RECEIVED"}, {"KIND"}, {"BODY SHA-256"}, {"STALE"}}, "");
      for (const JsonValue receipt : receipts) {
        table.add({shown(receipt, {"received_at"}), shown(receipt, {"kind"}), shown(receipt, {"body_sha256"}),
                   shown(receipt, {"stale"})});
      }
      table.print(terminal);
    }
    JsonValue body;
    if (body_ && event["body"].get(body) == simdjson::SUCCESS) terminal.out() << '\n' << indented(body) << '\n';
    if (body_ && event["body_base64"].get(body) == simdjson::SUCCESS) terminal.out() << '\n' << shown(body) << '\n';
  }

  ServerOptions server_;
  OutputOption output_;
  std::string event_;
  std::string source_;
  bool body_ = false;
};

}  // namespace

std::unique_ptr<Command> make_events_list() {
  return std::make_unique<EventsList>();
}
std::unique_ptr<Command> make_events_get() {
  return std::make_unique<EventsGet>();
}

}  // namespace resultsync::cli
