#include "orders/history.hpp"

#include <algorithm>

namespace resultsync::orders {
namespace {

// Inserts by key and says where.
template <class Point>
std::size_t insert_in_order(std::vector<Point>& points, Point point) {
  const auto at = std::ranges::upper_bound(points, point.key, {}, &Point::key);
  return static_cast<std::size_t>(points.insert(at, std::move(point)) - points.begin());
}

TestHistory& test_history(OrderHistory& history, const OrderedTestId& id) {
  const auto at = std::ranges::lower_bound(history.tests, id, {}, &TestHistory::id);
  if (at != history.tests.end() && at->id == id) return *at;
  return *history.tests.insert(at, TestHistory{id, {}, {}});
}

// The first point with content: what stands before it says nothing yet, what stands after it counts even if it is empty
// again.
std::size_t first_counted(const TestHistory& test) {
  const auto at = std::ranges::find(test.points, true, &TestPoint::has_content);
  return static_cast<std::size_t>(at - test.points.begin());
}

// Every content that counts has a number; `change` learns of the new ones.
void number_versions(TestHistory& test, Change& change) {
  for (std::size_t i = first_counted(test); i < test.points.size(); ++i) {
    const TestPoint& point = test.points[i];
    if (test.number_of(point.content) != 0) continue;
    test.versions.push_back({static_cast<int>(test.versions.size()) + 1, point.content, point.record});
    change.new_versions.emplace_back(test.id, test.versions.back());
  }
}

// What is to be told of the point at `place`, compared with the last point before it that shows something else.
Notice result_notice(const TestHistory& test, std::size_t place) {
  const TestPoint& point = test.points[place];
  Notice notice;
  notice.kind = Notice::Kind::kResult;
  notice.record = point.record;
  notice.test = test.id;
  notice.version = test.number_of(point.content);
  notice.current_version = test.current();
  notice.current = place + 1 == test.points.size();
  for (std::size_t before = place; before > first_counted(test); --before) {
    const TestPoint& earlier = test.points[before - 1];
    if (earlier.content == point.content) continue;
    notice.previous = earlier.record;
    notice.previous_version = test.number_of(earlier.content);
    break;
  }
  return notice;
}

void apply_test(TestHistory& test, const TestPoint& point, int current_before, Change& change) {
  const int known_before = test.number_of(point.content);
  const std::size_t place = insert_in_order(test.points, point);
  number_versions(test, change);
  if (place < first_counted(test)) return;

  const std::size_t last = test.points.size() - 1;
  const bool changed = place == last ? test.current() != current_before : known_before == 0;
  if (changed) change.notices.push_back(result_notice(test, place));
  if (place != last && test.current() != current_before) change.notices.push_back(result_notice(test, last));
}

void apply_order(OrderHistory& history, std::size_t place, Change& change) {
  if (!change.notices.empty()) return;
  const OrderPoint& point = history.points[place];
  const bool is_latest = place + 1 == history.points.size();
  const bool same_as_before = place > 0 && history.points[place - 1].state == point.state;
  const bool seen = std::ranges::count(history.points, point.state, &OrderPoint::state) > 1;
  if (is_latest ? same_as_before : seen) return;
  Notice notice;
  notice.record = point.record;
  notice.current = is_latest;
  if (place > 0) notice.previous = history.points[place - 1].record;
  change.notices.push_back(notice);
}

}  // namespace

std::string_view name_of(Notice::Kind kind) {
  return kind == Notice::Kind::kResult ? "result" : "order";
}

int TestHistory::current() const {
  if (first_counted(*this) == points.size()) return 0;
  return number_of(points.back().content);
}

int TestHistory::number_of(const Sha256& content) const {
  const auto at = std::ranges::find(versions, content, &Version::content);
  return at == versions.end() ? 0 : at->number;
}

const TestHistory* OrderHistory::test(const OrderedTestId& id) const {
  const auto at = std::ranges::lower_bound(tests, id, {}, &TestHistory::id);
  return at != tests.end() && at->id == id ? &*at : nullptr;
}

ClinicId OrderHistory::named_clinic() const {
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (!point->clinic.empty()) return point->clinic;
  }
  return {};
}

PractitionerId OrderHistory::deciding_practitioner() const {
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (!point->practitioner.empty()) return point->practitioner;
  }
  return {};
}

Sequence newest_record(const OrderHistory& history) {
  Sequence newest;
  for (const OrderPoint& point : history.points) newest = std::max(newest, point.record);
  return newest;
}

PatientId OrderHistory::patient() const {
  for (auto point = points.rbegin(); point != points.rend(); ++point) {
    if (!point->patient.empty()) return point->patient;
  }
  return {};
}

std::vector<Sequence> contents_before(const TestHistory& test, Sequence record, Sequence through) {
  const auto shown = std::ranges::find(test.points, record, &TestPoint::record);
  if (shown == test.points.end()) return {};
  std::vector<Sequence> records;
  const Sha256* last = nullptr;
  bool counts = false;
  for (auto point = test.points.begin(); point != shown; ++point) {
    if (point->record > through) continue;
    counts = counts || point->has_content;
    if (!counts || (last != nullptr && *last == point->content)) continue;
    last = &point->content;
    records.push_back(point->record);
  }
  if (last != nullptr && *last == shown->content) records.pop_back();
  if (records.size() > kContentsBeforeMax)
    records.erase(records.begin(), records.end() - static_cast<std::ptrdiff_t>(kContentsBeforeMax));
  return records;
}

Change apply(OrderHistory& history, const Event& event, Sequence record) {
  const Order& order = *event.order;
  Change change;
  for (const OrderedTest& test : order.tests) {
    if (test.pending) continue;
    TestHistory& known = test_history(history, test.id);
    apply_test(known, {event.key, record, test.content, test.has_content}, known.current(), change);
  }
  const std::size_t place = insert_in_order(
      history.points, {event.key, record, order.state, order.patient, order.practitioner, order.clinic, order.status});
  apply_order(history, place, change);
  return change;
}

Change complete(OrderHistory& history, const Event& event, Sequence record) {
  Change change;
  for (const OrderedTest& test : event.order->tests) {
    if (test.pending) continue;
    TestHistory& known = test_history(history, test.id);
    const int current_before = known.current();
    const auto there = std::ranges::find(known.points, event.key, &TestPoint::key);
    if (there != known.points.end() && there->content == test.content) continue;
    if (there != known.points.end()) known.points.erase(there);
    apply_test(known, {event.key, record, test.content, test.has_content}, current_before, change);
  }
  return change;
}

}  // namespace resultsync::orders
