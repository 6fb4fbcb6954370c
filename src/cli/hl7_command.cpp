#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/digest.hpp"
#include "cli/make_commands.hpp"
#include "cli/signing_options.hpp"
#include "cli/table.hpp"
#include "fhir/fhir.hpp"
#include "hl7/json.hpp"
#include "hl7/reader.hpp"
#include "results/json.hpp"
#include "results/versions.hpp"

namespace resultsync::cli {
namespace {

// People at a terminal get a table; programs get one JSON object a line.
struct Form {
  std::string chosen;

  void declare(Options& options) {
    options.add({.names = "-o,--output",
                 .value = "FORM",
                 .help = "How to show it; default: table on a terminal, else ndjson",
                 .target = &chosen,
                 .choices = {"table", "ndjson"}});
  }
  [[nodiscard]] bool table(const Terminal& terminal) const {
    return chosen.empty() ? terminal.out_is_terminal() : chosen == "table";
  }
};

// As much as the reader takes: more than the files of other commands.
Result<std::string> read_messages(const std::string& path) {
  return read_input(path, hl7::kInputBytesMax);
}

std::string joined(std::string text, std::string_view more) {
  if (!text.empty() && !more.empty()) text += ", ";
  return text.append(more);
}

// The first line of a text, for a table.
std::string one_line(std::string_view text) {
  const std::size_t end = text.find('\n');
  return end == std::string_view::npos ? std::string(text) : std::string(text.substr(0, end)) + " …";
}

std::string report_title(const results::Interpretation& result, const results::Report& report) {
  std::string title(report.test.display());
  if (title.empty()) title = "Results without a test";
  if (!report.filler.empty()) title.append(" (").append(report.filler.id).append(")");
  title.append(", ").append(results::status_name(report.status->status));
  const results::ParentLink& parent = report.parent;
  if (parent.report == results::kNone || parent.in_report == results::kNone) return title;
  const results::Observation& of = result.reports[parent.report].observations[parent.in_report];
  title.append(", of ").append(of.code.display());
  if (!of.values.empty()) title.append(": ").append(one_line(of.values.front().text));
  return title;
}

void add_row(Table& table, const results::Observation& observation) {
  std::string values, flags;
  for (const results::Value& value : observation.values) values = joined(std::move(values), one_line(value.text));
  for (const results::Flag& flag : observation.flags) flags = joined(std::move(flags), flag.code);
  const results::Assessment& computed = observation.assessment;
  std::string place(computed.place == results::Assessment::Place::unknown ? "" : results::place_name(computed.place));
  if (computed.agreement == results::Assessment::Agreement::disagrees) place += " (disagrees)";
  table.add({std::string(observation.code.display()), values, std::string(observation.unit->text()), flags, place,
             observation.ranges.text, std::string(results::status_name(observation.status->status))});
}

Table observation_table() {
  return Table({{"TEST"}, {"VALUE"}, {"UNIT"}, {"FLAG"}, {"COMPUTED"}, {"RANGE"}, {"STATUS"}}, "No observations.");
}

void print_observations(const Terminal& terminal, const results::Interpretation& result) {
  for (const results::Report& report : result.reports) {
    terminal.out() << terminal.on_out(Paint::kBold, printable(report_title(result, report))) << '\n';
    Table table = observation_table();
    for (const results::Observation& observation : report.observations) add_row(table, observation);
    if (!table.empty()) table.print(terminal);
  }
  Table others = observation_table();
  for (const auto& of_patient : result.patient_observations) add_row(others, of_patient.observation);
  if (!others.empty() || result.reports.empty()) others.print(terminal);
}

class Parse final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "FILE",
                 .help = "Files with HL7 v2 messages; - for standard input",
                 .target = &files_,
                 .required = true,
                 .names_file = true});
    options.add(
        {.names = "--results", .help = "Give the reports and observations of each message too", .target = &results_});
    form_.declare(options);
  }

  // Every file that can be read is shown, also after one that cannot.
  ExitCode run(Terminal& terminal) override {
    ExitCode code = ExitCode::kOk;
    for (const std::string& file : files_) {
      auto bytes = read_messages(file);
      if (!bytes) {
        terminal.complain(bytes.error());
        code = ExitCode::kFailure;
        continue;
      }
      show(terminal, file, hl7::read(std::move(*bytes)));
    }
    return code;
  }

 private:
  void show(const Terminal& terminal, const std::string& file, const hl7::Reading& reading) const {
    if (reading.messages().empty()) return show_nothing(terminal, file, reading);
    for (std::size_t index = 0; index < reading.messages().size(); ++index) {
      const hl7::Message& message = reading.messages()[index];
      const hl7::Tree tree = hl7::group(message);
      results::Interpretation result = results::interpret(message, tree);
      if (index + 1 == reading.messages().size()) results::add_outside(reading, result.account);
      const bool first = index == 0;
      const std::vector<hl7::Diagnostic> none;
      const std::vector<hl7::Diagnostic>& of_input = first ? reading.diagnostics() : none;
      if (form_.table(terminal)) {
        print(terminal, file, index, message, tree, of_input, result);
      } else {
        print_json(terminal, file, index, message, tree, of_input, result);
      }
    }
  }

  // An empty file, or one of batch envelopes alone: there is still an account.
  void show_nothing(const Terminal& terminal, const std::string& file, const hl7::Reading& reading) const {
    results::Account account;
    results::add_outside(reading, account);
    hl7::Diagnostics found;
    for (const hl7::Diagnostic& diagnostic : reading.diagnostics())
      found.add(*diagnostic.kind, diagnostic.segment, diagnostic.offset);
    if (found.list().empty()) found.add(hl7::diagnostics::kNoMessage, hl7::kNoSegment, 0);
    if (form_.table(terminal)) {
      terminal.out() << printable(file) << ": " << found.list().front().sentence() << '\n';
      return;
    }
    JsonWriter json;
    json.begin_object().member("file", file).member("index", 0).key("tree").null().key("diagnostics");
    hl7::write_json(found.list(), json);
    json.key("account");
    results::write_json(json, account);
    json.end_object();
    terminal.out() << json.text() << '\n';
  }

  void print_json(const Terminal& terminal, const std::string& file, std::size_t index, const hl7::Message& message,
                  const hl7::Tree& tree, const std::vector<hl7::Diagnostic>& of_input,
                  const results::Interpretation& result) const {
    JsonWriter json;
    json.begin_object().member("file", file).member("index", static_cast<std::uint64_t>(index));
    hl7::write_members(message, tree, of_input, json);
    json.key("account");
    results::write_json(json, result.account);
    if (results_) {
      json.key("results");
      results::write_json(json, result);
    }
    json.end_object();
    terminal.out() << json.text() << '\n';
  }

  static void print(const Terminal& terminal, const std::string& file, std::size_t index, const hl7::Message& message,
                    const hl7::Tree& tree, const std::vector<hl7::Diagnostic>& of_input,
                    const results::Interpretation& result) {
    const results::Account& account = result.account;
    terminal.out() << terminal.on_out(Paint::kBold,
                                      printable(fmt::format("{} #{}: {} {}", file, index, result.header.type,
                                                            result.header.control_id)))
                   << '\n';
    print_observations(terminal, result);
    for (const auto* list : {&of_input, &message.diagnostics(), &tree.diagnostics.list()}) {
      for (const hl7::Diagnostic& diagnostic : *list) {
        terminal.out() << fmt::format("{} {} at {}: {}\n", hl7::severity_name(diagnostic.severity()), diagnostic.code(),
                                      diagnostic.offset, diagnostic.sentence());
      }
    }
    terminal.out() << fmt::format("{} OBX: {} in observations, {} explained\n", account.obx_in, account.observations,
                                  account.explained.size());
    for (const results::Unused& unused : account.explained) {
      terminal.out() << fmt::format("  OBX at {}: {}\n", unused.offset, unused.reason);
    }
    terminal.out() << '\n';
  }

  std::vector<std::string> files_;
  bool results_ = false;
  Form form_;
};

void complain_of_no_message(const Terminal& terminal, const std::string& file) {
  terminal.complain({"no_message", fmt::format("{} holds no HL7 v2 message with an MSH segment", file)});
}

// The reports of all messages of a file; nothing, and a complaint, where there is no message.
std::optional<std::vector<results::Report>> reports_in(const Terminal& terminal, const std::string& file) {
  auto bytes = read_messages(file);
  if (!bytes) {
    terminal.complain(bytes.error());
    return std::nullopt;
  }
  std::vector<results::Report> reports;
  const hl7::Reading reading = hl7::read(std::move(*bytes));
  bool any_header = false;
  for (const hl7::Message& message : reading.messages()) {
    any_header = any_header || message.has_header();
    for (results::Report& report : results::interpret(message).reports) reports.push_back(std::move(report));
  }
  if (any_header || !reports.empty()) return reports;
  complain_of_no_message(terminal, file);
  return std::nullopt;
}

class Diff final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "OLD",
                 .help = "File with the earlier message; - for standard input",
                 .target = &old_,
                 .required = true,
                 .names_file = true});
    options.add({.names = "NEW",
                 .help = "File with the later message; - for standard input",
                 .target = &new_,
                 .required = true,
                 .names_file = true});
    form_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    if (old_ == "-" && new_ == "-")
      return terminal.complain({"usage", "only one of OLD and NEW can be standard input"});
    const auto older = reports_in(terminal, old_);
    const auto newer = older ? reports_in(terminal, new_) : std::nullopt;
    if (!newer) return ExitCode::kFailure;
    for (const results::ReportPair& pair : results::compare(*older, *newer)) {
      if (form_.table(terminal)) {
        print(terminal, pair);
      } else {
        print_json(terminal, pair);
      }
    }
    return ExitCode::kOk;
  }

 private:
  static const results::Report& shown(const results::ReportPair& pair) {
    return pair.newer == nullptr ? *pair.older : *pair.newer;
  }
  static std::string_view relation(const results::ReportPair& pair) {
    if (pair.newer == nullptr) return "only_in_old";
    return pair.older == nullptr ? "only_in_new" : results::relation_name(pair.relation);
  }

  static void print_json(const Terminal& terminal, const results::ReportPair& pair) {
    const results::Report& report = shown(pair);
    JsonWriter json;
    json.begin_object()
        .member("test", report.test.display())
        .member("placer", report.placer.id)
        .member("filler", report.filler.id);
    json.member("relation", relation(pair));
    if (pair.older != nullptr && pair.newer != nullptr) {
      json.member("basis", pair.basis).member("new_is_newer", pair.newer_was_issued_later).key("diff");
      results::write_json(json, pair.diff);
      json.key("not_sent_again").begin_array();
      for (const std::string& name : pair.not_sent_again) json.string(name);
      json.end_array();
    }
    json.end_object();
    terminal.out() << json.text() << '\n';
  }

  static void print(const Terminal& terminal, const results::ReportPair& pair) {
    const results::Report& report = shown(pair);
    terminal.out() << terminal.on_out(Paint::kBold, printable(fmt::format("{} ({}): {}", report.test.display(),
                                                                          report.filler.id, relation(pair))))
                   << '\n';
    if (pair.older != nullptr && pair.newer != nullptr && !pair.newer_was_issued_later) {
      terminal.out() << "  note: OLD was issued after NEW\n";
    }
    Table table({{"ANALYTE"}, {"CHANGE"}, {"BEFORE"}, {"AFTER"}}, "");
    const auto add = [&](const std::string& name, const results::Change& change) {
      table.add(
          {name, std::string(results::change_name(change.kind)), one_line(change.before), one_line(change.after)});
    };
    if (pair.older == nullptr || pair.newer == nullptr) return;
    if (pair.diff.report_status) add("(report)", *pair.diff.report_status);
    if (pair.diff.report_notes) add("(report)", *pair.diff.report_notes);
    for (const results::AnalyteDiff& analyte : pair.diff.analytes) {
      for (const results::Change& change : analyte.changes) add(analyte.name, change);
    }
    for (const std::string& name : pair.not_sent_again) table.add({name, "not sent again", "", ""});
    if (!table.empty()) table.print(terminal);
  }

  std::string old_;
  std::string new_;
  Form form_;
};

class Fhir final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "FILE",
                 .help = "Files with HL7 v2 messages; - for standard input",
                 .target = &files_,
                 .required = true,
                 .names_file = true});
    options.add({.names = "--inline-documents",
                 .help = "Put the bytes of embedded documents into the Bundle",
                 .target = &inline_documents_});
    options.add(
        {.names = "--base-url", .value = "URL", .help = "What every fullUrl begins with", .target = &base_url_});
    form_.declare(options);
  }

  // Every file that can be read is shown, also after one that cannot.
  ExitCode run(Terminal& terminal) override {
    while (base_url_.ends_with('/')) base_url_.pop_back();
    if (base_url_.empty()) base_url_ = fhir::kNoServer;
    ExitCode code = ExitCode::kOk;
    for (const std::string& file : files_) {
      auto bytes = read_messages(file);
      if (!bytes) {
        terminal.complain(bytes.error());
        code = ExitCode::kFailure;
      } else if (!show(terminal, file, std::move(*bytes))) {
        code = ExitCode::kFailure;
      }
    }
    return code;
  }

 private:
  // False if a part of it is no message.
  bool show(const Terminal& terminal, const std::string& file, std::string bytes) const {
    const Sha256 digest = sha256(bytes);
    const hl7::Reading reading = hl7::read(std::move(bytes));
    bool all = !reading.messages().empty();
    for (std::size_t index = 0; index < reading.messages().size(); ++index) {
      const hl7::Message& message = reading.messages()[index];
      const results::Interpretation result = results::interpret(message);
      // Results that lost their MSH are results all the same.
      if (!message.has_header() && result.account.observations == 0) {
        all = false;
        continue;
      }
      fhir::Context context;
      context.id_prefix = name_of(result.header, digest, index);
      context.inline_documents = inline_documents_;
      const fhir::Resources resources = fhir::convert(result, context);
      if (form_.table(terminal)) {
        print(terminal, fmt::format("{} #{}: {} {}", file, index, result.header.type, result.header.control_id),
              resources);
      } else {
        std::string bundle;
        fhir::write_collection(resources, base_url_, bundle);
        terminal.out() << bundle << '\n';
      }
    }
    if (!all) complain_of_no_message(terminal, file);
    return all;
  }

  // The same message gives the same ids wherever it is read. One without a control id is named by its input.
  static std::string name_of(const results::Header& header, const Sha256& digest, std::size_t index) {
    const bool named = !header.control_id.empty();
    return fhir::id_prefix_of(
        named ? fmt::format("{}/{}/{}", header.sending_application, header.sending_facility, header.control_id)
              : fmt::format("{}/{}", digest.hex(), index));
  }

  static void print(const Terminal& terminal, const std::string& title, const fhir::Resources& resources) {
    terminal.out() << terminal.on_out(Paint::kBold, printable(title)) << '\n';
    Table table({{"RESOURCE"}, {"ID"}, {"STATUS"}, {"CODE"}, {"DATE"}}, "No resources.");
    for (const fhir::Resource& resource : resources) {
      table.add({std::string(fhir::type_name(resource.type)), std::string(resource.id), std::string(resource.status),
                 resource.codes.empty() ? "" : std::string(resource.codes[0].code),
                 resource.date ? format_timestamp(resource.date->from) : ""});
    }
    table.print(terminal);
    terminal.out() << '\n';
  }

  std::vector<std::string> files_;
  bool inline_documents_ = false;
  std::string base_url_{fhir::kNoServer};
  Form form_;
};

}  // namespace

std::unique_ptr<Command> make_hl7_parse() {
  return std::make_unique<Parse>();
}
std::unique_ptr<Command> make_hl7_fhir() {
  return std::make_unique<Fhir>();
}
std::unique_ptr<Command> make_hl7_diff() {
  return std::make_unique<Diff>();
}

}  // namespace resultsync::cli
