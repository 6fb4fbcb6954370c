#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "base/timestamp.hpp"
#include "cli/make_commands.hpp"
#include "cli/signing_options.hpp"
#include "runtime/clock.hpp"
#include "runtime/random.hpp"
#include "vendors/verify.hpp"

namespace resultsync::cli {
namespace {

// In single quotes for a shell.
std::string quoted(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

class Sign final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "BODY", .help = "File with the body; - for standard input", .target = &body_, .names_file = true});
    signing_.declare(options);
    options.add(
        {.names = "--time", .value = "TIME", .help = "When it is signed (RFC 3339); default: now", .target = &time_});
    options.add({.names = "--id",
                 .value = "ID",
                 .help = "Message id, for schemes that sign one; default: a random one",
                 .target = &id_});
    options.add({.names = "--url", .value = "URL", .help = "Where the curl line goes", .target = &url_});
    options.add({.names = "-o,--output",
                 .value = "FORM",
                 .help = "How to show it",
                 .target = &form_,
                 .choices = {"headers", "curl", "json"}});
  }

  ExitCode run(Terminal& terminal) override {
    auto signer = signing_.read();
    if (!signer) return terminal.complain(signer.error());
    const auto body = read_input(body_);
    if (!body) return terminal.complain(body.error());
    Timestamp time = runtime::SystemClock{}.now();
    if (time_) {
      const auto parsed = parse_timestamp(*time_);
      if (!parsed) return terminal.complain({"usage", "--time: " + parsed.error().message, parsed.error().cause});
      time = parsed->time;
    }
    if (id_.empty()) id_ = "msg_" + encode_hex(runtime::random_bytes(12));
    const auto headers = vendors::sign(signer->scheme, signer->keys, {.id = id_, .timestamp = time}, *body);
    if (!headers) return terminal.complain(headers.error());
    show(terminal, *headers);
    return ExitCode::kOk;
  }

 private:
  void show(const Terminal& terminal, const std::vector<http::Header>& headers) const {
    if (form_ == "curl") {
      std::string line = "curl -sS -X POST -H 'Content-Type: application/json'";
      for (const http::Header& header : headers) line += " -H " + quoted(header.name + ": " + header.value);
      terminal.out() << line << " --data-binary " << quoted("@" + body_) << ' ' << quoted(url_) << '\n';
    } else if (form_ == "json") {
      JsonWriter json;
      json.begin_object();
      for (const http::Header& header : headers) json.member(header.name, header.value);
      terminal.out() << json.end_object().text() << '\n';
    } else {
      for (const http::Header& header : headers) terminal.out() << header.name << ": " << header.value << '\n';
    }
  }

  SigningOptions signing_;
  std::string body_ = "-";
  std::optional<std::string> time_;
  std::string id_;
  std::string url_ = "http://127.0.0.1:8080/webhook";
  std::string form_ = "headers";
};

}  // namespace

std::unique_ptr<Command> make_sign() {
  return std::make_unique<Sign>();
}

}  // namespace resultsync::cli
