// The facet of the views by which results are found: by ordered test, patient, code, identifier and document, each
// within what somebody may see (S5). What a result says stays in the event log (decision 0002); a row says where.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/sequence.hpp"
#include "base/timestamp.hpp"
#include "store/keys.hpp"
#include "store/reach.hpp"

namespace resultsync::store {

// An ordered test that had a result. Keys grow in the order in which first results were applied.
using TestKey = Key<struct TestKeyTag>;
inline constexpr TestKey kNewestTest{std::numeric_limits<std::int64_t>::max()};

// A code or an identifier as a keyed hash (sync/index_key.hpp); 0 stands for none.
struct Term {
  std::int64_t value = 0;
  auto operator<=>(const Term&) const = default;
  explicit operator bool() const { return value != 0; }
};

// When something was taken or observed, as wide as it may be: from ≤ t < to. Nothing is known of an empty one.
struct TakenSpan {
  Timestamp from{std::numeric_limits<std::int64_t>::max()};
  Timestamp to{std::numeric_limits<std::int64_t>::min()};
  bool operator==(const TakenSpan&) const = default;
};

// Whether what is current of a test has been signed by a practitioner of its clinic.
enum class Review : std::uint8_t {
  kUnreviewed,  // nobody has signed any version, or whoever did opened it again
  kChanged,     // what was current before was signed
  kReviewed,
};
std::string_view name_of(Review review);  // "unreviewed", "changed", "reviewed"

struct ResultRow {
  TestKey key;
  OrderKey order_key;
  SourceId source;
  OrderId order;
  OrderedTestId test;
  PatientId patient;     // may be empty
  ClinicId clinic;       // empty while it is not known
  int version = 0;       // that is current
  std::string status;    // of it: "final", "withdrawn", …
  Timestamp changed_at;  // when the news of its last change were received
  std::string fhir_prefix;
  Review review = Review::kUnreviewed;
};

// Who looks: a key's reach, and the practitioner of the application that it was narrowed to (0: none).
struct Sight {
  Reach reach;
  PractitionerKey practitioner;
  [[nodiscard]] bool is_everything() const { return reach.is_everything() && !practitioner; }
};

struct ResultFilter {
  Sight sight;
  std::optional<SourceId> source;
  std::optional<OrderedTestId> test;
  std::optional<OrderId> order;
  std::optional<PatientId> patient;
  std::optional<std::string> status;
  std::optional<Timestamp> updated_since;
  std::optional<bool> reviewed;  // false: unreviewed, or changed since
};
struct ResultPlace {  // where a page ended
  Timestamp changed_at{std::numeric_limits<std::int64_t>::min()};
  TestKey key;
};

// Where a search may find something; what is found there is judged by who reads it.
struct ResultSearch {
  Sight sight;
  std::optional<std::string> test_prefix;  // that the FHIR id begins with
  std::optional<std::pair<SourceId, PatientId>> patient;
  std::optional<OrderId> order;
  std::optional<OrderedTestId> test;
  // That some version has; the narrowest of these is looked up, the others are the reader's to judge.
  Term identifier;
  Term code;
  std::optional<Timestamp> changed_from, changed_to;  // changed_at within [from, to)
  std::optional<TakenSpan> taken;                     // meets what was taken
  bool newest_of_patient = false;                     // only the patient's newest test, of those that are in sight
};

struct DocumentPlace {
  OrderKey order_key;
  OrderedTestId test;
  Sequence record;
};

class ResultReads {
 public:
  virtual ~ResultReads() = default;
  // The longest unchanged first.
  virtual std::vector<ResultRow> changed(const ResultFilter& filter, ResultPlace after, std::size_t limit) = 0;
  // The one whose first result came last first; `before` is where the page before ended.
  virtual std::vector<ResultRow> search(const ResultSearch& search, TestKey before, std::size_t limit) = 0;
  virtual std::optional<std::pair<SourceId, PatientId>> patient_named(const std::string& fhir_prefix) = 0;
  // Where the document stands, as far as it is in sight.
  virtual std::vector<DocumentPlace> documents(const Sha256& sha256, const Sight& sight, std::size_t limit) = 0;
  // Whether an order in sight shows a document that a link led to (network.hpp has its bytes).
  virtual bool shows_fetched(const Sha256& sha256, const Sight& sight) = 0;
  // A line for each fact that is a function of the set of events, as ViewsSnapshot::dump. False: it was stopped.
  virtual bool dump(const std::function<bool(std::string_view line)>& line) = 0;
};

struct TestName {
  OrderKey order;
  OrderedTestId test;
};

class ResultWrites {
 public:
  virtual ~ResultWrites() = default;
  // Adds the ordered test, or says anew what is current of it. `status`: nothing leaves that as it is; a status says
  // that something else is current now, so that whoever has signed the test signed what is so no more.
  struct Change {
    OrderKey order;
    SourceId source;
    OrderId order_id;
    ClinicId clinic;  // of the order; empty while it has none
    OrderedTestId test;
    int version = 0;
    std::optional<std::string> status;
    Timestamp changed_at;
    TakenSpan taken;  // widens what was there
  };
  virtual void save(const Change& change) = 0;
  // The order has another clinic than when its tests were saved.
  virtual void move(OrderKey order, const SourceId& source, const ClinicId& clinic) = 0;
  // Notes the clinic of tests that were saved without it, by versions that did not know of that: of `limit` at most,
  // the newest first. Gives how many it was; fewer than `limit` were all.
  virtual std::size_t complete(std::size_t limit) = 0;
  virtual void add_patient(const SourceId& source, const PatientId& patient) = 0;  // who has orders
  // Of a test that was saved. The codes of a result are one set: results of one lab test have the same codes. `set`
  // names it; `terms` is asked only for a set that is new.
  virtual void add_codes(const TestName& test, const Sha256& set, const std::function<std::vector<Term>()>& terms) = 0;
  virtual void add_identifier(const TestName& test, Term identifier) = 0;
  virtual void add_document(const TestName& test, const Sha256& sha256, Sequence record) = 0;
};

// The part before the dot of FHIR ids: made of names alone, so that it is the same for ever and gives nothing away.
std::string fhir_prefix_of_test(const SourceId& source, const OrderId& order, const OrderedTestId& test);
std::string fhir_prefix_of_patient(const SourceId& source, const PatientId& patient);

// Where the API shows this version; relative to the API's address. It names no person.
std::string link_to_version(const SourceId& source, const OrderId& order, const OrderedTestId& test, int version);

}  // namespace resultsync::store
