#include "store/sql/reviews.hpp"

#include "store/sql/rows.hpp"

namespace resultsync::store::sql {
namespace {

#define SIGNATURE_ROWS                                                                                          \
  "SELECT s.signature_key, s.order_key, s.test_id, s.version, s.practitioner_key, p.app_id, s.action, s.note, " \
  "s.was_current, s.signed_at, s.signed_with FROM signatures s JOIN practitioners p ON p.practitioner_key = "   \
  "s.practitioner_key "
#define SIGNATURES SIGNATURE_ROWS "WHERE s.order_key = ?1 AND s.test_id = ?2 "

SignatureRow signature_row(const Query& query) {
  SignatureRow row;
  row.key = SignatureKey{query.integer(0)};
  row.order = OrderKey{query.integer(1)};
  row.test = OrderedTestId(query.text(2));
  row.version = static_cast<int>(query.integer(3));
  row.practitioner_key = PractitionerKey{query.integer(4)};
  row.practitioner = AppPractitionerId(query.text(5));
  row.action = query.text(6);
  row.note = query.blob(7);
  row.was_current = query.boolean(8);
  row.signed_at = Timestamp{query.integer(9)};
  row.signed_with = query.text(10);
  return row;
}

std::optional<SignatureRow> only_signature(Query&& query) {
  if (!query.next()) return std::nullopt;
  return signature_row(query);
}

#define CRITICAL                                                                                                \
  "SELECT k.critical_key, k.order_key, k.test_id, k.version, k.state, k.event_at, k.opened_at, k.clock_at, "    \
  "k.steps, k.next_at, k.ended_at, k.reconsider, k.told, o.source, o.order_id, o.patient_id, o.clinic_id FROM " \
  "critical_results k JOIN orders o ON o.order_key = k.order_key "

// Whether anybody can see the order (S5).
#define SEEN                                                                                                       \
  "EXISTS (SELECT 1 FROM connections c WHERE c.clinic_id = o.clinic_id AND c.source = o.source AND c.ended_at IS " \
  "NULL)"

CriticalRow critical_of(const Query& query) {
  CriticalRow row;
  row.key = CriticalKey{query.integer(0)};
  row.order_key = OrderKey{query.integer(1)};
  row.test = OrderedTestId(query.text(2));
  row.version = static_cast<int>(query.integer(3));
  row.state = critical_state_named(query.text(4)).value_or(CriticalState::kOpen);
  row.event_at = Timestamp{query.integer(5)};
  row.opened_at = Timestamp{query.integer(6)};
  row.clock_at = Timestamp{query.integer(7)};
  row.steps = query.integer(8);
  row.next_at = Timestamp{query.integer(9)};
  row.ended_at = Timestamp{query.integer(10)};
  row.reconsider = query.boolean(11);
  row.told = query.text(12);
  row.source = SourceId(query.text(13));
  row.order = OrderId(query.text(14));
  row.patient = PatientId(query.text(15));
  row.clinic = ClinicId(query.text(16));
  return row;
}

std::optional<CriticalRow> only_critical(Query&& query) {
  if (!query.next()) return std::nullopt;
  return critical_of(query);
}

std::vector<CriticalRow> all_critical(Query&& query) {
  std::vector<CriticalRow> rows;
  while (query.next()) rows.push_back(critical_of(query));
  return rows;
}

}  // namespace

std::vector<SignatureRow> SqlReviewReads::signatures(OrderKey order, const OrderedTestId& test, SignatureKey before,
                                                     std::size_t limit) {
  std::vector<SignatureRow> rows;
  Query query(database_, SIGNATURES "AND (?3 = 0 OR s.signature_key < ?3) ORDER BY s.signature_key DESC LIMIT ?4",
              order.value, test.text(), before.value, at_most(limit));
  while (query.next()) rows.push_back(signature_row(query));
  return rows;
}

AskedLastSaid::AskedLastSaid(Database& database, const AskedNumbers& orders)
    : signatures_(database,
                  SIGNATURE_ROWS "WHERE s.order_key IN " ASKED
                                 "AND NOT EXISTS (SELECT 1 FROM signatures n WHERE n.order_key = s.order_key AND "
                                 "n.test_id = s.test_id AND n.signature_key > s.signature_key)",
                  orders),
      criticals_(database,
                 CRITICAL "WHERE k.order_key IN " ASKED
                          "AND NOT EXISTS (SELECT 1 FROM critical_results n WHERE n.order_key = k.order_key AND "
                          "n.test_id = k.test_id AND n.critical_key > k.critical_key)",
                 orders) {}

void AskedLastSaid::ask_ahead() {
  signatures_.ask_ahead();
  criticals_.ask_ahead();
}

void AskedLastSaid::read(LastSaid& said) {
  while (signatures_.next()) {
    SignatureRow row = signature_row(signatures_);
    const LastSaid::OfTest of{row.order, row.test};
    said.signatures.insert_or_assign(of, std::move(row));
  }
  while (criticals_.next()) {
    CriticalRow row = critical_of(criticals_);
    const LastSaid::OfTest of{row.order_key, row.test};
    said.criticals.insert_or_assign(of, std::move(row));
  }
}

LastSaid SqlReviewReads::last_said(std::span<const OrderKey> orders) {
  LastSaid said;
  asked_together(orders, &OrderKey::value, [&](const AskedNumbers& keys) {
    AskedLastSaid asked(database_, keys);
    asked.ask_ahead();
    asked.read(said);
  });
  return said;
}

std::optional<SignatureRow> SqlReviewReads::last_signature_of(OrderKey order, const OrderedTestId& test, int version) {
  return only_signature(Query(database_, SIGNATURES "AND s.version = ?3 ORDER BY s.signature_key DESC LIMIT 1",
                              order.value, test.text(), version));
}

// S5: within the reach of a key, and of the practitioner it was narrowed to.
std::vector<CriticalRow> SqlReviewReads::critical(const CriticalFilter& filter, CriticalKey after, std::size_t limit) {
#define IN_SIGHT                                                                                                   \
  "k.critical_key > ?3 AND (?1 = 0 OR EXISTS (SELECT 1 FROM visible_clinics v WHERE v.reach = ?1 AND v.source = "  \
  "o.source AND v.clinic_id = o.clinic_id)) AND (?2 = 0 OR EXISTS (SELECT 1 FROM connections c WHERE c.clinic_id " \
  "= o.clinic_id AND c.source = o.source AND c.practitioner_key = ?2 AND c.ended_at IS NULL)) AND (?4 = '' OR "    \
  "o.source = ?4) AND (?5 = '' OR k.state = ?5) ORDER BY k.critical_key LIMIT ?6"
  const std::string source = filter.source ? filter.source->text() : "";
  const std::string state(filter.state ? name_of(*filter.state) : "");
  const bool open = filter.state == CriticalState::kOpen;
  return all_critical(
      Query(database_, open ? CRITICAL "WHERE k.state = 'open' AND " IN_SIGHT : CRITICAL "WHERE " IN_SIGHT,
            filter.sight.reach.value, filter.sight.practitioner.value, after.value, source, state, at_most(limit)));
#undef IN_SIGHT
}

std::optional<CriticalRow> SqlReviewReads::last_critical(OrderKey order, const OrderedTestId& test) {
  return only_critical(Query(database_,
                             CRITICAL "WHERE k.order_key = ?1 AND k.test_id = ?2 ORDER BY k.critical_key DESC LIMIT 1",
                             order.value, test.text()));
}

std::optional<CriticalRow> SqlReviewReads::critical_version(OrderKey order, const OrderedTestId& test, int version) {
  return only_critical(Query(database_,
                             CRITICAL
                             "WHERE k.order_key = ?1 AND k.test_id = ?2 AND k.version = ?3 ORDER BY k.critical_key "
                             "DESC LIMIT 1",
                             order.value, test.text(), version));
}

std::optional<CriticalRow> SqlReviewReads::critical_row(CriticalKey key) {
  return only_critical(Query(database_, CRITICAL "WHERE k.critical_key = ?1", key.value));
}

std::vector<CriticalAcknowledgement> SqlReviewReads::acknowledgements(CriticalKey key) {
  std::vector<CriticalAcknowledgement> all;
  Query query(database_,
              "SELECT a.practitioner_key, p.app_id, a.note, a.acknowledged_at, a.acknowledged_with FROM "
              "critical_acknowledgements a JOIN practitioners p ON p.practitioner_key = a.practitioner_key WHERE "
              "a.critical_key = ?1 ORDER BY a.acknowledgement_key LIMIT 100",
              key.value);
  while (query.next()) {
    all.push_back({key, PractitionerKey{query.integer(0)}, AppPractitionerId(query.text(1)), query.blob(2),
                   Timestamp{query.integer(3)}, query.text(4)});
  }
  return all;
}

CriticalTotals SqlReviewReads::critical_totals() {
  CriticalTotals totals;
  Query query(database_,
              "SELECT count(*), min(k.clock_at) FROM critical_results k JOIN orders o ON o.order_key = k.order_key "
              "WHERE k.state = 'open' AND k.clock_at > 0 AND " SEEN);
  if (!query.next()) return totals;
  totals.open = query.integer(0);
  if (!query.is_null(1)) totals.oldest = Timestamp{query.integer(1)};
  return totals;
}

std::vector<CriticalRow> SqlReviewReads::critical_work(Timestamp now, CriticalKey after, std::size_t limit) {
  auto rows =
      all_critical(Query(database_,
                         CRITICAL "WHERE k.state = 'open' AND k.critical_key > ?2 AND (k.reconsider = 1 OR (k.next_at "
                                  "> 0 AND k.next_at <= ?1) OR ((k.clock_at = 0 OR k.told <> k.state) AND " SEEN
                                  ")) ORDER BY k.critical_key LIMIT ?3",
                         now.microseconds, after.value, at_most(limit)));
  auto ended =
      all_critical(Query(database_,
                         CRITICAL "WHERE k.told <> k.state AND k.state <> 'open' AND k.critical_key > ?1 ORDER BY "
                                  "k.critical_key LIMIT ?2",
                         after.value, at_most(limit)));
  for (CriticalRow& row : ended) rows.push_back(std::move(row));
  std::ranges::sort(rows, {}, &CriticalRow::key);
  if (rows.size() > limit) rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
  return rows;
}

std::optional<Timestamp> SqlReviewReads::next_critical_step(Timestamp now) {
  Query query(database_, "SELECT min(next_at) FROM critical_results WHERE state = 'open' AND next_at > ?1",
              now.microseconds);
  if (!query.next() || query.is_null(0)) return std::nullopt;
  return Timestamp{query.integer(0)};
}

SignatureKey SqlReviewWrites::add_signature(const SignatureRow& signature) {
  Query query(database_,
              "INSERT INTO signatures (order_key, test_id, version, practitioner_key, action, note, was_current, "
              "signed_at, signed_with) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) RETURNING signature_key",
              signature.order.value, signature.test.text(), signature.version, signature.practitioner_key.value,
              signature.action, Blob{signature.note}, signature.was_current, signature.signed_at.microseconds,
              signature.signed_with);
  return SignatureKey{query.next() ? query.integer(0) : 0};
}

void SqlReviewWrites::set_review(OrderKey order, const OrderedTestId& test, Review review) {
  Query(database_, "UPDATE result_tests SET review = ?3 WHERE order_key = ?1 AND test_id = ?2", order.value,
        test.text(), static_cast<int>(review))
      .run();
}

CriticalKey SqlReviewWrites::add_critical(const CriticalRow& row) {
  Query query(database_,
              "INSERT INTO critical_results (order_key, test_id, version, state, event_at, opened_at, clock_at, steps, "
              "next_at, ended_at, reconsider, told) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) "
              "RETURNING critical_key",
              row.order_key.value, row.test.text(), row.version, name_of(row.state), row.event_at.microseconds,
              row.opened_at.microseconds, row.clock_at.microseconds, row.steps, row.next_at.microseconds,
              row.ended_at.microseconds, row.reconsider, row.told);
  return CriticalKey{query.next() ? query.integer(0) : 0};
}

void SqlReviewWrites::save_critical(const CriticalRow& row) {
  Query(database_,
        "UPDATE critical_results SET state = ?2, clock_at = ?3, steps = ?4, next_at = ?5, ended_at = ?6, reconsider = "
        "?7, told = ?8 WHERE critical_key = ?1",
        row.key.value, name_of(row.state), row.clock_at.microseconds, row.steps, row.next_at.microseconds,
        row.ended_at.microseconds, row.reconsider, row.told)
      .run();
}

void SqlReviewWrites::reconsider(OrderKey order, const OrderedTestId& test) {
  Query(database_,
        "UPDATE critical_results SET reconsider = 1 WHERE order_key = ?1 AND test_id = ?2 AND state = 'open'",
        order.value, test.text())
      .run();
}

void SqlReviewWrites::add_acknowledgement(const CriticalAcknowledgement& acknowledgement) {
  Query(database_,
        "INSERT INTO critical_acknowledgements (critical_key, practitioner_key, note, acknowledged_at, "
        "acknowledged_with) VALUES (?1, ?2, ?3, ?4, ?5)",
        acknowledgement.critical.value, acknowledgement.practitioner_key.value, Blob{acknowledgement.note},
        acknowledgement.at.microseconds, acknowledgement.with)
      .run();
}

}  // namespace resultsync::store::sql
