// The event log, the views and the audit log that the configuration chose: files in data_dir, or a PostgreSQL that
// several instances share.
#pragma once

#include <functional>
#include <memory>

#include "base/result.hpp"
#include "cli/api_client.hpp"
#include "cli/config.hpp"
#include "runtime/clock.hpp"
#include "runtime/keys.hpp"
#include "store/audit.hpp"
#include "store/event_log.hpp"
#include "store/postgres/postgres_log.hpp"
#include "store/slots.hpp"
#include "store/views.hpp"

namespace resultsync::cli {

struct ChosenStore {
  std::unique_ptr<store::EventLog> log = nullptr;
  std::unique_ptr<store::Views> views = nullptr;
  std::unique_ptr<store::AuditLog> audit = nullptr;  // of a server
  store::PostgresLog* shared = nullptr;              // the log, where other instances may share it
  // Of a server that shares the sync step with others; null: all of it is this process's.
  std::unique_ptr<store::SlotLeases> slots = nullptr;
};

// For a server. `on_failure` is told of what ends the process. Errors: those of the engine; `not_durable`, where the
// database would answer a commit that it may lose.
Result<ChosenStore> open_store(const Config& config, runtime::MasterKey master, const runtime::Clock& clock,
                               const std::function<void(const Error&)>& on_failure);

// To look at it, beside a running server or without one. Which store it is says the configuration: that of --config,
// else that of the server which runs on the data directory.
Result<ChosenStore> open_store_to_read(const ServerOptions& server, const std::string& data_dir,
                                       const runtime::Clock& clock);

// The audit log of that store, to look at, or to append a row to beside a running server.
Result<std::unique_ptr<store::AuditLog>> open_audit_to_read(const ServerOptions& server, const std::string& data_dir);
Result<std::unique_ptr<store::AuditLog>> open_audit_beside(const ServerOptions& server, const std::string& data_dir);

// The configuration that a command which reads the store works by; nothing without one.
std::optional<Config> config_of(const ServerOptions& server, const std::string& data_dir);

}  // namespace resultsync::cli
