// loadgen: a load of signed, unique events against a webhook listener on this machine, and an account of every answer
// as JSON.
//
//   loadgen --port 8080 --secret-file secret --connections 64 --duration 6
//   loadgen --port 8080 --secret-file secret --rate 1000 --duplicates 0.1 --forged 0.01 --acks acks.txt
//
// Events are stamped and signed while the load runs, at about a microsecond each (bench/load/events.hpp);
// `client.cpu_us_per_event` says what the generator took from the cores that it shares with the server.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>

#include <CLI/CLI.hpp>

#include "base/json_writer.hpp"
#include "bench/load/load.hpp"

namespace resultsync::bench {
namespace {

struct Arguments {
  LoadOptions load;
  EventSource source;
  std::string secret_file;
  std::string out_file;
  double warmup_seconds = 1;
  double duration_seconds = 6;
};

void declare(CLI::App& app, Arguments& arguments) {
  LoadOptions& load = arguments.load;
  app.add_option("--port", load.ports, "port of the webhook listener on 127.0.0.1; of several, connections take turns")
      ->required();
  app.add_option("--target", arguments.source.target, "path of the webhook")->capture_default_str();
  app.add_option("--secret-file", arguments.secret_file, "file with the signing secret")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--header", arguments.source.header, "header of the signature")->capture_default_str();
  app.add_option("--tag", arguments.source.tag, "letters in every id; runs with different tags never share an event")
      ->check([](const std::string& tag) {
        return !tag.empty() && tag.size() <= 8 &&
                       tag.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string::npos
                   ? std::string()
                   : std::string("1 to 8 lower-case letters and digits");
      })
      ->capture_default_str();
  app.add_option("--clinics", arguments.source.clinics, "clinics that the orders belong to")
      ->check(CLI::Range(1, 99'999))
      ->capture_default_str();
  app.add_option("--connections", load.connections, "keep-alive connections")
      ->check(CLI::Range(1, 60'000))
      ->capture_default_str();
  app.add_option("--duration", arguments.duration_seconds, "measured seconds")->capture_default_str();
  app.add_option("--warmup", arguments.warmup_seconds, "seconds before them")->capture_default_str();
  app.add_option("--rate", load.events_per_second, "events per second, open loop; 0: as fast as the answers come")
      ->capture_default_str();
  app.add_option("--events", load.events_max, "stop after so many new events; 0: no limit")->capture_default_str();
  app.add_option("--first", load.first_number, "number of the first event")->capture_default_str();
  app.add_option("--duplicates", load.duplicates_share, "share of requests that repeat an event")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--forged", load.forged_share, "share of requests with a wrong signature")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--seed", load.seed, "of the choices of duplicates and forgeries")->capture_default_str();
  app.add_option("--acks", load.acks_file, "append every acknowledged event id to this file");
  app.add_flag("--persist", load.persist, "go on connecting while the server is away");
  app.add_option("--out", arguments.out_file, "write the report here; default: stdout");
}

std::string report_json(const Arguments& arguments, const LoadReport& report) {
  const auto microseconds = [](std::uint64_t ns) { return static_cast<double>(ns) / 1000.0; };
  const Histogram& latency = report.latency_ns;
  const double window_events = static_cast<double>(report.window_acknowledged);
  JsonWriter json;
  json.begin_object()
      .member("mode", arguments.load.events_per_second > 0 ? "open" : "closed")
      .member("connections", std::uint64_t{arguments.load.connections})
      .member("rate_asked", arguments.load.events_per_second)
      .member("tag", arguments.source.tag)
      .member("next_number", report.next_number)
      .member("sent", report.sent)
      .member("acknowledged_ids", report.acknowledged_ids)
      .member("duplicates_acknowledged", report.duplicates_acknowledged)
      .member("forged_sent", report.forged_sent)
      .member("forged_acknowledged", report.forged_acknowledged)
      .member("unanswered", report.unanswered)
      .member("connects_failed", report.connects_failed);
  json.key("status").begin_object();
  for (const auto& [status, count] : report.status) json.member(std::to_string(status), count);
  json.end_object();
  json.key("window")
      .begin_object()
      .member("seconds", report.seconds)
      .member("acknowledged", report.window_acknowledged)
      .member("per_second", report.seconds > 0 ? window_events / report.seconds : 0.0)
      .member("unsent", report.unsent)
      .end_object();
  json.key("latency_us")
      .begin_object()
      .member("count", latency.count())
      .member("p50", microseconds(latency.quantile(0.50)))
      .member("p90", microseconds(latency.quantile(0.90)))
      .member("p99", microseconds(latency.quantile(0.99)))
      .member("p99_9", microseconds(latency.quantile(0.999)))
      .member("max", microseconds(latency.max()))
      .end_object();
  json.key("client")
      .begin_object()
      .member("cpu_seconds", report.client_cpu_seconds)
      .member("cpu_us_per_event", window_events > 0 ? report.client_cpu_seconds * 1e6 / window_events : 0.0)
      .end_object();
  json.end_object();
  return json.take();
}

// The secret as the file holds it, without the line end that editors add.
std::string read_secret(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string secret{std::istreambuf_iterator<char>(file), {}};
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  return secret;
}

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int run(Arguments& arguments) {
  using Seconds = std::chrono::duration<double>;
  arguments.load.warmup = std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(arguments.warmup_seconds));
  arguments.load.duration = std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(arguments.duration_seconds));
  arguments.source.secret = read_secret(arguments.secret_file);
  arguments.source.host = "127.0.0.1:" + std::to_string(arguments.load.ports.front());
  raise_descriptor_limit();

  EventFactory events(arguments.source);
  auto report = run_load(arguments.load, events);
  if (!report) {
    std::cerr << "loadgen: " << report.error().text() << "\n";
    return 1;
  }
  const std::string json = report_json(arguments, *report);
  if (arguments.out_file.empty()) {
    std::cout << json << "\n";
  } else {
    std::ofstream(arguments.out_file) << json << "\n";
  }
  if (report->forged_acknowledged > 0) {
    std::cerr << "loadgen: the server acknowledged " << report->forged_acknowledged
              << " events with a wrong signature\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace resultsync::bench

int main(int argc, char** argv) {
  CLI::App app{"A load of signed, unique events against a webhook listener on this machine."};
  resultsync::bench::Arguments arguments;
  declare(app, arguments);
  CLI11_PARSE(app, argc, argv);
  return run(arguments);
}
