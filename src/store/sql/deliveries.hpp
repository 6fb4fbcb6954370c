// The queries of endpoints and deliveries (store/deliveries.hpp) on one connection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/deliveries.hpp"
#include "store/sql/database.hpp"

namespace resultsync::store::sql {

class SqlDeliveryReads final : public DeliveryReads {
 public:
  explicit SqlDeliveryReads(Database& database) : database_(database) {}

  std::vector<EndpointRow> endpoints(Reach reach) override;
  std::optional<EndpointRow> endpoint(const std::string& id, Reach reach) override;
  EndpointCounts counts(EndpointKey endpoint) override;

  std::vector<DeliveryView> deliveries(const DeliveryFilter& filter, DeliveryKey before, std::size_t limit) override;
  std::optional<DeliveryView> delivery(DeliveryKey key, std::int64_t nonce, Reach reach) override;
  std::vector<AttemptRow> attempts(DeliveryKey key) override;
  DeliveryKey last_delivery() override;
  std::optional<Timestamp> next_due(EndpointKey endpoint, DeliveryKey after) override;

  std::optional<Job> job(JobKey key, Reach reach) override;
  std::vector<Job> jobs(Reach reach, JobKey before, std::size_t limit) override;
  std::vector<Job> running_jobs() override;
  std::int64_t count_dead(const Job& job) override;
  std::int64_t count_items(const Job& job, const EndpointRow& endpoint) override;

 private:
  Database& database_;
};

class SqlDeliveryWrites final : public DeliveryWrites {
 public:
  explicit SqlDeliveryWrites(Database& database) : database_(database), reader_(database) {}
  DeliveryReads& read() override { return reader_; }

  EndpointKey add_endpoint(const EndpointRow& endpoint) override;
  void save_endpoint(const EndpointRow& endpoint) override;
  void plan(const ConnectionRow& connection, const Entry& entry, std::int64_t position, Timestamp now) override;
  DeliveryRow add(EndpointKey endpoint, const std::string& type, const std::string& note, Timestamp now) override;
  void announce(OrderKey order, const std::vector<ConnectionRow>& connections, const std::string& type,
                const std::string& note, Timestamp now) override;
  void only_claims() override { database_.need_not_wait_for_the_disk(); }
  std::vector<DueDelivery> claim(const EndpointRow& endpoint, Timestamp now, Timestamp lease_until,
                                 std::size_t limit) override;
  Finished finish(const Finish& finish, Timestamp now) override;
  bool skip(const DeliveryRow& row, const std::string& reason, Timestamp now) override;
  std::size_t release_leases(Timestamp expired_before, Timestamp now) override;
  void bound_schedule(Timestamp latest) override;
  std::size_t sweep(const EndpointRow& endpoint, Timestamp now, std::size_t limit) override;
  bool retry(DeliveryKey key) override;
  JobKey add_job(const Job& job) override;
  void save_job(const Job& job) override;
  void advance_retry(Job& job, Timestamp now, std::size_t limit) override;
  void advance_replay(Job& job, const EndpointRow& endpoint, Timestamp now, std::size_t limit) override;
  DeliveryKey prune(DeliveryKey after, Timestamp before, std::size_t limit) override;

 private:
  const std::vector<EndpointRow>& takers();
  bool may_know(const EndpointRow& endpoint, std::string_view type, const std::vector<ConnectionRow>& connections);
  std::vector<ConnectionRow> connections_of(OrderKey order);
  void insert(DeliveryRow& row);
  void insert_in_line(const EndpointRow& endpoint, const DeliveryRow& row);
  void add_item(const EndpointRow& endpoint, std::string_view type, PractitionerKey practitioner, std::int64_t position,
                OrderKey order, bool replay, Timestamp now);
  bool let_next_go(const DeliveryRow& ended);
  std::vector<DeliveryRow> claim_due_again(const EndpointRow& endpoint, Timestamp now, Timestamp lease_until,
                                           std::size_t limit);
  std::vector<DeliveryRow> claim_at_once(const EndpointRow& endpoint, Timestamp lease_until, std::size_t limit);
  void end(const DeliveryRow& row, DeliveryState state, const std::string& reason, Timestamp now);
  bool may_reach(Reach reach, const ConnectionRow& connection);
  DueDelivery load(DeliveryRow row);
  bool is_superseded(const DeliveryRow& row, const Entry& entry);
  std::int64_t next_nonce();

  Database& database_;
  SqlDeliveryReads reader_;
  // The endpoints that take items, read when the first item of the transaction is issued.
  std::optional<std::vector<EndpointRow>> takers_;
  std::string random_;  // what is left of the bytes that nonces are made of
};

}  // namespace resultsync::store::sql
