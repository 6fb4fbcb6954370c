#include "store/sql/results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

namespace resultsync::store::sql {
namespace {

#define RESULT_COLUMNS                                                                                              \
  "SELECT t.test_key, t.order_key, o.source, o.order_id, t.test_id, o.patient_id, o.clinic_id, t.current_version, " \
  "t.status, t.changed_at, t.fhir_prefix, t.review "

// S5: within the reach ?1 of a key, and of the practitioner ?2 it was narrowed to. `ORDER` is the alias of the order.
#define IN_SIGHT(ORDER)                                                                         \
  "(?1 = 0 OR EXISTS (SELECT 1 FROM visible_clinics v WHERE v.reach = ?1 AND v.source = " ORDER \
  ".source AND v.clinic_id = " ORDER                                                            \
  ".clinic_id)) AND (?2 = 0 OR EXISTS (SELECT 1 FROM connections c WHERE c.clinic_id = " ORDER  \
  ".clinic_id AND c.source = " ORDER ".source AND c.practitioner_key = ?2 AND c.ended_at IS NULL)) "

// Where a query begins: with the narrowest of what is asked for. A CROSS JOIN is taken in the order in which it is
// written.
#define OF_TESTS "FROM result_tests t CROSS JOIN orders o WHERE o.order_key = t.order_key AND "
#define OF_ORDERS "FROM orders o CROSS JOIN result_tests t WHERE t.order_key = o.order_key AND "
#define OF_CLINICS                                                                                            \
  " m CROSS JOIN orders o CROSS JOIN result_tests t WHERE o.clinic_id = m.clinic_id AND o.source = m.source " \
  "AND t.order_key = o.order_key AND "
#define OF_REACH "FROM (SELECT DISTINCT v.source, v.clinic_id FROM visible_clinics v WHERE v.reach = ?1)" OF_CLINICS
#define OF_PRACTITIONER                                                                                             \
  "FROM (SELECT DISTINCT c.source, c.clinic_id FROM connections c WHERE c.practitioner_key = ?2 AND c.ended_at IS " \
  "NULL)" OF_CLINICS

std::int64_t at_most(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int32_t>::max()));
}

template <class Id>
std::string text_of(const std::optional<Id>& id) {
  return id ? id->text() : std::string();
}

std::vector<ResultRow> result_rows(Query& query) {
  std::vector<ResultRow> rows;
  while (query.next()) {
    ResultRow row;
    row.key = TestKey{query.integer(0)};
    row.order_key = OrderKey{query.integer(1)};
    row.source = SourceId(query.text(2));
    row.order = OrderId(query.text(3));
    row.test = OrderedTestId(query.text(4));
    row.patient = PatientId(query.text(5));
    row.clinic = ClinicId(query.text(6));
    row.version = static_cast<int>(query.integer(7));
    row.status = query.text(8);
    row.changed_at = Timestamp{query.integer(9)};
    row.fhir_prefix = query.text(10);
    row.review = static_cast<Review>(query.integer(11));
    rows.push_back(std::move(row));
  }
  return rows;
}

#define CHANGED_ROWS                                                                                              \
  IN_SIGHT("o")                                                                                                   \
  "AND (?3 = '' OR o.source = ?3) AND (?4 = '' OR t.status = ?4) AND t.changed_at >= ?5 "                         \
  "AND (t.changed_at, t.test_key) > (?6, ?7) AND (?9 = '' OR t.test_id = ?9) AND (?10 = '' OR o.order_id = ?10) " \
  "AND (?11 = '' OR o.patient_id = ?11) AND (?12 = 0 OR (?12 = 1 AND t.review < 2) OR (?12 = 2 AND t.review = 2)) "
#define CHANGED_FILTERS CHANGED_ROWS "ORDER BY t.changed_at, t.test_key LIMIT ?8"
// Of one order, test or patient: few rows, which are found and sorted. Sorted by an expression, lest PostgreSQL walk
// through all results there are in the order of their index until it meets them.
#define CHANGED_FEW CHANGED_ROWS "ORDER BY t.changed_at + 0, t.test_key LIMIT ?8"

const char* changed_query(const ResultFilter& filter) {
  if (filter.test) return RESULT_COLUMNS OF_TESTS "t.test_id = ?9 AND " CHANGED_FEW;
  if (filter.order) return RESULT_COLUMNS OF_ORDERS "o.order_id = ?10 AND " CHANGED_FEW;
  if (filter.patient) return RESULT_COLUMNS OF_ORDERS "o.patient_id = ?11 AND " CHANGED_FEW;
  if (filter.sight.practitioner) return RESULT_COLUMNS OF_PRACTITIONER CHANGED_FILTERS;
  if (!filter.sight.reach.is_everything()) return RESULT_COLUMNS OF_REACH CHANGED_FILTERS;
  if (filter.reviewed == false) return RESULT_COLUMNS OF_TESTS "t.review < 2 AND " CHANGED_FILTERS;
  return RESULT_COLUMNS OF_TESTS CHANGED_FILTERS;
}

#define SEARCH_FILTERS \
  IN_SIGHT("o")        \
  "AND t.test_key < ?3 AND t.changed_at >= ?5 AND t.changed_at < ?6 "                                            \
  "AND (?7 >= ?8 OR (t.taken_from < ?8 AND t.taken_to > ?7)) "                                                   \
  "AND (?9 = 0 OR o.patient_id = '' OR NOT EXISTS (SELECT 1 FROM orders n CROSS JOIN result_tests u WHERE "      \
  "n.patient_id = o.patient_id AND n.source = o.source AND u.order_key = n.order_key AND u.test_key > "          \
  "t.test_key AND " IN_SIGHT("n")                                                                                \
  ")) AND (?10 = '' OR t.fhir_prefix = ?10) AND (?11 = '' OR (o.source = ?11 AND o.patient_id = ?12)) "          \
  "ORDER BY t.test_key DESC LIMIT ?4"

// One set of codes; and all that have a code, where they are many.
#define OF_SET                                                                                                     \
  "FROM result_test_codes w CROSS JOIN result_tests t CROSS JOIN orders o WHERE w.set_key = ?13 AND w.test_key < " \
  "?3 AND t.test_key = w.test_key AND o.order_key = t.order_key AND "
#define OF_CODE                                                                                                    \
  "FROM (SELECT DISTINCT x.test_key FROM result_codes w CROSS JOIN result_test_codes x WHERE w.term = ?13 AND "    \
  "x.set_key = w.set_key AND x.test_key < ?3) m CROSS JOIN result_tests t CROSS JOIN orders o WHERE t.test_key = " \
  "m.test_key AND o.order_key = t.order_key AND "
constexpr std::size_t kSetsMax = 64;

const char* search_query(const ResultSearch& search) {
  if (search.test_prefix) return RESULT_COLUMNS OF_TESTS "t.fhir_prefix = ?10 AND " SEARCH_FILTERS;
  if (search.patient) return RESULT_COLUMNS OF_ORDERS "o.patient_id = ?12 AND " SEARCH_FILTERS;
  if (search.order) return RESULT_COLUMNS OF_ORDERS "o.order_id = ?13 AND " SEARCH_FILTERS;
  if (search.test) return RESULT_COLUMNS OF_TESTS "t.test_id = ?13 AND " SEARCH_FILTERS;
  if (search.identifier) {
    return RESULT_COLUMNS
        "FROM result_identifiers w CROSS JOIN result_tests t CROSS JOIN orders o WHERE w.term = ?13 AND w.test_key < "
        "?3 AND t.test_key = w.test_key AND o.order_key = t.order_key AND " SEARCH_FILTERS;
  }
  if (search.sight.practitioner) return RESULT_COLUMNS OF_PRACTITIONER SEARCH_FILTERS;
  if (!search.sight.reach.is_everything()) return RESULT_COLUMNS OF_REACH SEARCH_FILTERS;
  return RESULT_COLUMNS OF_TESTS SEARCH_FILTERS;
}

constexpr Timestamp kEarliest{std::numeric_limits<std::int64_t>::min()};
constexpr Timestamp kLatest{std::numeric_limits<std::int64_t>::max()};

}  // namespace

std::vector<ResultRow> SqlResultReads::changed(const ResultFilter& filter, ResultPlace after, std::size_t limit) {
  const std::string source = text_of(filter.source);
  const std::string test = text_of(filter.test);
  const std::string order = text_of(filter.order);
  const std::string patient = text_of(filter.patient);
  const std::string status = filter.status.value_or("");
  const int reviewed = !filter.reviewed ? 0 : *filter.reviewed ? 2 : 1;
  Query query(database_, changed_query(filter), filter.sight.reach.value, filter.sight.practitioner.value, source,
              status, filter.updated_since.value_or(kEarliest).microseconds, after.changed_at.microseconds,
              after.key.value, at_most(limit), test, order, patient, reviewed);
  return result_rows(query);
}

// `by` is ?13: what the narrowest condition compares with.
template <class... By>
std::vector<ResultRow> SqlResultReads::searched(const char* sql, const ResultSearch& search, TestKey before,
                                                std::size_t limit, const By&... by) {
  const std::string prefix = search.test_prefix.value_or("");
  const std::string source = search.patient ? search.patient->first.text() : "";
  const std::string patient = search.patient ? search.patient->second.text() : "";
  const TakenSpan taken = search.taken.value_or(TakenSpan{});
  Query query(database_, sql, search.sight.reach.value, search.sight.practitioner.value, before.value, at_most(limit),
              search.changed_from.value_or(kEarliest).microseconds, search.changed_to.value_or(kLatest).microseconds,
              taken.from.microseconds, taken.to.microseconds, search.newest_of_patient, prefix, source, patient, by...);
  return result_rows(query);
}

std::vector<ResultRow> SqlResultReads::search(const ResultSearch& search, TestKey before, std::size_t limit) {
  const bool by_name = search.test_prefix || search.patient;
  if (!by_name && search.order) return searched(search_query(search), search, before, limit, search.order->text());
  if (!by_name && search.test) return searched(search_query(search), search, before, limit, search.test->text());
  if (!by_name && search.identifier)
    return searched(search_query(search), search, before, limit, search.identifier.value);
  if (by_name || !search.code) {
    const bool walks_all = !by_name && !search.sight.practitioner && search.sight.reach.is_everything();
    std::optional<InOrder> in_order;
    if (walks_all) in_order.emplace(database_);
    return searched(search_query(search), search, before, limit);
  }
  std::vector<std::int64_t> sets;
  {
    Query query(database_, "SELECT set_key FROM result_codes WHERE term = ?1 LIMIT ?2", search.code.value,
                kSetsMax + 1);
    while (query.next()) sets.push_back(query.integer(0));
  }
  if (sets.size() > kSetsMax)
    return searched(RESULT_COLUMNS OF_CODE SEARCH_FILTERS, search, before, limit, search.code.value);
  // Each set gives its newest without a sort; the newest of all are among them.
  std::vector<ResultRow> rows;
  for (const std::int64_t set : sets) {
    std::ranges::move(searched(RESULT_COLUMNS OF_SET SEARCH_FILTERS, search, before, limit, set),
                      std::back_inserter(rows));
  }
  std::ranges::sort(rows, std::ranges::greater{}, &ResultRow::key);
  rows.erase(std::ranges::unique(rows, {}, &ResultRow::key).begin(), rows.end());
  if (rows.size() > limit) rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
  return rows;
}

std::optional<std::pair<SourceId, PatientId>> SqlResultReads::patient_named(const std::string& fhir_prefix) {
  Query query(database_, "SELECT source, patient_id FROM result_patients WHERE fhir_prefix = ?1", fhir_prefix);
  if (!query.next()) return std::nullopt;
  return std::pair(SourceId(query.text(0)), PatientId(query.text(1)));
}

std::vector<DocumentPlace> SqlResultReads::documents(const Sha256& sha256, const Sight& sight, std::size_t limit) {
  std::vector<DocumentPlace> places;
  Query query(database_,
              "SELECT t.order_key, t.test_id, d.record FROM result_documents d CROSS JOIN result_tests t CROSS JOIN "
              "orders o WHERE d.sha256 = ?3 AND t.test_key = d.test_key AND o.order_key = t.order_key AND " IN_SIGHT(
                  "o") "ORDER BY d.test_key DESC LIMIT ?4",
              sight.reach.value, sight.practitioner.value, sha256, at_most(limit));
  while (query.next()) {
    places.push_back({OrderKey{query.integer(0)}, OrderedTestId(query.text(1)),
                      Sequence{static_cast<std::uint64_t>(query.integer(2))}});
  }
  return places;
}

bool SqlResultReads::shows_fetched(const Sha256& sha256, const Sight& sight) {
  Query query(database_,
              "SELECT 1 FROM document_uses u CROSS JOIN orders o WHERE u.sha256 = ?3 AND u.state = 'fetched' AND "
              "o.order_key = u.order_key AND " IN_SIGHT("o") "LIMIT 1",
              sight.reach.value, sight.practitioner.value, sha256);
  return query.next();
}

// Which record holds a document, and when something changed, record the arrival.
bool SqlResultReads::dump(const std::function<bool(std::string_view line)>& line) {
  {
    Query query(database_,
                "SELECT o.source, o.order_id, t.test_id, t.status, t.taken_from, t.taken_to, t.fhir_prefix FROM "
                "result_tests t JOIN orders o ON o.order_key = t.order_key ORDER BY o.source, o.order_id, t.test_id");
    while (query.next()) {
      if (!line(fmt::format("result {} {} {} {} {} {} {}", query.text(0), query.text(1), query.text(2), query.text(3),
                            query.integer(4), query.integer(5), query.text(6)))) {
        return false;
      }
    }
  }
  {
    Query query(database_,
                "SELECT s.name, c.term FROM result_codes c JOIN result_code_sets s ON s.set_key = c.set_key ORDER BY "
                "c.term, s.name");
    while (query.next()) {
      if (!line(fmt::format("code {} {}", query.digest(0).hex(), query.integer(1)))) return false;
    }
  }
  {
    Query query(database_,
                "SELECT s.name, o.source, o.order_id, t.test_id FROM result_test_codes x JOIN result_code_sets s ON "
                "s.set_key = x.set_key JOIN result_tests t ON t.test_key = x.test_key JOIN orders o ON o.order_key = "
                "t.order_key ORDER BY s.name, o.source, o.order_id, t.test_id");
    while (query.next()) {
      if (!line(fmt::format("codes {} {} {} {}", query.digest(0).hex(), query.text(1), query.text(2), query.text(3))))
        return false;
    }
  }
  {
    Query query(database_,
                "SELECT x.term, o.source, o.order_id, t.test_id FROM result_identifiers x JOIN result_tests t ON "
                "t.test_key = x.test_key JOIN orders o ON o.order_key = t.order_key ORDER BY x.term, o.source, "
                "o.order_id, t.test_id");
    while (query.next()) {
      if (!line(fmt::format("identifier {} {} {} {}", query.integer(0), query.text(1), query.text(2), query.text(3))))
        return false;
    }
  }
  {
    Query query(database_,
                "SELECT d.sha256, o.source, o.order_id, t.test_id FROM result_documents d JOIN result_tests t ON "
                "t.test_key = d.test_key JOIN orders o ON o.order_key = t.order_key ORDER BY d.sha256, o.source, "
                "o.order_id, t.test_id");
    while (query.next()) {
      if (!line(fmt::format("document {} {} {} {}", query.digest(0).hex(), query.text(1), query.text(2),
                            query.text(3)))) {
        return false;
      }
    }
  }
  Query query(database_, "SELECT fhir_prefix, source, patient_id FROM result_patients ORDER BY fhir_prefix");
  while (query.next()) {
    if (!line(fmt::format("patient {} {} {}", query.text(0), query.text(1), query.text(2)))) return false;
  }
  return true;
}

void SqlResultWrites::add_patient(const SourceId& source, const PatientId& patient) {
  patients_.try_emplace(fhir_prefix_of_patient(source, patient), source, patient);
}

void SqlResultWrites::finish() {
  for (const auto& [prefix, patient] : patients_) {
    Query(database_, Gathered{"INSERT INTO result_patients VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING"}, prefix,
          patient.first.text(), patient.second.text())
        .run();
  }
  patients_.clear();
}

void SqlResultWrites::save(const Change& change) {
  const std::string prefix = fhir_prefix_of_test(change.source, change.order_id, change.test);
  const std::string status = change.status.value_or("");
  Query(
      database_,
      Gathered{.sql = "INSERT INTO result_tests (order_key, test_id, fhir_prefix, current_version, status, changed_at, "
                      "taken_from, taken_to) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (order_key, "
                      "test_id) DO UPDATE SET current_version = excluded.current_version, "
                      "status = CASE WHEN excluded.status = '' THEN result_tests.status ELSE excluded.status END, "
                      "review = CASE WHEN excluded.status <> '' AND result_tests.review = 2 THEN 1 ELSE "
                      "result_tests.review END, "
                      "changed_at = CASE WHEN excluded.changed_at > result_tests.changed_at THEN "
                      "excluded.changed_at ELSE result_tests.changed_at END, "
                      "taken_from = CASE WHEN excluded.taken_from < result_tests.taken_from THEN "
                      "excluded.taken_from ELSE result_tests.taken_from END, "
                      "taken_to = CASE WHEN excluded.taken_to > result_tests.taken_to THEN excluded.taken_to ELSE "
                      "result_tests.taken_to END",
               .key = 2},
      change.order.value, change.test.text(), prefix, change.version, status, change.changed_at.microseconds,
      change.taken.from.microseconds, change.taken.to.microseconds)
      .run();
}

std::int64_t SqlResultWrites::key_of_set(const Sha256& set, const std::function<std::vector<Term>()>& terms) {
  constexpr std::size_t kKnownMax = 10'000;
  if (known_sets_.size() >= kKnownMax) known_sets_.clear();
  if (const auto known = known_sets_.find(set); known != known_sets_.end()) return known->second;
  {
    Query there(database_, "SELECT set_key FROM result_code_sets WHERE name = ?1", set);
    if (there.next()) return known_sets_[set] = there.integer(0);
  }
  on_new_set_();
  std::int64_t key = 0;
  {
    Query added(database_, "INSERT INTO result_code_sets (name) VALUES (?1) RETURNING set_key", set);
    if (!added.next()) return 0;
    key = added.integer(0);
  }
  for (const Term term : terms())
    Query(database_, "INSERT INTO result_codes VALUES (?1, ?2) ON CONFLICT DO NOTHING", term.value, key).run();
  return known_sets_[set] = key;
}

// The key of a test that was saved is looked up where it is needed, so that nobody waits to be told it.
#define TEST_KEY_OF(ORDER, TEST) \
  "(SELECT test_key FROM result_tests WHERE order_key = " ORDER " AND test_id = " TEST ")"

void SqlResultWrites::add_codes(const TestName& test, const Sha256& set,
                                const std::function<std::vector<Term>()>& terms) {
  const std::int64_t key = key_of_set(set, terms);
  Query(database_,
        Gathered{.sql = "INSERT INTO result_test_codes VALUES (?1, " TEST_KEY_OF("?2", "?3") ") ON CONFLICT DO NOTHING",
                 .looks_up = true},
        key, test.order.value, test.test.text())
      .run();
}

void SqlResultWrites::add_identifier(const TestName& test, Term identifier) {
  Query(
      database_,
      Gathered{.sql = "INSERT INTO result_identifiers VALUES (?1, " TEST_KEY_OF("?2", "?3") ") ON CONFLICT DO NOTHING",
               .looks_up = true},
      identifier.value, test.order.value, test.test.text())
      .run();
}

void SqlResultWrites::add_document(const TestName& test, const Sha256& sha256, Sequence record) {
  Query(database_,
        Gathered{
            .sql = "INSERT INTO result_documents VALUES (?1, " TEST_KEY_OF("?3", "?4") ", ?2) ON CONFLICT DO NOTHING",
            .looks_up = true},
        sha256, static_cast<std::int64_t>(record.value), test.order.value, test.test.text())
      .run();
}

}  // namespace resultsync::store::sql
