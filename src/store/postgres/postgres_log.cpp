#include "store/postgres/postgres_log.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/encoding.hpp"
#include "runtime/log.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"
#include "store/log/new_segment.hpp"
#include "store/log/payload.hpp"
#include "store/postgres/migrations.hpp"

namespace resultsync::store {

using postgres::Database;
using postgres::RowSealer;
using postgres::StreamState;
using sql::Query;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view kFenced = "fenced";
constexpr milliseconds kRestMax{20};  // between placing and placing
constexpr milliseconds kReconnectEvery{200};

// The fence (log_open) and the rows are one statement, so a stream that was ended takes nothing.
#define INSERT_RECORDS                                                                                          \
  "INSERT INTO log_records (period, stream, number, records, frame) SELECT ?1, ?2, rows.number, rows.records, " \
  "rows.frame FROM log_open(?2) AS open, unnest(?3, ?4, ?5) AS rows (number, records, frame) WHERE open = 0"
constexpr const char* kInsert = INSERT_RECORDS;
// After a try whose outcome is not known: numbers that are there already were put there by it. Looking for each of them
// first, and confirming each row, costs the server as much again as the row does.
constexpr const char* kInsertAgain = INSERT_RECORDS " ON CONFLICT DO NOTHING";
#undef INSERT_RECORDS

std::unexpected<Error> store_failed() {
  return fail("store_failed", "the event log failed and has stopped");
}

std::string name_of_this_process() {
  char host[65] = {};
  ::gethostname(host, sizeof host - 1);
  return fmt::format("{}/{}/{}", host, ::getpid(), encode_hex(runtime::random_bytes(4)));
}

postgres::ConnectOptions answering_within(postgres::ConnectOptions options, milliseconds within) {
  options.answer_within = within;
  return options;
}

}  // namespace

Result<std::unique_ptr<PostgresLog>> PostgresLog::open(PostgresLogOptions options, runtime::MasterKey master,
                                                       const runtime::Clock& clock) {
  std::unique_ptr<PostgresLog> made(new PostgresLog(std::move(options), std::move(master), clock));
  if (auto started = made->start(Access::kReadWrite); !started) return forward_error(std::move(started));
  return made;
}

Result<std::unique_ptr<PostgresLog>> PostgresLog::open_read_only(PostgresLogOptions options, runtime::MasterKey master,
                                                                 const runtime::Clock& clock) {
  std::unique_ptr<PostgresLog> made(new PostgresLog(std::move(options), std::move(master), clock));
  if (auto started = made->start(Access::kReadOnly); !started) return forward_error(std::move(started));
  return made;
}

PostgresLog::PostgresLog(PostgresLogOptions options, runtime::MasterKey master, const runtime::Clock& clock)
    : options_(std::move(options)),
      master_(std::move(master)),
      clock_(clock),
      owner_(name_of_this_process()),
      pool_(options_.connect, options_.readers),
      reader_(pool_, master_),
      queue_(options_.queue_records_max, options_.queue_bytes_max),
      wake_line_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "wake") {}

Result<void> PostgresLog::start(Access access) {
  auto opened = Database::open(options_.connect);
  if (!opened) return forward_error(std::move(opened));
  Database& database = **opened;
  read_only_ = access == Access::kReadOnly;
  if (auto ready = read_only_ ? postgres::check_format(database) : postgres::migrate(database, options_.connect.schema);
      !ready) {
    return ready;
  }
  if (auto learned = learn_names(database, access); !learned) return learned;
  if (read_only_) {
    end_ = postgres::last_of_line(database).value;
    return database.status();
  }
  if (auto made = postgres::make_partitions(database, postgres::period_of(clock_.now().microseconds)); !made)
    return made;
  postgres::say_alive(database, owner_, options_.alive_for.count());
  auto placed = postgres::place(database);
  if (!placed) return forward_error(std::move(placed));
  end_ = placed->value;
  if (auto begun = ensure_stream(); !begun) return begun;
  writer_ = runtime::start_thread("log-writer", [this](const std::stop_token&) { write(); });
  line_ = runtime::start_thread("log-line", [this](const std::stop_token& stop) { keep_line(stop); });
  return {};
}

// Which log this is, and that it was sealed under this master key: the first instance says it, all others must agree.
Result<void> PostgresLog::learn_names(Database& database, Access access) {
  log::LogId fresh;
  std::ranges::copy(runtime::random_bytes(fresh.bytes.size()), fresh.bytes.begin());
  if (access == Access::kReadWrite) {
    constexpr const char* kPut = "INSERT INTO log_meta VALUES (?1, ?2) ON CONFLICT DO NOTHING";
    Query(database, kPut, "log_id", fresh.hex()).run();
    Query(database, kPut, "master_key", master_.id()).run();
  }
  const auto value_of = [&](const char* name) {
    Query query(database, "SELECT value FROM log_meta WHERE name = ?1", name);
    return query.next() ? query.text(0) : std::string();
  };
  if (!value_of("moving").empty()) {
    return fail("conflict", "a move into this database was begun and is not complete",
                "call resultsync migrate-store again: it goes on where it was");
  }
  const std::string id = value_of("log_id");
  const std::string key = value_of("master_key");
  if (auto status = database.status(); !status) return status;
  if (key != master_.id()) {
    return fail(
        "wrong_master_key",
        fmt::format("the database was sealed under master key {}, the key file holds {}", key, master_.id()),
        "all instances share one key: copy master.key from the instance that was first into this one's data_dir");
  }
  const auto bytes = decode_hex(id);
  if (!bytes || bytes->size() != log_id_.bytes.size()) return fail("corrupt_segment", "the log has no id");
  std::ranges::copy(*bytes, log_id_.bytes.begin());
  return {};
}

PostgresLog::~PostgresLog() {
  close();
}

void PostgresLog::close() {
  queue_.close();
  if (writer_.joinable()) writer_.join();
  line_.request_stop();
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_line_.descriptor(), &one, sizeof one);
  if (line_.joinable()) line_.join();
}

void PostgresLog::on_commit(std::function<void(Sequence)> listener) {
  const std::lock_guard lock(listeners_mutex_);
  listener_ = std::move(listener);
}

void PostgresLog::on_feed(std::function<void()> listener) {
  const std::lock_guard lock(listeners_mutex_);
  feed_listener_ = std::move(listener);
}

void PostgresLog::append(Record record, Committed committed) {
  if (auto accepted = check_accepts(record); !accepted) return committed(std::unexpected(accepted.error()));
  auto payload = log::encode_payload(record);
  if (!payload) return committed(std::unexpected(payload.error()));
  if (auto queued = queue_.add(*payload, committed); !queued)
    committed(failed_ ? store_failed() : std::unexpected(queued.error()));
}

Result<void> PostgresLog::check_accepts(const Record& record) const {
  if (read_only_) return fail("read_only", "this log was opened to be read only");
  if (failed_) return store_failed();
  if (!reachable_) return fail(kUnavailable, "the database cannot be used just now");
  const Sequence holder = record.same_body_as;
  if (const auto name = postgres::as_name(holder)) {
    const std::lock_guard lock(names_mutex_);
    const bool committed =
        name->stream == durable_stream_ ? name->number <= durable_number_ : own_streams_.contains(name->stream);
    if (committed) return {};
  } else if (holder <= end()) {
    return {};
  }
  return fail("bad_reference", "the record refers to the body of one that is not committed");
}

Result<std::vector<StoredRecord>> PostgresLog::read(Sequence after, ReadLimits limits) const {
  return reader_.read(after, end(), limits);
}

Result<StoredRecord> PostgresLog::at(Sequence sequence) const {
  return reader_.at(sequence);
}

std::vector<StoredRecord> PostgresLog::some_of(std::span<const Sequence> records, std::size_t bytes_max) const {
  return reader_.some_of(records, bytes_max);
}

Result<Sequence> PostgresLog::place_of(Sequence sequence) const {
  const auto name = postgres::as_name(sequence);
  if (!name) return sequence;
  postgres::Borrowed database(pool_);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  const auto placed = postgres::sequence_of(*database, *name);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  if (!placed) return fail("not_found", "the record has no place yet");
  return *placed;
}

// The writer
// -------------------------------------------------------------------------------------------------------------------

// Until the queue is closed and drained, or the log has stopped for good.
void PostgresLog::write() {
  while (!failed_) {
    if (queue_.empty()) tell();
    if (!queue_.wait(reachable_ ? options_.ask_every : kReconnectEvery)) {
      look_after_connection();
      continue;
    }
    Blocks blocks = queue_.take(options_.group_bytes_max);
    if (blocks.empty()) break;
    commit(std::move(blocks));
  }
  tell();
}

// Whoever is cut off learns it before there is something to keep.
void PostgresLog::look_after_connection() {
  auto ready = ensure_stream();
  if (ready) {
    Query(*database_, "SELECT 1").next();
    ready = database_->status();
    database_->clear_error();
  }
  // A full disk answers, too: who appends is to hear of it.
  if (ready || ready.error().code != "disk_full") note_reachable(ready);
}

void PostgresLog::note_reachable(const Result<void>& outcome) {
  if (reachable_.exchange(outcome.has_value()) == outcome.has_value()) return;
  if (outcome) {
    runtime::log::info("log.reachable_again");
  } else {
    runtime::log::warning("log.unavailable", {{"cause", outcome.error().cause}});
  }
}

// I1: nobody is told before a commit that covers the record has returned. I6: nobody waits longer than give_up_after.
void PostgresLog::commit(Blocks blocks) {
  const auto give_up_at = std::chrono::steady_clock::now() + options_.give_up_after;
  std::int64_t period = postgres::period_of(clock_.now().microseconds);
  std::optional<Sealed> sealed;
  milliseconds wait{20};
  while (true) {
    if (!has_stream()) tell();  // which may take long to get
    auto outcome = try_commit(blocks, period, sealed);
    tell();
    if (outcome) return note_committed(std::move(blocks));
    const std::string_view code = outcome.error().code;
    if (code == "disk_full") {
      abandon_stream_ = abandon_stream_ || sealed;  // its numbers were sealed with: they are not given again
      return refuse(std::move(blocks), "disk_low", "the database's disk is full");
    }
    if (code == kFenced) {
      const auto settled = settled_in_ended_stream(postgres::records_in(blocks));
      if (settled && *settled) return note_committed(std::move(blocks));
      runtime::log::warning("log.fenced", {{"stream", stream_}});
      if (settled) {  // it is not there, and never will be: into a new stream
        stream_ = 0;
        in_doubt_ = false;
        period = postgres::period_of(clock_.now().microseconds);
        continue;
      }
    } else if (code != kUnavailable) {
      return stop_for_good(outcome.error(), std::move(blocks));
    }
    note_reachable(outcome);
    if (std::chrono::steady_clock::now() + wait >= give_up_at || !queue_.pause(wait)) {
      abandon_stream_ = abandon_stream_ || sealed;
      return refuse_all(std::move(blocks), kUnavailable, "the database cannot be used just now");
    }
    wait = std::min(2 * wait, milliseconds(1000));
  }
}

bool PostgresLog::has_stream() const {
  return database_ && database_->usable() && stream_ != 0 && !abandon_stream_;
}

// A connection, and a stream that this process may append to.
Result<void> PostgresLog::ensure_stream() {
  if (!database_ || !database_->usable()) {
    auto opened = Database::open(answering_within(options_.connect, options_.commit_within));
    if (!opened) return forward_error(std::move(opened));
    database_ = std::move(*opened);
  }
  database_->clear_error();
  if (stream_ != 0 && !abandon_stream_) return {};
  database_->begin(Database::Mode::kWrite);
  if (abandon_stream_) {
    // Waits for a try that is still under way on the server; then what is in the stream is settled.
    Query(*database_, "UPDATE log_streams SET state = state + 1 WHERE stream = ?1 AND state IN (0, 3)", stream_).run();
  }
  const bool blocks = postgres::all_read_blocks(*database_);
  auto plan = log::plan_segment(log_id_, Sequence{1}, {}, clock_.now(), master_);
  const std::string header = log::encode_segment_header(plan.header);
  std::int64_t stream = 0;
  {
    Query query(*database_,
                "INSERT INTO log_streams (header, owner, begun_at, state) VALUES (?1, ?2, ?3, ?4) RETURNING stream",
                sql::Blob{header}, owner_, clock_.now().microseconds,
                static_cast<std::int64_t>(blocks ? StreamState::kOpenOfBlocks : StreamState::kOpen));
    if (query.next()) stream = query.integer(0);
  }
  postgres::say_alive(*database_, owner_, options_.alive_for.count());
  if (auto committed = database_->commit(); !committed) {
    database_->rollback();
    return committed;
  }
  if (stream > postgres::kStreamMax) return fail("io_error", "the log has more streams than there are names");
  stream_ = stream;
  abandon_stream_ = false;
  in_doubt_ = false;
  number_ = 0;
  form_ = blocks ? RowSealer::Form::kOfBlocks : RowSealer::Form::kOfRecords;
  sealer_ = std::make_unique<log::FrameSealer>(plan.key);
  const std::lock_guard lock(names_mutex_);
  own_streams_.insert(stream);
  return {};
}

Result<void> PostgresLog::try_commit(const Blocks& blocks, std::int64_t period, std::optional<Sealed>& sealed) {
  if (stream_ != 0 && !in_doubt_) {
    const bool full = number_ + static_cast<std::int64_t>(postgres::records_in(blocks)) > postgres::kNumberMax;
    const bool older_ones_are_gone = form_ == RowSealer::Form::kOfRecords && may_write_blocks_;
    abandon_stream_ = abandon_stream_ || full || older_ones_are_gone;
  }
  if (auto ready = ensure_stream(); !ready) return ready;
  if (!sealed || sealed->stream != stream_) {
    RowSealer rows(*sealer_, number_, form_);
    for (const auto& block : blocks) rows.add(*block);
    sealed = {stream_, rows.finish()};
  }
  database_->begin(Database::Mode::kWrite);
  if (sql::Statement* insert = database_->prepared(in_doubt_ ? kInsertAgain : kInsert)) {
    insert->bind_integer(1, period);
    insert->bind_integer(2, stream_);
    Database::bind_array(*insert, 3, Database::Array::kIntegers, sealed->rows.numbers.bytes());
    Database::bind_array(*insert, 4, Database::Array::kIntegers, sealed->rows.records.bytes());
    Database::bind_array(*insert, 5, Database::Array::kBlobs, sealed->rows.frames.bytes());
    insert->step();
    insert->reset();
  }
  auto committed = database_->commit([this] { tell(); });
  if (!committed) {
    in_doubt_ = in_doubt_ || committed.error().code == kUnavailable;
    database_->rollback();
    return committed;
  }
  in_doubt_ = false;
  return {};
}

// Whether an earlier try put the group into the stream before it was ended. The answer comes with a commit of its own,
// which is later than that one, so it is as durable (I5).
Result<bool> PostgresLog::settled_in_ended_stream(std::size_t count) {
  if (!in_doubt_) return false;
  if (!database_->usable()) return fail(kUnavailable, "the connection was lost");
  std::int64_t there = 0;
  database_->begin(Database::Mode::kWrite);
  {
    Query query(*database_,
                "SELECT coalesce(sum(records), 0)::bigint FROM log_records WHERE stream = ?1 AND number > ?2", stream_,
                number_);
    if (query.next()) there = query.integer(0);
  }
  postgres::say_alive(*database_, owner_, options_.alive_for.count());
  if (auto committed = database_->commit(); !committed) {
    database_->rollback();
    return forward_error(std::move(committed));
  }
  return there == static_cast<std::int64_t>(count);
}

void PostgresLog::note_committed(Blocks blocks) {
  note_reachable({});
  to_tell_ = {stream_, number_, std::move(blocks)};
  number_ += static_cast<std::int64_t>(postgres::records_in(to_tell_.blocks));
  {
    const std::lock_guard lock(names_mutex_);
    durable_stream_ = stream_;
    durable_number_ = number_;
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_line_.descriptor(), &one, sizeof one);
}

void PostgresLog::tell() {
  ToTell told = std::exchange(to_tell_, {});
  std::int64_t number = told.after;
  for (const auto& block : told.blocks) {
    for (auto& committed : block->waiting) committed(postgres::as_sequence({told.stream, ++number}));
  }
}

void PostgresLog::refuse(Blocks blocks, std::string_view code, const std::string& message) {
  for (const auto& block : blocks) {
    for (auto& committed : block->waiting) committed(fail(code, message));
  }
}

void PostgresLog::refuse_all(Blocks blocks, std::string_view code, const std::string& message) {
  Blocks waiting = queue_.take(std::numeric_limits<std::size_t>::max());
  refuse(std::move(blocks), code, message);
  refuse(std::move(waiting), code, message);
}

void PostgresLog::stop_for_good(const Error& cause, Blocks blocks) {
  failed_ = true;
  queue_.close();  // so that nothing comes after those that are told now
  runtime::log::error("log.failed", {{"code", cause.code}, {"cause", cause.cause}});
  refuse_all(std::move(blocks), "store_failed", "the event log failed and has stopped");
  if (options_.on_failure) options_.on_failure(cause);
}

// The line
// ---------------------------------------------------------------------------------------------------------------------

Result<Sequence> PostgresLog::place_now() {
  postgres::Borrowed database(pool_);
  if (auto status = database.status(); !status) return forward_error(std::move(status));
  auto placed = postgres::place(*database);
  if (placed) line_grew_to(*placed);
  return placed;
}

void PostgresLog::line_grew_to(Sequence end) {
  std::uint64_t known = end_.load();
  while (known < end.value && !end_.compare_exchange_weak(known, end.value)) {
  }
  const std::lock_guard lock(listeners_mutex_);
  if (known < end.value && listener_) listener_(end);
}

// The listener is that of the sync step: records have got their slots, or slots are free.
void PostgresLog::work_was_shared() {
  const std::lock_guard lock(listeners_mutex_);
  if (listener_) listener_(end());
}

void PostgresLog::feed_grew() {
  const std::lock_guard lock(listeners_mutex_);
  if (feed_listener_) feed_listener_();
}

void PostgresLog::note_durability(Database& database) {
  const auto durability = postgres::examine_durability(database, options_.durability, clock_.now());
  if (!database.status()) return;
  std::string faults = durability.faults();
  const std::lock_guard lock(names_mutex_);
  if (faults != durability_faults_) runtime::log::warning("log.durability", {{"faults", faults}});
  durability_faults_ = std::move(faults);
}

std::string PostgresLog::durability_faults() const {
  const std::lock_guard lock(names_mutex_);
  return durability_faults_;
}

void PostgresLog::keep_line(const std::stop_token& stop) {
  std::unique_ptr<Database> database;
  auto alive_at = std::chrono::steady_clock::time_point::min();
  std::mutex resting;
  std::condition_variable_any rest;
  while (!stop.stop_requested()) {
    if (!database || !database->usable()) {
      auto opened = Database::open(options_.connect);
      if (opened) {
        database = std::move(*opened);
        database->execute("LISTEN " + options_.connect.schema);
        alive_at = std::chrono::steady_clock::time_point::min();
        feed_grew();  // what was said meanwhile was not heard
      } else {
        database.reset();
      }
    }
    if (database) {
      database->clear_error();
      const auto begun = std::chrono::steady_clock::now();
      if (const auto placed = postgres::place(*database)) line_grew_to(*placed);
      const auto now = std::chrono::steady_clock::now();
      if (now >= alive_at && database->usable()) {
        postgres::say_alive(*database, owner_, options_.alive_for.count());
        postgres::end_abandoned_streams(*database, owner_);
        may_write_blocks_ = postgres::all_read_blocks(*database);
        note_durability(*database);
        static_cast<void>(postgres::make_partitions(*database, postgres::period_of(clock_.now().microseconds)));
        alive_at = now + options_.alive_for / 5;
      }
      const auto heard = database->wait_for_notice(options_.look_every, wake_line_.descriptor());
      if (std::ranges::find(heard, "feed") != heard.end()) feed_grew();
      if (std::ranges::find(heard, "sync") != heard.end()) work_was_shared();
      // What comes quickly is placed together: at most a third of the time goes into placing. Where it takes long,
      // something else is wrong, and nothing is won by waiting.
      std::unique_lock lock(resting);
      rest.wait_until(lock, stop, now + std::min<std::chrono::nanoseconds>(2 * (now - begun), kRestMax),
                      [] { return false; });
    } else {
      pollfd watched{wake_line_.descriptor(), POLLIN, 0};
      ::poll(&watched, 1, static_cast<int>(options_.look_every.count()));
    }
    std::uint64_t wakes = 0;
    [[maybe_unused]] const auto read = ::read(wake_line_.descriptor(), &wakes, sizeof wakes);
  }
  if (database && database->usable()) static_cast<void>(postgres::place(*database));
}

}  // namespace resultsync::store
