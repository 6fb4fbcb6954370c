// The queries of store/network.hpp on one connection.
#pragma once

#include "store/network.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

// The question of told_missing(order), so that it can be asked together with others: its parameter is the order's key.
extern const char* const kToldMissingOfOrder;
std::vector<ToldMissing> told_missing_rows(Query& query);

class SqlNetworkReads final : public NetworkReads {
 public:
  explicit SqlNetworkReads(Database& database) : database_(database) {}
  std::vector<DocumentUse> uses_of(Sequence record) override;
  std::vector<DocumentUse> due_uses(Timestamp now, std::size_t limit) override;
  std::vector<DocumentUse> open_uses_of(const SourceId& source, const Sha256& link) override;
  std::optional<DocumentRow> document(const Sha256& sha256) override;
  bool has_pending_documents(OrderKey order) override;
  DocumentTotals document_totals() override;
  std::vector<MissingDocument> missing_documents(const MissingFilter& filter, Sequence after,
                                                 std::size_t events) override;
  std::vector<ToldMissing> told_missing(OrderKey order) override;
  std::map<OrderKey, std::vector<ToldMissing>> told_missing(std::span<const OrderKey> orders) override;
  std::optional<Authorization> authorization(const SourceId& source, const AppPractitionerId& id) override;
  std::optional<Authorization> authorization(AuthorizationKey key) override;
  std::vector<Authorization> authorizations() override;
  std::vector<Authorization> authorizations_of(const AppPractitionerId& id) override;
  std::optional<ConnectLink> connect_link(const Sha256& link) override;
  std::optional<ConnectLink> connect_link_of_state(const Sha256& state) override;
  std::vector<NetworkRun> runs(std::size_t limit) override;
  std::optional<NetworkRun> run(RunKey key) override;
  std::optional<NetworkRun> next_run() override;
  std::optional<NetworkRun> last_run(const SourceId& source, const ClinicId& clinic) override;
  std::vector<PractitionerId> practitioners_without_clinic(const SourceId& source, std::size_t limit) override;
  std::vector<ClinicActivity> activity(Sequence after, Sequence through) override;
  std::vector<std::pair<SourceId, ClinicId>> connected_clinics() override;

 private:
  Database& database_;
};

class SqlNetworkWrites final : public NetworkWrites {
 public:
  explicit SqlNetworkWrites(Database& database) : database_(database) {}
  void save_use(const DocumentUse& use) override;
  Retried retry_missing(const MissingFilter& filter, Timestamp now) override;
  void add_document(const DocumentRow& document) override;
  void note_told_missing(OrderKey order, const ToldMissing& missing) override;
  AuthorizationKey add_authorization(const Authorization& authorization) override;
  void save_authorization(const Authorization& authorization) override;
  void add_connect_link(const ConnectLink& link) override;
  void save_connect_link(const ConnectLink& link) override;
  void drop_connect_links(Timestamp expired_before) override;
  RunKey add_run(const NetworkRun& run) override;
  void save_run(const NetworkRun& run) override;

 private:
  Database& database_;
};

// For WriterSession::copy_facts: what a rebuild needs of these tables.
void copy_network_facts(Database& from, Database& to);

}  // namespace resultsync::store::sql
