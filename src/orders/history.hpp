// What is known of an order: the fold of the set of its events (S1, S2). Events may arrive in any order and any number
// of times; the history they make is the same. Only version numbers remember the order of arrival (S3).
//
//   events   t1: A   t2: B   t3: A          current is A, in three versions of which two are distinct: A and B
//   arrival  t1, t3, t2                     A is version 1 (current), A again: nothing, B is version 2 (late: not
//   current)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sequence.hpp"
#include "orders/event.hpp"

namespace resultsync::orders {

// One event in the history of its order.
struct OrderPoint {
  EventKey key;
  Sequence record;  // where its body stands in the event log
  Sha256 state;     // Order::state
  PatientId patient;
  PractitionerId practitioner;
  ClinicId clinic;  // that this event names; may be empty
  std::string status;
};

// One event in the history of one ordered test.
struct TestPoint {
  EventKey key;
  Sequence record;
  Sha256 content;
  bool has_content = false;
};

// A distinct content of an ordered test. Its number is its name: 1 for the first that was seen, and never another's
// (S3, S4).
struct Version {
  int number = 0;
  Sha256 content;
  Sequence record;  // the record in which it was first seen
};

struct TestHistory {
  OrderedTestId id;
  std::vector<TestPoint> points;  // in S2 order
  std::vector<Version> versions;  // by number

  // The version that is current: the content of the last point, or 0 while no content was ever seen.
  [[nodiscard]] int current() const;
  [[nodiscard]] int number_of(const Sha256& content) const;  // 0 if it is no version
};

struct OrderHistory {
  std::vector<OrderPoint> points;  // in S2 order
  std::vector<TestHistory> tests;  // by id

  [[nodiscard]] const OrderPoint& latest() const { return points.back(); }
  [[nodiscard]] const TestHistory* test(const OrderedTestId& id) const;
  // The clinic that the events name: the last one in S2 order that names any (S5); empty if none does.
  [[nodiscard]] ClinicId named_clinic() const;
  // The practitioner that decides the clinic where no event names one: of the last event that has one.
  [[nodiscard]] PractitionerId deciding_practitioner() const;
  [[nodiscard]] PatientId patient() const;  // of the last event that names one
};

// The record of the order's events that stands last in the log; 0 if there is none.
Sequence newest_record(const OrderHistory& history);

// What a practitioner is told of one event: a result of one ordered test, or the order itself.
struct Notice {
  enum class Kind { kResult, kOrder };
  Kind kind = Kind::kOrder;
  Sequence record;           // of the event that shows it
  OrderedTestId test;        // kResult only
  int version = 0;           // kResult only: the version that the event shows
  int current_version = 0;   // kResult only: the version that is current now
  int previous_version = 0;  // kResult only: the one before it in S2 order; 0 for the first
  Sequence previous;         // the record it is compared with: the one before in S2 order; 0 if there is none
  bool current = true;       // false: an older event that came late (S2)
  bool operator==(const Notice&) const = default;
};
std::string_view name_of(Notice::Kind kind);  // "result" or "order", for ever

// The contents that a content stands after: the records that show them, oldest first, one for each run of equal content
// before `record` in S2 order, from the first content on, without a run of its own content just before it. Only events
// up to `through` in the order of arrival count: a feed item says the same whenever it is read. Of very many, the
// newest kContentsBeforeMax.
inline constexpr std::size_t kContentsBeforeMax = 64;
std::vector<Sequence> contents_before(const TestHistory& test, Sequence record, Sequence through);

// What putting an event in its place did.
struct Change {
  // At most one for each event and test, and an order notice only if there is no other. They speak of the event that
  // was put in its place; only where a late result turns an older "no result" into a withdrawal, one more speaks of the
  // event that is current.
  std::vector<Notice> notices;
  std::vector<std::pair<OrderedTestId, Version>> new_versions;
};

// Puts `event` (which must have an order, and be new to this history) in its place. `record` is where its body stands.
// A test whose documents are pending is left out, until complete().
Change apply(OrderHistory& history, const Event& event, Sequence record);

// More is known of the documents of an event that is in this history already: its tests take their places, or other
// contents than those without the documents. The history is then as if apply() had known it at once.
Change complete(OrderHistory& history, const Event& event, Sequence record);

}  // namespace resultsync::orders
