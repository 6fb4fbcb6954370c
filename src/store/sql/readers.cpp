#include "store/sql/readers.hpp"

#include <algorithm>
#include <array>

namespace resultsync::store::sql {
namespace {

ConsumerRow consumer_row(const Query& query) {
  return {query.text(0), query.integer(1), Timestamp{query.integer(2)}, Timestamp{query.integer(3)}};
}

std::int64_t through_of(Database& database, PractitionerKey practitioner) {
  Query query(database, "SELECT through FROM acknowledged WHERE practitioner_key = ?1", practitioner.value);
  return query.next() ? query.integer(0) : 0;
}

}  // namespace

std::optional<ConsumerRow> SqlReaderReads::consumer(PractitionerKey practitioner, const std::string& name) {
  Query query(database_,
              "SELECT name, position, created_at, committed_at FROM consumers WHERE practitioner_key = ?1 AND name = "
              "?2",
              practitioner.value, name);
  if (!query.next()) return std::nullopt;
  return consumer_row(query);
}

std::vector<ConsumerRow> SqlReaderReads::consumers(PractitionerKey practitioner) {
  std::vector<ConsumerRow> consumers;
  Query query(database_,
              "SELECT name, position, created_at, committed_at FROM consumers WHERE practitioner_key = ?1 ORDER BY "
              "name",
              practitioner.value);
  while (query.next()) consumers.push_back(consumer_row(query));
  return consumers;
}

// As many by one statement as it has parameters; those that are left over ask for nobody.
std::vector<FeedEnd> SqlReaderReads::feed_ends(std::span<const AppPractitionerId> practitioners) {
  constexpr std::size_t kAtOnce = 32;
  std::vector<FeedEnd> ends;
  for (auto left = practitioners; !left.empty(); left = left.subspan(std::min(kAtOnce, left.size()))) {
    std::array<std::string, kAtOnce> ids;
    std::ranges::transform(left.first(std::min(kAtOnce, left.size())), ids.begin(), &AppPractitionerId::text);
    Query query(database_,
                "SELECT p.app_id, p.last_position FROM practitioners p WHERE p.app_id IN (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
                "?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, "
                "?28, ?29, ?30, ?31, ?32) AND EXISTS (SELECT 1 FROM connections c WHERE c.practitioner_key = "
                "p.practitioner_key AND c.ended_at IS NULL)",
                ids);
    while (query.next()) ends.push_back({AppPractitionerId(query.text(0)), query.integer(1)});
  }
  return ends;
}

std::int64_t SqlReaderReads::acknowledged_through(PractitionerKey practitioner) {
  return through_of(database_, practitioner);
}

// One feed after the other, each entered behind what was acknowledged: a single question about all of them has a
// condition on two columns that a planner may take for few rows, and then it reads and sorts whole feeds for a page.
std::vector<UnacknowledgedRow> SqlReaderReads::unacknowledged(const UnacknowledgedFilter& filter, FeedPlace after,
                                                              std::size_t limit, Reach reach) {
  std::vector<UnacknowledgedRow> rows;
  for (const FeedPlace& place : unacknowledged_feeds(filter, after, reach)) {
    if (rows.size() >= limit) break;
    add_unacknowledged(rows, place, filter.issued_until, limit - rows.size(), reach);
  }
  return rows;
}

// Where each feed with something left is entered.
std::vector<FeedPlace> SqlReaderReads::unacknowledged_feeds(const UnacknowledgedFilter& filter, FeedPlace after,
                                                            Reach reach) {
  std::vector<FeedPlace> feeds;
  Query query(database_,
              "SELECT p.practitioner_key, COALESCE(a.through, 0) FROM practitioners p LEFT JOIN acknowledged a ON "
              "a.practitioner_key = p.practitioner_key WHERE p.practitioner_key >= ?2 AND (?1 = 0 OR "
              "p.practitioner_key = ?1) AND p.last_position > COALESCE(a.through, 0) "
              "AND (?3 = 0 OR EXISTS (SELECT 1 FROM visible_practitioners w WHERE w.reach = ?3 AND w.practitioner_key "
              "= p.practitioner_key)) ORDER BY p.practitioner_key",
              filter.practitioner ? filter.practitioner->value : std::int64_t{0}, after.practitioner.value,
              reach.value);
  while (query.next()) {
    FeedPlace place{.practitioner = PractitionerKey{query.integer(0)}, .position = query.integer(1)};
    if (place.practitioner == after.practitioner) place.position = std::max(place.position, after.position);
    feeds.push_back(place);
  }
  return feeds;
}

void SqlReaderReads::add_unacknowledged(std::vector<UnacknowledgedRow>& rows, FeedPlace after, Timestamp issued_until,
                                        std::size_t limit, Reach reach) {
  const InOrder in_order(database_);
  Query query(database_,
              "SELECT p.app_id, f.position, e.kind, o.source, o.order_id, e.test_id, e.version, f.issued_at "
              "FROM feed f JOIN practitioners p ON p.practitioner_key = f.practitioner_key "
              "JOIN entries e ON e.entry_key = f.entry_key JOIN orders o ON o.order_key = e.order_key "
              "JOIN connections c ON c.connection_key = f.connection_key "
              "WHERE f.practitioner_key = ?1 AND f.position > ?2 AND f.issued_at <= ?3 "
              "AND c.ended_at IS NULL AND o.clinic_id = c.clinic_id "
              "AND NOT EXISTS (SELECT 1 FROM acknowledged_items i WHERE i.practitioner_key = f.practitioner_key AND "
              "i.position = f.position) "
              "AND (?5 = 0 OR EXISTS (SELECT 1 FROM visible_clinics v WHERE v.reach = ?5 AND v.source = o.source AND "
              "v.clinic_id = o.clinic_id)) "
              "ORDER BY f.position LIMIT ?4",
              after.practitioner.value, after.position, issued_until.microseconds, limit, reach.value);
  while (query.next()) {
    UnacknowledgedRow row;
    row.practitioner_key = after.practitioner;
    row.practitioner = AppPractitionerId(query.text(0));
    row.position = query.integer(1);
    row.is_result = query.text(2) == "result";
    row.source = SourceId(query.text(3));
    row.order = OrderId(query.text(4));
    row.test = OrderedTestId(query.text(5));
    row.version = query.integer(6);
    row.issued_at = Timestamp{query.integer(7)};
    rows.push_back(std::move(row));
  }
}

UnacknowledgedTotals SqlReaderReads::unacknowledged_totals() {
  UnacknowledgedTotals totals;
  Query query(database_,
              "SELECT count(*), min(f.issued_at) FROM acknowledged a "
              "JOIN feed f ON f.practitioner_key = a.practitioner_key AND f.position > a.through "
              "JOIN entries e ON e.entry_key = f.entry_key JOIN orders o ON o.order_key = e.order_key "
              "JOIN connections c ON c.connection_key = f.connection_key "
              "WHERE c.ended_at IS NULL AND o.clinic_id = c.clinic_id "
              "AND NOT EXISTS (SELECT 1 FROM acknowledged_items i WHERE i.practitioner_key = f.practitioner_key AND "
              "i.position = f.position)");
  if (!query.next()) return totals;
  totals.items = query.integer(0);
  if (!query.is_null(1)) totals.oldest_issued_at = Timestamp{query.integer(1)};
  return totals;
}

void SqlReaderWrites::save_consumer(PractitionerKey practitioner, const ConsumerRow& consumer) {
  Query(database_,
        "INSERT INTO consumers (practitioner_key, name, position, created_at, committed_at) VALUES (?1, ?2, ?3, ?4, "
        "?5) ON CONFLICT (practitioner_key, name) DO UPDATE SET position = excluded.position, committed_at = "
        "excluded.committed_at",
        practitioner.value, consumer.name, consumer.position, consumer.created_at.microseconds,
        consumer.committed_at.microseconds)
      .run();
}

void SqlReaderWrites::forget_consumer(PractitionerKey practitioner, const std::string& name) {
  Query(database_, "DELETE FROM consumers WHERE practitioner_key = ?1 AND name = ?2", practitioner.value, name).run();
}

void SqlReaderWrites::acknowledge_through(PractitionerKey practitioner, std::int64_t position, Timestamp now) {
  set_through(practitioner, std::max(position, through_of(database_, practitioner)), now);
}

void SqlReaderWrites::acknowledge(PractitionerKey practitioner, const std::vector<std::int64_t>& positions,
                                  Timestamp now) {
  const std::int64_t through = through_of(database_, practitioner);
  for (const std::int64_t position : positions) {
    if (position <= through) continue;
    Query(database_,
          "INSERT INTO acknowledged_items (practitioner_key, position, acknowledged_at) VALUES (?1, ?2, ?3) ON "
          "CONFLICT DO NOTHING",
          practitioner.value, position, now.microseconds)
        .run();
  }
  set_through(practitioner, through, now);
}

// Items that follow `through` without a gap become a part of it.
void SqlReaderWrites::set_through(PractitionerKey practitioner, std::int64_t through, Timestamp now) {
  {
    Query query(database_,
                "SELECT position FROM acknowledged_items WHERE practitioner_key = ?1 AND position > ?2 ORDER BY "
                "position",
                practitioner.value, through);
    while (query.next() && query.integer(0) == through + 1) ++through;
  }
  Query(database_,
        "INSERT INTO acknowledged (practitioner_key, through, updated_at) VALUES (?1, ?2, ?3) ON CONFLICT "
        "(practitioner_key) DO UPDATE SET through = excluded.through, updated_at = excluded.updated_at",
        practitioner.value, through, now.microseconds)
      .run();
  Query(database_, "DELETE FROM acknowledged_items WHERE practitioner_key = ?1 AND position <= ?2", practitioner.value,
        through)
      .run();
}

}  // namespace resultsync::store::sql
