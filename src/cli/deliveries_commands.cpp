// deliveries …: what became of each item at each endpoint. jobs …: what is done to many of them.
#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

std::string path_of(const std::string& delivery) {
  return "/v1/deliveries/" + percent_encoded(delivery);
}

class DeliveriesList final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--endpoint", .value = "ID", .help = "Only this endpoint's", .target = &endpoint_});
    options.add({.names = "--state",
                 .value = "STATE",
                 .help = "Only those in this state",
                 .target = &state_,
                 .choices = {"pending", "held", "in_flight", "delivered", "dead", "skipped"}});
    options.add(
        {.names = "--practitioner", .value = "ID", .help = "Only this practitioner's", .target = &practitioner_});
    options.add({.names = "--order", .value = "ID", .help = "Only of this order", .target = &order_});
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
             "/v1/deliveries",
             {{"endpoint", endpoint_}, {"state", state_}, {"practitioner", practitioner_}, {"order", order_}}),
         .most = limit_,
         .columns = {{"DELIVERY"}, {"ENDPOINT"}, {"TYPE"}, {"ORDER"}, {"VERSION"}, {"STATE"}, {"REASON"}, {"ATTEMPTS"}},
         .cells =
             [](JsonValue item) {
               return std::vector{shown(item, {"id"}),       shown(item, {"endpoint_id"}), shown(item, {"type"}),
                                  shown(item, {"order_id"}), shown(item, {"version"}),     shown(item, {"state"}),
                                  shown(item, {"reason"}),   shown(item, {"attempts"})};
             },
         .when_empty =
             "Nothing. What is issued from now on is delivered to the endpoints that want it: resultsync endpoints"});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string endpoint_;
  std::string state_;
  std::string practitioner_;
  std::string order_;
  std::int64_t limit_ = 100;
};

void show_delivery(const Terminal& terminal, JsonValue delivery) {
  print_facts(terminal, {{"endpoint", shown(delivery, {"endpoint_id"})},
                         {"type", shown(delivery, {"type"})},
                         {"practitioner", shown(delivery, {"practitioner_id"})},
                         {"order", shown(delivery, {"order_id"})},
                         {"test", shown(delivery, {"ordered_test_id"})},
                         {"version", shown(delivery, {"version"})},
                         {"state", shown(delivery, {"state"})},
                         {"reason", shown(delivery, {"reason"})},
                         {"next attempt", shown(delivery, {"next_attempt_at"})}});
  Table table({{"ATTEMPT"}, {"STARTED"}, {"MS"}, {"OUTCOME"}, {"STATUS"}, {"ANSWER"}}, "No attempt yet.");
  for (const JsonValue attempt : elements(delivery, {"history"})) {
    table.add({shown(attempt, {"number"}), shown(attempt, {"started_at"}), shown(attempt, {"milliseconds"}),
               shown(attempt, {"outcome"}), shown(attempt, {"status"}), shown(attempt, {"response"})});
  }
  table.print(terminal);
}

class DeliveriesShow final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "DELIVERY", .help = "The delivery's id", .target = &delivery_, .required = true});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_object(terminal, server_, output_, path_of(delivery_),
                        [&](JsonValue delivery) { show_delivery(terminal, delivery); });
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string delivery_;
};

class DeliveriesRetry final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "DELIVERY",
                 .help = "A dead or skipped delivery; without one: all dead letters",
                 .target = &delivery_});
    options.add(
        {.names = "--endpoint", .value = "ID", .help = "All dead letters of this endpoint", .target = &endpoint_});
    options.add({.names = "--rate",
                 .value = "N",
                 .help = "Deliveries a second; 0 as fast as it goes",
                 .target = &rate_,
                 .most = 100'000});
    options.add({.names = "--dry-run", .help = "Only count", .target = &dry_run_});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    if (!delivery_.empty())
      return print_object(terminal, output_, client->send("POST", path_of(delivery_) + "/retry", "{}"),
                          [&](JsonValue delivery) { show_delivery(terminal, delivery); });
    JsonWriter json;
    json.begin_object();
    if (!endpoint_.empty()) json.member("endpoint", endpoint_);
    json.member("rate", rate_).member("dry_run", dry_run_).end_object();
    return print_object(terminal, output_, client->send("POST", "/v1/deliveries/retry", json.take()),
                        [&](JsonValue job) {
                          const std::string total = shown(job, {"total"});
                          if (dry_run_) {
                            terminal.out() << fmt::format("{} dead letters would be sent again\n", total);
                            return;
                          }
                          terminal.out() << shown(job, {"id"}) << '\n';
                          terminal.talk() << fmt::format("{} dead letters. How far it is: resultsync jobs\n", total);
                        });
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string delivery_;
  std::string endpoint_;
  std::int64_t rate_ = 0;
  bool dry_run_ = false;
};

class JobsList final : public Command {
 public:
  void declare(Options& options) override {
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(terminal, server_, output_,
                         {.target = "/v1/jobs",
                          .most = 100,
                          .columns = {{"JOB"}, {"KIND"}, {"STATE"}, {"DONE"}, {"TOTAL"}, {"CREATED"}},
                          .cells =
                              [](JsonValue item) {
                                return std::vector{shown(item, {"id"}),    shown(item, {"kind"}),
                                                   shown(item, {"state"}), shown(item, {"done"}),
                                                   shown(item, {"total"}), shown(item, {"created_at"})};
                              },
                          .when_empty = "There was no job yet."});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
};

class JobsCancel final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "JOB", .help = "The job's id", .target = &job_, .required = true});
    server_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    const auto answer = client->send("POST", "/v1/jobs/" + percent_encoded(job_) + "/cancel", "{}");
    if (!answer) return terminal.complain(answer.error());
    terminal.talk() << printable(job_) << " is cancelled\n";
    return ExitCode::kOk;
  }

 private:
  ServerOptions server_;
  std::string job_;
};

}  // namespace

std::unique_ptr<Command> make_deliveries_list() {
  return std::make_unique<DeliveriesList>();
}
std::unique_ptr<Command> make_deliveries_show() {
  return std::make_unique<DeliveriesShow>();
}
std::unique_ptr<Command> make_deliveries_retry() {
  return std::make_unique<DeliveriesRetry>();
}
std::unique_ptr<Command> make_jobs_list() {
  return std::make_unique<JobsList>();
}
std::unique_ptr<Command> make_jobs_cancel() {
  return std::make_unique<JobsCancel>();
}

}  // namespace resultsync::cli
