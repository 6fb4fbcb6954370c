#include <fmt/format.h>

#include <chrono>

#include "cli/make_commands.hpp"
#include "cli/signing_options.hpp"
#include "runtime/clock.hpp"
#include "vendors/verify.hpp"

namespace resultsync::cli {
namespace {

// What to look at when a signature is refused for this reason.
std::string_view hint_for(std::string_view code) {
  if (code == "signature_mismatch") {
    return "Another secret, another scheme, or other bytes: the body must be the one that was sent, byte for byte (no "
           "re-formatting, "
           "no added newline).";
  }
  if (code == "signature_missing")
    return "None of the headers given is the scheme's signature header; see --header and --signature.";
  if (code == "timestamp_too_old" || code == "timestamp_too_new") {
    return "The signature is right. Its time is outside --tolerance-seconds: a replay, a late retry, or a clock that "
           "is wrong.";
  }
  if (code == "signature_version_unknown") return "The scheme accepts other versions than those in the header.";
  return {};
}

class VerifySignature final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "BODY", .help = "File with the body; - for standard input", .target = &body_, .names_file = true});
    options.add({.names = "-H",
                 .value = "'NAME: VALUE'",
                 .help = "A header of the request; as often as needed",
                 .target = &headers_,
                 .required = true});
    signing_.declare(options);
    options.add({.names = "--tolerance-seconds",
                 .value = "N",
                 .help = "How far its time may be from now",
                 .target = &tolerance_});
    options.add({.names = "--at",
                 .value = "TIME",
                 .help = "Judge its age as of this time (RFC 3339); default: now",
                 .target = &at_});
  }

  ExitCode run(Terminal& terminal) override {
    auto signer = signing_.read();
    if (!signer) return terminal.complain(signer.error());
    const auto body = read_input(body_);
    if (!body) return terminal.complain(body.error());
    http::Headers headers;
    for (const std::string& line : headers_) {
      const auto colon = line.find(':');
      if (colon == std::string::npos || colon == 0) {
        return terminal.complain({"usage", "-H takes a header as 'Name: value'"});
      }
      headers.add(line.substr(0, colon), trimmed(line.substr(colon + 1)));
    }
    Timestamp now = runtime::SystemClock{}.now();
    if (at_) {
      const auto parsed = parse_timestamp(*at_);
      if (!parsed) return terminal.complain({"usage", "--at: " + parsed.error().message, parsed.error().cause});
      now = parsed->time;
    }
    const auto verified =
        vendors::verify(signer->scheme, signer->keys, headers, *body, now, std::chrono::seconds(tolerance_));
    if (!verified) return refuse(terminal, verified.error());
    if (const auto fresh = vendors::staleness(*verified); !fresh) return refuse(terminal, fresh.error());
    terminal.out() << "valid: " << signer->scheme.name << ", secret " << verified->key_index + 1 << " of "
                   << signer->keys.all().size();
    if (verified->timestamp) terminal.out() << ", signed " << format_timestamp(*verified->timestamp);
    terminal.out() << '\n';
    return ExitCode::kOk;
  }

 private:
  static std::string trimmed(std::string text) {
    text.erase(0, std::min(text.find_first_not_of(" \t"), text.size()));
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    return text;
  }

  static ExitCode refuse(const Terminal& terminal, const Error& error) {
    terminal.out() << "not valid: " << error.code << '\n';
    terminal.talk() << printable(error.text()) << '\n';
    if (const std::string_view hint = hint_for(error.code); !hint.empty()) terminal.talk() << hint << '\n';
    return ExitCode::kVerificationFailed;
  }

  SigningOptions signing_;
  std::string body_ = "-";
  std::vector<std::string> headers_;
  std::int64_t tolerance_ = vendors::kDefaultTolerance.count();
  std::optional<std::string> at_;
};

}  // namespace

std::unique_ptr<Command> make_verify_signature() {
  return std::make_unique<VerifySignature>();
}

}  // namespace resultsync::cli
