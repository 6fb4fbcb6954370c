#include <fmt/format.h>

#include <set>

#include "base/json_writer.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

class DocumentsList final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--state",
                 .value = "STATE",
                 .help = "Only these",
                 .target = &state_,
                 .choices = {"pending", "missing", "waiting", "given_up"}});
    options.add({.names = "--source", .value = "NAME", .help = "Only of this network", .target = &source_});
    options.add({.names = "--order", .value = "ID", .help = "Only of this order", .target = &order_});
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
    std::set<std::string> advice;
    const ExitCode code = print_listing(
        terminal, server_, output_,
        {.target = with_query("/v1/documents", {{"state", state_}, {"source", source_}, {"order_id", order_}}),
         .most = limit_,
         .columns = {{"STATE"}, {"REASON"}, {"ORDER"}, {"ORDERED TEST"}, {"WHAT"}, {"TRIES"}, {"SINCE"}, {"NEXT TRY"}},
         .cells =
             [&advice](JsonValue item) {
               if (std::string what = shown(item, {"advice"}); !what.empty()) advice.insert(std::move(what));
               return std::vector{shown(item, {"state"}),    shown(item, {"reason"}),
                                  shown(item, {"order_id"}), shown(item, {"ordered_test_id"}),
                                  shown(item, {"member"}),   shown(item, {"tries"}),
                                  shown(item, {"since"}),    shown(item, {"next_try_at"})};
             },
         .when_empty = "Nothing is missing: every document that a link led to is here."});
    for (const std::string& what : advice) terminal.talk() << what << '\n';
    return code;
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string state_;
  std::string source_;
  std::string order_;
  std::int64_t limit_ = 100;
};

class DocumentsRetry final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--source", .value = "NAME", .help = "Only of this network", .target = &source_});
    options.add({.names = "--order", .value = "ID", .help = "Only of this order", .target = &order_});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    JsonWriter json;
    json.begin_object();
    if (!source_.empty()) json.member("source", source_);
    if (!order_.empty()) json.member("order_id", order_);
    const auto answer = client->send("POST", "/v1/documents/retry", json.end_object().take());
    return print_object(terminal, output_, answer, [&](JsonValue retried) {
      terminal.out() << fmt::format("{} that were not tried any more taken up again, {} more tried at once\n",
                                    shown(retried, {"taken_up"}), shown(retried, {"hastened"}));
      terminal.talk() << "What is still missing, and why: resultsync documents\n";
    });
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string source_;
  std::string order_;
};

}  // namespace

std::unique_ptr<Command> make_documents_list() {
  return std::make_unique<DocumentsList>();
}
std::unique_ptr<Command> make_documents_retry() {
  return std::make_unique<DocumentsRetry>();
}

}  // namespace resultsync::cli
