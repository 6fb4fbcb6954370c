#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/api_client.hpp"
#include "cli/json_document.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"

namespace resultsync::cli {
namespace {

class Connect final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "PRACTITIONER",
                 .help = "The application's own id of the practitioner",
                 .target = &practitioner_,
                 .required = true});
    options.add({.names = "--clinic",
                 .value = "ID",
                 .help = "The network's clinic, where it is known already",
                 .target = &clinic_});
    options.add({.names = "--link",
                 .help = "Print a one-use link by which the practitioner connects in a browser",
                 .target = &link_});
    options.add({.names = "--vendor-practitioner",
                 .value = "ID",
                 .help = "The network's id of the practitioner",
                 .target = &vendor_practitioner_});
    options.add({.names = "--source",
                 .value = "NAME",
                 .help = "Which network; needed if there is more than one",
                 .target = &source_});
    server_.declare(options);
    output_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    if (link_ == !clinic_.empty()) return terminal.complain({"usage", "say either --link or --clinic ID"});
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    if (link_) return print_link(terminal, *client);
    JsonWriter json;
    json.begin_object().member("clinic_id", clinic_);
    if (!vendor_practitioner_.empty()) json.member("vendor_practitioner_id", vendor_practitioner_);
    if (!source_.empty()) json.member("source", source_);
    json.end_object();
    const auto answer = client->send("PUT", "/v1/practitioners/" + percent_encoded(practitioner_), json.take());
    if (!answer) return terminal.complain(answer.error());
    if (!output_.table()) {
      terminal.out() << *answer << '\n';
      return ExitCode::kOk;
    }
    terminal.out() << fmt::format("{} is connected to {}\n", printable(practitioner_), printable(clinic_));
    terminal.talk() << fmt::format("Follow what they receive: resultsync listen --practitioner {} --from start\n",
                                   printable(practitioner_));
    return ExitCode::kOk;
  }

 private:
  ExitCode print_link(const Terminal& terminal, const ApiClient& client) const {
    JsonWriter json;
    json.begin_object();
    if (!source_.empty()) json.member("source", source_);
    json.end_object();
    const auto answer =
        client.send("POST", "/v1/practitioners/" + percent_encoded(practitioner_) + "/connect-link", json.take());
    if (!answer) return terminal.complain(answer.error());
    const auto document = JsonDocument::parse(*answer);
    if (!document) return terminal.complain(document.error());
    terminal.out() << (output_.table() ? shown(document->root(), {"url"}) : *answer) << '\n';
    terminal.talk() << fmt::format("For {} only, once, within 15 minutes. Then: resultsync practitioners get {}\n",
                                   printable(practitioner_), printable(practitioner_));
    return ExitCode::kOk;
  }

  bool link_ = false;
  ServerOptions server_;
  OutputOption output_;
  std::string practitioner_;
  std::string clinic_;
  std::string vendor_practitioner_;
  std::string source_;
};

}  // namespace

std::unique_ptr<Command> make_connect() {
  return std::make_unique<Connect>();
}

}  // namespace resultsync::cli
