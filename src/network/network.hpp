// The network's side of a server: consents, documents, directory, reconciliation. Opened after sync, closed before it.
//
// Threads: `documents` and its workers, `connect` (two workers), `network` (runs, the directory, refreshes ahead).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "network/connect.hpp"
#include "network/documents.hpp"
#include "network/patients.hpp"
#include "network/reconcile.hpp"
#include "network/silence.hpp"

namespace resultsync::network {

class Network {
 public:
  // `world.settings` and all it refers to must outlive this. Errors: those of Wire::open.
  static Result<std::unique_ptr<Network>> open(World world, std::string instance);
  ~Network();  // stops

  // `on_failure` is told once if the store fails (fail-stop).
  void start(std::function<void(const Error&)> on_failure);
  void stop();

  void records_applied() { documents_.wake(); }  // there may be new links; any thread, never blocks
  Connect& connect() { return connect_; }

  // Ends the practitioner's consents (those of `source` only, where given) and tells the network. Blocks.
  Result<std::size_t> disconnect(const AppPractitionerId& practitioner, const std::optional<SourceId>& source);

  // Asks for a reading of each connected clinic's orders (of `source` only, where given). The runs. Blocks.
  struct ReconcileRequest {
    std::optional<SourceId> source;
    Timestamp since;  // 0: all of them
  };
  Result<std::vector<store::NetworkRun>> reconcile(const ReconcileRequest& request, std::string kind);

  // Tries documents again that are missing, also those that were given up. Blocks. Errors: the store's.
  Result<store::Retried> retry_documents(const store::MissingFilter& filter);

  // Makes an order intent with the practitioner's consent; the network's answer. Errors: those of ApiClient::post.
  struct Intent {
    std::string id;
    std::string checkout_url;
  };
  Result<Intent> order_intent(const SourceId& source, const AppPractitionerId& practitioner, std::string body);

  Patients& patients() { return patients_; }

  [[nodiscard]] std::vector<SilentClinic> silent_clinics() const;

 private:
  Network(World world, std::unique_ptr<Wire> wire, std::string instance);
  void run(const std::stop_token& stop);
  void work_on_runs(const std::stop_token& stop);
  void look_up_clinics(const std::stop_token& stop);
  void refresh_ahead();
  void plan_runs();
  void listen_for_silence();
  void show_consents();
  void wake();

  const World world_;
  const std::unique_ptr<Wire> wire_;
  Tokens tokens_;
  ApiClient api_;
  Fetcher fetcher_;
  Documents documents_;
  Reconciler reconciler_;
  Connect connect_;
  Patients patients_;
  std::function<void(const Error&)> on_failure_;
  bool stopped_ = false;

  // Of the `network` thread.
  std::map<std::pair<SourceId, PractitionerId>, std::chrono::steady_clock::time_point> asked_;
  std::chrono::steady_clock::time_point run_not_before_{};
  std::chrono::steady_clock::time_point directory_not_before_{};
  Silence silence_;
  std::chrono::steady_clock::time_point silence_not_before_{};

  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  bool woken_ = false;                // guarded by mutex_
  std::vector<SilentClinic> silent_;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace resultsync::network
