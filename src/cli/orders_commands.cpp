#include <fmt/format.h>

#include "base/encoding.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

class OrdersList final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "Only what this practitioner of the application may see",
                 .target = &practitioner_});
    options.add({.names = "--updated-since",
                 .value = "TIME",
                 .help = "Only those with news since then (RFC 3339)",
                 .target = &since_});
    options.add(
        {.names = "--limit", .value = "N", .help = "Show at most so many", .target = &limit_, .least = 1, .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(
        terminal, server_, output_,
        {.target = with_query("/v1/orders", {{"practitioner", practitioner_}, {"updated_since", since_}}),
         .most = limit_,
         .columns = {{"ORDER"}, {"STATUS"}, {"CLINIC"}, {"PATIENT"}, {"UPDATED"}},
         .cells =
             [](JsonValue item) {
               const std::string reason = shown(item, {"unmatched_reason"});
               const std::string clinic = shown(item, {"clinic_id"});
               return std::vector{shown(item, {"id"}), shown(item, {"status"}),
                                  clinic.empty() && !reason.empty() ? "(" + reason + ")" : clinic,
                                  shown(item, {"patient_id"}), shown(item, {"updated_at"})};
             },
         .when_empty = "There is no such order yet. Orders come with events: resultsync events"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string practitioner_;
  std::string since_;
  std::int64_t limit_ = 100;
};

class OrdersGet final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "ORDER", .help = "The order's id", .target = &order_, .required = true});
    options.add(
        {.names = "--source", .value = "NAME", .help = "Which network, if two have this id", .target = &source_});
    options.add({.names = "--practitioner",
                 .value = "ID",
                 .help = "As this practitioner of the application sees it",
                 .target = &practitioner_});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_object(
        terminal, server_, output_,
        with_query("/v1/orders/" + percent_encoded(order_), {{"source", source_}, {"practitioner", practitioner_}}),
        [&](JsonValue order) { show(terminal, order); });
  }

 private:
  static void show(const Terminal& terminal, JsonValue order) {
    print_facts(terminal, {{"order", shown(order, {"id"})},
                           {"source", shown(order, {"source"})},
                           {"status", shown(order, {"status"})},
                           {"clinic", shown(order, {"clinic_id"})},
                           {"unmatched", shown(order, {"unmatched_reason"})},
                           {"patient", shown(order, {"patient_id"})},
                           {"practitioner", shown(order, {"vendor_practitioner_id"})},
                           {"updated", shown(order, {"updated_at"})},
                           {"events", std::to_string(elements(order, {"history"}).size())}});
    terminal.out() << '\n';
    Table table(
        {{"ORDERED TEST"}, {"VERSION", Column::Side::kRight}, {"CURRENT"}, {"FIRST SEEN IN"}, {"CONTENT SHA-256"}},
        "No result has come for this order yet.");
    for (const JsonValue test : elements(order, {"tests"})) {
      for (const JsonValue version : elements(test, {"versions"})) {
        table.add({shown(test, {"id"}), shown(version, {"version"}),
                   shown(version, {"current"}) == "true" ? "current" : "", shown(version, {"first_seen_event_id"}),
                   shown(version, {"content_sha256"}).substr(0, 16)});
      }
    }
    table.print(terminal);
  }

  ServerOptions server_;
  OutputOption output_;
  std::string order_;
  std::string source_;
  std::string practitioner_;
};

}  // namespace

std::unique_ptr<Command> make_orders_list() {
  return std::make_unique<OrdersList>();
}
std::unique_ptr<Command> make_orders_get() {
  return std::make_unique<OrdersGet>();
}

}  // namespace resultsync::cli
