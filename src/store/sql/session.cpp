#include "store/sql/session.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "store/sql/rows.hpp"
#include "store/whole_order.hpp"

namespace resultsync::store::sql {
namespace {

// Events
// ------------------------------------------------------------------------------------------------------------------------

#define EVENT_COLUMNS \
  "record, source, event_id, type, created_at, received_at, body_sha256, flags, outcome, reason, order_id, order_key"

Outcome outcome_named(std::string_view name) {
  for (const Outcome outcome :
       {Outcome::kSynced, Outcome::kWaiting, Outcome::kNoResults, Outcome::kUnknownType, Outcome::kUnreadable}) {
    if (name_of(outcome) == name) return outcome;
  }
  return Outcome::kSynced;
}

EventRow event_row(const Query& query) {
  EventRow event;
  event.record = sequence(query.integer(0));
  event.source = SourceId(query.text(1));
  event.id = EventId(query.text(2));
  event.type = query.text(3);
  event.created_at = Timestamp{query.integer(4)};
  event.received_at = Timestamp{query.integer(5)};
  event.body = query.digest(6);
  event.flags = orders::Flags(static_cast<std::uint32_t>(query.integer(7)));
  event.outcome = outcome_named(query.text(8));
  event.reason = orders::unmatched_named(query.text(9));
  event.order = OrderId(query.text(10));
  event.order_key = OrderKey{query.integer(11)};
  return event;
}

std::vector<EventRow> event_rows(Query& query) {
  std::vector<EventRow> events;
  while (query.next()) events.push_back(event_row(query));
  return events;
}

std::optional<EventRow> only_event(Query& query) {
  if (!query.next()) return std::nullopt;
  return event_row(query);
}

// Orders
// ------------------------------------------------------------------------------------------------------------------------

#define ORDER_ROWS                                                                                                    \
  "SELECT o.order_key, o.source, o.order_id, coalesce(s.clinic_id, o.clinic_id), o.reason, o.updated_at, "            \
  "coalesce(s.delivered_at, 0), "                                                                                     \
  "coalesce(s.by_operator, 0), coalesce(s.settled_at, 0) FROM orders o LEFT JOIN settled_clinics s ON s.order_key = " \
  "o.order_key "

OrderRow order_row(const Query& query) {
  OrderRow order;
  order.key = OrderKey{query.integer(0)};
  order.source = SourceId(query.text(1));
  order.id = OrderId(query.text(2));
  order.clinic = ClinicId(query.text(3));
  order.reason = orders::unmatched_named(query.text(4));
  order.updated_at = Timestamp{query.integer(5)};
  order.delivered_at = EntryKey{query.integer(6)};
  order.by_operator = query.boolean(7);
  order.settled_at = sequence(query.integer(8));
  return order;
}

std::vector<OrderRow> order_rows(Query& query) {
  std::vector<OrderRow> orders;
  while (query.next()) orders.push_back(order_row(query));
  return orders;
}

std::vector<OrderKey> order_keys(Query& query) {
  std::vector<OrderKey> keys;
  while (query.next()) keys.push_back(OrderKey{query.integer(0)});
  return keys;
}

orders::TestHistory& test_named(orders::OrderHistory& history, const std::string& id) {
  if (history.tests.empty() || history.tests.back().id.text() != id)
    history.tests.push_back({OrderedTestId(id), {}, {}});
  return history.tests.back();
}

// Rows of points and versions come ordered by their order and, in it, as its history wants them; `history_of` says
// whose they are by the order's key, which is their last column.
#define POINT_COLUMNS "created_at, event_id, record, state, patient_id, practitioner, clinic_id, status, order_key "
#define TEST_POINT_COLUMNS "test_id, created_at, event_id, record, content, has_content, order_key "
#define VERSION_COLUMNS "test_id, version, content, record, order_key "

template <class HistoryOf>
void read_points(Query& query, const HistoryOf& history_of) {
  while (query.next()) {
    history_of(query.integer(8))
        .points.push_back({{Timestamp{query.integer(0)}, EventId(query.text(1))},
                           sequence(query.integer(2)),
                           query.digest(3),
                           PatientId(query.text(4)),
                           PractitionerId(query.text(5)),
                           ClinicId(query.text(6)),
                           query.text(7)});
  }
}

template <class HistoryOf>
void read_test_points(Query& query, const HistoryOf& history_of) {
  while (query.next()) {
    test_named(history_of(query.integer(6)), query.text(0))
        .points.push_back({{Timestamp{query.integer(1)}, EventId(query.text(2))},
                           sequence(query.integer(3)),
                           query.digest(4),
                           query.boolean(5)});
  }
}

// Versions are facts of their own: during a rebuild there are versions of tests whose events have not been read yet.
template <class HistoryOf>
void read_versions(Query& query, const HistoryOf& history_of) {
  while (query.next()) {
    auto& tests = history_of(query.integer(4)).tests;
    const OrderedTestId id(query.text(0));
    auto at = std::ranges::lower_bound(tests, id, {}, &orders::TestHistory::id);
    if (at == tests.end() || at->id != id) at = tests.insert(at, {id, {}, {}});
    at->versions.push_back({static_cast<int>(query.integer(1)), query.digest(2), sequence(query.integer(3))});
  }
}

constexpr const char* kVersionsOfOrder =
    "SELECT " VERSION_COLUMNS "FROM versions WHERE order_key = ?1 ORDER BY test_id, version";

// None of the three waits for another's rows.
template <class HistoryOf>
void read_histories(Query& points, Query& test_points, Query& versions, const HistoryOf& history_of) {
  for (Query* query : {&points, &test_points, &versions}) query->ask_ahead();
  read_points(points, history_of);
  read_test_points(test_points, history_of);
  read_versions(versions, history_of);
}

// Connections
// -------------------------------------------------------------------------------------------------------------------

Backfill backfill_row(const Query& query) {
  return {ConnectionKey{query.integer(0)},
          EntryKey{query.integer(1)},
          OrderKey{query.integer(2)},
          query.integer(3),
          query.integer(4),
          query.boolean(5)};
}

// S5, in the query, as ORDER_IN_REACH: an event is in reach if its order is, unless it names another clinic than that.
#define EVENT_IN_REACH(REACH)                                                                         \
  "(" REACH                                                                                           \
  " = 0 OR (reason <> 'clinic_changed' AND EXISTS (SELECT 1 FROM orders o JOIN visible_clinics v ON " \
  "v.source = o.source AND v.clinic_id = o.clinic_id WHERE o.order_key = events.order_key AND v.reach = " REACH ")))"
#define PRACTITIONER_IN_REACH(REACH)                                                       \
  "(" REACH " = 0 OR EXISTS (SELECT 1 FROM visible_practitioners v WHERE v.reach = " REACH \
  " AND v.practitioner_key = p.practitioner_key))"
#define CONNECTION_IN_REACH(REACH)                                                   \
  "(" REACH " = 0 OR EXISTS (SELECT 1 FROM visible_clinics v WHERE v.reach = " REACH \
  " AND v.source = c.source AND v.clinic_id = c.clinic_id))"

std::int64_t count(Database& database, const char* sql) {
  Query query(database, sql);
  return query.next() ? query.integer(0) : 0;
}

std::vector<std::pair<std::string, std::int64_t>> counts_by_name(Database& database, const char* sql) {
  std::vector<std::pair<std::string, std::int64_t>> counts;
  Query query(database, sql);
  while (query.next()) counts.emplace_back(query.text(0), query.integer(1));
  return counts;
}

}  // namespace

// Progress
// ----------------------------------------------------------------------------------------------------------------------

Sequence Session::applied() {
  Query query(database_, "SELECT min(applied) FROM slots");
  return query.next() ? sequence(query.integer(0)) : Sequence{};
}

std::vector<SlotProgress> Session::progress() {
  std::vector<SlotProgress> all;
  Query query(database_, "SELECT slot, applied FROM slots ORDER BY slot");
  while (query.next()) all.push_back({static_cast<Slot>(query.integer(0)), sequence(query.integer(1))});
  return all;
}

std::string Session::log_id() {
  Query query(database_, "SELECT value FROM meta WHERE name = 'log_id'");
  return query.next() ? query.text(0) : "";
}

std::string Session::feed_epoch() {
  Query query(database_, "SELECT value FROM meta WHERE name = 'feed_epoch'");
  return query.next() ? query.text(0) : "";
}

void WriterSession::set_applied(Sequence record) {
  Query(database_, "UPDATE slots SET applied = ?1 WHERE applied < ?1", number(record)).run();
}

void WriterSession::need_to_be_alone() {
  if (!is_alone()) database_.refuse({kNotAlone, "this is not done beside other writers", ""});
}

void WriterSession::bind_log(const std::string& log_id) {
  need_to_be_alone();
  Query(database_, "INSERT INTO meta VALUES ('log_id', ?1)", log_id).run();
}

// Events
// ------------------------------------------------------------------------------------------------------------------------

std::optional<EventRow> Session::event(const SourceId& source, const EventId& id) {
  Query query(database_, "SELECT " EVENT_COLUMNS " FROM events WHERE event_id = ?1 AND source = ?2", id.text(),
              source.text());
  return only_event(query);
}

std::vector<EventRow> Session::events_named(const EventId& id, Reach reach) {
  Query query(database_,
              "SELECT " EVENT_COLUMNS " FROM events WHERE event_id = ?1 AND " EVENT_IN_REACH("?2") " ORDER BY source",
              id.text(), reach.value);
  return event_rows(query);
}

std::optional<EventRow> Session::event_of_record(Sequence record) {
  Query query(database_,
              "SELECT " EVENT_COLUMNS
              " FROM events WHERE record = coalesce((SELECT event_record FROM receipts WHERE record = ?1), ?1)",
              number(record));
  return only_event(query);
}

std::map<Sequence, EventRow> Session::events_of_records(std::span<const Sequence> records) {
  std::map<Sequence, EventRow> events;
  asked_together(records, number, [&](const AskedNumbers& asked) {
    Query query(database_, "SELECT " EVENT_COLUMNS " FROM events WHERE record IN " ASKED, asked);
    for (EventRow& event : event_rows(query)) {
      const Sequence record = event.record;
      events.insert_or_assign(record, std::move(event));
    }
  });
  for (const Sequence record : records) {
    if (events.contains(record)) continue;
    if (auto event = event_of_record(record)) events.emplace(record, std::move(*event));  // by a receipt
  }
  return events;
}

std::vector<ReceiptRow> Session::receipts(Sequence event_record) {
  std::vector<ReceiptRow> receipts;
  Query query(database_,
              "SELECT record, event_record, received_at, kind, body_sha256, stale FROM receipts WHERE event_record = "
              "?1 ORDER BY record",
              number(event_record));
  while (query.next()) {
    receipts.push_back({sequence(query.integer(0)), sequence(query.integer(1)), Timestamp{query.integer(2)},
                        query.text(3) == "conflict" ? ReceiptKind::kConflict : ReceiptKind::kDuplicate, query.digest(4),
                        query.boolean(5)});
  }
  return receipts;
}

std::vector<EventRow> Session::events(const EventFilter& filter, Sequence after, std::size_t limit, Reach reach) {
  const std::string source = filter.source ? filter.source->text() : "";
  const std::string type = filter.type.value_or("");
  const std::string_view outcome = filter.outcome ? name_of(*filter.outcome) : "";
  const std::int64_t conflict = filter.conflicts_only ? static_cast<std::int64_t>(orders::Flag::kConflict) : 0;
  if (filter.newest_first) {
    const std::int64_t before = after.value == 0 ? std::numeric_limits<std::int64_t>::max() : number(after);
    Query query(database_,
                "SELECT " EVENT_COLUMNS
                " FROM events WHERE record < ?1 AND (?2 = '' OR source = ?2) AND (?3 = '' OR type = ?3) AND (?4 = '' "
                "OR outcome = ?4) "
                "AND flags & ?5 = ?5 AND " EVENT_IN_REACH("?7") " ORDER BY record DESC LIMIT ?6",
                before, source, type, outcome, conflict, at_most(limit), reach.value);
    return event_rows(query);
  }
  Query query(database_,
              "SELECT " EVENT_COLUMNS
              " FROM events WHERE record > ?1 AND (?2 = '' OR source = ?2) AND (?3 = '' OR type = ?3) AND (?4 = '' OR "
              "outcome = ?4) "
              "AND flags & ?5 = ?5 AND " EVENT_IN_REACH("?7") " ORDER BY record LIMIT ?6",
              number(after), source, type, outcome, conflict, at_most(limit), reach.value);
  return event_rows(query);
}

std::vector<EventRow> Session::waiting(Sequence after, std::size_t limit) {
  Query query(database_,
              "SELECT " EVENT_COLUMNS
              " FROM events WHERE outcome = 'waiting' AND record > ?1 "
              "ORDER BY record LIMIT ?2",
              number(after), at_most(limit));
  return event_rows(query);
}

std::vector<EventRow> Session::waiting_of(OrderKey order) {
  Query query(database_,
              "SELECT " EVENT_COLUMNS " FROM events WHERE outcome = 'waiting' AND order_key = ?1 ORDER BY record",
              order.value);
  return event_rows(query);
}

void WriterSession::add_event(const EventRow& event) {
  reads_.event_written(event.source, event.id);
  Query(database_,
        Gathered{"INSERT INTO events (" EVENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"},
        number(event.record), event.source.text(), event.id.text(), event.type, event.created_at.microseconds,
        event.received_at.microseconds, event.body, std::int64_t{event.flags.bits()}, name_of(event.outcome),
        orders::name_of(event.reason), event.order.text(), event.order_key.value)
      .run();
}

void WriterSession::set_outcome(Sequence event_record, Outcome outcome, orders::Unmatched reason) {
  Query(database_, "UPDATE events SET outcome = ?2, reason = ?3 WHERE record = ?1", number(event_record),
        name_of(outcome), orders::name_of(reason))
      .run();
}

void WriterSession::set_flags(Sequence event_record, orders::Flags flags) {
  Query(database_, "UPDATE events SET flags = ?2 WHERE record = ?1", number(event_record), std::int64_t{flags.bits()})
      .run();
}

void WriterSession::add_receipt(const ReceiptRow& receipt) {
  Query(database_,
        Gathered{"INSERT INTO receipts (record, event_record, received_at, kind, body_sha256, stale) VALUES (?1, ?2, "
                 "?3, ?4, ?5, ?6)"},
        number(receipt.record), number(receipt.event_record), receipt.received_at.microseconds, name_of(receipt.kind),
        receipt.body, receipt.stale)
      .run();
}

bool WriterSession::learn_clinic(const SourceId& source, const orders::PractitionerClinic& fact, Witness witness) {
  const bool stated = witness == Witness::kConnection;
  constexpr std::size_t kKnownMax = 100'000;
  auto& known = known_.practitioner_clinics;
  if (known.size() >= kKnownMax) known.clear();
  const auto [seen, first_seen] =
      known.insert(source.text() + '\n' + fact.practitioner.text() + '\n' + fact.clinic.text());
  if (!first_seen && !stated) return false;
  if (!is_alone()) {
    const bool is_there = Query(database_,
                                "SELECT 1 FROM practitioner_clinics WHERE source = ?1 AND practitioner = ?2 AND "
                                "clinic_id = ?3",
                                source.text(), fact.practitioner.text(), fact.clinic.text())
                              .next();
    if (is_there) return false;
    known.erase(seen);
    need_to_be_alone();  // orders of other slots may be given a clinic by it
    return false;
  }
  const bool is_new =
      Query(database_,
            "INSERT INTO practitioner_clinics VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING RETURNING stated",
            source.text(), fact.practitioner.text(), fact.clinic.text(), stated)
          .next();
  if (stated && !is_new) {
    Query(database_,
          "UPDATE practitioner_clinics SET stated = 1 WHERE source = ?1 AND practitioner = ?2 AND clinic_id = ?3",
          source.text(), fact.practitioner.text(), fact.clinic.text())
        .run();
  }
  return is_new;
}

// Orders
// ------------------------------------------------------------------------------------------------------------------------

std::optional<OrderRecord> Session::order(const SourceId& source, const OrderId& id) {
  OrderRecord order;
  {
    Query query(database_, ORDER_ROWS "WHERE o.order_id = ?1 AND o.source = ?2", id.text(), source.text());
    if (!query.next()) return std::nullopt;
    order.row = order_row(query);
  }
  fill_history(order, order.row.key);
  return order;
}

std::optional<OrderRecord> Session::order(OrderKey key) {
  Query row(database_, ORDER_ROWS "WHERE o.order_key = ?1", key.value);
  row.ask_ahead();
  OrderRecord order;
  fill_history(order, key);
  if (!row.next()) return std::nullopt;
  order.row = order_row(row);
  return order;
}

std::optional<WholeOrder> Session::whole_order(OrderKey key) {
  AskedNumbers only{};
  only.fill(key.value);
  Query told_missing(database_, kToldMissingOfOrder, key.value);
  Query reviews(database_, "SELECT test_id, review FROM result_tests WHERE order_key = ?1", key.value);
  AskedLastSaid said(database_, only);
  told_missing.ask_ahead();
  reviews.ask_ahead();
  said.ask_ahead();
  auto order = this->order(key);  // asks the rest, and waits for all
  if (!order) return std::nullopt;
  WholeOrder whole;
  whole.order = std::move(*order);
  whole.told_missing = told_missing_rows(told_missing);
  while (reviews.next()) whole.reviews.emplace(reviews.text(0), static_cast<Review>(reviews.integer(1)));
  said.read(whole.said);
  std::set<Sequence> records;
  for (const auto& point : whole.order.history.points) records.insert(point.record);
  for (const auto& test : whole.order.history.tests) {
    for (const auto& version : test.versions) records.insert(version.record);
  }
  whole.events = events_of_records(std::vector(records.begin(), records.end()));
  return whole;
}

void Session::fill_history(OrderRecord& order, OrderKey key) {
  Query points(database_,
               "SELECT " POINT_COLUMNS "FROM order_points WHERE order_key = ?1 ORDER BY created_at, event_id",
               key.value);
  Query test_points(database_,
                    "SELECT " TEST_POINT_COLUMNS
                    "FROM test_points WHERE order_key = ?1 ORDER BY test_id, created_at, event_id",
                    key.value);
  Query versions(database_, kVersionsOfOrder, key.value);
  read_histories(points, test_points, versions, [&](std::int64_t) -> orders::OrderHistory& { return order.history; });
}

std::vector<std::pair<SourceId, EventId>> Session::events_of(const AskedTexts& ids) {
  std::vector<std::pair<SourceId, EventId>> events;
  Query query(database_, "SELECT source, event_id FROM events WHERE event_id IN " ASKED, ids);
  while (query.next()) events.emplace_back(SourceId(query.text(0)), EventId(query.text(1)));
  return events;
}

std::vector<OrderRecord> Session::orders_of(const AskedTexts& ids) {
  std::vector<OrderRecord> orders;
  {
    Query query(database_, ORDER_ROWS "WHERE o.order_id IN " ASKED, ids);
    while (query.next()) orders.push_back({order_row(query), {}});
  }
  fill_histories(orders);  // of several sources there may be more than were asked for
  return orders;
}

std::map<OrderKey, OrderRecord> Session::orders(std::span<const OrderKey> keys) {
  std::vector<OrderRecord> found;
  asked_together(keys, &OrderKey::value, [&](const AskedNumbers& asked) {
    Query query(database_, ORDER_ROWS "WHERE o.order_key IN " ASKED, asked);
    while (query.next()) found.push_back({order_row(query), {}});
  });
  fill_histories(found);
  std::map<OrderKey, OrderRecord> orders;
  for (OrderRecord& order : found) orders.emplace(order.row.key, std::move(order));
  return orders;
}

void Session::fill_histories(std::span<OrderRecord> orders) {
  std::unordered_map<std::int64_t, orders::OrderHistory*> histories;
  for (OrderRecord& order : orders) histories[order.row.key.value] = &order.history;
  const auto key_of = [](const OrderRecord& order) { return order.row.key.value; };
  asked_together(std::span<const OrderRecord>(orders), key_of, [&](const AskedNumbers& keys) {
    const auto history = [&](std::int64_t key) -> orders::OrderHistory& { return *histories.at(key); };
    Query points(database_,
                 "SELECT " POINT_COLUMNS "FROM order_points WHERE order_key IN " ASKED
                 "ORDER BY order_key, created_at, event_id",
                 keys);
    Query test_points(database_,
                      "SELECT " TEST_POINT_COLUMNS "FROM test_points WHERE order_key IN " ASKED
                      "ORDER BY order_key, test_id, created_at, event_id",
                      keys);
    Query versions(database_,
                   "SELECT " VERSION_COLUMNS "FROM versions WHERE order_key IN " ASKED
                   "ORDER BY order_key, test_id, version",
                   keys);
    read_histories(points, test_points, versions, history);
  });
}

void Session::fill_facts(OrderRecord& order) {
  {
    Query query(database_,
                "SELECT clinic_id, by_operator, delivered_at, settled_at FROM settled_clinics WHERE order_key = ?1",
                order.row.key.value);
    if (query.next()) {
      order.row.clinic = ClinicId(query.text(0));
      order.row.by_operator = query.boolean(1);
      order.row.delivered_at = EntryKey{query.integer(2)};
      order.row.settled_at = sequence(query.integer(3));
    }
  }
  Query versions(database_, kVersionsOfOrder, order.row.key.value);
  read_versions(versions, [&](std::int64_t) -> orders::OrderHistory& { return order.history; });
}

std::vector<OrderRow> Session::orders_named(const OrderId& id, Reach reach) {
  Query query(database_, ORDER_ROWS "WHERE o.order_id = ?1 AND " ORDER_IN_REACH("?2") "ORDER BY o.source", id.text(),
              reach.value);
  return order_rows(query);
}

#define VISIBLE_TO_PRACTITIONER                                                                                 \
  "(?4 = 0 OR EXISTS (SELECT 1 FROM connections c WHERE c.clinic_id = o.clinic_id AND c.source = o.source AND " \
  "c.practitioner_key = ?4 AND c.ended_at IS NULL)) "

// A list goes along all orders by the time of their change, and passes over those of others. For who sees few of many
// that is nearly all there is; their own are so few that finding them by their clinics, and sorting, costs less.
constexpr std::size_t kFewOrders = 5000;
#define CLINICS_OF_PRACTITIONER(PRACTITIONER)                                                 \
  "(SELECT c.clinic_id, c.source FROM connections c WHERE c.practitioner_key = " PRACTITIONER \
  " AND c.ended_at IS NULL) "
#define CLINICS_OF_REACH(REACH) "(SELECT v.clinic_id, v.source FROM visible_clinics v WHERE v.reach = " REACH ") "
#define ORDERS_OF(CLINICS) "WHERE (o.clinic_id, o.source) IN " CLINICS

bool Session::sees_few_orders(std::int64_t practitioner, Reach reach) {
  if (practitioner == 0 && reach.is_everything()) return false;
  Query query(database_,
              practitioner != 0 ? "SELECT 1 FROM orders o " ORDERS_OF(CLINICS_OF_PRACTITIONER("?1")) "LIMIT 1 OFFSET ?2"
                                : "SELECT 1 FROM orders o " ORDERS_OF(CLINICS_OF_REACH("?1")) "LIMIT 1 OFFSET ?2",
              practitioner != 0 ? practitioner : reach.value, kFewOrders);
  return !query.next();
}

std::vector<OrderRow> Session::orders(const OrderFilter& filter, OrderPlace after, std::size_t limit, Reach reach) {
  const std::int64_t practitioner = filter.practitioner ? filter.practitioner->value : 0;
  const std::int64_t since =
      filter.updated_since ? filter.updated_since->microseconds : std::numeric_limits<std::int64_t>::min();
  if (filter.patient) {
    Query query(database_,
                ORDER_ROWS
                "WHERE o.patient_id = ?5 AND (o.updated_at, o.order_key) > (?1, ?2) AND o.updated_at >= ?3 "
                "AND " VISIBLE_TO_PRACTITIONER
                "AND " ORDER_IN_REACH("?7") "ORDER BY o.updated_at, o.order_key LIMIT ?6",
                after.updated_at.microseconds, after.key.value, since, practitioner, filter.patient->text(),
                at_most(limit), reach.value);
    return order_rows(query);
  }
#define ORDERS_IN_SIGHT                                                                        \
  "(o.updated_at, o.order_key) > (?1, ?2) AND o.updated_at >= ?3 AND " VISIBLE_TO_PRACTITIONER \
  "AND " ORDER_IN_REACH("?6")
#define FEW_IN_ORDER "ORDER BY o.updated_at + 0, o.order_key LIMIT ?5"
  const char* sql = ORDER_ROWS "WHERE " ORDERS_IN_SIGHT "ORDER BY o.updated_at, o.order_key LIMIT ?5";
  if (sees_few_orders(practitioner, reach)) {
    sql = practitioner != 0 ? ORDER_ROWS ORDERS_OF(CLINICS_OF_PRACTITIONER("?4")) "AND " ORDERS_IN_SIGHT FEW_IN_ORDER
                            : ORDER_ROWS ORDERS_OF(CLINICS_OF_REACH("?6")) "AND " ORDERS_IN_SIGHT FEW_IN_ORDER;
  }
  Query query(database_, sql, after.updated_at.microseconds, after.key.value, since, practitioner, at_most(limit),
              reach.value);
  return order_rows(query);
}

std::vector<OrderKey> Session::orders_without_clinic(const SourceId& source, const PractitionerId& practitioner) {
  Query query(
      database_,
      "SELECT order_key FROM orders WHERE clinic_id = '' AND practitioner = ?1 AND source = ?2 ORDER BY order_key",
      practitioner.text(), source.text());
  return order_keys(query);
}

std::vector<OrderKey> Session::orders_of_clinic(const SourceId& source, const ClinicId& clinic, OrderKey after,
                                                std::size_t limit) {
  Query query(database_,
              "SELECT order_key FROM orders WHERE clinic_id = ?1 AND source = ?2 AND order_key > ?3 ORDER BY order_key "
              "LIMIT ?4",
              clinic.text(), source.text(), after.value, at_most(limit));
  return order_keys(query);
}

std::int64_t Session::count_orders_of_clinic(const SourceId& source, const ClinicId& clinic) {
  Query query(database_, "SELECT count(*) FROM orders WHERE clinic_id = ?1 AND source = ?2", clinic.text(),
              source.text());
  return query.next() ? query.integer(0) : 0;
}

std::vector<ClinicId> Session::clinics_of(const SourceId& source, const PractitionerId& practitioner) {
  std::vector<ClinicId> clinics;
  Query query(database_, "SELECT clinic_id FROM practitioner_clinics WHERE source = ?1 AND practitioner = ?2",
              source.text(), practitioner.text());
  while (query.next()) clinics.emplace_back(query.text(0));
  return clinics;
}

void WriterSession::add_to_history(const OrderRecord& order, const orders::EventKey& event_key,
                                   const orders::Change& change) {
  reads_.order_written(order.row.source, order.row.id);
  const std::int64_t key = order.row.key.value;
  for (const auto& point : order.history.points) {
    if (point.key != event_key) continue;
    Query(database_,
          Gathered{"INSERT INTO order_points VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING"}, key,
          point.key.created_at.microseconds, point.key.id.text(), number(point.record), point.state,
          point.patient.text(), point.practitioner.text(), point.clinic.text(), point.status)
        .run();
  }
  for (const auto& test : order.history.tests) {
    for (const auto& point : test.points) {
      if (point.key != event_key) continue;
      Query(database_,
            Gathered{.sql = "INSERT INTO test_points (order_key, test_id, created_at, event_id, record, content, "
                            "has_content) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (order_key, test_id, "
                            "created_at, event_id) DO UPDATE SET content = excluded.content, has_content = "
                            "excluded.has_content",
                     .key = 4},
            key, test.id.text(), point.key.created_at.microseconds, point.key.id.text(), number(point.record),
            point.content, point.has_content)
          .run();
    }
  }
  for (const auto& [test, version] : change.new_versions) {
    Query(database_, Gathered{"INSERT INTO versions VALUES (?1, ?2, ?3, ?4, ?5)"}, key, test.text(), version.number,
          version.content, number(version.record))
        .run();
  }
}

void WriterSession::save_order_row(const OrderRecord& order) {
  const OrderRow& row = order.row;
  reads_.order_written(row.source, row.id);
  Query(database_,
        Gathered{.sql = "INSERT INTO orders VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (order_key) DO UPDATE "
                        "SET clinic_id = excluded.clinic_id, reason = excluded.reason, practitioner = "
                        "excluded.practitioner, patient_id = excluded.patient_id, updated_at = excluded.updated_at",
                 .key = 1},
        row.key.value, row.source.text(), row.id.text(), row.clinic.text(), orders::name_of(row.reason),
        order.history.deciding_practitioner().text(), order.history.patient().text(), row.updated_at.microseconds)
      .run();
  if (!row.delivered_at && !row.by_operator) return;
  Query(database_,
        Gathered{.sql = "INSERT INTO settled_clinics VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (order_key) DO UPDATE SET "
                        "clinic_id = excluded.clinic_id, by_operator = excluded.by_operator, delivered_at = "
                        "excluded.delivered_at, settled_at = excluded.settled_at WHERE (settled_clinics.clinic_id, "
                        "settled_clinics.by_operator, settled_clinics.delivered_at) <> (excluded.clinic_id, "
                        "excluded.by_operator, excluded.delivered_at)",
                 .key = 1},
        row.key.value, row.clinic.text(), row.by_operator, row.delivered_at.value, number(row.settled_at))
      .run();
}

// Practitioners and connections
// -------------------------------------------------------------------------------------------------

std::optional<PractitionerRow> Session::practitioner(const AppPractitionerId& id, Reach reach) {
  PractitionerRow practitioner;
  {
    Query query(database_,
                "SELECT p.practitioner_key, p.app_id, p.last_position FROM practitioners p WHERE p.app_id = ?1 "
                "AND " PRACTITIONER_IN_REACH("?2"),
                id.text(), reach.value);
    if (!query.next()) return std::nullopt;
    practitioner = {PractitionerKey{query.integer(0)}, AppPractitionerId(query.text(1)), query.integer(2), {}, {}};
  }
  fill_connections(practitioner, reach);
  return practitioner;
}

std::vector<PractitionerRow> Session::practitioners(const AppPractitionerId& after, std::size_t limit, Reach reach) {
  std::vector<PractitionerRow> practitioners;
  {
    Query query(database_,
                "SELECT p.practitioner_key, p.app_id, p.last_position FROM practitioners p WHERE p.app_id > ?1 AND "
                "EXISTS (SELECT 1 FROM "
                "connections c WHERE c.practitioner_key = p.practitioner_key AND c.ended_at IS NULL) "
                "AND " PRACTITIONER_IN_REACH("?3") " ORDER BY p.app_id LIMIT ?2",
                after.text(), at_most(limit), reach.value);
    while (query.next()) {
      practitioners.push_back(
          {PractitionerKey{query.integer(0)}, AppPractitionerId(query.text(1)), query.integer(2), {}, {}});
    }
  }
  for (auto& practitioner : practitioners) fill_connections(practitioner, reach);
  return practitioners;
}

bool Session::may_connect(const AppPractitionerId& id, const SourceId& source, const ClinicId& clinic, Reach reach) {
  if (reach.is_everything()) return true;
  // The clinic is named by the limits; or the practitioner is, and the clinic is one of theirs already.
  Query query(database_,
              "SELECT 1 FROM reach_clinics WHERE reach = ?1 AND source = ?2 AND clinic_id = ?3 UNION ALL "
              "SELECT 1 FROM reach_practitioners r JOIN practitioners p ON p.app_id = r.app_id JOIN connections c ON "
              "c.practitioner_key = p.practitioner_key AND c.ended_at IS NULL WHERE r.reach = ?1 AND r.app_id = ?4 "
              "AND c.source = ?2 AND c.clinic_id = ?3",
              reach.value, source.text(), clinic.text(), id.text());
  return query.next();
}

void Session::fill_connections(PractitionerRow& practitioner, Reach reach) {
  {
    Query query(database_,
                "SELECT " CONNECTION_COLUMNS " FROM " CONNECTION_TABLES
                " WHERE c.practitioner_key = ?1 AND c.ended_at IS NULL AND " CONNECTION_IN_REACH(
                    "?2") " ORDER BY c.connection_key",
                practitioner.key.value, reach.value);
    while (query.next()) practitioner.connections.push_back(connection_row(query, 0));
  }
  Query query(
      database_,
      "SELECT b.connection_key, b.through_entry, b.after_order, b.orders_done, b.orders_total, b.finished FROM "
      "backfills b JOIN "
      "connections c ON c.connection_key = b.connection_key WHERE c.practitioner_key = ?1 AND c.ended_at IS NULL "
      "ORDER BY b.connection_key",
      practitioner.key.value);
  while (query.next()) practitioner.backfills.push_back(backfill_row(query));
}

std::vector<ConnectionRow> Session::connections(const SourceId& source, const ClinicId& clinic) {
  std::vector<ConnectionRow> connections;
  Query query(database_,
              "SELECT " CONNECTION_COLUMNS " FROM " CONNECTION_TABLES
              " WHERE c.clinic_id = ?1 AND c.source = ?2 AND c.ended_at IS NULL ORDER BY c.connection_key",
              clinic.text(), source.text());
  while (query.next()) connections.push_back(connection_row(query, 0));
  return connections;
}

std::vector<ConnectionRow> Session::connections_of(const AskedTexts& clinics) {
  std::vector<ConnectionRow> connections;
  Query query(database_,
              "SELECT " CONNECTION_COLUMNS " FROM " CONNECTION_TABLES
              " WHERE c.ended_at IS NULL AND c.clinic_id IN " ASKED "ORDER BY c.connection_key",
              clinics);
  while (query.next()) connections.push_back(connection_row(query, 0));
  return connections;
}

std::optional<ConnectionRow> Session::connection(ConnectionKey key) {
  Query query(database_,
              "SELECT " CONNECTION_COLUMNS " FROM " CONNECTION_TABLES
              " WHERE c.connection_key = ?1 AND c.ended_at IS NULL",
              key.value);
  if (!query.next()) return std::nullopt;
  return connection_row(query, 0);
}

std::vector<Backfill> Session::unfinished_backfills() {
  std::vector<Backfill> backfills;
  Query query(database_,
              "SELECT connection_key, through_entry, after_order, orders_done, orders_total, finished FROM backfills "
              "WHERE finished = 0 "
              "ORDER BY connection_key");
  while (query.next()) backfills.push_back(backfill_row(query));
  return backfills;
}

PractitionerKey WriterSession::add_practitioner(const AppPractitionerId& id) {
  need_to_be_alone();
  Query query(database_, "INSERT INTO practitioners (app_id, last_position) VALUES (?1, 0) RETURNING practitioner_key",
              id.text());
  return PractitionerKey{query.next() ? query.integer(0) : 0};
}

ConnectionKey WriterSession::add_connection(const ConnectionRow& connection) {
  need_to_be_alone();
  reads_.connections_written();
  Query query(database_,
              "INSERT INTO connections (practitioner_key, source, clinic_id, vendor_practitioner, created_at) VALUES "
              "(?1, ?2, ?3, ?4, ?5) RETURNING connection_key",
              connection.practitioner.value, connection.source.text(), connection.clinic.text(),
              connection.vendor_practitioner.text(), connection.created_at.microseconds);
  return ConnectionKey{query.next() ? query.integer(0) : 0};
}

void WriterSession::set_vendor_practitioner(ConnectionKey connection, const PractitionerId& vendor_practitioner) {
  need_to_be_alone();
  reads_.connections_written();
  Query(database_, "UPDATE connections SET vendor_practitioner = ?2 WHERE connection_key = ?1", connection.value,
        vendor_practitioner.text())
      .run();
}

void WriterSession::end_connection(ConnectionKey connection, Timestamp now) {
  need_to_be_alone();
  reads_.connections_written();
  reads_.backfills_written();
  Query(database_, "UPDATE connections SET ended_at = ?2 WHERE connection_key = ?1", connection.value, now.microseconds)
      .run();
  Query(database_, "UPDATE backfills SET finished = 1 WHERE connection_key = ?1", connection.value).run();
}

void WriterSession::save_backfill(const Backfill& backfill) {
  need_to_be_alone();
  reads_.backfills_written();
  Query(
      database_,
      "INSERT INTO backfills VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (connection_key) DO UPDATE SET after_order = "
      "excluded.after_order, orders_done = excluded.orders_done, orders_total = excluded.orders_total, finished = "
      "excluded.finished",
      backfill.connection.value, backfill.through.value, backfill.after.value, backfill.orders_done,
      backfill.orders_total, backfill.finished)
      .run();
}

// Feed
// --------------------------------------------------------------------------------------------------------------------------

std::vector<Entry> Session::entries(OrderKey order, EntryKey through) {
  std::vector<Entry> entries;
  Query query(database_,
              "SELECT " ENTRY_COLUMNS
              " FROM entries e WHERE e.order_key = ?1 AND e.entry_key <= ?2 ORDER BY e.entry_key",
              order.value, through.value);
  while (query.next()) entries.push_back(entry_row(query, 0));
  return entries;
}

EntryKey Session::last_entry() {
  return EntryKey{count(database_, "SELECT entry_key FROM last_entry")};
}

std::vector<FeedRow> Session::feed(PractitionerKey practitioner, std::int64_t after, std::size_t limit, Reach reach) {
  std::vector<FeedRow> items;
  const InOrder in_order(database_);
  Query query(database_,
              "SELECT " FEED_COLUMNS
              " FROM feed f JOIN entries e ON e.entry_key = f.entry_key JOIN connections c ON c.connection_key = "
              "f.connection_key JOIN practitioners p ON p.practitioner_key = c.practitioner_key JOIN orders o ON "
              "o.order_key = e.order_key WHERE f.practitioner_key = ?1 AND f.position > ?2 AND " FEED_VISIBLE
              " AND " ORDER_IN_REACH("?4") "ORDER BY f.position LIMIT ?3",
              practitioner.value, after, at_most(limit), reach.value);
  while (query.next()) items.push_back(feed_row(query, 0));
  return items;
}

EntryKey WriterSession::next_entry() {
  return EntryKey{reads_.last_entry().value + 1};
}

EntryKey WriterSession::add_entry(const Entry& entry) {
  const EntryKey key = next_entry();
  const auto& notice = entry.notice;
  Query(database_,
        Gathered{"INSERT INTO entries (entry_key, order_key, record, kind, test_id, version, current_version, "
                 "previous_version, previous_record, current) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"},
        key.value, entry.order.value, number(notice.record), orders::name_of(notice.kind), notice.test.text(),
        notice.version, notice.current_version, notice.previous_version, number(notice.previous), notice.current)
      .run();
  reads_.entry_written(key);
  return key;
}

void WriterSession::issue(const ConnectionRow& connection, const Entry& entry, bool current, bool backfill,
                          Timestamp now) {
  issued_.push_back({connection, entry, current, backfill, now});
}

void WriterSession::copy_facts(ViewsSnapshot& from) {
  need_to_be_alone();
  Database& source = dynamic_cast<Session&>(from).database_;
  {
    Query read(source, "SELECT order_key, clinic_id, by_operator, delivered_at, settled_at FROM settled_clinics");
    while (read.next()) {
      Query(database_, "INSERT INTO settled_clinics VALUES (?1, ?2, ?3, ?4, ?5)", read.integer(0), read.text(1),
            read.integer(2), read.integer(3), read.integer(4))
          .run();
    }
  }
  {
    Query read(source, "SELECT order_key, test_id, version, content, record FROM versions");
    while (read.next()) {
      Query(database_, "INSERT INTO versions VALUES (?1, ?2, ?3, ?4, ?5)", read.integer(0), read.text(1),
            read.integer(2), read.digest(3), read.integer(4))
          .run();
    }
  }
  copy_network_facts(source, database_);
  Query read(source, "SELECT source, practitioner, clinic_id FROM practitioner_clinics WHERE stated = 1");
  while (read.next()) {
    Query(database_, "INSERT INTO practitioner_clinics VALUES (?1, ?2, ?3, 1)", read.text(0), read.text(1),
          read.text(2))
        .run();
  }
}

// The last position that each practitioner was given before, for whom something is issued; the rows tell the new ones.
std::map<PractitionerKey, std::int64_t> WriterSession::give_positions() {
  std::map<PractitionerKey, std::int64_t> counts;
  for (const Issued& item : issued_) ++counts[item.connection.practitioner];
  std::vector<PractitionerKey> practitioners;
  for (const auto& [practitioner, count] : counts) practitioners.push_back(practitioner);
  std::map<PractitionerKey, std::int64_t> positions;
  asked_together(
      std::span<const PractitionerKey>(practitioners), &PractitionerKey::value, [&](const AskedNumbers& keys) {
        hold_practitioners(keys);
        Query query(database_,
                    "SELECT practitioner_key, last_position FROM practitioners WHERE practitioner_key IN " ASKED, keys);
        while (query.next()) positions[PractitionerKey{query.integer(0)}] = query.integer(1);
      });
  for (const auto& [practitioner, position] : positions) {
    Query(database_, "UPDATE practitioners SET last_position = ?2 WHERE practitioner_key = ?1", practitioner.value,
          position + counts[practitioner])
        .run();
  }
  return positions;
}

void WriterSession::finish() {
  results_.finish();
  auto positions = give_positions();
  for (Issued& item : issued_) {
    item.position = ++positions[item.connection.practitioner];
    Query(database_, Gathered{"INSERT INTO feed VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
          item.connection.practitioner.value, item.position, item.entry.key.value, item.connection.key.value,
          item.current, item.backfill, item.at.microseconds)
        .run();
  }
  for (const Issued& item : issued_) deliveries_.plan(item.connection, item.entry, item.position, item.at);
  issued_.clear();
}

// What the writer reads
// ---------------------------------------------------------------------------------------------------------

void WriterSession::look_ahead(std::span<const EventNames> events) {
  if (database_.is_remote()) reads_.look_ahead(events);
}

void WriterReads::look_ahead(std::span<const EventNames> events) {
  absent_events_.clear();
  orders_.clear();
  look_ahead_for_connections(events);
  for (const EventNames& names : events) {
    absent_events_.emplace(names.source, names.event);
    orders_[{names.source, names.order}] = std::nullopt;
  }
  const auto event_id = [](const EventNames& names) { return names.event.text(); };
  asked_together(events, event_id, [&](const AskedTexts& ids) {
    for (const auto& known : events_of(ids)) absent_events_.erase(known);
  });
  const auto order_id = [](const EventNames& names) { return names.order.text(); };
  asked_together(events, order_id, [&](const AskedTexts& ids) {
    for (OrderRecord& order : orders_of(ids)) {
      const std::pair name(order.row.source, order.row.id);
      orders_[name] = std::move(order);
    }
  });
  if (!database_.failed()) return;
  absent_events_.clear();  // nothing is known to be absent for want of an answer
  orders_.clear();
  connections_.clear();
}

void WriterReads::look_ahead_for_connections(std::span<const EventNames> events) {
  std::set<std::pair<SourceId, ClinicId>> not_known;
  std::set<std::string> clinics;
  for (const EventNames& names : events) {
    if (names.clinic.empty() || !connections_.try_emplace({names.source, names.clinic}).second) continue;
    not_known.emplace(names.source, names.clinic);
    clinics.insert(names.clinic.text());
  }
  const std::vector<std::string> asked(clinics.begin(), clinics.end());
  asked_together(std::span(asked), std::identity(), [&](const AskedTexts& ids) {
    for (ConnectionRow& connection : connections_of(ids)) {
      const std::pair clinic(connection.source, connection.clinic);  // another source may have one of the same id
      if (not_known.contains(clinic)) connections_[clinic].push_back(std::move(connection));
    }
  });
}

std::optional<EventRow> WriterReads::event(const SourceId& source, const EventId& id) {
  return absent_events_.contains({source, id}) ? std::nullopt : Session::event(source, id);
}

std::optional<OrderRecord> WriterReads::order(const SourceId& source, const OrderId& id) {
  const auto known = orders_.find({source, id});
  return known != orders_.end() ? known->second : Session::order(source, id);
}

std::vector<ConnectionRow> WriterReads::connections(const SourceId& source, const ClinicId& clinic) {
  const auto [known, is_new] = connections_.try_emplace({source, clinic});
  if (is_new) known->second = Session::connections(source, clinic);
  return known->second;
}

void WriterReads::connections_written() {
  connections_.clear();
}

std::vector<Backfill> WriterReads::unfinished_backfills() {
  if (!backfills_) backfills_ = Session::unfinished_backfills();
  return *backfills_;
}

EntryKey WriterReads::last_entry() {
  if (!last_entry_) last_entry_ = Session::last_entry();
  return *last_entry_;
}

// Whole
// -------------------------------------------------------------------------------------------------------------------------

Totals Session::totals() {
  Totals totals;
  totals.duplicates = count(database_, "SELECT count(*) FROM receipts WHERE kind = 'duplicate'");
  totals.conflicts = count(database_, "SELECT count(*) FROM receipts WHERE kind = 'conflict'");
  totals.orders = count(database_, "SELECT count(*) FROM orders");
  totals.results = count(database_, "SELECT count(*) FROM versions");
  // Positions are gapless (D5).
  totals.feed_items = count(database_, "SELECT CAST(coalesce(sum(last_position), 0) AS BIGINT) FROM practitioners");
  totals.practitioners =
      count(database_, "SELECT count(DISTINCT practitioner_key) FROM connections WHERE ended_at IS NULL");
  totals.outcomes = counts_by_name(database_, "SELECT outcome, count(*) FROM events GROUP BY outcome ORDER BY outcome");
  for (const auto& [outcome, events] : totals.outcomes) totals.events += events;
  totals.waiting = counts_by_name(database_,
                                  "SELECT reason, count(*) FROM events WHERE outcome = "
                                  "'waiting' GROUP BY reason ORDER BY reason");
  return totals;
}

void Session::dump(const std::function<bool(std::string_view line)>& line) {
  if (!results_.dump(line)) return;
  // Which body stands under an id, and which receipts conflict with it, records the arrival (I2); the rest is what the
  // bodies say.
  {
    Query query(
        database_,
        "SELECT source, event_id, type, created_at, body_sha256, order_id FROM events ORDER BY source, event_id");
    while (query.next()) {
      if (!line(fmt::format("event {} {} {} {} {} {}", query.text(0), query.text(1), query.text(2), query.integer(3),
                            query.digest(4).hex(), query.text(5)))) {
        return;
      }
    }
  }
  {
    Query query(database_,
                "SELECT o.source, o.order_id, p.created_at, p.event_id, p.state, p.patient_id, p.practitioner, "
                "p.clinic_id, p.status "
                "FROM orders o JOIN order_points p ON p.order_key = o.order_key ORDER BY o.source, o.order_id, "
                "p.created_at, p.event_id");
    while (query.next()) {
      if (!line(fmt::format("order {} {} {} {} {} {} {} {} {}", query.text(0), query.text(1), query.integer(2),
                            query.text(3), query.digest(4).hex(), query.text(5), query.text(6), query.text(7),
                            query.text(8)))) {
        return;
      }
    }
  }
  {
    Query query(
        database_,
        "SELECT o.source, o.order_id, t.test_id, t.created_at, t.event_id, t.content, t.has_content FROM orders o JOIN "
        "test_points t ON t.order_key = o.order_key ORDER BY o.source, o.order_id, t.test_id, t.created_at, "
        "t.event_id");
    while (query.next()) {
      if (!line(fmt::format("test {} {} {} {} {} {} {}", query.text(0), query.text(1), query.text(2), query.integer(3),
                            query.text(4), query.digest(5).hex(), query.integer(6)))) {
        return;
      }
    }
  }
  {
    Query query(database_,
                "SELECT o.source, o.order_id, o.clinic_id, o.patient_id, v.test_id, v.content FROM orders o LEFT JOIN "
                "versions v ON "
                "v.order_key = o.order_key ORDER BY o.source, o.order_id, v.test_id, v.content");
    while (query.next()) {
      if (!line(fmt::format("known {} {} {} {} {} {}", query.text(0), query.text(1), query.text(2), query.text(3),
                            query.text(4), query.digest(5).hex()))) {
        return;
      }
    }
  }
  Query query(
      database_,
      "SELECT source, practitioner, clinic_id FROM practitioner_clinics ORDER BY source, practitioner, clinic_id");
  while (query.next()) {
    if (!line(fmt::format("clinic {} {} {}", query.text(0), query.text(1), query.text(2)))) return;
  }
}

}  // namespace resultsync::store::sql
