#include <openssl/crypto.h>
#include <sqlite3.h>

#include "base/json_writer.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/version.hpp"

namespace resultsync::cli {
namespace {

class Version final : public Command {
 public:
  void declare(Options& options) override { output_.declare(options); }

  ExitCode run(Terminal& terminal) override {
    if (output_.table()) {
      terminal.out() << "resultsync " << kVersion << '\n';
      return ExitCode::kOk;
    }
    JsonWriter json;
    json.begin_object().member("version", kVersion).member("compiler", __VERSION__);
    json.member("openssl", OpenSSL_version(OPENSSL_VERSION_STRING)).member("sqlite", sqlite3_libversion()).end_object();
    terminal.out() << json.text() << '\n';
    return ExitCode::kOk;
  }

 private:
  OutputOption output_;
};

}  // namespace

std::unique_ptr<Command> make_version() {
  return std::make_unique<Version>();
}

}  // namespace resultsync::cli
