#include <fmt/format.h>

#include "base/encoding.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

// "2 critical, 1 abnormal": what a person looks at first.
std::string remarkable(JsonValue item) {
  std::string text;
  for (const auto& [member, word] : {std::pair{"critical", "critical"}, std::pair{"abnormal", "abnormal"},
                                     std::pair{"outside_range_not_flagged", "outside range, not flagged"}}) {
    const std::string count = shown(item, {"summary", member});
    if (count.empty() || count == "0") continue;
    text += (text.empty() ? "" : ", ") + count + " " + word;
  }
  return text;
}

class ResultsList final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "Only what this practitioner of the application may see",
                 .target = &practitioner_});
    options.add(
        {.names = "--patient", .value = "ID", .help = "Only of this patient of the network", .target = &patient_});
    options.add({.names = "--order", .value = "ID", .help = "Only of this order", .target = &order_});
    options.add({.names = "--status",
                 .value = "STATUS",
                 .help = "Only those that are now final, preliminary, corrected, …",
                 .target = &status_});
    options.add({.names = "--unreviewed",
                 .help = "Only those that no practitioner has signed off as they are now",
                 .target = &unreviewed_});
    options.add({.names = "--updated-since",
                 .value = "TIME",
                 .help = "Only those that changed since then (RFC 3339)",
                 .target = &since_});
    options.add(
        {.names = "--limit", .value = "N", .help = "Show at most so many", .target = &limit_, .least = 1, .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(terminal, server_, output_,
                         {.target = with_query("/v1/results", {{"practitioner", practitioner_},
                                                               {"patient", patient_},
                                                               {"order", order_},
                                                               {"status", status_},
                                                               {"reviewed", unreviewed_ ? "no" : ""},
                                                               {"updated_since", since_}}),
                          .most = limit_,
                          .columns = {{"ORDERED TEST"},
                                      {"ORDER"},
                                      {"PATIENT"},
                                      {"STATUS"},
                                      {"VERSION", Column::Side::kRight},
                                      {"TESTS"},
                                      {"TO LOOK AT"},
                                      {"REVIEW"},
                                      {"CHANGED"}},
                          .cells =
                              [](JsonValue item) {
                                return std::vector{shown(item, {"ordered_test_id"}),
                                                   shown(item, {"order_id"}),
                                                   shown(item, {"patient_id"}),
                                                   shown(item, {"status"}),
                                                   shown(item, {"version"}),
                                                   shown(item, {"summary", "tests"}),
                                                   remarkable(item),
                                                   shown(item, {"review", "state"}),
                                                   shown(item, {"changed_at"})};
                              },
                          .when_empty = "There is no such result yet. Results come with events: resultsync events"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string practitioner_, patient_, order_, status_, since_;
  bool unreviewed_ = false;
  std::int64_t limit_ = 100;
};

class ResultsShow final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "ORDERED-TEST", .help = "The ordered test's id", .target = &test_, .required = true});
    options.add({.names = "--version",
                 .value = "N",
                 .help = "This version, instead of the one that is current",
                 .target = &version_,
                 .least = 1,
                 .most = 1e9});
    options.add(
        {.names = "--source", .value = "NAME", .help = "Which network, if two have this id", .target = &source_});
    options.add({.names = "--order", .value = "ID", .help = "Which order, if two have it", .target = &order_});
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "As this practitioner of the application sees it",
                 .target = &practitioner_});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    std::string target = "/v1/results/" + percent_encoded(test_);
    if (version_ > 0) target += "/versions/" + std::to_string(version_);
    return print_object(
        terminal, server_, output_,
        with_query(std::move(target), {{"source", source_}, {"order", order_}, {"practitioner", practitioner_}}),
        [&](JsonValue answer) { show(terminal, answer); });
  }

 private:
  void show(const Terminal& terminal, JsonValue answer) const {
    JsonValue version = answer;
    if (version_ == 0 && answer["result"].get(version) != simdjson::SUCCESS) return;
    print_facts(terminal, {{"ordered test", shown(answer, {"ordered_test_id"})},
                           {"order", shown(answer, {"order_id"})},
                           {"source", shown(answer, {"source"})},
                           {"patient", shown(answer, {"patient_id"})},
                           {"status", shown(answer, {"status"})},
                           {"version", shown(version, {"version"})},
                           {"review", review_of(answer)},
                           {"critical", shown(answer, {"critical", "state"})},
                           {"received", shown(version, {"received_at"})},
                           {"reading", shown(version, {"reading"})}});
    // What earlier files said and none took back stands with what the last one says.
    auto reports = elements(answer, {"known", "reports"});
    if (reports.empty()) reports = elements(version, {"reports"});
    for (const JsonValue report : reports) show_report(terminal, report);
    show_changes(terminal, version);
    for (const JsonValue document : elements(version, {"documents"})) {
      terminal.out() << fmt::format("\ndocument {}  {}, {} bytes\n", shown(document, {"sha256"}),
                                    shown(document, {"media_type"}), shown(document, {"size"}));
    }
  }

  // "reviewed: version 2, anna, follow_up"
  static std::string review_of(JsonValue answer) {
    const std::string state = shown(answer, {"review", "state"});
    const std::string who = shown(answer, {"review", "last", "practitioner"});
    if (who.empty()) return state;
    return state + ": version " + shown(answer, {"review", "last", "version"}) + ", " + who + ", " +
           shown(answer, {"review", "last", "action"});
  }
  static std::string texts(JsonValue value, std::string_view list, std::string_view member) {
    std::string text;
    for (const JsonValue one : elements(value, {list})) text += (text.empty() ? "" : ", ") + shown(one, {member});
    return text;
  }
  static std::string name_of(JsonValue code) {
    for (const JsonValue coding : elements(code, {"codings"})) {
      if (const std::string text = shown(coding, {"text"}); !text.empty()) return text;
    }
    for (const JsonValue coding : elements(code, {"codings"})) return shown(coding, {"code"});
    return shown(code, {"original_text"});
  }
  static std::string name_at(JsonValue value, std::string_view member) {
    JsonValue code;
    return value[member].get(code) == simdjson::SUCCESS ? name_of(code) : std::string();
  }

  // The lab's flags; and ours where the lab sent none or another.
  static std::string flags_of(JsonValue observation) {
    std::string text = texts(observation, "flags", "code");
    const std::string agreement = shown(observation, {"computed", "agreement"});
    if (agreement == "disagrees" || agreement == "not_flagged")
      text += (text.empty() ? "" : " ") + ("(computed: " + shown(observation, {"computed", "place"}) + ")");
    return text;
  }

  static void show_report(const Terminal& terminal, JsonValue report) {
    terminal.out() << '\n'
                   << printable(name_at(report, "test")) << "  " << printable(shown(report, {"status", "status"}))
                   << '\n';
    Table table({{"ANALYTE"}, {"VALUE", Column::Side::kRight}, {"UNIT"}, {"FLAG"}, {"RANGE"}, {"STATUS"}},
                "The report holds no observations.");
    for (const JsonValue observation : elements(report, {"observations"})) {
      table.add({name_at(observation, "code"), texts(observation, "values", "text"),
                 shown(observation, {"unit", "text"}), flags_of(observation), shown(observation, {"range", "text"}),
                 shown(observation, {"status", "status"})});
    }
    table.print(terminal);
  }

  static void show_changes(const Terminal& terminal, JsonValue version) {
    if (shown(version, {"previous_version"}).empty()) return;
    Table table({{"CHANGED"}, {"WHAT"}, {"BEFORE"}, {"NOW"}}, "");
    for (const JsonValue report : elements(version, {"diff", "reports"})) {
      for (const JsonValue analyte : elements(report, {"diff", "analytes"})) {
        for (const JsonValue change : elements(analyte, {"changes"})) {
          table.add(
              {shown(analyte, {"name"}), shown(change, {"kind"}), shown(change, {"before"}), shown(change, {"after"})});
        }
      }
    }
    terminal.out() << "\nAgainst version " << shown(version, {"previous_version"}) << ":\n";
    if (table.empty()) {
      terminal.out() << "no analyte changed\n";
    } else {
      table.print(terminal);
    }
  }

  ServerOptions server_;
  OutputOption output_;
  std::string test_, source_, order_, practitioner_;
  std::int64_t version_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_results_list() {
  return std::make_unique<ResultsList>();
}
std::unique_ptr<Command> make_results_show() {
  return std::make_unique<ResultsShow>();
}

}  // namespace resultsync::cli
