// demo: the main job from end to end, with a server of its own, in one command.
#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/api_client.hpp"
#include "cli/child_server.hpp"
#include "cli/demo_account.hpp"
#include "cli/demo_network.hpp"
#include "cli/feed_line.hpp"
#include "cli/make_commands.hpp"
#include "cli/sample_event.hpp"
#include "cli/secret_file.hpp"
#include "cli/sending.hpp"
#include "cli/table.hpp"
#include "runtime/file.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"
#include "vendors/signature_scheme.hpp"

namespace resultsync::cli {
namespace {

constexpr double kDuplicates = 0.1;
constexpr std::size_t kForged = 3;

// Follows one practitioner's feed on a thread of its own, as an application would.
class Follower {
 public:
  Follower(const Terminal& terminal, std::mutex& printing, const ApiClient& client, std::string practitioner)
      : terminal_(terminal), printing_(printing), client_(client), practitioner_(std::move(practitioner)) {
    thread_ = runtime::start_thread("follow", [this](const std::stop_token& stop) { follow(stop); });
  }
  // Reads on until there is nothing more, then ends.
  void finish() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  [[nodiscard]] const Received& received() const { return received_; }  // after finish()
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  void follow(const std::stop_token& stop) {
    std::string after;
    while (true) {
      const bool last = stop.stop_requested();
      const auto answer = client_.get(with_query(
          "/v1/feed",
          {{"practitioner", practitioner_}, {"after", after}, {"limit", "200"}, {"wait", last ? "0" : "1"}}));
      if (!answer) {
        failure_ = answer.error().text();
        return;
      }
      const auto page = JsonDocument::parse(*answer);
      if (!page) {
        failure_ = page.error().text();
        return;
      }
      const auto items = elements(page->root(), {"items"});
      for (const JsonValue item : items) take(item);
      after = shown(page->root(), {"next"});
      if (last && items.empty()) return;
    }
  }

  void take(JsonValue item) {
    received_.add(item);
    const std::lock_guard lock(printing_);
    terminal_.out() << "  " << feed_line(terminal_, item) << '\n';
    terminal_.out().flush();
  }

  const Terminal& terminal_;
  std::mutex& printing_;
  const ApiClient& client_;
  const std::string practitioner_;
  Received received_;
  std::string failure_;
  std::jthread thread_;
};

struct DemoPractitioner {
  std::string id;
  std::string clinic;
};

class Demo final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--keep", .help = "Leave the server running afterwards, to look around", .target = &keep_});
    options.add({.names = "--port",
                 .value = "PORT",
                 .help = "Port for webhooks; 0: a free one",
                 .target = &port_,
                 .most = 65535});
    options.add({.names = "--private-port",
                 .value = "PORT",
                 .help = "Port of the API; 0: a free one",
                 .target = &private_port_,
                 .most = 65535});
    options.add({.names = "--data-dir",
                 .value = "DIR",
                 .help = "Empty folder to use and leave; default: one of its own, removed afterwards",
                 .target = &folder_,
                 .names_file = true});
    options.add({.names = "--events",
                 .value = "N",
                 .help = "Generated events",
                 .target = &events_,
                 .least = 1,
                 .most = 100'000});
    options.add({.names = "--rate",
                 .value = "PER-SECOND",
                 .help = "Pace of the stream; 0: as fast as answers come",
                 .target = &rate_,
                 .most = 1e6});
    options.add({.names = "--seed", .value = "N", .help = "The same seed generates the same events", .target = &seed_});
  }

  ExitCode run(Terminal& terminal) override {
    const bool own_folder = !folder_;
    if (auto prepared = prepare_folder(); !prepared) return terminal.complain(prepared.error());
    ExitCode code = ExitCode::kFailure;
    {
      heading(terminal, "A server of its own");
      auto server = ChildServer::start(config_file(), data_dir(), *folder_ + "/server.log");
      if (!server) {
        code = terminal.complain(server.error());
      } else {
        code = show(terminal, **server);
      }
    }
    if (own_folder && !keep_) {
      std::error_code ignored;
      std::filesystem::remove_all(*folder_, ignored);
    }
    return code;
  }

 private:
  [[nodiscard]] std::string data_dir() const { return *folder_ + "/data"; }
  [[nodiscard]] std::string config_file() const { return *folder_ + "/resultsync.toml"; }
  [[nodiscard]] std::string secret_file() const { return *folder_ + "/rupa.secret"; }

  static void heading(const Terminal& terminal, const std::string& text) {
    terminal.out() << '\n' << terminal.on_out(Paint::kBold, text) << '\n';
    terminal.out().flush();
  }

  Result<void> prepare_folder() {
    if (!folder_) {
      std::string name = (std::filesystem::temp_directory_path() / "resultsync-demo-XXXXXX").string();
      if (::mkdtemp(name.data()) == nullptr) return std::unexpected(runtime::file_error(errno, "create", name));
      folder_ = name;
    } else {
      if (auto made = runtime::make_directories(*folder_, 0700); !made) return made;
      folder_ = std::filesystem::absolute(*folder_).lexically_normal().string();
      const auto names = runtime::list_directory(*folder_);
      if (!names) return std::unexpected(names.error());
      if (!names->empty())
        return fail("conflict", fmt::format("{} is not empty", *folder_),
                    "name an empty or a new folder with --data-dir");
    }
    const std::string network_secret = "demo-" + encode_hex(runtime::random_bytes(24));
    const std::string client_secret = "demo-" + encode_hex(runtime::random_bytes(24));
    auto network = start_demo_network(network_secret, client_secret, clock_);
    if (!network) return forward_error(std::move(network));
    network_ = std::move(*network);
    for (const auto& [name, text] :
         {std::pair{"/sandbox.secret", &network_secret}, std::pair{"/client.secret", &client_secret}}) {
      if (auto written = runtime::write_file_durably(*folder_ + name, *text + "\n", 0600); !written) return written;
    }
    if (auto written =
            runtime::write_file_durably(secret_file(), "demo-" + encode_hex(runtime::random_bytes(24)) + "\n", 0600);
        !written) {
      return written;
    }
    return runtime::write_file_durably(
        config_file(),
        fmt::format("[server]\npublic = \"127.0.0.1:{}\"\nprivate = \"127.0.0.1:{}\"\ndata_dir = \"./data\"\n\n"
                    "[sources.rupa]\npath = \"/webhook\"\nsecrets = [\"file:rupa.secret\"]\n\n"
                    "[sources.{}]\nsecrets = [\"file:sandbox.secret\"]\napi = \"{}\"\napi_http = true\n"
                    "api_allow = [\"{}\"]\nclient_id = \"demo\"\nclient_secret = \"file:client.secret\"\n"
                    "event_types = [\"order.new_result\", \"order.updated\"]\n\n"
                    "[limits]\nfree_space = \"16 MiB\"\n",
                    port_, private_port_, kDemoNetwork, network_->base(), network_->address()),
        0600);
  }

  ExitCode show(const Terminal& terminal, ChildServer& server) {
    const ServerFile& at = server.addresses();
    terminal.out() << fmt::format("  webhooks http://{}/webhook   API http://{}   data {}\n", at.public_address,
                                  at.private_address, data_dir());
    ServerOptions options;
    options.data_dir = data_dir();
    const auto client = ApiClient::find(options);
    if (!client) return terminal.complain(client.error());
    auto outcome = play(terminal, *client, "http://" + at.public_address + "/webhook");
    if (!outcome) return terminal.complain(outcome.error());
    const auto network = play_demo_network(
        terminal, *client, fmt::format("http://{}/webhooks/{}", at.public_address, kDemoNetwork), *network_);
    if (!network) return terminal.complain(network.error());
    if (!*network) outcome = ExitCode::kFailure;
    conclude(terminal, *outcome == ExitCode::kOk);
    if (keep_) {
      explain_keeping(terminal, at);
      ::signal(SIGINT, SIG_IGN);  // Ctrl-C is for the server, which stops in order; we wait for it
      ::signal(SIGTERM, SIG_IGN);
      server.wait();
      return *outcome;
    }
    if (const int code = server.stop(); code != 0) {
      return terminal.complain(
          {"server_failed", fmt::format("the server ended with code {}", code), "see --data-dir DIR, server.log"});
    }
    return *outcome;
  }

  Result<ExitCode> play(const Terminal& terminal, const ApiClient& client, const std::string& url) {
    auto signer = read_signer();
    if (!signer) return forward_error(std::move(signer));
    const sandbox::GeneratorOptions generated{
        .seed = static_cast<std::uint64_t>(seed_), .clinics = 3, .tests_per_order_max = 3};
    const std::vector<std::string> clinics = clinics_of(generated);
    const std::array<DemoPractitioner, 3> practitioners = {
        {{"anna", std::string(kSampleClinic)}, {"ben", std::string(kSampleClinic)}, {"carla", clinics[1]}}};

    heading(terminal, "Three practitioners of the application; nobody is connected to " + clinics[2]);
    for (const DemoPractitioner& one : practitioners) {
      JsonWriter json;
      json.begin_object().member("clinic_id", one.clinic).member("source", "rupa").end_object();
      const auto connected = client.send("PUT", "/v1/practitioners/" + one.id, json.take());
      if (!connected) return std::unexpected(connected.error());
      terminal.out() << fmt::format("  {:<10}  connected to {}\n", one.id, one.clinic);
    }

    std::vector<OutgoingEvent> events(1);
    events[0] = {.id = std::string(kSampleEventId),
                 .order = std::string(kSampleOrder),
                 .ordered_test = {},
                 .clinic = std::string(kSampleClinic),
                 .kind = "sample",
                 .body = std::string(sample_event())};
    for (OutgoingEvent& event : generate({.options = generated,
                                          .count = static_cast<std::size_t>(events_),
                                          .renamed_clinics = {{clinics[0], std::string(kSampleClinic)}}})) {
      events.push_back(std::move(event));
    }

    std::mutex printing;
    std::vector<std::unique_ptr<Follower>> followers;
    for (const DemoPractitioner& one : practitioners) {
      followers.push_back(std::make_unique<Follower>(terminal, printing, client, one.id));
    }
    {
      const std::lock_guard lock(printing);
      heading(terminal, fmt::format("The network's sample, then {} events: several tests, corrections, one in ten "
                                    "twice, out of order, {} forged",
                                    events_, kForged));
    }
    const std::vector<Sending> sample = {{.event = 0, .forged = false}};
    auto first = send_all(events, sample, *signer, {.url = url, .concurrency = 1, .rate = 0, .progress = {}});
    if (!first) return forward_error(std::move(first));
    auto sendings = plan_sendings(
        events.size() - 1,
        {.seed = static_cast<std::uint64_t>(seed_), .duplicates = kDuplicates, .shuffle = true, .forged = kForged});
    for (Sending& sending : sendings) ++sending.event;  // the sample is the first
    auto stream = send_all(events, sendings, *signer, {.url = url, .concurrency = 4, .rate = rate_, .progress = {}});
    if (!stream) return forward_error(std::move(stream));

    if (auto applied = wait_until_applied(client); !applied) return std::unexpected(applied.error());
    for (const auto& follower : followers) follower->finish();
    for (const auto& follower : followers) {
      if (!follower->failure().empty())
        return fail("request_failed", "a practitioner's feed could not be read to its end", follower->failure());
    }
    sendings.insert(sendings.begin(), sample.front());
    stream->statuses.insert(stream->statuses.begin(), first->statuses.front());
    return account(terminal, client, practitioners, followers, events, sendings, *stream);
  }

  Result<Signer> read_signer() const {
    SigningOptions options;
    options.secret_files = {secret_file()};
    return options.read();
  }

  static std::vector<std::string> clinics_of(const sandbox::GeneratorOptions& options) {
    std::vector<std::string> clinics;
    for (const sandbox::GeneratedPractitioner& one : sandbox::Generator(options).practitioners()) {
      if (clinics.empty() || clinics.back() != one.clinic.text()) clinics.push_back(one.clinic.text());
    }
    return clinics;
  }

  static Result<void> wait_until_applied(const ApiClient& client) {
    for (int tries = 0; tries < 300; ++tries) {
      const auto answer = client.get("/v1/status");
      if (!answer) return std::unexpected(answer.error());
      const auto status = JsonDocument::parse(*answer);
      if (!status) return std::unexpected(status.error());
      if (shown(status->root(), {"log", "lag_records"}) == "0") return {};
      const timespec pause{.tv_sec = 0, .tv_nsec = 100'000'000};
      ::nanosleep(&pause, nullptr);
    }
    return fail("timeout", "the server did not apply what it acknowledged within 30 s");
  }

  Result<ExitCode> account(const Terminal& terminal, const ApiClient& client,
                           const std::array<DemoPractitioner, 3>& practitioners,
                           const std::vector<std::unique_ptr<Follower>>& followers,
                           const std::vector<OutgoingEvent>& events, const std::vector<Sending>& sendings,
                           const SendReport& report) const {
    std::vector<bool> taken(events.size(), false);
    std::size_t acknowledged = 0;
    std::size_t refused = 0;
    std::size_t forged_taken = 0;
    for (std::size_t i = 0; i < sendings.size(); ++i) {
      const bool ok = report.statuses[i] >= 200 && report.statuses[i] < 300;
      if (sendings[i].forged) {
        ok ? ++forged_taken : ++refused;
      } else if (ok) {
        ++acknowledged;
        taken[sendings[i].event] = true;
      }
    }
    std::vector<const OutgoingEvent*> kept;
    for (std::size_t i = 0; i < events.size(); ++i) {
      if (taken[i]) kept.push_back(&events[i]);
    }
    const auto answer = client.get("/v1/status");
    if (!answer) return std::unexpected(answer.error());
    const auto status = JsonDocument::parse(*answer);
    if (!status) return std::unexpected(status.error());
    const std::string stored = shown(status->root(), {"totals", "events"});
    const std::string duplicates = shown(status->root(), {"totals", "duplicates"});
    const std::string unmatched = shown(status->root(), {"waiting_by_reason", "nobody_connected"});

    heading(terminal, "The account");
    const std::size_t forged = refused + forged_taken;
    print_facts(terminal,
                {{"  sent", fmt::format("{} requests: {} events, {} of them twice, and {} forged", sendings.size(),
                                        events.size(), sendings.size() - events.size() - forged, forged)},
                 {"  acknowledged",
                  fmt::format("{}; every forged one refused: {}", acknowledged, forged_taken == 0 ? "yes" : "NO")},
                 {"  stored", fmt::format("{} events and {} further receipts", stored, duplicates)},
                 {"  unmatched",
                  fmt::format("{} events wait for somebody of their clinic", unmatched.empty() ? "0" : unmatched)}});
    terminal.out() << '\n';
    Table table({{"PRACTITIONER"},
                 {"CLINIC"},
                 {"ORDERS", Column::Side::kRight},
                 {"RESULTS", Column::Side::kRight},
                 {"LOST", Column::Side::kRight},
                 {"TWICE", Column::Side::kRight},
                 {"NOT THEIRS", Column::Side::kRight}},
                "");
    bool right = forged_taken == 0 && stored == std::to_string(kept.size()) &&
                 duplicates == std::to_string(acknowledged - kept.size()) && kept.size() == events.size();
    for (std::size_t i = 0; i < practitioners.size(); ++i) {
      const PractitionerAccount one = account_of(kept, practitioners[i].clinic, followers[i]->received());
      right = right && one.right();
      table.add({practitioners[i].id, practitioners[i].clinic,
                 fmt::format("{} of {}", one.orders_received, one.orders_expected),
                 fmt::format("{} of {}", one.results_received, one.results_expected), std::to_string(one.lost),
                 std::to_string(one.twice), std::to_string(one.foreign)});
    }
    table.print(terminal);
    return right ? ExitCode::kOk : ExitCode::kFailure;
  }

  static void conclude(const Terminal& terminal, bool right) {
    terminal.out() << '\n'
                   << (right ? terminal.on_out(Paint::kGreen,
                                               "Nothing was lost, nothing came twice, nobody saw what is not theirs.")
                             : terminal.on_out(Paint::kRed, "The account does not come out."))
                   << '\n';
    terminal.out().flush();
  }

  void explain_keeping(const Terminal& terminal, const ServerFile& at) const {
    heading(terminal, "It goes on running; Ctrl-C ends it. In another terminal:");
    const std::string where = " --data-dir " + data_dir();
    for (const char* line :
         {"status", "events list", "orders list --practitioner anna", "unmatched list",
          "listen --practitioner anna --from start", "trigger --count 50 --seed 2", "verify --rebuild"}) {
      terminal.out() << "  resultsync " << line << where << '\n';
    }
    terminal.out()
        << fmt::format(
               "  curl -H \"Authorization: Bearer $(cat {}/admin.key)\" 'http://{}/v1/feed?practitioner=anna'\n",
               data_dir(), at.private_address)
        << "Its files stay in " << *folder_ << '\n';
    terminal.out().flush();
  }

  runtime::SystemClock clock_;
  std::unique_ptr<sandbox::Sandbox> network_;
  bool keep_ = false;
  std::int64_t port_ = 0;
  std::int64_t private_port_ = 0;
  std::optional<std::string> folder_;
  std::int64_t events_ = 120;
  double rate_ = 12;
  std::int64_t seed_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_demo() {
  return std::make_unique<Demo>();
}

}  // namespace resultsync::cli
