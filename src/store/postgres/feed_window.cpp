#include "store/postgres/feed_window.hpp"

#include "store/sql/rows.hpp"

namespace resultsync::store::postgres {
namespace {

// OR leaves the planner a bitmap, which fetches ahead (dialect.hpp); nothing has the key 0. The one row without an item
// tells how many positions there are, where none is shown.
constexpr const char* kFeedWindow =
    "WITH f AS MATERIALIZED (SELECT position, entry_key, connection_key, current, backfill, issued_at FROM feed WHERE "
    "practitioner_key = ?1 AND position > ?2 AND position <= ?3 OR practitioner_key = 0 AND position = 0), "
    "e AS MATERIALIZED (SELECT * FROM entries WHERE entry_key = ANY (ARRAY(SELECT entry_key FROM f)) OR entry_key = "
    "0), "
    "o AS MATERIALIZED (SELECT order_key, source, order_id, clinic_id FROM orders WHERE order_key = ANY (ARRAY(SELECT "
    "order_key FROM e)) OR order_key = 0) "
    "SELECT number.of_positions, shown.* FROM (SELECT count(*) AS of_positions FROM f) number LEFT JOIN "
    "(SELECT " FEED_COLUMNS
    " FROM f JOIN e ON e.entry_key = f.entry_key JOIN connections c ON c.connection_key = f.connection_key JOIN "
    "practitioners p ON p.practitioner_key = c.practitioner_key JOIN o ON o.order_key = e.order_key WHERE " FEED_VISIBLE
    " AND " ORDER_IN_REACH("?4") ") shown ON true ORDER BY shown.position";

}  // namespace

FeedWindow feed_window(sql::Database& database, PractitionerKey practitioner, std::int64_t after, std::int64_t through,
                       Reach reach) {
  FeedWindow window;
  sql::Query query(database, kFeedWindow, practitioner.value, after, through, reach.value);
  while (query.next()) {
    window.is_end = query.integer(0) < through - after;
    if (!query.is_null(1)) window.items.push_back(sql::feed_row(query, 1));
  }
  return window;
}

}  // namespace resultsync::store::postgres
