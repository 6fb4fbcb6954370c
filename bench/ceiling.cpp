// ceiling: resultsync's own listener, verification and webhook handler over a log that keeps nothing and says at once
// that it did. Exists to be measured: the distance between it and the server is what durability costs; nothing in front
// of the store can be faster.
//
//   ceiling --port 8080 --secret-file secret
#include <atomic>
#include <csignal>
#include <fstream>
#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>

#include "http/server.hpp"
#include "intake/webhook.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "store/event_log.hpp"
#include "vendors/network.hpp"

namespace resultsync::bench {
namespace {

// Breaks I1 by intention.
class ForgetfulLog final : public store::EventLog {
 public:
  void append(store::Record, Committed committed) override { committed(Sequence{++last_}); }
  Result<std::vector<store::StoredRecord>> read(Sequence, store::ReadLimits) const override {
    return std::vector<store::StoredRecord>{};
  }
  Result<store::StoredRecord> at(Sequence) const override { return fail("not_found", "this log keeps nothing"); }
  [[nodiscard]] std::vector<store::StoredRecord> some_of(std::span<const Sequence>, std::size_t) const override {
    return {};
  }
  [[nodiscard]] Sequence end() const override { return Sequence{last_.load()}; }
  [[nodiscard]] std::string id() const override { return "ceiling"; }
  void on_commit(std::function<void(Sequence)>) override {}

 private:
  std::atomic<std::uint64_t> last_{0};
};

Result<vendors::Source> rupa_source(const std::string& secret_file) {
  std::ifstream file(secret_file, std::ios::binary);
  const std::vector<Secret<std::string>> secrets{
      Secret<std::string>(std::string{std::istreambuf_iterator<char>(file), {}})};
  auto scheme = vendors::signature_preset("t-v1");
  if (!scheme) return forward_error(std::move(scheme));
  auto named = vendors::with_header_names(*scheme, {.signature = "Rupa-Signature", .timestamp = {}, .id = {}});
  if (!named) return forward_error(std::move(named));
  auto keys = vendors::SigningKeys::read(*named, secrets);
  if (!keys) return forward_error(std::move(keys));
  return vendors::Source{
      .id = SourceId("rupa"), .paths = {"/webhook"}, .scheme = std::move(*named), .keys = std::move(*keys)};
}

Result<int> serve(std::uint16_t port, unsigned threads, const std::string& secret_file) {
  auto source = rupa_source(secret_file);
  if (!source) return forward_error(std::move(source));
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // before any thread is started, so that all inherit it

  ForgetfulLog log;
  const runtime::SystemClock clock;
  runtime::Metrics metrics;
  intake::Webhook webhook({std::move(*source)}, log, clock, metrics);
  http::ServerOptions options;
  options.address = "127.0.0.1:" + std::to_string(port);
  options.threads = threads;
  auto server = http::Server::start(options, [&webhook](http::Request request, http::Responder respond) {
    webhook.handle(std::move(request), std::move(respond));
  });
  if (!server) return forward_error(std::move(server));
  int signal = 0;
  sigwait(&ends, &signal);
  (*server)->stop(std::chrono::seconds(1));
  return 0;
}

}  // namespace
}  // namespace resultsync::bench

int main(int argc, char** argv) {
  CLI::App app{"The webhook listener over a log that keeps nothing."};
  std::uint16_t port = 0;
  unsigned threads = resultsync::http::ServerOptions{}.threads;
  std::string secret_file;
  app.add_option("--port", port, "port on 127.0.0.1")->required();
  app.add_option("--threads", threads, "event loops")->capture_default_str();
  app.add_option("--secret-file", secret_file, "file with the signing secret")->required()->check(CLI::ExistingFile);
  CLI11_PARSE(app, argc, argv);
  const auto ended = resultsync::bench::serve(port, threads, secret_file);
  if (!ended) std::cerr << "ceiling: " << ended.error().text() << "\n";
  return ended ? 0 : 1;
}
