#include "store/postgres/move.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <filesystem>

#include "base/digest.hpp"
#include "runtime/file.hpp"
#include "store/log/directory.hpp"
#include "store/log/segment_walk.hpp"
#include "store/postgres/line.hpp"
#include "store/postgres/migrations.hpp"
#include "store/postgres/slots.hpp"
#include "store/sqlite/database.hpp"
#include "store/sqlite/migrations.hpp"

namespace resultsync::store::postgres {
namespace {

using sql::Query;
using Progress = std::function<void(const MoveProgress&)>;

constexpr std::size_t kBatchBytes = std::size_t{4} * 1024 * 1024;
constexpr const char* kMovedOwner = "moved";

// Counts rows and sums their digests, whatever their order.
class Tally {
 public:
  void add(std::string_view row) {
    const Sha256 digest = sha256(row);
    std::uint64_t words[4];
    std::memcpy(words, digest.bytes.data(), sizeof words);
    for (std::size_t i = 0; i < 4; ++i) sums_[i] += words[i];
    ++rows_;
  }
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  bool operator==(const Tally&) const = default;

 private:
  std::uint64_t sums_[4] = {};
  std::uint64_t rows_ = 0;
};

Result<void> rolled_back(Database& database, Result<void> outcome) {
  if (!outcome) database.rollback();
  return outcome;
}

std::string meta(Database& database, const char* name) {
  Query query(database, "SELECT value FROM log_meta WHERE name = ?1", name);
  return query.next() ? query.text(0) : std::string();
}

// The target is empty, or a move of this very log that was begun.
Result<void> claim(Database& database, const std::string& log_id, const std::string& key) {
  const std::string there = meta(database, "log_id");
  const std::string moving = meta(database, "moving");
  if (auto status = database.status(); !status) return status;
  if ((!there.empty() || !moving.empty()) && (there != log_id || moving.empty())) {
    return fail("conflict", there == log_id ? "this store was moved there already" : "the database holds another store",
                "name another schema with --schema, or start on what is there");
  }
  constexpr const char* kPut = "INSERT INTO log_meta VALUES (?1, ?2) ON CONFLICT DO NOTHING";
  database.begin(Database::Mode::kWrite);
  Query(database, kPut, "moving", "from embedded").run();
  Query(database, kPut, "log_id", log_id).run();
  Query(database, kPut, "master_key", key).run();
  return rolled_back(database, database.commit());
}

// The log
// ---------------------------------------------------------------------------------------------------------------------

class SegmentMove {
 public:
  SegmentMove(Database& database, const log::SegmentFile& segment, std::optional<Sequence> last_possible)
      : database_(database),
        segment_(segment),
        last_possible_(last_possible),
        period_(period_of(segment.header.created_at.microseconds)) {}

  // Copies what is not there yet, then compares all of it. How many records the segment has.
  Result<std::uint64_t> run() {
    if (auto made = make_partitions(database_, period_); !made) return forward_error(std::move(made));
    if (auto found = find_stream(); !found) return forward_error(std::move(found));
    if (auto copied = walk(); !copied) return forward_error(std::move(copied));
    if (auto sent = send(); !sent) return forward_error(std::move(sent));
    auto same = compare();
    if (!same) return forward_error(std::move(same));
    if (auto placed = place(); !placed) return forward_error(std::move(placed));
    return source_.rows();
  }

 private:
  Result<void> find_stream() {
    const std::string header = log::encode_segment_header(segment_.header);
    {
      Query query(
          database_,
          "SELECT s.stream, coalesce((SELECT max(number) FROM log_records r WHERE r.stream = s.stream), 0) FROM "
          "log_streams s WHERE s.header = ?1",
          sql::Blob{header});
      if (query.next()) {
        stream_ = query.integer(0);
        there_ = query.integer(1);
        return {};
      }
    }
    Query query(database_,
                "INSERT INTO log_streams (header, owner, begun_at, state) VALUES (?1, ?2, ?3, 1) RETURNING stream",
                sql::Blob{header}, kMovedOwner, segment_.header.created_at.microseconds);
    if (query.next()) stream_ = query.integer(0);
    return database_.status();
  }

  Result<void> walk() {
    auto file = runtime::File::open_read(segment_.path);
    if (!file) return forward_error(std::move(file));
    Result<void> outcome;
    log::SegmentWalk visits;
    visits.on_frame = [&](const log::DecodedFrame& frame, std::uint64_t) {
      const std::string bytes = log::encode_frame(frame.header, frame.sealed);
      source_.add(bytes);
      if (static_cast<std::int64_t>(frame.header.sequence.value) <= there_) return true;
      numbers_.add(static_cast<std::int64_t>(frame.header.sequence.value));
      frames_.add(bytes);
      batch_bytes_ += bytes.size();
      if (batch_bytes_ >= kBatchBytes) outcome = send();
      return outcome.has_value();
    };
    visits.on_damage = [&](Sequence first, Sequence last, std::uint64_t offset) {
      outcome = fail(
          "corrupt_record",
          fmt::format("records {} to {} are damaged ({}, offset {})", first.value, last.value, segment_.path, offset),
          "restore the file from a backup first");
    };
    auto walked = log::walk_segment(*file, segment_.first, last_possible_, visits);
    if (!walked) return forward_error(std::move(walked));
    return outcome;
  }

  Result<void> send() {
    if (batch_bytes_ == 0) return {};
    database_.begin(Database::Mode::kWrite);
    if (sql::Statement* insert = database_.prepared(
            "INSERT INTO log_records (period, stream, number, frame) SELECT ?1, ?2, rows.number, rows.frame FROM "
            "unnest(?3, ?4) AS rows (number, frame)")) {
      insert->bind_integer(1, period_);
      insert->bind_integer(2, stream_);
      Database::bind_array(*insert, 3, Database::Array::kIntegers, numbers_.bytes());
      Database::bind_array(*insert, 4, Database::Array::kBlobs, frames_.bytes());
      insert->step();
      insert->reset();
    }
    numbers_ = ArrayWriter(Database::Array::kIntegers);
    frames_ = ArrayWriter(Database::Array::kBlobs);
    batch_bytes_ = 0;
    return rolled_back(database_, database_.commit());
  }

  Result<void> compare() {
    Tally target;
    std::int64_t after = 0;
    while (true) {
      Query query(database_,
                  "SELECT number, frame FROM log_records WHERE stream = ?1 AND number > ?2 ORDER BY number LIMIT 1000",
                  stream_, after);
      std::int64_t last = 0;
      while (query.next()) {
        last = query.integer(0);
        target.add(query.blob(1));
      }
      if (last == 0) break;
      after = last;
    }
    if (auto status = database_.status(); !status) return status;
    if (target == source_) return {};
    return fail("not_equal", fmt::format("what was read back of {} is not what was copied", segment_.path));
  }

  Result<void> place() {
    database_.begin(Database::Mode::kWrite);
    if (source_.rows() > 0) {
      Query(database_,
            "INSERT INTO log_runs (first, count, period, stream, first_number) VALUES (?1, ?2, ?3, ?4, ?1) ON CONFLICT "
            "DO "
            "NOTHING",
            static_cast<std::int64_t>(segment_.first.value), static_cast<std::int64_t>(source_.rows()), period_,
            stream_)
          .run();
    }
    Query(database_, "UPDATE log_streams SET state = 2 WHERE stream = ?1", stream_).run();
    return rolled_back(database_, database_.commit());
  }

  Database& database_;
  const log::SegmentFile& segment_;
  const std::optional<Sequence> last_possible_;
  const std::int64_t period_;
  std::int64_t stream_ = 0;
  std::int64_t there_ = 0;
  Tally source_;
  ArrayWriter numbers_{Database::Array::kIntegers};
  ArrayWriter frames_{Database::Array::kBlobs};
  std::size_t batch_bytes_ = 0;
};

Result<MovedPart> move_log(Database& database, const std::vector<log::SegmentFile>& segments,
                           const Progress& progress) {
  MovedPart part{.what = "log"};
  for (std::size_t i = 0; i < segments.size(); ++i) {
    std::optional<Sequence> last_possible;
    if (i + 1 < segments.size()) last_possible = Sequence{segments[i + 1].first.value - 1};
    auto records = SegmentMove(database, segments[i], last_possible).run();
    if (!records) return forward_error(std::move(records));
    part.rows += *records;
    if (progress) progress({"log", i + 1, segments.size()});
  }
  return part;
}

// The tables
// ---------------------------------------------------------------------------------------------------------------------

struct Column {
  std::string name;
  std::string type;  // SQLite's
};

// One table; the statements live as long as it does, since their address is their name.
class TableMove {
 public:
  TableMove(sqlite::Database& from, Database& to, std::string name, std::vector<Column> columns)
      : from_(from), to_(to), name_(std::move(name)), columns_(std::move(columns)) {
    std::string list;
    std::string places;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      list += (i == 0 ? "" : ", ") + columns_[i].name;
      places += fmt::format("{}?{}", i == 0 ? "" : ", ", i + 1);
    }
    select_ = fmt::format("SELECT {} FROM {}", list, name_);
    insert_ = fmt::format("INSERT INTO {} ({}) VALUES ({})", name_, list, places);
  }

  Result<MovedPart> run(const Progress& progress) {
    Tally source;
    to_.begin(Database::Mode::kWrite);
    to_.execute("TRUNCATE " + name_);
    {
      Query rows(from_, select_.c_str());
      while (rows.next() && !to_.failed()) {
        source.add(row_text(rows));
        sql::Statement* insert = to_.prepared(insert_.c_str());
        if (insert == nullptr) break;
        const auto held = bind_row(*insert, rows);
        insert->step();
        insert->reset();
        if (progress && source.rows() % 10'000 == 0) progress({name_, source.rows(), 0});
      }
    }
    if (auto status = from_.status(); !status) {
      to_.rollback();
      return forward_error(std::move(status));
    }
    if (auto committed = rolled_back(to_, to_.commit()); !committed) return forward_error(std::move(committed));

    Tally target;
    to_.begin(Database::Mode::kSnapshot);
    to_.execute("DECLARE moved NO SCROLL CURSOR FOR " + select_);
    for (std::uint64_t before = ~std::uint64_t{0}; before != target.rows();) {
      before = target.rows();
      Query rows(to_, "FETCH 2000 FROM moved");
      while (rows.next()) target.add(row_text(rows));
    }
    auto status = to_.status();
    to_.rollback();
    if (!status) return forward_error(std::move(status));
    if (!(source == target))
      return fail("not_equal", fmt::format("what was read back of {} is not what was copied", name_));
    return MovedPart{name_, source.rows()};
  }

 private:
  // The values of a row, each with its kind and length.
  std::string row_text(const Query& row) const {
    std::string text;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const int at = static_cast<int>(i);
      if (row.is_null(at)) {
        text += "n;";
      } else if (columns_[i].type == "INTEGER") {
        text += fmt::format("i{};", row.integer(at));
      } else {
        const std::string value = columns_[i].type == "TEXT" ? row.text(at) : row.blob(at);
        text += fmt::format("{}{}:", columns_[i].type == "TEXT" ? 't' : 'b', value.size());
        text += value;
      }
    }
    return text;
  }
  // What is bound lives in what is returned.
  std::deque<std::string> bind_row(sql::Statement& insert, const Query& row) const {
    std::deque<std::string> held;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const int at = static_cast<int>(i);
      const int place = at + 1;
      if (row.is_null(at)) {
        insert.bind_null(place);
      } else if (columns_[i].type == "INTEGER") {
        insert.bind_integer(place, row.integer(at));
      } else if (columns_[i].type == "TEXT") {
        insert.bind_text(place, held.emplace_back(row.text(at)));
      } else {
        insert.bind_blob(place, held.emplace_back(row.blob(at)));
      }
    }
    return held;
  }

  sqlite::Database& from_;
  Database& to_;
  const std::string name_;
  const std::vector<Column> columns_;
  std::string select_;
  std::string insert_;
};

using Table = std::pair<std::string, std::vector<Column>>;  // with its name
struct SourceTable {
  sqlite::Database* from;
  Table table;
};

std::vector<Table> tables_of(sqlite::Database& from) {
  std::vector<Table> tables;
  Query query(
      from,
      "SELECT m.name, c.name, c.type FROM sqlite_schema m JOIN pragma_table_info(m.name) c WHERE m.type = 'table' "
      "AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid");
  while (query.next()) {
    if (tables.empty() || tables.back().first != query.text(0)) tables.push_back({query.text(0), {}});
    tables.back().second.push_back({query.text(1), query.text(2)});
  }
  return tables;
}

// Keys that are made go on after those that were copied.
Result<void> advance_identities(Database& to) {
  std::vector<std::pair<std::string, std::string>> keys;
  {
    Query query(to,
                "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = "
                "current_schema() AND is_identity = 'YES' AND table_name NOT LIKE 'log\\_%'");
    while (query.next()) keys.emplace_back(query.text(0), query.text(1));
  }
  for (const auto& [table, column] : keys) {
    to.execute(fmt::format("SELECT setval(pg_get_serial_sequence('{0}', '{1}'), max({1})) FROM {0} HAVING max({1}) > 0",
                           table, column));
  }
  to.execute(
      "SELECT setval('entry_blocks', greatest(last_value, (SELECT coalesce(max(entry_key), 0) / 64 + 1 FROM entries))) "
      "FROM entry_blocks");
  complete_slots(to);
  return to.status();
}

// A file of tables, of this program's format, which nobody writes to.
Result<std::unique_ptr<sqlite::Database>> open_source(const std::string& data_dir, const char* file,
                                                      sqlite::Tables tables) {
  auto opened =
      sqlite::Database::open((std::filesystem::path(data_dir) / file).string(), sqlite::Database::Access::kReadOnly);
  if (!opened) {
    if (opened.error().code == "not_found") opened.error().cause += "\nstart the server once on this directory";
    return opened;
  }
  if (auto known = sqlite::check_format(**opened, tables); !known) return forward_error(std::move(known));
  return opened;
}

}  // namespace

Result<MoveReport> move_embedded(const std::string& data_dir, const runtime::MasterKey& master,
                                 const ConnectOptions& to, const Progress& progress) {
  const auto segments = log::survey_directory(log::log_directory(data_dir));
  if (!segments) return std::unexpected(segments.error());
  if (segments->empty()) return fail("not_found", fmt::format("{} holds no event log", data_dir));
  auto views = open_source(data_dir, "views.db", sqlite::Tables::kViews);
  if (!views) return forward_error(std::move(views));
  auto audit = open_source(data_dir, "audit.db", sqlite::Tables::kAudit);
  if (!audit) return forward_error(std::move(audit));
  std::vector<SourceTable> tables;
  for (auto& table : tables_of(**views)) tables.push_back({views->get(), std::move(table)});
  for (auto& table : tables_of(**audit)) {
    if (std::ranges::find(tables, table.first, [](const SourceTable& known) { return known.table.first; }) !=
        tables.end()) {
      return fail("older_format", "views.db still holds the audit log",
                  "start the server once on this directory: it moves it into a file of its own");
    }
    tables.push_back({audit->get(), std::move(table)});
  }
  auto opened = Database::open(to);
  if (!opened) return forward_error(std::move(opened));
  Database& database = **opened;
  if (auto migrated = migrate(database, to.schema); !migrated) return forward_error(std::move(migrated));
  const auto& header = segments->front().header;
  if (std::string_view(header.key_id.data(), header.key_id.size()) != master.id())
    return fail("wrong_master_key", "the key file is not that of the event log");
  if (auto claimed = claim(database, header.log_id.hex(), master.id()); !claimed)
    return forward_error(std::move(claimed));

  MoveReport report;
  auto log_part = move_log(database, *segments, progress);
  if (!log_part) return forward_error(std::move(log_part));
  report.parts.push_back(std::move(*log_part));
  std::deque<TableMove> moves;  // all of them to the end: the addresses of their statements are names
  for (auto& [from, table] : tables) {
    auto part = moves.emplace_back(*from, database, table.first, table.second).run(progress);
    if (!part) return forward_error(std::move(part));
    report.parts.push_back(std::move(*part));
  }
  for (const auto* from : {views->get(), audit->get()}) {
    if (auto status = from->status(); !status) return forward_error(std::move(status));
  }
  if (auto advanced = advance_identities(database); !advanced) return forward_error(std::move(advanced));
  Query(database, "DELETE FROM log_meta WHERE name = 'moving'").run();
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  return report;
}

}  // namespace resultsync::store::postgres
