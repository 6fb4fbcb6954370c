#include <fmt/format.h>

#include "base/json_writer.hpp"
#include "cli/api_client.hpp"
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
    options.add(
        {.names = "--clinic", .value = "ID", .help = "The network's clinic", .target = &clinic_, .required = true});
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
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
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
