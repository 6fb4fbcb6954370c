#include <fmt/format.h>

#include <set>

#include "base/encoding.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

std::string backfill_of(JsonValue connection) {
  const std::string total = shown(connection, {"backfill", "orders_total"});
  if (total.empty() || shown(connection, {"backfill", "finished"}) == "true") return "done";
  return fmt::format("{} of {} orders", shown(connection, {"backfill", "orders_done"}), total);
}

// "finished, 24 of 24 orders": the last reading of the clinic's orders from the network; empty where there was none.
std::string reading_of(JsonValue connection) {
  const std::string state = shown(connection, {"reading", "state"});
  if (state.empty()) return state;
  const std::string reason = shown(connection, {"reading", "reason"});
  const std::string total = shown(connection, {"reading", "orders_total"});
  return fmt::format(
      "{}{}{}", state, reason.empty() ? "" : " (" + reason + ")",
      total == "0" ? "" : fmt::format(", {} of {} orders", shown(connection, {"reading", "orders_read"}), total));
}

class PractitionersList final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "--limit", .value = "N", .help = "Show at most so many", .target = &limit_, .least = 1, .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(
        terminal, server_, output_,
        {.target = "/v1/practitioners",
         .most = limit_,
         .columns = {{"PRACTITIONER"}, {"CLINICS"}, {"SOURCES"}},
         .cells =
             [](JsonValue item) {
               std::string clinics;
               std::string sources;
               for (const JsonValue connection : elements(item, {"connections"})) {
                 clinics += (clinics.empty() ? "" : ", ") + shown(connection, {"clinic_id"});
                 sources += (sources.empty() ? "" : ", ") + shown(connection, {"source"});
               }
               return std::vector{shown(item, {"id"}), clinics, sources};
             },
         .when_empty =
             "Nobody is connected yet. Connect somebody: resultsync connect PRACTITIONER --link, or --clinic ID"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::int64_t limit_ = 100;
};

class PractitionersGet final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "PRACTITIONER",
                 .help = "The application's own id of the practitioner",
                 .target = &practitioner_,
                 .required = true});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_object(terminal, server_, output_, "/v1/practitioners/" + percent_encoded(practitioner_),
                        [&](JsonValue practitioner) { show(terminal, practitioner); });
  }

 private:
  static void show(const Terminal& terminal, JsonValue practitioner) {
    Table table({{"SOURCE"}, {"CLINIC"}, {"VENDOR PRACTITIONER"}, {"SINCE"}, {"CONSENT"}, {"READING"}, {"BACKFILL"}},
                "No connection.");
    std::set<std::string> advice;
    for (const JsonValue connection : elements(practitioner, {"connections"})) {
      table.add({shown(connection, {"source"}), shown(connection, {"clinic_id"}),
                 shown(connection, {"vendor_practitioner_id"}), shown(connection, {"created_at"}),
                 shown(connection, {"consent", "state"}), reading_of(connection), backfill_of(connection)});
      if (std::string what = shown(connection, {"consent", "advice"}); !what.empty()) advice.insert(std::move(what));
    }
    table.print(terminal);
    for (const std::string& what : advice) terminal.talk() << what << '\n';
  }

  ServerOptions server_;
  OutputOption output_;
  std::string practitioner_;
};

class PractitionersDisconnect final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "PRACTITIONER",
                 .help = "The application's own id of the practitioner",
                 .target = &practitioner_,
                 .required = true});
    options.add({.names = "--clinic", .value = "ID", .help = "Only the connection to this clinic", .target = &clinic_});
    options.add({.names = "--source", .value = "NAME", .help = "Only connections to this network", .target = &source_});
    server_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    const auto answer = client->send("DELETE",
                                     with_query("/v1/practitioners/" + percent_encoded(practitioner_),
                                                {{"clinic_id", clinic_}, {"source", source_}}),
                                     {});
    if (!answer) return terminal.complain(answer.error());
    terminal.talk() << fmt::format("{} is disconnected{}\n", printable(practitioner_),
                                   clinic_.empty() ? "" : " from " + printable(clinic_));
    return ExitCode::kOk;
  }

 private:
  ServerOptions server_;
  std::string practitioner_;
  std::string clinic_;
  std::string source_;
};

}  // namespace

std::unique_ptr<Command> make_practitioners_list() {
  return std::make_unique<PractitionersList>();
}
std::unique_ptr<Command> make_practitioners_get() {
  return std::make_unique<PractitionersGet>();
}
std::unique_ptr<Command> make_practitioners_disconnect() {
  return std::make_unique<PractitionersDisconnect>();
}

}  // namespace resultsync::cli
