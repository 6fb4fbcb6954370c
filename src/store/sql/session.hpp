// The queries of the views on one connection: what a snapshot reads, and what the writer's transaction writes.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "store/sql/access.hpp"
#include "store/sql/asked.hpp"
#include "store/sql/database.hpp"
#include "store/sql/deliveries.hpp"
#include "store/sql/network.hpp"
#include "store/sql/readers.hpp"
#include "store/sql/results.hpp"
#include "store/sql/reviews.hpp"
#include "store/views.hpp"

namespace resultsync::store::sql {

class Session : public ViewsSnapshot {
 public:
  explicit Session(Database& database) : database_(database) {}

  [[nodiscard]] Result<void> status() const override { return database_.status(); }

  Sequence applied() override;
  std::vector<SlotProgress> progress() override;
  std::vector<Dispatch> dispatches() override { return {}; }
  std::string log_id() override;
  std::string feed_epoch() override;

  std::optional<EventRow> event(const SourceId& source, const EventId& id) override;
  std::vector<EventRow> events_named(const EventId& id, Reach reach) override;
  std::optional<EventRow> event_of_record(Sequence record) override;
  std::map<Sequence, EventRow> events_of_records(std::span<const Sequence> records) override;
  std::vector<ReceiptRow> receipts(Sequence event_record) override;
  std::vector<EventRow> events(const EventFilter& filter, Sequence after, std::size_t limit, Reach reach) override;
  std::vector<EventRow> waiting(Sequence after, std::size_t limit) override;
  std::vector<EventRow> waiting_of(OrderKey order) override;

  std::optional<OrderRecord> order(const SourceId& source, const OrderId& id) override;
  std::optional<OrderRecord> order(OrderKey key) override;
  std::optional<WholeOrder> whole_order(OrderKey key) override;
  std::map<OrderKey, OrderRecord> orders(std::span<const OrderKey> keys) override;
  void fill_facts(OrderRecord& order) override;
  std::vector<OrderRow> orders_named(const OrderId& id, Reach reach) override;
  std::vector<OrderRow> orders(const OrderFilter& filter, OrderPlace after, std::size_t limit, Reach reach) override;
  std::vector<OrderKey> orders_without_clinic(const SourceId& source, const PractitionerId& practitioner) override;
  std::vector<OrderKey> orders_of_clinic(const SourceId& source, const ClinicId& clinic, OrderKey after,
                                         std::size_t limit) override;
  std::int64_t count_orders_of_clinic(const SourceId& source, const ClinicId& clinic) override;
  std::vector<ClinicId> clinics_of(const SourceId& source, const PractitionerId& practitioner) override;

  std::optional<PractitionerRow> practitioner(const AppPractitionerId& id, Reach reach) override;
  std::vector<PractitionerRow> practitioners(const AppPractitionerId& after, std::size_t limit, Reach reach) override;
  bool may_connect(const AppPractitionerId& id, const SourceId& source, const ClinicId& clinic, Reach reach) override;
  std::vector<ConnectionRow> connections(const SourceId& source, const ClinicId& clinic) override;
  std::optional<ConnectionRow> connection(ConnectionKey key) override;
  std::vector<Backfill> unfinished_backfills() override;

  std::vector<Entry> entries(OrderKey order, EntryKey through) override;
  EntryKey last_entry() override;
  std::vector<FeedRow> feed(PractitionerKey practitioner, std::int64_t after, std::size_t limit, Reach reach) override;

  AccessReads& access() override { return access_; }
  DeliveryReads& deliveries() override { return deliveries_; }
  ReaderReads& readers() override { return readers_; }
  ReviewReads& reviews() override { return reviews_; }

  NetworkReads& network() override { return network_; }

  ResultReads& results() override { return results_; }

  Totals totals() override;
  void dump(const std::function<bool(std::string_view line)>& line) override;

 protected:
  friend class WriterSession;
  // Those of the ids that are known, of every source. A name may be given more than once.
  std::vector<std::pair<SourceId, EventId>> events_of(const AskedTexts& ids);
  std::vector<OrderRecord> orders_of(const AskedTexts& ids);
  std::vector<ConnectionRow> connections_of(const AskedTexts& clinics);

  Database& database_;

 private:
  void fill_history(OrderRecord& order, OrderKey key);
  void fill_histories(std::span<OrderRecord> orders);
  bool sees_few_orders(std::int64_t practitioner, Reach reach);
  void fill_connections(PractitionerRow& practitioner, Reach reach);

  SqlAccessReads access_{database_};
  SqlDeliveryReads deliveries_{database_};
  SqlReaderReads readers_{database_};
  SqlReviewReads reviews_{database_};

  SqlNetworkReads network_{database_};
  SqlResultReads results_{database_};
};

// What is known to be in the tables for ever, so that the next event which shows it again need not ask. Belongs to the
// writer; forgotten when a transaction is given up, or when it has grown large.
struct KnownFacts {
  std::unordered_set<std::string> practitioner_clinics;
  KnownNames of_results;
  void clear() { *this = {}; }
};

// What the writer's transaction reads. It remembers what the events of a batch ask again and again, and asks together
// for what they would ask one by one. All of it is true of the transaction that it belongs to: nobody else writes
// meanwhile, and what the transaction itself writes is forgotten here.
class WriterReads final : public Session {
 public:
  using Session::Session;

  void look_ahead(std::span<const EventNames> events);

  std::optional<EventRow> event(const SourceId& source, const EventId& id) override;
  std::optional<OrderRecord> order(const SourceId& source, const OrderId& id) override;
  using Session::order;
  std::vector<ConnectionRow> connections(const SourceId& source, const ClinicId& clinic) override;
  std::vector<Backfill> unfinished_backfills() override;
  EntryKey last_entry() override;

  void event_written(const SourceId& source, const EventId& id) { absent_events_.erase({source, id}); }
  void order_written(const SourceId& source, const OrderId& id) { orders_.erase({source, id}); }
  void connections_written();
  void backfills_written() { backfills_.reset(); }
  void entry_written(EntryKey key) { last_entry_ = key; }

 private:
  void look_ahead_for_connections(std::span<const EventNames> events);

  std::set<std::pair<SourceId, EventId>> absent_events_;
  std::map<std::pair<SourceId, OrderId>, std::optional<OrderRecord>> orders_;
  std::map<std::pair<SourceId, ClinicId>, std::vector<ConnectionRow>> connections_;
  std::optional<std::vector<Backfill>> backfills_;
  std::optional<EntryKey> last_entry_;
};

class WriterSession : public ViewsTransaction {
 public:
  WriterSession(Database& database, KnownFacts& known, Company company = Company::kAlone)
      : database_(database),
        known_(known),
        company_(company),
        reads_(database),
        results_(database, known.of_results, [this] { need_to_be_alone(); }) {}
  ViewsSnapshot& read() override { return reads_; }
  void look_ahead(std::span<const EventNames> events) override;

  std::vector<SlotProgress> progress() override { return reads_.progress(); }
  void set_applied(Sequence record) override;
  void bind_log(const std::string& log_id) override;

  void add_event(const EventRow& event) override;
  void set_outcome(Sequence event_record, Outcome outcome, orders::Unmatched reason) override;
  void set_flags(Sequence event_record, orders::Flags flags) override;
  void add_receipt(const ReceiptRow& receipt) override;
  bool learn_clinic(const SourceId& source, const orders::PractitionerClinic& fact, Witness witness) override;

  void add_to_history(const OrderRecord& order, const orders::EventKey& event_key,
                      const orders::Change& change) override;
  void save_order_row(const OrderRecord& order) override;

  EntryKey add_entry(const Entry& entry) override;
  void issue(const ConnectionRow& connection, const Entry& entry, bool current, bool backfill, Timestamp now) override;

  ResultWrites& results() override { return results_; }
  void note_use(const DocumentUse& use) override { network_.save_use(use); }

  PractitionerKey add_practitioner(const AppPractitionerId& id) override;
  ConnectionKey add_connection(const ConnectionRow& connection) override;
  void set_vendor_practitioner(ConnectionKey connection, const PractitionerId& vendor_practitioner) override;
  void end_connection(ConnectionKey connection, Timestamp now) override;
  void save_backfill(const Backfill& backfill) override;
  NetworkWrites& network() override { return alone(network_); }
  void copy_facts(ViewsSnapshot& from) override;

  AccessWrites& access() override { return alone(access_); }
  DeliveryWrites& deliveries() override { return alone(deliveries_); }
  ReaderWrites& readers() override { return alone(readers_); }
  ReviewWrites& reviews() override { return reviews_; }

 protected:
  // Writes what was gathered, because others may wait for it to the end of the transaction: rows that are not of one
  // order, each kind in the order of its keys, so that nobody waits for somebody who waits for them.
  void finish();
  [[nodiscard]] bool issued() const { return !issued_.empty(); }
  // Whoever works beside others holds the practitioners' rows to the commit, so that positions become visible in their
  // order (D5). Called with ever greater keys.
  virtual void hold_practitioners(const AskedNumbers& /*keys*/) {}
  // A key that no entry had, above all that were given by whoever wrote alone before.
  virtual EntryKey next_entry();
  [[nodiscard]] bool is_alone() const { return company_ == Company::kAlone; }

  Database& database_;
  KnownFacts& known_;
  const Company company_;

 private:
  struct Issued {
    ConnectionRow connection;
    Entry entry;
    bool current = true;
    bool backfill = false;
    Timestamp at;
    std::int64_t position = 0;  // given at the end
  };
  std::map<PractitionerKey, std::int64_t> give_positions();
  // What concerns more than the orders of this transaction's slots is refused beside others.
  void need_to_be_alone();
  template <class Writes>
  Writes& alone(Writes& writes) {
    need_to_be_alone();
    return writes;
  }

  WriterReads reads_;
  SqlAccessWrites access_{database_};
  SqlDeliveryWrites deliveries_{database_};
  SqlReaderWrites readers_{database_};
  SqlReviewWrites reviews_{database_};
  SqlNetworkWrites network_{database_};
  SqlResultWrites results_;
  std::vector<Issued> issued_;
};

}  // namespace resultsync::store::sql
