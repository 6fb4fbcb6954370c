// events try: what a configured source would read a body as, without a server and without keeping anything.
#include <fmt/format.h>

#include <algorithm>

#include "base/json_writer.hpp"
#include "cli/config_options.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/signing_options.hpp"
#include "cli/table.hpp"
#include "orders/decode.hpp"
#include "vendors/common_form.hpp"

namespace resultsync::cli {
namespace {

using orders::Flag;

// What would become of it, in a sentence.
std::string outcome_of(const vendors::Source& source, const orders::Event& event) {
  const auto& types = source.result_event_types;
  const bool known = std::ranges::any_of(types, [&](const auto& type) { return type == event.type || type == "*"; });
  if (event.flags.has(Flag::kNotJson)) return "kept, but nothing can be read from it: it is no JSON";
  if (event.flags.has(Flag::kNotAnEvent)) return "kept, but nothing can be read from it: no type and no order found";
  if (!known && std::ranges::find(source.other_event_types, event.type) != source.other_event_types.end())
    return "kept; its type carries no results, so nothing is to be done (no_results)";
  if (!known) return "kept, and synced to nobody: event_types does not name its type (unknown_type)";
  if (!event.order) return "kept, and synced to nobody: no order's id was found";
  if (!event.order->clinic.empty()) return "synced to whoever is connected to clinic " + event.order->clinic.text();
  if (!event.order->practitioner.empty()) {
    return fmt::format("synced to the clinic of practitioner {}, as soon as that is known",
                       event.order->practitioner.text());
  }
  return "kept as unmatched (unknown_clinic): it names neither a clinic nor a practitioner";
}

std::string document_of(const std::string& body, const OrderedTestId& test, std::string_view member) {
  const std::string text = orders::attribute_of(body, test, member);
  if (text.empty()) return {};
  if (orders::is_link(text)) return "a link, to be fetched";
  const std::string bytes = orders::bytes_of(text);
  return fmt::format("{}, {} bytes", orders::sniff_media_type(bytes), bytes.size());
}

class EventsTry final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "BODY", .help = "File with the body; - for standard input", .target = &body_, .names_file = true});
    options.add({.names = "--source",
                 .value = "NAME",
                 .help = "Which source's settings; needed where the configuration has several",
                 .target = &source_});
    options.add({.names = "--message-id",
                 .value = "ID",
                 .help = "The signed message id of the request, for schemes that have one",
                 .target = &message_id_});
    config_.declare(options);
    output_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    const LoadedConfig loaded = config_.load();
    terminal.talk() << describe(loaded.warnings);
    if (!loaded.problems.empty()) {
      terminal.talk() << describe(loaded.problems);
      return ExitCode::kConfig;
    }
    const auto source = chosen(loaded.config);
    if (!source) return terminal.complain(source.error());
    const auto body = read_input(body_);
    if (!body) return terminal.complain(body.error());
    const std::string form = vendors::in_common_form(**source, message_id_, *body);
    const orders::Event event = orders::decode_event(form, sha256(*body));
    const auto findings = vendors::explain_pointers(**source, *body);
    if (output_.table()) {
      show(terminal, **source, event, form, findings);
    } else {
      terminal.out() << as_json(**source, event, form, findings) << '\n';
    }
    return ExitCode::kOk;
  }

 private:
  [[nodiscard]] Result<const vendors::Source*> chosen(const Config& config) const {
    std::string names;
    for (const vendors::Source& source : config.sources) {
      if (source.id.text() == source_ || (source_.empty() && config.sources.size() == 1)) return &source;
      names += (names.empty() ? "" : ", ") + source.id.text();
    }
    return fail("usage",
                source_.empty() ? std::string("which source? The configuration has several")
                                : fmt::format("there is no source \"{}\"", source_),
                "say --source with one of: " + names);
  }

  static void show(const Terminal& terminal, const vendors::Source& source, const orders::Event& event,
                   const std::string& form, const std::vector<vendors::PointerFinding>& findings) {
    std::string flags;
    for (const std::string& flag : event.flags.names()) flags += (flags.empty() ? "" : ", ") + flag;
    const orders::Order order = event.order.value_or(orders::Order{});
    print_facts(terminal, {{"event", event.key.id.text() +
                                         (event.flags.has(Flag::kNoId) ? "  (the body's SHA-256: it has no id)" : "")},
                           {"type", event.type},
                           {"created", event.flags.has(Flag::kNoTime) ? "" : format_timestamp(event.key.created_at)},
                           {"order", order.id.text()},
                           {"status", order.status},
                           {"clinic", order.clinic.text()},
                           {"practitioner", order.practitioner.text()},
                           {"patient", order.patient.text()},
                           {"flags", flags},
                           {"outcome", outcome_of(source, event)}});
    if (!order.tests.empty()) {
      terminal.out() << '\n';
      Table table({{"ORDERED TEST"}, {"LAB TEST"}, {"HL7"}, {"PDF"}, {"REQUISITION"}}, "");
      for (const orders::OrderedTest& test : order.tests) {
        table.add({test.id.text(), test.lab_test.text(), document_of(form, test.id, "results_hl7"),
                   document_of(form, test.id, "results_pdf"), document_of(form, test.id, "requisition")});
      }
      table.print(terminal);
    }
    if (findings.empty()) return;
    terminal.out() << '\n';
    Table table({{"SETTING"}, {"POINTER"}, {"TEST"}, {"FOUND"}}, "");
    for (const auto& one : findings) {
      table.add({one.name, one.pointer.empty() ? "\"\"" : one.pointer, one.place,
                 one.found.empty() ? "nothing that can be used" : one.found});
    }
    table.print(terminal);
  }

  static std::string as_json(const vendors::Source& source, const orders::Event& event, const std::string& form,
                             const std::vector<vendors::PointerFinding>& findings) {
    const auto or_null = [](const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); };
    const orders::Order order = event.order.value_or(orders::Order{});
    JsonWriter json;
    json.begin_object().member("source", source.id.text()).member("id", event.key.id.text());
    json.member("type", or_null(event.type));
    json.member("created_at",
                event.flags.has(Flag::kNoTime) ? std::nullopt : std::optional(format_timestamp(event.key.created_at)));
    json.member("order_id", or_null(order.id.text())).member("status", or_null(order.status));
    json.member("clinic_id", or_null(order.clinic.text()));
    json.member("practitioner_id", or_null(order.practitioner.text()));
    json.member("patient_id", or_null(order.patient.text())).key("ordered_tests").begin_array();
    for (const orders::OrderedTest& test : order.tests) {
      json.begin_object().member("id", test.id.text()).member("lab_test_id", or_null(test.lab_test.text()));
      for (const char* member : {"results_hl7", "results_pdf", "requisition"})
        json.member(member, or_null(document_of(form, test.id, member)));
      json.end_object();
    }
    json.end_array().key("flags").begin_array();
    for (const std::string& flag : event.flags.names()) json.string(flag);
    json.end_array().member("outcome", outcome_of(source, event)).key("pointers").begin_array();
    for (const auto& one : findings) {
      json.begin_object().member("setting", one.name).member("pointer", one.pointer);
      json.member("ordered_test", or_null(one.place)).member("found", or_null(one.found)).end_object();
    }
    return json.end_array().end_object().take();
  }

  ConfigOptions config_;
  OutputOption output_;
  std::string body_ = "-";
  std::string source_;
  std::string message_id_ = "msg_tried";
};

}  // namespace

std::unique_ptr<Command> make_events_try() {
  return std::make_unique<EventsTry>();
}

}  // namespace resultsync::cli
