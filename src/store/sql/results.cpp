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
#define OF_CLINIC OF_TESTS "t.clinic_key = ?13 AND "
// In place of a clinic's key: of tests whose clinic is not noted yet. There are none, once all were completed.
constexpr std::int64_t kNotNoted = -1;

// As many clinics are asked for what is theirs, one by one. Who sees more sees much of what there is: all of it is gone
// through in its order.
constexpr std::size_t kClinicsMax = 64;

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
  if (filter.reviewed == false) return RESULT_COLUMNS OF_TESTS "t.review < 2 AND " CHANGED_FILTERS;
  return RESULT_COLUMNS OF_TESTS CHANGED_FILTERS;
}

#define SEARCH_FILTERS_OF(CHANGED_AT, KEY) \
  IN_SIGHT("o")                            \
  "AND t.test_key < ?3 AND " CHANGED_AT " >= ?5 AND " CHANGED_AT                                                 \
  " < ?6 "                                                                                                       \
  "AND (?7 >= ?8 OR (t.taken_from < ?8 AND t.taken_to > ?7)) "                                                   \
  "AND (?9 = 0 OR o.patient_id = '' OR NOT EXISTS (SELECT 1 FROM orders n CROSS JOIN result_tests u WHERE "      \
  "n.patient_id = o.patient_id AND n.source = o.source AND u.order_key = n.order_key AND u.test_key > "          \
  "t.test_key AND " IN_SIGHT("n")                                                                                \
  ")) AND (?10 = '' OR t.fhir_prefix = ?10) AND (?11 = '' OR (o.source = ?11 AND o.patient_id = ?12)) "          \
  "ORDER BY " KEY " DESC LIMIT ?4"
#define SEARCH_FILTERS SEARCH_FILTERS_OF("t.changed_at", "t.test_key")
// Goes along the keys, whatever the span: as an expression the time is no reason to take its index and sort all there
// is.
#define SEARCH_ALONG SEARCH_FILTERS_OF("+t.changed_at", "t.test_key")
// Goes along the rows `w`, whose key is the test's: SQLite would sort by the latter.
#define SEARCH_NAMED SEARCH_FILTERS_OF("t.changed_at", "w.test_key")

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
        "?3 AND t.test_key = w.test_key AND o.order_key = t.order_key AND " SEARCH_NAMED;
  }
  return search.changed_from ? RESULT_COLUMNS OF_TESTS SEARCH_FILTERS : RESULT_COLUMNS OF_TESTS SEARCH_ALONG;
}

// Of rows from several questions, those that come first by `place`, each once.
template <class Place>
std::vector<ResultRow> first_of(std::vector<ResultRow> rows, std::size_t limit, const Place& place) {
  std::ranges::sort(rows, {}, place);
  rows.erase(std::ranges::unique(rows, {}, &ResultRow::key).begin(), rows.end());
  if (rows.size() > limit) rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(limit), rows.end());
  return rows;
}
std::int64_t newest_first(const ResultRow& row) {
  return -row.key.value;
}

constexpr std::size_t kKnownMax = 10'000;

constexpr Timestamp kEarliest{std::numeric_limits<std::int64_t>::min()};
constexpr Timestamp kLatest{std::numeric_limits<std::int64_t>::max()};

}  // namespace

// `by` is ?13.
template <class... By>
std::vector<ResultRow> SqlResultReads::changed_by(const char* sql, const ResultFilter& filter, ResultPlace after,
                                                  std::size_t limit, const By&... by) {
  const std::string source = text_of(filter.source);
  const std::string test = text_of(filter.test);
  const std::string order = text_of(filter.order);
  const std::string patient = text_of(filter.patient);
  const std::string status = filter.status.value_or("");
  const int reviewed = !filter.reviewed ? 0 : *filter.reviewed ? 2 : 1;
  Query query(database_, sql, filter.sight.reach.value, filter.sight.practitioner.value, source, status,
              filter.updated_since.value_or(kEarliest).microseconds, after.changed_at.microseconds, after.key.value,
              at_most(limit), test, order, patient, reviewed, by...);
  return result_rows(query);
}

std::vector<ResultRow> SqlResultReads::changed(const ResultFilter& filter, ResultPlace after, std::size_t limit) {
  const bool is_few = filter.test || filter.order || filter.patient;
  const auto clinics = is_few ? std::nullopt : clinics_in(filter.sight);
  if (!clinics) return changed_by(changed_query(filter), filter, after, limit);
  // Each gives those that are next; the next of all are among them.
  const InOrder in_order(database_);
  const bool to_review = filter.reviewed == false;
  std::vector<ResultRow> rows;
  for (const std::int64_t clinic : *clinics) {
    std::ranges::move(changed_by(to_review ? RESULT_COLUMNS OF_CLINIC "t.review < 2 AND " CHANGED_FILTERS
                                           : RESULT_COLUMNS OF_CLINIC CHANGED_FILTERS,
                                 filter, after, limit, clinic),
                      std::back_inserter(rows));
  }
  return first_of(std::move(rows), limit, [](const ResultRow& row) { return std::pair(row.changed_at, row.key); });
}

std::optional<std::vector<std::int64_t>> SqlResultReads::clinics_in(const Sight& sight) {
  if (sight.is_everything()) return std::nullopt;
  // A practitioner's are those that are theirs; the reach is a condition of whatever is asked of them.
  const char* sql = sight.practitioner
                        ? "SELECT DISTINCT k.clinic_key FROM connections c JOIN clinics k ON k.clinic_id = c.clinic_id "
                          "AND k.source = c.source WHERE c.practitioner_key = ?1 AND c.ended_at IS NULL LIMIT ?2"
                        : "SELECT DISTINCT k.clinic_key FROM visible_clinics v JOIN clinics k ON k.clinic_id = "
                          "v.clinic_id AND k.source = v.source WHERE v.reach = ?1 LIMIT ?2";
  std::vector<std::int64_t> clinics{kNotNoted};
  Query query(database_, sql, sight.practitioner ? sight.practitioner.value : sight.reach.value, kClinicsMax + 1);
  while (query.next()) clinics.push_back(query.integer(0));
  if (clinics.size() > kClinicsMax + 1) return std::nullopt;
  return clinics;
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
  if (by_name) return searched(search_query(search), search, before, limit);
  if (!search.code) return all_searched(search, before, limit);
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
    std::ranges::move(searched(RESULT_COLUMNS OF_SET SEARCH_NAMED, search, before, limit, set),
                      std::back_inserter(rows));
  }
  return first_of(std::move(rows), limit, newest_first);
}

// Whatever there is in sight.
std::vector<ResultRow> SqlResultReads::all_searched(const ResultSearch& search, TestKey before, std::size_t limit) {
  const auto clinics = clinics_in(search.sight);
  // Since some time: those are found by it, and sorted.
  if (!clinics && search.changed_from) return searched(search_query(search), search, before, limit);
  const InOrder in_order(database_);
  if (!clinics) return searched(search_query(search), search, before, limit);
  std::vector<ResultRow> rows;
  for (const std::int64_t clinic : *clinics) {
    std::ranges::move(searched(RESULT_COLUMNS OF_CLINIC SEARCH_ALONG, search, before, limit, clinic),
                      std::back_inserter(rows));
  }
  return first_of(std::move(rows), limit, newest_first);
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
                "SELECT o.source, o.order_id, t.test_id, t.status, t.taken_from, t.taken_to, t.fhir_prefix, CASE WHEN "
                "t.clinic_key < 0 THEN o.clinic_id ELSE coalesce(k.clinic_id, '') END FROM result_tests t JOIN "
                "orders o ON o.order_key = t.order_key LEFT JOIN clinics k ON k.clinic_key = t.clinic_key AND k.source "
                "= o.source ORDER BY o.source, o.order_id, t.test_id");
    while (query.next()) {
      if (!line(fmt::format("result {} {} {} {} {} {} {} {}", query.text(0), query.text(1), query.text(2),
                            query.text(3), query.integer(4), query.integer(5), query.text(6), query.text(7)))) {
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
  const std::int64_t clinic = key_of_clinic(change.source, change.clinic);
  Query(
      database_,
      Gathered{.sql = "INSERT INTO result_tests (order_key, test_id, fhir_prefix, current_version, status, changed_at, "
                      "taken_from, taken_to, clinic_key) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT "
                      "(order_key, test_id) DO UPDATE SET current_version = excluded.current_version, clinic_key = "
                      "excluded.clinic_key, "
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
      change.taken.from.microseconds, change.taken.to.microseconds, clinic)
      .run();
}

void SqlResultWrites::move(OrderKey order, const SourceId& source, const ClinicId& clinic) {
  Query(database_, "UPDATE result_tests SET clinic_key = ?2 WHERE order_key = ?1 AND clinic_key <> ?2", order.value,
        key_of_clinic(source, clinic))
      .run();
}

std::size_t SqlResultWrites::complete(std::size_t limit) {
  struct Lacking {
    std::int64_t key = 0;
    SourceId source;
    ClinicId clinic;
  };
  std::vector<Lacking> lacking;
  {
    Query query(database_,
                "SELECT t.test_key, o.source, o.clinic_id FROM result_tests t CROSS JOIN orders o WHERE t.clinic_key "
                "= ?1 AND o.order_key = t.order_key ORDER BY t.test_key DESC LIMIT ?2",
                kNotNoted, at_most(limit));
    while (query.next()) lacking.push_back({query.integer(0), SourceId(query.text(1)), ClinicId(query.text(2))});
  }
  for (const Lacking& one : lacking) {
    Query(database_, "UPDATE result_tests SET clinic_key = ?2 WHERE test_key = ?1", one.key,
          key_of_clinic(one.source, one.clinic))
        .run();
  }
  return lacking.size();
}

std::int64_t SqlResultWrites::key_of_clinic(const SourceId& source, const ClinicId& clinic) {
  if (clinic.empty()) return 0;
  auto& known = known_.clinics;
  if (known.size() >= kKnownMax) known.clear();
  const std::pair name(source, clinic);
  if (const auto found = known.find(name); found != known.end()) return found->second;
  {
    Query there(database_, "SELECT clinic_key FROM clinics WHERE clinic_id = ?1 AND source = ?2", clinic.text(),
                source.text());
    if (there.next()) return known[name] = there.integer(0);
  }
  on_new_name_();
  Query added(database_, "INSERT INTO clinics (source, clinic_id) VALUES (?1, ?2) RETURNING clinic_key", source.text(),
              clinic.text());
  return added.next() ? known[name] = added.integer(0) : 0;
}

std::int64_t SqlResultWrites::key_of_set(const Sha256& set, const std::function<std::vector<Term>()>& terms) {
  auto& known = known_.code_sets;
  if (known.size() >= kKnownMax) known.clear();
  if (const auto found = known.find(set); found != known.end()) return found->second;
  {
    Query there(database_, "SELECT set_key FROM result_code_sets WHERE name = ?1", set);
    if (there.next()) return known[set] = there.integer(0);
  }
  on_new_name_();
  std::int64_t key = 0;
  {
    Query added(database_, "INSERT INTO result_code_sets (name) VALUES (?1) RETURNING set_key", set);
    if (!added.next()) return 0;
    key = added.integer(0);
  }
  for (const Term term : terms())
    Query(database_, "INSERT INTO result_codes VALUES (?1, ?2) ON CONFLICT DO NOTHING", term.value, key).run();
  return known[set] = key;
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
