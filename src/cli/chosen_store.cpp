#include "cli/chosen_store.hpp"

#include "cli/log_reader.hpp"
#include "cli/server_file.hpp"
#include "cli/store_on_disk.hpp"
#include "store/log/segment_log.hpp"
#include "store/postgres/durability.hpp"
#include "store/postgres/postgres_audit.hpp"
#include "store/postgres/postgres_views.hpp"
#include "store/postgres/slots.hpp"
#include "store/sqlite/sqlite_audit.hpp"
#include "store/sqlite/sqlite_views.hpp"

namespace resultsync::cli {
namespace {

// Who reads a body from the log may need a second snapshot for its documents: there are enough for all threads.
constexpr std::size_t kReaders = 32;

Result<ChosenStore> open_embedded(const Config& config, runtime::MasterKey master, const runtime::Clock& clock,
                                  const std::function<void(const Error&)>& on_failure) {
  store::SegmentLogOptions options;
  options.data_dir = config.data_dir;
  options.free_bytes_min = config.limits.free_space_bytes;
  options.queue_bytes_max = config.limits.queue_bytes;
  options.on_failure = on_failure;
  auto log = store::SegmentLog::open(std::move(options), std::move(master), clock);
  if (!log) return forward_error(std::move(log));
  // Before the views: it may find its rows in their file.
  auto audit = store::open_sqlite_audit(config.data_dir, {.on_failure = on_failure});
  if (!audit) return forward_error(std::move(audit));
  auto views = store::open_sqlite_views(config.data_dir, {.readers = kReaders, .on_failure = on_failure});
  if (!views) return forward_error(std::move(views));
  return ChosenStore{.log = std::move(*log), .views = std::move(*views), .audit = std::move(*audit)};
}

Result<void> check_durable(const Config& config, const runtime::Clock& clock) {
  auto database = store::postgres::Database::open(*config.postgres);
  if (!database) return forward_error(std::move(database));
  const auto durability =
      store::postgres::examine_durability(**database, {.standby = config.store_standby}, clock.now());
  if (auto status = (*database)->status(); !status) return status;
  if (durability.sound()) return {};
  return fail("not_durable", "the database would answer commits that it may lose: " + durability.faults(),
              "change these settings of the server; docs/guides/postgres.md says what each is for");
}

Result<ChosenStore> open_shared(const Config& config, runtime::MasterKey master, const runtime::Clock& clock,
                                const std::function<void(const Error&)>& on_failure) {
  if (auto durable = check_durable(config, clock); !durable) return forward_error(std::move(durable));
  auto views = store::open_postgres_views({.connect = *config.postgres, .readers = kReaders, .on_failure = on_failure});
  if (!views) return forward_error(std::move(views));
  auto audit = store::open_postgres_audit({.connect = *config.postgres, .on_failure = on_failure});
  if (!audit) return forward_error(std::move(audit));
  store::PostgresLogOptions options;
  options.connect = *config.postgres;
  options.durability = {.standby = config.store_standby};
  options.queue_bytes_max = config.limits.queue_bytes;
  options.on_failure = on_failure;
  auto log = store::PostgresLog::open(std::move(options), std::move(master), clock);
  if (!log) return forward_error(std::move(log));
  store::PostgresLog* shared = log->get();
  return ChosenStore{.log = std::move(*log),
                     .views = std::move(*views),
                     .audit = std::move(*audit),
                     .shared = shared,
                     .slots = std::make_unique<store::postgres::PostgresSlots>(*config.postgres, clock)};
}

}  // namespace

Result<ChosenStore> open_store(const Config& config, runtime::MasterKey master, const runtime::Clock& clock,
                               const std::function<void(const Error&)>& on_failure) {
  if (config.postgres) return open_shared(config, std::move(master), clock, on_failure);
  return open_embedded(config, std::move(master), clock, on_failure);
}

Result<ChosenStore> open_store_to_read(const ServerOptions& server, const std::string& data_dir,
                                       const runtime::Clock& clock) {
  const auto config = config_of(server, data_dir);
  if (!config || !config->postgres) {
    auto views = store::open_sqlite_views_read_only(data_dir);
    if (!views) return forward_error(std::move(views));
    auto log = LogReader::open(data_dir);
    if (!log) return forward_error(std::move(log));
    return ChosenStore{.log = std::move(*log), .views = std::move(*views)};
  }
  auto master = runtime::MasterKey::load(master_key_path(data_dir));
  if (!master) return forward_error(std::move(master));
  auto views = store::open_postgres_views_read_only({.connect = *config->postgres, .on_failure = {}});
  if (!views) return forward_error(std::move(views));
  auto log = store::PostgresLog::open_read_only({.connect = *config->postgres}, std::move(*master), clock);
  if (!log) return forward_error(std::move(log));
  store::PostgresLog* shared = log->get();
  return ChosenStore{.log = std::move(*log), .views = std::move(*views), .shared = shared};
}

Result<std::unique_ptr<store::AuditLog>> open_audit_to_read(const ServerOptions& server, const std::string& data_dir) {
  const auto config = config_of(server, data_dir);
  if (!config || !config->postgres) return store::open_sqlite_audit_read_only(data_dir);
  return store::open_postgres_audit_beside({.connect = *config->postgres, .on_failure = {}});
}

Result<std::unique_ptr<store::AuditLog>> open_audit_beside(const ServerOptions& server, const std::string& data_dir) {
  const auto config = config_of(server, data_dir);
  if (!config || !config->postgres) return store::open_sqlite_audit_beside(data_dir);
  return store::open_postgres_audit_beside({.connect = *config->postgres, .on_failure = {}});
}

std::optional<Config> config_of(const ServerOptions& server, const std::string& data_dir) {
  std::optional<std::string> file = server.config;
  if (const auto running = read_server_file(data_dir); !file && running && !running->config_file.empty())
    file = running->config_file;
  if (!file) return std::nullopt;
  return load_config({.file = file, .environment = resultsync_environment(), .flags = {}}).config;
}

}  // namespace resultsync::cli
