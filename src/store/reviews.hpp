// What practitioners said of results: signatures of versions, and acknowledgements of critical ones (decision 0030).
// Durable facts, a facet of the views: reached by reviews() of a snapshot or a transaction, and part of it. Whether
// what is current has been signed stands with the result (ResultRow::review). Notes are sealed before they come here.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/views.hpp"

namespace resultsync::store {

using SignatureKey = Key<struct SignatureKeyTag>;
using CriticalKey = Key<struct CriticalKeyTag>;

// A practitioner's sign-off of one version. Never changed.
struct SignatureRow {
  SignatureKey key;
  OrderKey order;
  OrderedTestId test;
  int version = 0;
  PractitionerKey practitioner_key;
  AppPractitionerId practitioner;
  std::string action;
  std::string note;         // sealed; may be empty
  bool was_current = true;  // false: an older version was signed, and that was meant
  Timestamp signed_at;
  std::string signed_with;  // the API key's id
};

enum class CriticalState {
  kOpen,
  kAcknowledged,
  kSuperseded,        // a newer version is critical too: that one is to be acknowledged
  kNoLongerCritical,  // a correction took back what was critical
  kWithdrawn,         // the network withdrew the result: wrong patient, entered in error
};
std::string_view name_of(CriticalState state);  // "open", "acknowledged", "superseded", …
std::optional<CriticalState> critical_state_named(std::string_view name);

// A version that was critical when it became current.
struct CriticalRow {
  CriticalKey key;
  OrderKey order_key;
  OrderedTestId test;
  int version = 0;
  CriticalState state = CriticalState::kOpen;
  Timestamp event_at;      // of the network's event, which may be long ago when it is read later
  Timestamp opened_at;     // when it was received
  Timestamp clock_at;      // since when somebody could see it; 0: nobody can
  std::int64_t steps = 0;  // escalations that were told
  Timestamp next_at;       // of the next one; 0: there is none
  Timestamp ended_at;      // 0: it is open
  bool reconsider = false;
  std::string told;  // the last state that was told; empty before the first
  // Of the order as it is now.
  SourceId source;
  OrderId order;
  PatientId patient;  // may be empty
  ClinicId clinic;    // may be empty
};

struct CriticalAcknowledgement {
  CriticalKey critical;
  PractitionerKey practitioner_key;
  AppPractitionerId practitioner;
  std::string note;  // sealed; may be empty
  Timestamp at;
  std::string with;  // the API key's id
};

struct CriticalFilter {
  Sight sight;
  std::optional<SourceId> source;
  std::optional<CriticalState> state;
};

// What is open and somebody can see.
struct CriticalTotals {
  std::int64_t open = 0;
  std::optional<Timestamp> oldest;  // clock_at
};

// What was said last of each test of some orders; tests of which nothing was said are left out.
struct LastSaid {
  using OfTest = std::pair<OrderKey, OrderedTestId>;
  std::map<OfTest, SignatureRow> signatures;  // the newest of any version
  std::map<OfTest, CriticalRow> criticals;    // the newest version that was critical
};

class ReviewReads {
 public:
  virtual ~ReviewReads() = default;
  // Of a test that was found in sight; newest first, those before `before` (0: from the newest).
  virtual std::vector<SignatureRow> signatures(OrderKey order, const OrderedTestId& test, SignatureKey before,
                                               std::size_t limit) = 0;
  // Of all tests of these orders, which were found in sight; asked for together.
  virtual LastSaid last_said(std::span<const OrderKey> orders) = 0;
  // The newest of this version.
  virtual std::optional<SignatureRow> last_signature_of(OrderKey order, const OrderedTestId& test, int version) = 0;

  // In sight; those that have been critical for longest first.
  virtual std::vector<CriticalRow> critical(const CriticalFilter& filter, CriticalKey after, std::size_t limit) = 0;
  // Of a test that was found in sight, the newest; nothing if it never was critical.
  virtual std::optional<CriticalRow> last_critical(OrderKey order, const OrderedTestId& test) = 0;
  // The newest of this version.
  virtual std::optional<CriticalRow> critical_version(OrderKey order, const OrderedTestId& test, int version) = 0;
  virtual std::optional<CriticalRow> critical_row(CriticalKey key) = 0;
  virtual std::vector<CriticalAcknowledgement> acknowledgements(CriticalKey key) = 0;  // oldest first, at most 100
  virtual CriticalTotals critical_totals() = 0;

  // What the watch has to do: `reconsider` is set; an escalation is due; somebody can see it and its clock stands still
  // or it was not told; or its end was not told yet. In the order of the keys.
  virtual std::vector<CriticalRow> critical_work(Timestamp now, CriticalKey after, std::size_t limit) = 0;
  // When the next escalation after `now` is due; nothing if none is.
  virtual std::optional<Timestamp> next_critical_step(Timestamp now) = 0;
};

class ReviewWrites {
 public:
  virtual ~ReviewWrites() = default;
  virtual SignatureKey add_signature(const SignatureRow& signature) = 0;
  // Whether what is current of the test counts as signed.
  virtual void set_review(OrderKey order, const OrderedTestId& test, Review review) = 0;

  virtual CriticalKey add_critical(const CriticalRow& row) = 0;
  // Its state, clock, steps and what was told.
  virtual void save_critical(const CriticalRow& row) = 0;
  // What is open of the test may not stand any more.
  virtual void reconsider(OrderKey order, const OrderedTestId& test) = 0;
  virtual void add_acknowledgement(const CriticalAcknowledgement& acknowledgement) = 0;
};

}  // namespace resultsync::store
