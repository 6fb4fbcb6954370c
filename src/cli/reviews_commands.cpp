// results review|reviews, critical list|acknowledge: what practitioners say of results, from the command line.
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "base/secret.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"
#include "cli/signing_options.hpp"

namespace resultsync::cli {
namespace {

// Which version of which result, and in whose name: of the commands that say something of one.
struct StatementOptions {
  ServerOptions server;
  OutputOption output;
  std::string test, practitioner, source, order;
  std::optional<std::string> note_file;
  std::int64_t version = 0;

  void declare(Options& options) {
    options.add({.names = "ORDERED-TEST", .help = "The ordered test's id", .target = &test, .required = true});
    options.add({.names = "--version",
                 .value = "N",
                 .help = "The version that was read",
                 .target = &version,
                 .required = true,
                 .least = 1,
                 .most = 1e9});
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "The practitioner of the application in whose name",
                 .target = &practitioner,
                 .required = true});
    options.add({.names = "--note-file",
                 .value = "FILE",
                 .help = "A note, from a file or from stdin (-): it is health data, and no argument",
                 .target = &note_file,
                 .names_file = true});
    options.add(
        {.names = "--source", .value = "NAME", .help = "Which network, if two have this id", .target = &source});
    options.add({.names = "--order", .value = "ID", .help = "Which order, if two have it", .target = &order});
    server.declare(options);
    output.declare(options);
  }

  // Sends the open object with what all have in common. The answer.
  Result<std::string> send(const std::string& what, JsonWriter& json) const {
    json.member("practitioner", practitioner);
    if (note_file) {
      auto note = read_input(*note_file);
      if (!note) return note;
      json.member("note", *note);
    }
    json.end_object();
    const auto client = ApiClient::find(server);
    if (!client) return std::unexpected(client.error());
    return client->send(
        "POST",
        with_query("/v1/results/" + percent_encoded(test) + "/versions/" + std::to_string(version) + "/" + what,
                   {{"source", source}, {"order", order}}),
        json.take());
  }
};

class ResultsReview final : public Command {
 public:
  void declare(Options& options) override {
    statement_.declare(options);
    options.add({.names = "--action",
                 .value = "ACTION",
                 .help = "What is done about it; reopened: it is not reviewed after all",
                 .target = &action_,
                 .choices = {"reviewed", "follow_up", "contacted_patient", "repeat_test", "referred", "reopened"}});
    options.add({.names = "--allow-outdated",
                 .help = "Sign a version that is not current, and mean it",
                 .target = &allow_outdated_});
  }
  ExitCode run(Terminal& terminal) override {
    JsonWriter json;
    json.begin_object().member("action", action_).member("allow_outdated", allow_outdated_);
    const auto answer = statement_.send("reviews", json);
    return print_object(terminal, statement_.output, answer, [&](JsonValue signature) {
      terminal.out() << fmt::format("version {} of {}: {} by {}; the result is {}\n", statement_.version,
                                    printable(statement_.test), printable(shown(signature, {"review", "action"})),
                                    printable(shown(signature, {"review", "practitioner"})),
                                    printable(shown(signature, {"state"})));
    });
  }

 private:
  StatementOptions statement_;
  std::string action_ = "reviewed";
  bool allow_outdated_ = false;
};

class ResultsReviews final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "ORDERED-TEST", .help = "The ordered test's id", .target = &test_, .required = true});
    options.add(
        {.names = "--source", .value = "NAME", .help = "Which network, if two have this id", .target = &source_});
    options.add({.names = "--order", .value = "ID", .help = "Which order, if two have it", .target = &order_});
    options.add(
        {.names = "--limit", .value = "N", .help = "Show at most so many", .target = &limit_, .least = 1, .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(terminal, server_, output_,
                         {.target = with_query("/v1/results/" + percent_encoded(test_) + "/reviews",
                                               {{"source", source_}, {"order", order_}}),
                          .most = limit_,
                          .columns = {{"SIGNED"},
                                      {"VERSION", Column::Side::kRight},
                                      {"PRACTITIONER"},
                                      {"ACTION"},
                                      {"WAS CURRENT"},
                                      {"WITH KEY"},
                                      {"NOTE"}},
                          .cells =
                              [](JsonValue item) {
                                return std::vector{shown(item, {"signed_at"}),    shown(item, {"version"}),
                                                   shown(item, {"practitioner"}), shown(item, {"action"}),
                                                   shown(item, {"was_current"}),  shown(item, {"signed_with"}),
                                                   shown(item, {"note"})};
                              },
                          .when_empty = "Nobody has signed it yet: resultsync results review"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string test_, source_, order_;
  std::int64_t limit_ = 100;
};

class CriticalList final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "Only what this practitioner of the application may see",
                 .target = &practitioner_});
    options.add({.names = "--state",
                 .value = "STATE",
                 .help = "Only those in this state",
                 .target = &state_,
                 .choices = {"open", "acknowledged", "superseded", "no_longer_critical", "withdrawn", "any"}});
    options.add({.names = "--source", .value = "NAME", .help = "Only of this network", .target = &source_});
    options.add({.names = "--limit",
                 .value = "N",
                 .help = "Show at most so many, those that wait for longest first",
                 .target = &limit_,
                 .least = 1,
                 .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(
        terminal, server_, output_,
        {.target =
             with_query("/v1/critical", {{"practitioner", practitioner_}, {"state", state_}, {"source", source_}}),
         .most = limit_,
         .columns = {{"ORDERED TEST"},
                     {"VERSION", Column::Side::kRight},
                     {"ORDER"},
                     {"PATIENT"},
                     {"CLINIC"},
                     {"STATE"},
                     {"SINCE"},
                     {"ESCALATED", Column::Side::kRight},
                     {"NEXT"}},
         .cells =
             [](JsonValue item) {
               return std::vector{
                   shown(item, {"ordered_test_id"}), shown(item, {"version"}),    shown(item, {"order_id"}),
                   shown(item, {"patient_id"}),      shown(item, {"clinic_id"}),  shown(item, {"state"}),
                   shown(item, {"opened_at"}),       shown(item, {"steps_told"}), shown(item, {"next_step_at"})};
             },
         .when_empty = state_ == "open" ? "No critical result waits to be acknowledged." : "There is no such result."});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string practitioner_, source_;
  std::string state_ = "open";
  std::int64_t limit_ = 100;
};

class CriticalAcknowledge final : public Command {
 public:
  void declare(Options& options) override { statement_.declare(options); }
  ExitCode run(Terminal& terminal) override {
    JsonWriter json;
    json.begin_object();
    const auto answer = statement_.send("acknowledge", json);
    return print_object(terminal, statement_.output, answer, [&](JsonValue critical) {
      const auto all = elements(critical, {"acknowledgements"});
      if (all.empty()) return;
      terminal.out() << fmt::format("version {} of {}: acknowledged by {} at {}\n", statement_.version,
                                    printable(statement_.test), printable(shown(all.front(), {"practitioner"})),
                                    printable(shown(all.front(), {"acknowledged_at"})));
    });
  }

 private:
  StatementOptions statement_;
};

}  // namespace

std::unique_ptr<Command> make_results_review() {
  return std::make_unique<ResultsReview>();
}
std::unique_ptr<Command> make_results_reviews() {
  return std::make_unique<ResultsReviews>();
}
std::unique_ptr<Command> make_critical_list() {
  return std::make_unique<CriticalList>();
}
std::unique_ptr<Command> make_critical_acknowledge() {
  return std::make_unique<CriticalAcknowledge>();
}

}  // namespace resultsync::cli
