// Columns that several files of this folder select, and how they are read.
#pragma once

#include <algorithm>
#include <limits>

#include "store/sql/database.hpp"
#include "store/views.hpp"

namespace resultsync::store::sql {

inline std::int64_t number(Sequence sequence) {
  return static_cast<std::int64_t>(sequence.value);
}
inline Sequence sequence(std::int64_t number) {
  return Sequence{static_cast<std::uint64_t>(number)};
}
inline std::int64_t at_most(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, std::numeric_limits<std::int32_t>::max()));
}

#define CONNECTION_COLUMNS \
  "c.connection_key, c.practitioner_key, p.app_id, c.source, c.clinic_id, c.vendor_practitioner, c.created_at"
#define CONNECTION_TABLES "connections c JOIN practitioners p ON p.practitioner_key = c.practitioner_key"

inline ConnectionRow connection_row(const Query& query, int first) {
  ConnectionRow connection;
  connection.key = ConnectionKey{query.integer(first)};
  connection.practitioner = PractitionerKey{query.integer(first + 1)};
  connection.app_practitioner = AppPractitionerId(query.text(first + 2));
  connection.source = SourceId(query.text(first + 3));
  connection.clinic = ClinicId(query.text(first + 4));
  connection.vendor_practitioner = PractitionerId(query.text(first + 5));
  connection.created_at = Timestamp{query.integer(first + 6)};
  return connection;
}

#define ENTRY_COLUMNS                                                                                         \
  "e.entry_key, e.order_key, e.record, e.kind, e.test_id, e.version, e.current_version, e.previous_version, " \
  "e.previous_record, e.current"

inline Entry entry_row(const Query& query, int first) {
  Entry entry;
  entry.key = EntryKey{query.integer(first)};
  entry.order = OrderKey{query.integer(first + 1)};
  entry.notice.record = sequence(query.integer(first + 2));
  entry.notice.kind = query.text(first + 3) == "result" ? orders::Notice::Kind::kResult : orders::Notice::Kind::kOrder;
  entry.notice.test = OrderedTestId(query.text(first + 4));
  entry.notice.version = static_cast<int>(query.integer(first + 5));
  entry.notice.current_version = static_cast<int>(query.integer(first + 6));
  entry.notice.previous_version = static_cast<int>(query.integer(first + 7));
  entry.notice.previous = sequence(query.integer(first + 8));
  entry.notice.current = query.boolean(first + 9);
  return entry;
}

// An item of a feed `f` with its entry `e`, its connection `c` (of the practitioner `p`) and its order `o`. It is shown
// as long as the connection lives, and the order is that clinic's.
#define FEED_COLUMNS \
  "f.position, f.current, f.backfill, f.issued_at, o.order_id, " ENTRY_COLUMNS ", " CONNECTION_COLUMNS
#define FEED_VISIBLE "c.ended_at IS NULL AND o.clinic_id = c.clinic_id"
inline constexpr int kFeedColumns = 22;

inline FeedRow feed_row(const Query& query, int first) {
  FeedRow item;
  item.position = query.integer(first);
  item.current = query.boolean(first + 1);
  item.backfill = query.boolean(first + 2);
  item.issued_at = Timestamp{query.integer(first + 3)};
  item.order = OrderId(query.text(first + 4));
  item.entry = entry_row(query, first + 5);
  item.connection = connection_row(query, first + 15);
  return item;
}

// S5, in the query: a row of a limited reach is one whose order's clinic it sees.
#define ORDER_IN_REACH(REACH)                                                        \
  "(" REACH " = 0 OR EXISTS (SELECT 1 FROM visible_clinics v WHERE v.reach = " REACH \
  " AND v.source = o.source AND v.clinic_id = o.clinic_id)) "

}  // namespace resultsync::store::sql
