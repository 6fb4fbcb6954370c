// serve: the whole house in one process. Opened from the truth outwards (log, views, sync, private listener, public
// listener), closed the other way round.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>

#include "api/api.hpp"
#include "api/webhook_items.hpp"
#include "base/encoding.hpp"
#include "cli/chosen_store.hpp"
#include "cli/config_options.hpp"
#include "cli/make_commands.hpp"
#include "cli/server_file.hpp"
#include "cli/source_forms.hpp"
#include "cli/store_on_disk.hpp"
#include "cli/version.hpp"
#include "delivery/delivery.hpp"
#include "delivery/endpoints.hpp"
#include "http/server.hpp"
#include "intake/webhook.hpp"
#include "network/network.hpp"
#include "runtime/clock.hpp"
#include "runtime/file.hpp"
#include "runtime/keys.hpp"
#include "runtime/log.hpp"
#include "runtime/metrics.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"
#include "runtime/vault.hpp"
#include "store/unavailable.hpp"
#include "sync/critical.hpp"
#include "sync/documents.hpp"
#include "sync/sync.hpp"

namespace resultsync::cli {
namespace {

// P2: SIGTERM finishes in-flight work within 10 s. What is left when these are over is cut off; the commit behind it is
// still awaited.
constexpr std::chrono::milliseconds kPublicPatience{6'000};
constexpr std::chrono::milliseconds kPrivatePatience{2'000};
constexpr std::chrono::milliseconds kClosingMax{9'500};  // all of it; then the process ends as it stands
constexpr std::chrono::milliseconds kDeliveryPatience{1'500};
constexpr int kLookEveryMs = 5'000;  // for certificates that have changed

// Where signals and the failure of the store arrive: one place to wait, for the main thread.
class Ending {
 public:
  enum class Why { kSignal, kStoreFailed };

  enum class Hangup { kEnds, kLooks };  // kLooks: there are certificates to look after
  // Takes SIGTERM and SIGINT (and SIGHUP, if it is no end) away from all threads that are started after it.
  static Result<std::unique_ptr<Ending>> prepare(Hangup hangup) {
    auto ending = std::unique_ptr<Ending>(new Ending);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    if (hangup == Hangup::kLooks) ::sigaddset(&signals, SIGHUP);
    if (::pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) return fail("io_error", "signals cannot be blocked");
    const int signal_descriptor = ::signalfd(-1, &signals, SFD_CLOEXEC);
    const int failure_descriptor = ::eventfd(0, EFD_CLOEXEC);
    if (signal_descriptor < 0 || failure_descriptor < 0)
      return std::unexpected(runtime::file_error(errno, "watch", "signals"));
    ending->signals_ = runtime::File(signal_descriptor, "signals");
    ending->failure_ = runtime::File(failure_descriptor, "failure");
    return ending;
  }

  // Meanwhile calls `look` from time to time, and at once on SIGHUP.
  Why wait(const std::function<void()>& look) {
    pollfd watched[] = {{signals_.descriptor(), POLLIN, 0}, {failure_.descriptor(), POLLIN, 0}};
    while (true) {
      const int ready = ::poll(watched, 2, kLookEveryMs);
      if (ready < 0) continue;  // EINTR
      if (ready == 0) look();
      if (watched[1].revents != 0) return Why::kStoreFailed;
      if (watched[0].revents != 0) {
        signalfd_siginfo info{};
        [[maybe_unused]] const auto got = ::read(signals_.descriptor(), &info, sizeof info);
        if (info.ssi_signo != SIGHUP) return Why::kSignal;
        look();
      }
    }
  }

  // From here on a further signal ends the process at once, and a failure of the store too.
  void stop_waiting() {
    patient_ = false;
    ::signal(SIGTERM, [](int) { ::_exit(128 + SIGTERM); });
    ::signal(SIGINT, [](int) { ::_exit(128 + SIGINT); });
    sigset_t signals;
    ::sigemptyset(&signals);
    ::sigaddset(&signals, SIGTERM);
    ::sigaddset(&signals, SIGINT);
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  }

  // The store failed: what is on disk is not known, so nothing may be acknowledged and nothing flushed any more
  // (fail-stop). From any thread; nobody who waits for an answer gets a 2xx.
  void store_failed(const Error& error) {
    if (failed_.exchange(true)) return;
    runtime::log::error("store.failed", {{"code", error.code}, {"message", error.message}, {"cause", error.cause}});
    if (!patient_) ::_exit(static_cast<int>(ExitCode::kStoreFailure));
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(failure_.descriptor(), &one, sizeof one);
  }
  [[nodiscard]] bool has_failed() const { return failed_; }

 private:
  Ending() = default;
  runtime::File signals_;
  runtime::File failure_;
  std::atomic<bool> failed_ = false;
  std::atomic<bool> patient_ = true;
};

void harden_process() {
  // Memory holds keys and health data: no core file, and no other process of this user may look into it (P4).
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // a file size limit is a failure of the store like any other
  ::umask(0077);
}

sync::SyncOptions sync_options(const Config& config, sync::ResultIndex index) {
  sync::SyncOptions options;
  options.index = std::move(index);
  take_source_forms(config, options);
  if (config.postgres) {
    options.look_every = std::chrono::milliseconds(1'000);
    options.batch = {512, 8 * 1024 * 1024};  // others wait for the writer's turn meanwhile
  }
  return options;
}

http::ServerOptions public_options(const Config& config) {
  http::ServerOptions options;
  options.address = config.public_address;
  options.tls = config.public_tls;
  options.threads = static_cast<unsigned>(config.threads);
  options.head_bytes_max = config.limits.head_bytes;
  options.body_bytes_max = config.limits.body_bytes;
  options.body_bytes_in_flight_max = config.limits.in_flight_bytes;
  options.connections_max = config.limits.connections;
  options.idle_timeout = std::chrono::seconds(config.limits.idle_seconds);
  return options;
}

http::ServerOptions private_options(const Config& config) {
  http::ServerOptions options;
  options.address = config.private_address;
  options.tls = config.private_tls;
  options.threads = 1;
  options.body_bytes_max = std::size_t{1} << 20U;
  options.connections_max = 4'000;
  return options;
}

// The files of one listener's certificate, as they were when they were last read.
class WatchedCertificate {
 public:
  explicit WatchedCertificate(std::optional<http::TlsFiles> files) : files_(std::move(files)), seen_(stamp()) {}

  void look(http::Server& server, std::string_view listener) {
    const std::string now = stamp();
    if (now == seen_) return;
    seen_ = now;
    if (const auto reloaded = server.reload_tls(); !reloaded) {
      runtime::log::error(
          "tls.certificate_refused",
          {{"listener", listener}, {"message", reloaded.error().message}, {"cause", reloaded.error().cause}});
      return;
    }
    runtime::log::info("tls.certificate_read", {{"listener", listener}});
  }

 private:
  [[nodiscard]] std::string stamp() const {
    std::string stamps;
    if (!files_) return stamps;
    for (const std::string& file : {files_->certificate, files_->key}) {
      struct stat status{};
      if (::stat(file.c_str(), &status) != 0) continue;
      stamps +=
          fmt::format("{}.{}.{}.{} ", status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    }
    return stamps;
  }

  const std::optional<http::TlsFiles> files_;
  std::string seen_;
};

// Everything that runs, in the order in which it is opened; destroyed the other way round.
class House {
 public:
  explicit House(Config config)
      : config_(std::move(config)),
        public_certificate_(config_.public_tls),
        private_certificate_(config_.private_tls) {}

  Result<void> open(Ending& ending) {
    if (auto made = runtime::make_directories(config_.data_dir, 0700); !made) return made;
    auto lock = runtime::DirectoryLock::take(config_.data_dir);
    if (!lock) return forward_error(std::move(lock));
    lock_ = std::make_unique<runtime::DirectoryLock>(std::move(*lock));

    auto admin_key = load_or_create_admin_key(admin_key_path(config_.data_dir));
    if (!admin_key) return forward_error(std::move(admin_key));
    auto master = runtime::MasterKey::load_or_create(master_key_path(config_.data_dir));
    if (!master) return forward_error(std::move(master));
    sync::ResultIndex index = sync::result_index(*master);
    index.panic_flags = config_.critical.panic_flags;
    documents_vault_.emplace(*master, "documents");
    tokens_vault_.emplace(*master, "tokens");

    auto audit_key = runtime::MasterKey::load_or_create(audit_key_path(config_.data_dir));
    if (!audit_key) return forward_error(std::move(audit_key));
    const AccessKeys keys{*admin_key, master->key(), audit_key->key()};

    vault_ = std::make_unique<runtime::Vault>(*master, "endpoints");

    auto store =
        open_store(config_, std::move(*master), clock_, [&ending](const Error& error) { ending.store_failed(error); });
    if (!store) return forward_error(std::move(store));
    log_ = std::move(store->log);
    views_ = std::move(store->views);
    audit_ = std::move(store->audit);
    shared_log_ = store->shared;

    const sync::SyncOptions options = sync_options(config_, std::move(index));
    sync_ = std::make_unique<sync::Sync>(*log_, *views_, clock_, metrics_, options, std::move(store->slots));
    if (auto checked = sync_->check(); !checked) return checked;
    readable_log_ = std::make_unique<sync::ReadableLog>(*log_, *views_, *documents_vault_, options.common_form);
    if (auto opened = open_delivery(); !opened) return opened;
    if (auto opened = open_network(options); !opened) return opened;
    critical_ = std::make_unique<sync::CriticalWatch>(*views_, *readable_log_, clock_, metrics_, config_.critical);
    open_api(keys, ending);
    webhook_ = std::make_unique<intake::Webhook>(config_.sources, *log_, clock_, metrics_);
    log_->on_commit([this](Sequence) { sync_->wake(); });
    sync_->on_feed([this] { feed_changed(); });
    if (shared_log_ != nullptr) shared_log_->on_feed([this] { feed_changed(); });
    sync_->on_applied([this] {
      network_->records_applied();
      critical_->wake();
    });
    critical_->on_told([this] { delivery_->wake(); });
    sync_->start([&ending](const Error& error) { ending.store_failed(error); });
    delivery_->start([&ending](const Error& error) { ending.store_failed(error); });
    critical_->start([&ending](const Error& error) { ending.store_failed(error); });
    network_->start([&ending](const Error& error) {
      if (error.code != store::kUnavailable) return ending.store_failed(error);
      runtime::log::warning("network.unavailable", {{"cause", error.cause}});  // what it was at is tried again
    });
    return open_listeners();
  }

  // P2: nothing new is taken, what is in flight is answered, and what was taken is applied as far as it goes.
  void close() {
    if (ready_.exchange(false)) remove_server_file(config_.data_dir);
    if (public_) public_->stop(kPublicPatience);
    if (api_) api_->stop();
    if (private_) private_->stop(kPrivatePatience);
    if (network_) network_->stop();
    if (critical_) critical_->stop();
    if (delivery_) delivery_->stop(kDeliveryPatience);
    if (sync_) sync_->stop();
    if (log_) log_->close();
  }

  [[nodiscard]] ServerFile addresses() const {
    return {.pid = ::getpid(),
            .public_address = public_->address(),
            .private_address = private_->address(),
            .config_file = config_.file,
            .public_tls = config_.public_tls.has_value(),
            .private_tls = config_.private_tls.has_value()};
  }
  // Certificates whose files have changed are shown to new connections; what cannot be used is told, and changes
  // nothing.
  void look_for_certificates() {
    public_certificate_.look(*public_, "public");
    private_certificate_.look(*private_, "private");
  }
  [[nodiscard]] const Config& config() const { return config_; }
  [[nodiscard]] Sequence records() const { return log_->end(); }

 private:
  Result<void> open_network(const sync::SyncOptions& options) {
    auto network = network::Network::open({.settings = config_.network,
                                           .views = *views_,
                                           .audit = *audit_,
                                           .log = *log_,
                                           .clock = clock_,
                                           .metrics = metrics_,
                                           .documents = *documents_vault_,
                                           .tokens = *tokens_vault_,
                                           .apply = {.result_types = options.result_types,
                                                     .other_types = options.other_types,
                                                     .thin = options.thin,
                                                     .common_form = options.common_form,
                                                     .index = options.index},
                                           .feed_changed = [this] { feed_changed(); },
                                           .applied = [this] { return sync_->applied(); },
                                           .wake_sync = [this] { sync_->wake(); }},
                                          encode_hex(runtime::random_bytes(8)));
    if (!network) return forward_error(std::move(network));
    network_ = std::move(*network);
    return {};
  }

  struct AccessKeys {
    Secret<std::string> admin;
    Secret<runtime::Key256> master;
    Secret<runtime::Key256> audit;
  };

  void open_api(const AccessKeys& keys, Ending& ending) {
    api::ApiContext context{.views = *views_,
                            .audit_log = *audit_,
                            .log = *readable_log_,
                            .sync = *sync_,
                            .endpoints = *endpoints_,
                            .clock = clock_,
                            .metrics = metrics_,
                            .admin_key = keys.admin,
                            .master_key = keys.master,
                            .audit_key = keys.audit,
                            .rate = {config_.limits.key_requests_per_second, config_.limits.key_burst},
                            .sources = {},
                            .version = std::string(kVersion)};
    context.panic_flags = config_.critical.panic_flags;
    context.received = log_.get();
    context.network = network_.get();
    for (const vendors::Source& source : config_.sources) context.sources.push_back(source.id);
    context.audit.on_checkpoint = [path = audit_checkpoints_path(config_.data_dir)](const auto& checkpoint) {
      if (const auto kept = append_line(path, store::line_of(checkpoint)); !kept)
        runtime::log::error("audit.checkpoint_not_kept", {{"code", kept.error().code}});
    };
    context.items_issued = [this] {
      delivery_->wake();
      critical_->wake();
    };
    context.reviewed = [this] { critical_->wake(); };
    context.readiness = [this, &ending] {
      std::vector<api::ReadinessCheck> checks{{.name = "store", .ok = !ending.has_failed()},
                                              {.name = "listeners", .ok = ready_.load()}};
      if (shared_log_ != nullptr) {
        const std::string faults = shared_log_->durability_faults();
        checks.push_back({.name = "database", .ok = shared_log_->reachable()});
        checks.push_back({.name = "durability", .ok = faults.empty(), .detail = faults});
      }
      return checks;
    };
    api_ = std::make_unique<api::Api>(std::move(context));
  }

  void feed_changed() {
    api_->feed_changed();
    delivery_->wake();
  }

  Result<void> open_delivery() {
    webhook_items_ = std::make_unique<api::WebhookItems>(*views_, *readable_log_);
    delivery::DeliveryOptions options = config_.delivery;
    options.sole_owner = shared_log_ == nullptr;
    options.receipts_file = receipts_path(config_.data_dir);
    options.user_agent = "resultsync/" + std::string(kVersion);
    auto delivery = delivery::Delivery::open(*views_, *vault_, *webhook_items_, clock_, metrics_, std::move(options));
    if (!delivery) return forward_error(std::move(delivery));
    delivery_ = std::move(*delivery);
    endpoints_ = std::make_unique<delivery::Endpoints>(*views_, *vault_, config_.delivery.destinations,
                                                       [this] { delivery_->endpoints_changed(); });
    return {};
  }

  Result<void> open_listeners() {
    auto private_listener =
        http::Server::start(private_options(config_), [this](http::Request request, http::Responder respond) {
          api_->handle(std::move(request), std::move(respond));
        });
    if (!private_listener) return listener_error("server.private", private_listener.error());
    private_ = std::move(*private_listener);
    http::ServerOptions options = public_options(config_);
    options.on_refusal = [this](http::Refusal refusal) { webhook_->on_refusal(refusal); };
    auto public_listener =
        http::Server::start(std::move(options), [this](http::Request request, http::Responder respond) {
          if (network::Connect::is_ours(request.path)) {
            return network_->connect().handle(std::move(request), std::move(respond));
          }
          webhook_->handle(std::move(request), std::move(respond));
        });
    if (!public_listener) return listener_error("server.public", public_listener.error());
    public_ = std::move(*public_listener);
    const std::string usual = (config_.public_tls ? "https://" : "http://") + public_->address();
    network_->connect().set_public_url(config_.network.public_url.empty() ? usual : config_.network.public_url);
    if (auto written = write_server_file(config_.data_dir, addresses()); !written) return written;
    ready_ = true;
    return {};
  }

  static Result<void> listener_error(std::string_view setting, const Error& error) {
    return fail(
        error.code, fmt::format("{}: {}", setting, error.message),
        error.cause + (error.code == "address_in_use" ? "\nstop what listens there, or choose another port" : ""));
  }

  const Config config_;
  WatchedCertificate public_certificate_;
  WatchedCertificate private_certificate_;
  runtime::SystemClock clock_;
  runtime::Metrics metrics_;
  std::atomic<bool> ready_ = false;
  std::unique_ptr<runtime::DirectoryLock> lock_;
  std::unique_ptr<intake::Webhook> webhook_;  // before the log: the log's last commits are still reported to it
  std::unique_ptr<store::EventLog> log_;
  store::PostgresLog* shared_log_ = nullptr;  // the log, where other instances share it
  std::unique_ptr<store::Views> views_;
  std::unique_ptr<store::AuditLog> audit_;
  std::optional<runtime::Vault> documents_vault_;
  std::optional<runtime::Vault> tokens_vault_;
  std::unique_ptr<sync::ReadableLog> readable_log_;
  std::unique_ptr<sync::Sync> sync_;
  std::unique_ptr<runtime::Vault> vault_;
  std::unique_ptr<api::WebhookItems> webhook_items_;
  std::unique_ptr<delivery::Delivery> delivery_;
  std::unique_ptr<delivery::Endpoints> endpoints_;
  std::unique_ptr<sync::CriticalWatch> critical_;
  std::unique_ptr<network::Network> network_;
  std::unique_ptr<api::Api> api_;
  std::unique_ptr<http::Server> private_;
  std::unique_ptr<http::Server> public_;
};

class Serve final : public Command {
 public:
  void declare(Options& options) override { config_.declare(options); }

  ExitCode run(Terminal& terminal) override {
    if (!config_.file && resultsync_environment().empty()) {
      terminal.talk() << "resultsync: which configuration? Use: resultsync serve --config FILE\n\n"
                         "This is enough; save it as resultsync.toml, with the network's signing secret in rupa.secret "
                         "beside it:\n\n"
                      << minimal_config();
      return ExitCode::kConfig;
    }
    LoadedConfig loaded = config_.load();
    terminal.talk() << describe(loaded.warnings);
    if (!loaded.problems.empty()) {
      terminal.talk() << describe(loaded.problems);
      return ExitCode::kConfig;
    }
    harden_process();
    runtime::log::set_level(loaded.config.log_level);
    const bool speaks_tls = loaded.config.public_tls || loaded.config.private_tls;
    auto ending = Ending::prepare(speaks_tls ? Ending::Hangup::kLooks : Ending::Hangup::kEnds);
    if (!ending) return terminal.complain(ending.error());
    return serve(terminal, std::move(loaded.config), **ending);
  }

 private:
  static ExitCode serve(const Terminal& terminal, Config config, Ending& ending) {
    House house(std::move(config));
    if (auto opened = house.open(ending); !opened) {
      ExitCode code = terminal.complain(opened.error());
      if (opened.error().code == "io_error" || opened.error().code == "disk_full") code = ExitCode::kStoreFailure;
      terminal.out().flush();
      house.close();
      return code;
    }
    announce(terminal, house);
    if (ending.wait([&house] { house.look_for_certificates(); }) == Ending::Why::kStoreFailed) {
      // Nothing is closed in order: a flush after a failed one would pretend to have worked.
      ::_exit(static_cast<int>(ExitCode::kStoreFailure));
    }
    runtime::log::info("server.stopping", {{"records", house.records().value}});
    ending.stop_waiting();
    const auto limit = end_in_time();
    house.close();
    if (ending.has_failed()) return ExitCode::kStoreFailure;
    runtime::log::info("server.stopped", {{"records", house.records().value}});
    return ExitCode::kOk;
  }

  // P2, whatever else the machine is busy with: a background thread may have to wait for a processor. What was
  // acknowledged is durable, and every step can be cut off at any instruction.
  static std::jthread end_in_time() {
    return runtime::start_thread("closing", [](const std::stop_token& stop) {
      std::mutex mutex;
      std::condition_variable_any closed;
      std::unique_lock lock(mutex);
      closed.wait_for(lock, stop, kClosingMax, [] { return false; });
      if (stop.stop_requested()) return;
      runtime::log::warning("server.cut_off", {{"reason", "not everything had stopped in time"}});
      ::_exit(static_cast<int>(ExitCode::kOk));
    });
  }

  static void announce(const Terminal& terminal, const House& house) {
    const ServerFile addresses = house.addresses();
    runtime::log::info("server.ready", {{"public", addresses.public_address},
                                        {"private", addresses.private_address},
                                        {"data_dir", house.config().data_dir},
                                        {"records", house.records().value}});
    std::string paths;
    for (const vendors::Source& source : house.config().sources) {
      paths +=
          (paths.empty() ? "" : ", ") + (source.paths.empty() ? "/webhooks/" + source.id.text() : source.paths.front());
    }
    terminal.talk() << terminal.on_talk(Paint::kGreen, "Ready.") << " Webhooks at "
                    << (addresses.public_tls ? "https://" : "http://") << addresses.public_address << paths
                    << ", API at " << (addresses.private_tls ? "https://" : "http://") << addresses.private_address
                    << ", key in " << admin_key_path(house.config().data_dir) << '\n';
    terminal.talk().flush();
  }

  ConfigOptions config_;
};

}  // namespace

std::unique_ptr<Command> make_serve() {
  return std::make_unique<Serve>();
}

}  // namespace resultsync::cli
