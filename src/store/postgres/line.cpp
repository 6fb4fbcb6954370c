#include "store/postgres/line.hpp"

#include <fmt/format.h>

#include <chrono>

#include "runtime/log.hpp"
#include "store/postgres/migrations.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;

constexpr std::int64_t kLogFormat = 2;  // the migration that this program's rows need

struct OpenStream {
  std::int64_t stream = 0;
  bool ended = false;
  std::int64_t placed = 0;  // its last number that has a place
};

std::vector<OpenStream> streams_to_place(Database& database) {
  std::vector<OpenStream> streams;
  Query query(
      database,
      "SELECT s.stream, s.state, coalesce((SELECT r.first_number + r.count - 1 FROM log_runs r WHERE r.stream = "
      "s.stream ORDER BY r.first_number DESC LIMIT 1), 0) FROM log_streams s WHERE s.state NOT IN (2, 5) ORDER BY "
      "s.stream");
  while (query.next()) {
    const auto state = static_cast<StreamState>(query.integer(1));
    streams.push_back({query.integer(0), !is_open(state), query.integer(2)});
  }
  return streams;
}

// The numbers of a stream after `placed`, month by month.
std::vector<Run> unplaced(Database& database, const OpenStream& stream) {
  std::vector<Run> runs;
  Query query(
      database,
      "SELECT period, min(number), sum(records)::bigint FROM log_records WHERE stream = ?1 AND number > ?2 GROUP "
      "BY period ORDER BY min(number)",
      stream.stream, stream.placed);
  while (query.next()) runs.push_back({0, query.integer(2), query.integer(0), stream.stream, query.integer(1)});
  return runs;
}

}  // namespace

Result<Sequence> place(Database& database) {
  database.begin(Database::Mode::kWrite);
  Query(database, kLockLine).next();
  std::int64_t last = static_cast<std::int64_t>(last_of_line(database).value);
  bool placed_any = false;
  for (const OpenStream& stream : streams_to_place(database)) {
    std::int64_t expected = stream.placed + 1;
    bool whole = true;
    for (const Run& run : unplaced(database, stream)) {
      // A stream has one writer, which commits one group after another: a gap would be records that were lost.
      if (run.first_number != expected) {
        runtime::log::error("log.gap",
                            {{"stream", stream.stream}, {"expected", expected}, {"found", run.first_number}});
        whole = false;
        break;
      }
      Query(database, "INSERT INTO log_runs (first, count, period, stream, first_number) VALUES (?1, ?2, ?3, ?4, ?5)",
            last + 1, run.count, run.period, run.stream, run.first_number)
          .run();
      last += run.count;
      expected += run.count;
      placed_any = true;
    }
    if (stream.ended && whole) {
      Query(database, "UPDATE log_streams SET state = state + 1 WHERE stream = ?1", stream.stream).run();
      placed_any = true;
    }
  }
  if (!placed_any) {
    auto status = database.status();
    database.rollback();
    if (!status) return forward_error(std::move(status));
    return Sequence{static_cast<std::uint64_t>(last)};
  }
  Query(database, "SELECT pg_notify(current_schema(), 'line')").next();
  auto committed = database.commit();
  if (!committed) {
    database.rollback();
    return forward_error(std::move(committed));
  }
  return Sequence{static_cast<std::uint64_t>(last)};
}

Sequence last_of_line(Database& database) {
  Query query(database, "SELECT first + count - 1 FROM log_runs ORDER BY first DESC LIMIT 1");
  return {query.next() ? static_cast<std::uint64_t>(query.integer(0)) : 0};
}

std::vector<Run> runs_from(Database& database, Sequence from, std::int64_t limit) {
  std::vector<Run> runs;
  Query query(
      database,
      "SELECT first, count, period, stream, first_number FROM log_runs WHERE first >= coalesce((SELECT max(first) "
      "FROM log_runs WHERE first <= ?1), 0) ORDER BY first LIMIT ?2",
      static_cast<std::int64_t>(from.value), limit);
  while (query.next())
    runs.push_back({query.integer(0), query.integer(1), query.integer(2), query.integer(3), query.integer(4)});
  return runs;
}

std::optional<Sequence> sequence_of(Database& database, RecordName name) {
  Query query(database,
              "SELECT first, count, first_number FROM log_runs WHERE stream = ?1 AND first_number <= ?2 ORDER BY "
              "first_number DESC LIMIT 1",
              name.stream, name.number);
  if (!query.next()) return std::nullopt;
  const std::int64_t behind = name.number - query.integer(2);
  if (behind >= query.integer(1)) return std::nullopt;
  return Sequence{static_cast<std::uint64_t>(query.integer(0) + behind)};
}

std::vector<StreamLine> streams(Database& database) {
  std::vector<StreamLine> lines;
  Query query(
      database,
      "SELECT s.stream, s.owner, s.begun_at, s.state, coalesce(min(r.first), 0), coalesce(sum(r.count), 0)::bigint "
      "FROM log_streams s LEFT JOIN log_runs r ON r.stream = s.stream GROUP BY s.stream ORDER BY s.stream");
  while (query.next()) {
    lines.push_back({query.integer(0), query.text(1), Timestamp{query.integer(2)},
                     static_cast<StreamState>(query.integer(3)), Sequence{static_cast<std::uint64_t>(query.integer(4))},
                     query.integer(5)});
  }
  return lines;
}

void end_abandoned_streams(Database& database, const std::string& own) {
  Query(database,
        "UPDATE log_streams SET state = state + 1 WHERE state IN (0, 3) AND owner <> ?1 AND NOT EXISTS (SELECT 1 FROM "
        "instances i "
        "WHERE i.instance = log_streams.owner AND i.until > (extract(epoch FROM clock_timestamp()) * 1000)::bigint)",
        own)
      .run();
  constexpr std::int64_t kDayMilliseconds = 86'400'000;
  Query(database, "DELETE FROM instances WHERE until < (extract(epoch FROM clock_timestamp()) * 1000)::bigint - ?1",
        kDayMilliseconds)
      .run();
}

void say_alive(Database& database, const std::string& own, std::int64_t for_ms) {
  Query(database,
        "INSERT INTO instances (instance, until, log_format) VALUES (?1, (extract(epoch FROM clock_timestamp()) * "
        "1000)::bigint + ?2, ?3) ON CONFLICT (instance) DO UPDATE SET until = excluded.until",
        own, for_ms, kLogFormat)
      .run();
}

bool all_read_blocks(Database& database) {
  Query query(database,
              "SELECT NOT EXISTS (SELECT 1 FROM instances WHERE log_format < ?1 AND until > (extract(epoch FROM "
              "clock_timestamp()) * 1000)::bigint)",
              kLogFormat);
  return query.next() && query.boolean(0);
}

std::int64_t period_of(std::int64_t microseconds) {
  using namespace std::chrono;
  const year_month_day date(floor<days>(sys_time<std::chrono::microseconds>(std::chrono::microseconds(microseconds))));
  return std::int64_t{static_cast<int>(date.year())} * 12 + static_cast<unsigned>(date.month()) - 1;
}

Result<void> make_partitions(Database& database, std::int64_t period) {
  const auto there = [&](std::int64_t month) {
    const std::string name = fmt::format("log_records_{}", month);
    Query query(database, "SELECT to_regclass(?1) IS NOT NULL", name);
    return query.next() && query.boolean(0);
  };
  if (there(period) && there(period + 1)) return database.status();
  database.begin(Database::Mode::kWrite);
  Query(database, kLockLine).next();
  for (const std::int64_t month : {period, period + 1}) {
    if (there(month)) continue;
    // Frames of up to a page stay in the row: a second table for them would cost a second write each.
    database.execute(
        fmt::format("CREATE TABLE log_records_{0} PARTITION OF log_records FOR VALUES FROM ({0}) TO ({1}) WITH "
                    "(toast_tuple_target = "
                    "8160)",
                    month, month + 1));
  }
  auto done = database.commit();
  if (!done) database.rollback();
  return done;
}

}  // namespace resultsync::store::postgres
