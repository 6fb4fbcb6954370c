#include "store/sql/network.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "store/sql/asked.hpp"

namespace resultsync::store::sql {
namespace {

using State = orders::LinkedDocument::State;

std::int64_t as_number(Sequence sequence) {
  return static_cast<std::int64_t>(sequence.value);
}
std::int64_t capped(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int32_t>::max()));
}

template <class Enum, std::size_t N>
Enum named(const std::array<Enum, N>& all, std::string_view name) {
  for (const Enum one : all) {
    if (name_of(one) == name) return one;
  }
  return all.front();
}
constexpr std::array kStates{State::kPending, State::kFetched, State::kMissing};
constexpr std::array kConsents{ConsentState::kConnected, ConsentState::kNeedsConsent, ConsentState::kRevoked,
                               ConsentState::kFailing};

#define USE_COLUMNS                                                                                                 \
  "record, test_id, member, source, order_key, link, is_content, state, open, sha256, reason, tries, received_at, " \
  "next_try_at"

DocumentUse use_row(const Query& query) {
  DocumentUse use;
  use.record = Sequence{static_cast<std::uint64_t>(query.integer(0))};
  use.test = OrderedTestId(query.text(1));
  use.member = query.text(2);
  use.source = SourceId(query.text(3));
  use.order = OrderKey{query.integer(4)};
  use.link = query.digest(5);
  use.is_content = query.boolean(6);
  use.state = named(kStates, query.text(7));
  use.open = query.boolean(8);
  use.document = query.digest(9);
  use.reason = query.text(10);
  use.tries = static_cast<int>(query.integer(11));
  use.received_at = Timestamp{query.integer(12)};
  use.next_try_at = Timestamp{query.integer(13)};
  return use;
}

std::vector<DocumentUse> use_rows(Query& query) {
  std::vector<DocumentUse> uses;
  while (query.next()) uses.push_back(use_row(query));
  return uses;
}

#define AUTHORIZATION_COLUMNS                                                                         \
  "authorization_key, source, app_id, vendor_practitioner, clinic_id, state, reason, sealed_access, " \
  "sealed_refresh, expires_at, lease_owner, lease_until, created_at, updated_at"

std::vector<Authorization> authorization_rows(Query& query) {
  std::vector<Authorization> rows;
  while (query.next()) {
    Authorization row;
    row.key = AuthorizationKey{query.integer(0)};
    row.source = SourceId(query.text(1));
    row.app_practitioner = AppPractitionerId(query.text(2));
    row.vendor_practitioner = PractitionerId(query.text(3));
    row.clinic = ClinicId(query.text(4));
    row.state = named(kConsents, query.text(5));
    row.reason = query.text(6);
    row.sealed_access = query.blob(7);
    row.sealed_refresh = query.blob(8);
    row.expires_at = Timestamp{query.integer(9)};
    row.lease_owner = query.text(10);
    row.lease_until = Timestamp{query.integer(11)};
    row.created_at = Timestamp{query.integer(12)};
    row.updated_at = Timestamp{query.integer(13)};
    rows.push_back(std::move(row));
  }
  return rows;
}

template <class Row>
std::optional<Row> first(std::vector<Row> rows) {
  if (rows.empty()) return std::nullopt;
  return std::move(rows.front());
}

#define LINK_COLUMNS "link, source, app_id, expires_at, used, state, sealed_verifier, state_expires_at, finished"

std::optional<ConnectLink> link_row(Query& query) {
  if (!query.next()) return std::nullopt;
  ConnectLink link;
  link.link = query.digest(0);
  link.source = SourceId(query.text(1));
  link.app_practitioner = AppPractitionerId(query.text(2));
  link.expires_at = Timestamp{query.integer(3)};
  link.used = query.boolean(4);
  link.state = query.digest(5);
  link.sealed_verifier = query.blob(6);
  link.state_expires_at = Timestamp{query.integer(7)};
  link.finished = query.boolean(8);
  return link;
}

#define RUN_COLUMNS                                                                                   \
  "run_key, source, app_id, clinic_id, kind, state, reason, since, orders_total, orders_read, gaps, " \
  "started_at, finished_at"

std::vector<NetworkRun> run_rows(Query& query) {
  std::vector<NetworkRun> runs;
  while (query.next()) {
    NetworkRun run;
    run.key = RunKey{query.integer(0)};
    run.source = SourceId(query.text(1));
    run.app_practitioner = AppPractitionerId(query.text(2));
    run.clinic = ClinicId(query.text(3));
    run.kind = query.text(4);
    run.state = query.text(5);
    run.reason = query.text(6);
    run.since = Timestamp{query.integer(7)};
    run.orders_total = query.integer(8);
    run.orders_read = query.integer(9);
    run.gaps = query.integer(10);
    run.started_at = Timestamp{query.integer(11)};
    run.finished_at = Timestamp{query.integer(12)};
    runs.push_back(std::move(run));
  }
  return runs;
}

std::int64_t count_of(Database& database, const char* sql) {
  Query query(database, sql);
  return query.next() ? query.integer(0) : 0;
}

ToldMissing told_missing_row(const Query& query) {
  return {OrderedTestId(query.text(0)), static_cast<int>(query.integer(1)), query.text(2), query.text(3)};
}

}  // namespace

// Documents ----------------------------------------------------------------------------------------------------------

std::vector<DocumentUse> SqlNetworkReads::uses_of(Sequence record) {
  Query query(database_, "SELECT " USE_COLUMNS " FROM document_uses WHERE record = ?1 ORDER BY test_id, member",
              as_number(record));
  return use_rows(query);
}

std::vector<DocumentUse> SqlNetworkReads::due_uses(Timestamp now, std::size_t limit) {
  Query query(database_,
              "SELECT " USE_COLUMNS
              " FROM document_uses WHERE open = 1 AND next_try_at <= ?1 ORDER BY next_try_at LIMIT ?2",
              now.microseconds, capped(limit));
  return use_rows(query);
}

std::vector<DocumentUse> SqlNetworkReads::open_uses_of(const SourceId& source, const Sha256& link) {
  Query query(database_, "SELECT " USE_COLUMNS " FROM document_uses WHERE open = 1 AND link = ?1 AND source = ?2", link,
              source.text());
  return use_rows(query);
}

std::optional<DocumentRow> SqlNetworkReads::document(const Sha256& sha256) {
  Query query(database_,
              "SELECT sha256, media_type, bytes, source, fetched_at, sealed FROM documents WHERE sha256 = ?1", sha256);
  if (!query.next()) return std::nullopt;
  return DocumentRow{
      query.digest(0), query.text(1), query.integer(2), SourceId(query.text(3)), Timestamp{query.integer(4)},
      query.blob(5)};
}

bool SqlNetworkReads::has_pending_documents(OrderKey order) {
  return Query(database_,
               "SELECT record FROM document_uses WHERE order_key = ?1 AND state = 'pending' AND is_content = 1 LIMIT 1",
               order.value)
      .next();
}

// In these words, by which both databases see that the index of these uses holds all that is asked for.
#define NOT_FETCHED "state IN ('pending', 'missing')"

DocumentTotals SqlNetworkReads::document_totals() {
  DocumentTotals totals;
  totals.documents = count_of(database_, "SELECT count(*) FROM documents");
  totals.bytes = count_of(database_, "SELECT COALESCE(sum(bytes), 0) FROM documents");
  Query query(database_, "SELECT state, open, reason = 'no_consent', count(*) FROM document_uses WHERE " NOT_FETCHED
                         " GROUP BY state, open, reason = 'no_consent'");
  while (query.next()) {
    const bool is_open = query.boolean(1);
    const bool is_missing = query.text(0) == "missing";
    if (!is_missing && !is_open) continue;
    auto& total = !is_missing        ? totals.pending
                  : is_open          ? totals.missing
                  : query.boolean(2) ? totals.waiting
                                     : totals.given_up;
    total += query.integer(3);
  }
  return totals;
}

#define MISSING_CONDITION                                                                     \
  "u." NOT_FETCHED                                                                            \
  " AND (?1 = '' OR u.source = ?1) AND (?2 = '' OR e.order_id = ?2) AND (?3 = '' OR "         \
  "(?3 = 'given_up' AND u.state = 'missing' AND u.open = 0 AND u.reason <> 'no_consent') OR " \
  "(?3 = 'waiting' AND u.state = 'missing' AND u.open = 0 AND u.reason = 'no_consent') OR "   \
  "(?3 = u.state AND u.open = 1)) AND u.record > ?4"

std::vector<MissingDocument> SqlNetworkReads::missing_documents(const MissingFilter& filter, Sequence after,
                                                                std::size_t events) {
  Query query(database_,
              "SELECT u.record, u.test_id, u.member, u.source, u.order_key, u.link, u.is_content, u.state, u.open, "
              "u.sha256, u.reason, u.tries, u.received_at, u.next_try_at, e.event_id, e.order_id FROM document_uses u "
              "JOIN events e ON e.record = u.record WHERE " MISSING_CONDITION
              " AND u.record IN (SELECT DISTINCT u.record FROM document_uses u JOIN events e ON e.record = u.record "
              "WHERE " MISSING_CONDITION " ORDER BY u.record LIMIT ?5) ORDER BY u.record, u.test_id, u.member",
              filter.source.text(), filter.order.text(), filter.state, as_number(after), capped(events));
  std::vector<MissingDocument> found;
  while (query.next()) {
    MissingDocument& one = found.emplace_back();
    one.use = use_row(query);
    one.event = EventId(query.text(14));
    one.order = OrderId(query.text(15));
  }
  return found;
}

#define RETRY_CONDITION                                                                                           \
  " AND (?2 = '' OR source = ?2) AND (?3 = '' OR record IN (SELECT record FROM events WHERE order_id = ?3)) AND " \
  "(?4 = '' OR order_key IN (SELECT order_key FROM orders WHERE source = ?2 AND clinic_id IN ('', ?4)))"

Retried SqlNetworkWrites::retry_missing(const MissingFilter& filter, Timestamp now) {
  const auto count = [](Query query) {
    std::int64_t rows = 0;
    while (query.next()) ++rows;
    return rows;
  };
  Retried retried;
  retried.hastened =
      count(Query(database_,
                  "UPDATE document_uses SET next_try_at = ?1 WHERE open = 1 AND state = 'missing' AND next_try_at > "
                  "?1" RETRY_CONDITION " RETURNING record",
                  now.microseconds, filter.source.text(), filter.order.text(), filter.clinic.text()));
  retried.taken_up = count(Query(
      database_,
      "UPDATE document_uses SET open = 1, tries = 0, received_at = ?1, next_try_at = ?1 WHERE open = 0 AND state = "
      "'missing' AND " NOT_FETCHED RETRY_CONDITION " RETURNING record",
      now.microseconds, filter.source.text(), filter.order.text(), filter.clinic.text()));
  return retried;
}

const char* const kToldMissingOfOrder =
    "SELECT test_id, version, member, reason FROM told_missing WHERE order_key = ?1 ORDER BY test_id, version, member";

std::vector<ToldMissing> told_missing_rows(Query& query) {
  std::vector<ToldMissing> rows;
  while (query.next()) rows.push_back(told_missing_row(query));
  return rows;
}

std::vector<ToldMissing> SqlNetworkReads::told_missing(OrderKey order) {
  Query query(database_, kToldMissingOfOrder, order.value);
  return told_missing_rows(query);
}

std::map<OrderKey, std::vector<ToldMissing>> SqlNetworkReads::told_missing(std::span<const OrderKey> orders) {
  std::map<OrderKey, std::vector<ToldMissing>> told;
  asked_together(orders, &OrderKey::value, [&](const AskedNumbers& asked) {
    Query query(database_,
                "SELECT test_id, version, member, reason, order_key FROM told_missing WHERE order_key IN " ASKED
                "ORDER BY order_key, test_id, version, member",
                asked);
    while (query.next()) told[OrderKey{query.integer(4)}].push_back(told_missing_row(query));
  });
  return told;
}

void SqlNetworkWrites::save_use(const DocumentUse& use) {
  Query(database_,
        "INSERT INTO document_uses (" USE_COLUMNS
        ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (record, test_id, member) "
        "DO UPDATE SET link = excluded.link, state = excluded.state, open = excluded.open, sha256 = excluded.sha256, "
        "reason = excluded.reason, tries = excluded.tries, next_try_at = excluded.next_try_at",
        as_number(use.record), use.test.text(), use.member, use.source.text(), use.order.value, use.link,
        use.is_content, name_of(use.state), use.open, use.document, use.reason, use.tries, use.received_at.microseconds,
        use.next_try_at.microseconds)
      .run();
}

void SqlNetworkWrites::add_document(const DocumentRow& document) {
  Query(database_,
        "INSERT INTO documents (sha256, media_type, bytes, source, fetched_at, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6) "
        "ON CONFLICT DO NOTHING",
        document.sha256, document.media_type, document.bytes, document.source.text(), document.fetched_at.microseconds,
        Blob{document.sealed})
      .run();
}

void SqlNetworkWrites::note_told_missing(OrderKey order, const ToldMissing& missing) {
  Query(database_,
        "INSERT INTO told_missing (order_key, test_id, version, member, reason) VALUES (?1, ?2, ?3, ?4, ?5) ON "
        "CONFLICT DO NOTHING",
        order.value, missing.test.text(), missing.version, missing.member, missing.reason)
      .run();
}

void copy_network_facts(Database& from, Database& to) {
  SqlNetworkWrites writes(to);
  Query query(from, "SELECT " USE_COLUMNS " FROM document_uses");
  for (const DocumentUse& use : use_rows(query)) writes.save_use(use);
}

// Consents -----------------------------------------------------------------------------------------------------------

std::optional<Authorization> SqlNetworkReads::authorization(const SourceId& source, const AppPractitionerId& id) {
  Query query(database_, "SELECT " AUTHORIZATION_COLUMNS " FROM authorizations WHERE app_id = ?1 AND source = ?2",
              id.text(), source.text());
  return first(authorization_rows(query));
}

std::optional<Authorization> SqlNetworkReads::authorization(AuthorizationKey key) {
  Query query(database_, "SELECT " AUTHORIZATION_COLUMNS " FROM authorizations WHERE authorization_key = ?1",
              key.value);
  return first(authorization_rows(query));
}

std::vector<Authorization> SqlNetworkReads::authorizations() {
  Query query(database_, "SELECT " AUTHORIZATION_COLUMNS " FROM authorizations ORDER BY authorization_key");
  return authorization_rows(query);
}

std::vector<Authorization> SqlNetworkReads::authorizations_of(const AppPractitionerId& id) {
  Query query(database_, "SELECT " AUTHORIZATION_COLUMNS " FROM authorizations WHERE app_id = ?1 ORDER BY source",
              id.text());
  return authorization_rows(query);
}

AuthorizationKey SqlNetworkWrites::add_authorization(const Authorization& row) {
  Query query(database_,
              "INSERT INTO authorizations (source, app_id, vendor_practitioner, clinic_id, state, reason, "
              "sealed_access, sealed_refresh, expires_at, lease_owner, lease_until, created_at, updated_at) VALUES "
              "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13) RETURNING authorization_key",
              row.source.text(), row.app_practitioner.text(), row.vendor_practitioner.text(), row.clinic.text(),
              name_of(row.state), row.reason, Blob{row.sealed_access}, Blob{row.sealed_refresh},
              row.expires_at.microseconds, row.lease_owner, row.lease_until.microseconds, row.created_at.microseconds,
              row.updated_at.microseconds);
  return query.next() ? AuthorizationKey{query.integer(0)} : AuthorizationKey{};
}

void SqlNetworkWrites::save_authorization(const Authorization& row) {
  Query(database_,
        "UPDATE authorizations SET vendor_practitioner = ?2, clinic_id = ?3, state = ?4, reason = ?5, sealed_access = "
        "?6, sealed_refresh = ?7, expires_at = ?8, lease_owner = ?9, lease_until = ?10, updated_at = ?11 WHERE "
        "authorization_key = ?1",
        row.key.value, row.vendor_practitioner.text(), row.clinic.text(), name_of(row.state), row.reason,
        Blob{row.sealed_access}, Blob{row.sealed_refresh}, row.expires_at.microseconds, row.lease_owner,
        row.lease_until.microseconds, row.updated_at.microseconds)
      .run();
}

std::optional<ConnectLink> SqlNetworkReads::connect_link(const Sha256& link) {
  Query query(database_, "SELECT " LINK_COLUMNS " FROM connect_links WHERE link = ?1", link);
  return link_row(query);
}

std::optional<ConnectLink> SqlNetworkReads::connect_link_of_state(const Sha256& state) {
  Query query(database_, "SELECT " LINK_COLUMNS " FROM connect_links WHERE state = ?1 AND used = 1", state);
  return link_row(query);
}

void SqlNetworkWrites::add_connect_link(const ConnectLink& link) {
  Query(database_, "INSERT INTO connect_links (" LINK_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        link.link, link.source.text(), link.app_practitioner.text(), link.expires_at.microseconds, link.used,
        link.state, Blob{link.sealed_verifier}, link.state_expires_at.microseconds, link.finished)
      .run();
}

void SqlNetworkWrites::save_connect_link(const ConnectLink& link) {
  Query(database_,
        "UPDATE connect_links SET used = ?2, state = ?3, sealed_verifier = ?4, state_expires_at = ?5, finished = ?6 "
        "WHERE link = ?1",
        link.link, link.used, link.state, Blob{link.sealed_verifier}, link.state_expires_at.microseconds, link.finished)
      .run();
}

void SqlNetworkWrites::drop_connect_links(Timestamp expired_before) {
  Query(database_, "DELETE FROM connect_links WHERE expires_at < ?1 AND state_expires_at < ?1",
        expired_before.microseconds)
      .run();
}

// Readings of the API
// --------------------------------------------------------------------------------------------------

std::vector<NetworkRun> SqlNetworkReads::runs(std::size_t limit) {
  Query query(database_, "SELECT " RUN_COLUMNS " FROM network_runs ORDER BY run_key DESC LIMIT ?1", capped(limit));
  return run_rows(query);
}

std::optional<NetworkRun> SqlNetworkReads::run(RunKey key) {
  Query query(database_, "SELECT " RUN_COLUMNS " FROM network_runs WHERE run_key = ?1", key.value);
  return first(run_rows(query));
}

std::optional<NetworkRun> SqlNetworkReads::next_run() {
  Query query(database_, "SELECT " RUN_COLUMNS
                         " FROM network_runs WHERE state IN ('waiting', 'running') ORDER BY run_key LIMIT 1");
  return first(run_rows(query));
}

std::optional<NetworkRun> SqlNetworkReads::last_run(const SourceId& source, const ClinicId& clinic) {
  Query query(database_,
              "SELECT " RUN_COLUMNS
              " FROM network_runs WHERE clinic_id = ?1 AND source = ?2 ORDER BY run_key DESC LIMIT 1",
              clinic.text(), source.text());
  return first(run_rows(query));
}

RunKey SqlNetworkWrites::add_run(const NetworkRun& run) {
  // One of each schedule for ever would be a table that nobody reads to its end.
  Query(
      database_,
      "DELETE FROM network_runs WHERE source = ?1 AND clinic_id = ?2 AND state IN ('finished', 'failed') AND run_key "
      "<= (SELECT run_key FROM network_runs WHERE source = ?1 AND clinic_id = ?2 ORDER BY run_key DESC LIMIT 1 OFFSET "
      "?3)",
      run.source.text(), run.clinic.text(), kRunsKept - 1)
      .run();
  Query query(database_,
              "INSERT INTO network_runs (source, app_id, clinic_id, kind, state, reason, since, orders_total, "
              "orders_read, gaps, started_at, finished_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
              "RETURNING run_key",
              run.source.text(), run.app_practitioner.text(), run.clinic.text(), run.kind, run.state, run.reason,
              run.since.microseconds, run.orders_total, run.orders_read, run.gaps, run.started_at.microseconds,
              run.finished_at.microseconds);
  return query.next() ? RunKey{query.integer(0)} : RunKey{};
}

void SqlNetworkWrites::save_run(const NetworkRun& run) {
  Query(database_,
        "UPDATE network_runs SET state = ?2, reason = ?3, orders_total = ?4, orders_read = ?5, gaps = ?6, finished_at "
        "= ?7 WHERE run_key = ?1",
        run.key.value, run.state, run.reason, run.orders_total, run.orders_read, run.gaps, run.finished_at.microseconds)
      .run();
}

std::vector<PractitionerId> SqlNetworkReads::practitioners_without_clinic(const SourceId& source, std::size_t limit) {
  Query query(database_,
              "SELECT DISTINCT practitioner FROM orders WHERE clinic_id = '' AND practitioner <> '' AND source = ?1 "
              "ORDER BY practitioner LIMIT ?2",
              source.text(), capped(limit));
  std::vector<PractitionerId> practitioners;
  while (query.next()) practitioners.emplace_back(query.text(0));
  return practitioners;
}

std::vector<ClinicActivity> SqlNetworkReads::activity(Sequence after, Sequence through) {
  Query query(database_,
              "SELECT o.source, o.clinic_id, count(*), min(e.received_at), max(e.received_at) FROM events e CROSS JOIN "
              "orders o WHERE e.record > ?1 AND e.record <= ?2 AND o.order_key = e.order_key AND o.clinic_id <> '' "
              "GROUP BY o.source, o.clinic_id",
              as_number(after), as_number(through));
  std::vector<ClinicActivity> rows;
  while (query.next()) {
    rows.push_back({SourceId(query.text(0)), ClinicId(query.text(1)), query.integer(2), Timestamp{query.integer(3)},
                    Timestamp{query.integer(4)}});
  }
  return rows;
}

std::vector<std::pair<SourceId, ClinicId>> SqlNetworkReads::connected_clinics() {
  std::vector<std::pair<SourceId, ClinicId>> clinics;
  Query query(database_,
              "SELECT DISTINCT source, clinic_id FROM connections WHERE ended_at IS NULL ORDER BY source, clinic_id");
  while (query.next()) clinics.emplace_back(SourceId(query.text(0)), ClinicId(query.text(1)));
  return clinics;
}

}  // namespace resultsync::store::sql
