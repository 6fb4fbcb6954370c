// The views: what the events in the log mean for orders, practitioners and feeds; and the durable facts beside them
// (connections, version numbers, what was handed out). A step of the pipeline reads and writes them in one transaction,
// so that its effects and its progress become durable together and happen once.
//
// Errors are sticky: after one, reads give nothing and writes do nothing, and commit() or status() says what it was. So
// a step reads as a plain sequence of calls, and none of its effects can survive a failure in the middle.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/sequence.hpp"
#include "base/timestamp.hpp"
#include "orders/event.hpp"
#include "orders/history.hpp"
#include "orders/match.hpp"
#include "store/access.hpp"
#include "store/keys.hpp"
#include "store/reach.hpp"
#include "store/results.hpp"
#include "store/slots.hpp"
#include "store/unavailable.hpp"

namespace resultsync::store {

struct DocumentUse;  // network.hpp
class NetworkReads;
class NetworkWrites;

// What became of an event.
enum class Outcome {
  kSynced,       // merged, and given to everybody connected to its clinic (also where it said nothing new)
  kWaiting,      // Unmatched: `reason` says why (S6)
  kNoResults,    // a type that is known to carry none: nothing is to be done
  kUnknownType,  // a type that the source's configuration does not name
  kUnreadable,   // no order can be read from it
};
std::string_view name_of(Outcome outcome);  // "synced", "waiting", "no_results", "unknown_type", "unreadable"

struct EventRow {
  Sequence record;  // of the first body under this id: the one that is applied (I2)
  SourceId source;
  EventId id;
  std::string type;
  Timestamp created_at;  // orders::kNoTime if it had none
  Timestamp received_at;
  Sha256 body;
  orders::Flags flags;
  Outcome outcome = Outcome::kSynced;
  orders::Unmatched reason = orders::Unmatched::kNone;
  OrderId order;  // may be empty
  OrderKey order_key;
};

// What an event is about to ask for: whether it is known, its order, and who is connected to the clinic that it names.
struct EventNames {
  SourceId source;
  EventId event;
  OrderId order;    // may be empty
  ClinicId clinic;  // may be empty
};

enum class ReceiptKind { kDuplicate, kConflict };
std::string_view name_of(ReceiptKind kind);
struct ReceiptRow {
  Sequence record;
  Sequence event_record;
  Timestamp received_at;
  ReceiptKind kind = ReceiptKind::kDuplicate;
  Sha256 body;
  bool stale = false;
};

struct OrderRow {
  OrderKey key;
  SourceId source;
  OrderId id;
  ClinicId clinic;                                      // empty while it is not known
  orders::Unmatched reason = orders::Unmatched::kNone;  // why there is no clinic
  // The newest entry there was when somebody was first given the order, which settled its clinic (S5); 0 while it is
  // parked. A connection made before that moment gets all that was parked, one made later what is current.
  EntryKey delivered_at;
  Sequence settled_at;       // the last of the order's records that was merged before the clinic was settled
  bool by_operator = false;  // an operator named the clinic
  Timestamp updated_at;      // when its newest news were received
};
struct OrderRecord {
  OrderRow row;
  orders::OrderHistory history;
};

// A connection of an application practitioner to a clinic of a network.
struct ConnectionRow {
  ConnectionKey key;
  PractitionerKey practitioner;
  AppPractitionerId app_practitioner;
  SourceId source;
  ClinicId clinic;
  PractitionerId vendor_practitioner;  // may be empty
  Timestamp created_at;
};
struct Backfill {
  ConnectionKey connection;
  EntryKey through;  // entries up to this one are the job's; later ones come live
  OrderKey after;    // done up to this order
  std::int64_t orders_done = 0;
  std::int64_t orders_total = 0;
  bool finished = false;
};

// One thing worth telling, whoever it is told to.
struct Entry {
  EntryKey key;
  OrderKey order;
  orders::Notice notice;
};
struct FeedRow {
  std::int64_t position = 0;  // 1, 2, 3 … per practitioner, without gaps
  Entry entry;
  ConnectionRow connection;
  bool current = true;  // as of when it was issued
  bool backfill = false;
  Timestamp issued_at;
  OrderId order;
};

struct PractitionerRow {
  PractitionerKey key;
  AppPractitionerId app_practitioner;
  std::int64_t last_position = 0;
  std::vector<ConnectionRow> connections;  // live ones
  std::vector<Backfill> backfills;         // of those connections
};

struct EventFilter {
  std::optional<SourceId> source;
  std::optional<std::string> type;
  std::optional<Outcome> outcome;
  bool conflicts_only = false;
  bool newest_first = false;
};
struct OrderFilter {
  std::optional<PractitionerKey> practitioner;  // visible to this application practitioner
  std::optional<PatientId> patient;
  std::optional<Timestamp> updated_since;
};
struct OrderPlace {  // where a page of orders ended
  Timestamp updated_at;
  OrderKey key;
};

struct Totals {
  std::int64_t events = 0;
  std::int64_t duplicates = 0;
  std::int64_t conflicts = 0;
  std::int64_t orders = 0;
  std::int64_t results = 0;  // result versions
  std::int64_t feed_items = 0;
  std::int64_t practitioners = 0;
  std::vector<std::pair<std::string, std::int64_t>> outcomes;  // by name
  std::vector<std::pair<std::string, std::int64_t>> waiting;   // events by reason
};

class DeliveryReads;   // store/deliveries.hpp
class DeliveryWrites;  // store/deliveries.hpp
class ReaderReads;     // store/readers.hpp
class ReaderWrites;    // store/readers.hpp
class ReviewReads;     // store/reviews.hpp
class ReviewWrites;    // store/reviews.hpp
struct WholeOrder;     // store/whole_order.hpp

// A consistent look at the views. Used by one thread at a time; hold it briefly.
class ViewsSnapshot {
 public:
  virtual ~ViewsSnapshot() = default;
  [[nodiscard]] virtual Result<void> status() const = 0;

  virtual Sequence applied() = 0;                    // up to here the effects of all records are in the views
  virtual std::vector<SlotProgress> progress() = 0;  // of each slot: those of its records are, up to there
  // The slots that records were given, at least of those that are not applied in all slots.
  virtual std::vector<Dispatch> dispatches() = 0;
  virtual std::string log_id() = 0;      // of the log that these are views of; empty before the first
  virtual std::string feed_epoch() = 0;  // cursors of another epoch are void

  virtual std::optional<EventRow> event(const SourceId& source, const EventId& id) = 0;
  // Of every source. A limited reach sees the events of the orders it sees, but none that names another clinic than its
  // order's.
  virtual std::vector<EventRow> events_named(const EventId& id, Reach reach) = 0;
  virtual std::optional<EventRow> event_of_record(Sequence record) = 0;  // of its body or of a receipt of it
  // The same for several, asked for together; those of no event are left out.
  virtual std::map<Sequence, EventRow> events_of_records(std::span<const Sequence> records) = 0;
  virtual std::vector<ReceiptRow> receipts(Sequence event_record) = 0;
  virtual std::vector<EventRow> events(const EventFilter& filter, Sequence after, std::size_t limit, Reach reach) = 0;
  virtual std::vector<EventRow> waiting(Sequence after, std::size_t limit) = 0;  // with reason; oldest first
  virtual std::vector<EventRow> waiting_of(OrderKey order) = 0;

  virtual std::optional<OrderRecord> order(const SourceId& source, const OrderId& id) = 0;
  virtual std::optional<OrderRecord> order(OrderKey key) = 0;
  // With all that is known of it, for few questions (store/whole_order.hpp).
  virtual std::optional<WholeOrder> whole_order(OrderKey key) = 0;
  // The same for several, asked for together; those that are not there are left out.
  virtual std::map<OrderKey, OrderRecord> orders(std::span<const OrderKey> keys) = 0;
  // The durable facts about an order that is not in the views yet: a rebuild starts from them.
  virtual void fill_facts(OrderRecord& order) = 0;
  virtual std::vector<OrderRow> orders_named(const OrderId& id, Reach reach) = 0;  // of every source
  virtual std::vector<OrderRow> orders(const OrderFilter& filter, OrderPlace after, std::size_t limit, Reach reach) = 0;
  virtual std::vector<OrderKey> orders_without_clinic(const SourceId& source, const PractitionerId& practitioner) = 0;
  virtual std::vector<OrderKey> orders_of_clinic(const SourceId& source, const ClinicId& clinic, OrderKey after,
                                                 std::size_t limit) = 0;
  virtual std::int64_t count_orders_of_clinic(const SourceId& source, const ClinicId& clinic) = 0;
  virtual std::vector<ClinicId> clinics_of(const SourceId& source, const PractitionerId& practitioner) = 0;

  // With the connections that are in the reach.
  virtual std::optional<PractitionerRow> practitioner(const AppPractitionerId& id, Reach reach) = 0;
  virtual std::vector<PractitionerRow> practitioners(const AppPractitionerId& after, std::size_t limit,
                                                     Reach reach) = 0;
  // Whether somebody with this reach may connect the practitioner to the clinic: it gives nobody more than they have.
  virtual bool may_connect(const AppPractitionerId& id, const SourceId& source, const ClinicId& clinic,
                           Reach reach) = 0;
  virtual std::vector<ConnectionRow> connections(const SourceId& source, const ClinicId& clinic) = 0;
  virtual std::optional<ConnectionRow> connection(ConnectionKey key) = 0;
  virtual std::vector<Backfill> unfinished_backfills() = 0;

  virtual std::vector<Entry> entries(OrderKey order, EntryKey through) = 0;
  virtual EntryKey last_entry() = 0;
  // Items of a practitioner after a position, of live connections only and only while the order is of the connection's
  // clinic (S5).
  virtual std::vector<FeedRow> feed(PractitionerKey practitioner, std::int64_t after, std::size_t limit,
                                    Reach reach) = 0;

  virtual AccessReads& access() = 0;
  virtual DeliveryReads& deliveries() = 0;
  virtual ReaderReads& readers() = 0;
  virtual ReviewReads& reviews() = 0;

  virtual NetworkReads& network() = 0;

  // Results by test, patient, code and document; as good as this snapshot.
  virtual ResultReads& results() = 0;

  virtual Totals totals() = 0;
  // A line for every event and every order, in a fixed order, of all that is a function of the set of events (S1):
  // equal views give equal lines. Stops early if `line` answers false.
  virtual void dump(const std::function<bool(std::string_view line)>& line) = 0;
};

enum class Witness { kEvent, kConnection };

// Whether a transaction is the only one that writes. Beside others it may apply records of its own slots, as long as
// that concerns their orders alone; whatever goes beyond is refused as `not_alone`, and has to be done alone.
enum class Company { kAlone, kBesideOthers };
inline constexpr std::string_view kNotAlone = "not_alone";

// A transaction of a writer. Destroyed without commit() it leaves no trace.

class ViewsTransaction {
 public:
  virtual ~ViewsTransaction() = default;
  virtual ViewsSnapshot& read() = 0;  // sees the transaction's own writes
  // How many in this process wait for the writer's turn behind this transaction. Who could go on for long ends early.
  [[nodiscard]] virtual std::size_t others_waiting() const = 0;

  // These events are applied next. Changes nothing: where every question costs a round trip, what will be asked of them
  // is asked together.
  virtual void look_ahead(std::span<const EventNames> events) = 0;

  // How far every slot is, and which of them this transaction may apply.
  virtual std::vector<SlotProgress> progress() = 0;
  // All records of this transaction's slots up to this one; none goes back.
  virtual void set_applied(Sequence record) = 0;
  virtual void bind_log(const std::string& log_id) = 0;

  virtual void add_event(const EventRow& event) = 0;
  virtual void set_outcome(Sequence event_record, Outcome outcome, orders::Unmatched reason) = 0;
  virtual void set_flags(Sequence event_record, orders::Flags flags) = 0;
  virtual void add_receipt(const ReceiptRow& receipt) = 0;
  // A practitioner belongs to a clinic: an event shows it, or a connection states it (then it is a durable fact). True
  // if it is new.
  virtual bool learn_clinic(const SourceId& source, const orders::PractitionerClinic& fact, Witness witness) = 0;

  // Adds what the event of that key, and `change`, brought to the order's history; what is there already of that event
  // is replaced.
  virtual void add_to_history(const OrderRecord& order, const orders::EventKey& event_key,
                              const orders::Change& change) = 0;
  // Adds or replaces the order's row.
  virtual void save_order_row(const OrderRecord& order) = 0;

  virtual EntryKey add_entry(const Entry& entry) = 0;
  // Gives an entry to a practitioner at their next position (D5), and to every endpoint that wants it (D1).
  virtual void issue(const ConnectionRow& connection, const Entry& entry, bool current, bool backfill,
                     Timestamp now) = 0;

  virtual ResultWrites& results() = 0;  // as good as this transaction

  virtual void note_use(const DocumentUse& use) = 0;  // of a document, by an event of this transaction

  virtual PractitionerKey add_practitioner(const AppPractitionerId& id) = 0;
  virtual ConnectionKey add_connection(const ConnectionRow& connection) = 0;
  virtual void set_vendor_practitioner(ConnectionKey connection, const PractitionerId& vendor_practitioner) = 0;
  virtual void end_connection(ConnectionKey connection, Timestamp now) = 0;
  virtual void save_backfill(const Backfill& backfill) = 0;

  virtual AccessWrites& access() = 0;
  virtual DeliveryWrites& deliveries() = 0;
  virtual ReaderWrites& readers() = 0;
  virtual ReviewWrites& reviews() = 0;
  virtual NetworkWrites& network() = 0;

  // Takes over the durable facts that a rebuild starts from (settled clinics, version numbers, what connections state),
  // from views of the same engine. For empty views only.
  virtual void copy_facts(ViewsSnapshot& from) = 0;

  // Durable once it returns a value. An error leaves it open whether it is. kUnavailable: read what became of it and
  // try again; any other: the caller stops the process (fail-stop).
  virtual Result<void> commit() = 0;
};

class Views {
 public:
  virtual ~Views() = default;
  // Waits for the writer's turn, in the order of the callers. Thread-safe.
  virtual std::unique_ptr<ViewsTransaction> begin() = 0;
  // For the sync step of who holds these slots. Its progress() says what of it still holds, to the transaction's end.
  // Where one process has the store for itself it is the same as begin().
  virtual std::unique_ptr<ViewsTransaction> begin(const HeldSlots&, Company) { return begin(); }
  // Thread-safe; waits for a free reader.
  virtual std::unique_ptr<ViewsSnapshot> snapshot() = 0;
};

}  // namespace resultsync::store
