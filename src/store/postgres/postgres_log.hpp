// The event log in PostgreSQL, shared by all instances of an installation.
//
//   append() encodes, and queues (append_queue.hpp); the writer's thread seals all that waits for a stream of this
//   process's own (record_rows.hpp), sends it as one INSERT and one COMMIT, and tells each caller once it is committed;
//   if more has come meanwhile, while the server works on that. There is no delay on purpose: a group is what arrived
//   during the last commit. What is committed gets its place in the order of all records afterwards (line.hpp), by
//   whichever instance comes first.
//
// What a commit's error means (I1, I5, I6):
//   retry, indeterminate   the group is asked again, in another transaction, under the same numbers: rows that are
//                          there already are left alone, and the answer waits for that later commit, so it is as
//                          durable. After `give_up_after` everybody who waits gets kUnavailable (503). The stream is
//                          then ended, which settles for ever what is in it, and a new one begun.
//   fenced                 this process was held for dead, and its stream was ended: the same, without giving up.
//   no space               `disk_low` (503); nothing was written.
//   fatal                  the log stops for good, as the embedded one does.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>

#include "runtime/clock.hpp"
#include "runtime/file.hpp"
#include "runtime/keys.hpp"
#include "store/event_log.hpp"
#include "store/log/segment_key.hpp"
#include "store/postgres/append_queue.hpp"
#include "store/postgres/durability.hpp"
#include "store/postgres/record_reader.hpp"
#include "store/postgres/record_rows.hpp"
#include "store/unavailable.hpp"

namespace resultsync::store {

struct PostgresLogOptions {
  postgres::ConnectOptions connect;
  std::size_t readers = 4;
  std::size_t queue_records_max = 65'536;
  std::size_t queue_bytes_max = std::size_t{64} * 1024 * 1024;
  std::size_t group_bytes_max = std::size_t{8} * 1024 * 1024;
  std::chrono::milliseconds commit_within{3'000};  // a commit that takes longer is asked for again
  std::chrono::milliseconds give_up_after{9'000};  // then those who wait are told kUnavailable
  std::chrono::milliseconds ask_every{2'000};      // whether the database answers, when nothing is appended
  std::chrono::milliseconds look_every{500};       // the safety net below LISTEN
  std::chrono::milliseconds alive_for{10'000};     // a process that is silent for longer is held for dead
  postgres::DurabilityWish durability = {};        // looked at again and again, for readiness
  // Called once when the log has stopped for good; the process should end.
  std::function<void(const Error&)> on_failure = {};
};

class PostgresLog final : public EventLog {
 public:
  // Creates or migrates the tables, begins a stream, and places what an earlier process left. Blocks. Errors: those of
  // postgres::Database::open() and migrate(), `wrong_master_key`. The clock must outlive the log.
  static Result<std::unique_ptr<PostgresLog>> open(PostgresLogOptions options, runtime::MasterKey master,
                                                   const runtime::Clock& clock);
  // To look at it only: append() refuses, and end() stays what it was when it was opened.
  static Result<std::unique_ptr<PostgresLog>> open_read_only(PostgresLogOptions options, runtime::MasterKey master,
                                                             const runtime::Clock& clock);
  ~PostgresLog() override;  // close()

  // Told: the record's name, which at() and same_body_as take wherever they take a Sequence.
  void append(Record record, Committed committed) override;
  [[nodiscard]] Result<std::vector<StoredRecord>> read(Sequence after, ReadLimits limits) const override;
  [[nodiscard]] Result<StoredRecord> at(Sequence sequence) const override;
  [[nodiscard]] std::vector<StoredRecord> some_of(std::span<const Sequence> records,
                                                  std::size_t bytes_max) const override;
  [[nodiscard]] Sequence end() const override { return {end_.load(std::memory_order_acquire)}; }
  [[nodiscard]] std::string id() const override { return log_id_.hex(); }
  // Called when the line has grown, by whomever, or its records were given their slots; on the log's own thread.
  void on_commit(std::function<void(Sequence)> listener) override;
  // Called when another instance (or this one) has issued feed items; on the log's own thread.
  void on_feed(std::function<void()> listener);

  // Places what is committed, now. Blocks. Error: kUnavailable.
  Result<Sequence> place_now();
  // The place of a record that was placed. Error: `not_found`, and those of reading.
  Result<Sequence> place_of(Sequence name) const;
  // The database answered when it was asked last: for the commit in hand, or every `ask_every`.
  [[nodiscard]] bool reachable() const { return reachable_; }

  void close() override;  // what waits is committed as far as the database lets it
  // What is wrong with the server's settings, as of some seconds ago; empty: nothing.
  [[nodiscard]] std::string durability_faults() const;

 private:
  using Blocks = postgres::Blocks;
  // What blocks became for a stream. They are sealed once, because a seal's nonce is a number of the stream.
  struct Sealed {
    std::int64_t stream = 0;
    postgres::SealedRows rows;
  };
  // Blocks that are committed, and whose appenders are still to be told.
  struct ToTell {
    std::int64_t stream = 0;
    std::int64_t after = 0;  // the number before their first one
    Blocks blocks;
  };
  enum class Access : std::uint8_t { kReadWrite, kReadOnly };

  PostgresLog(PostgresLogOptions options, runtime::MasterKey master, const runtime::Clock& clock);
  Result<void> start(Access access);
  Result<void> learn_names(postgres::Database& database, Access access);

  [[nodiscard]] Result<void> check_accepts(const Record& record) const;

  // On the writer's thread.
  void write();
  void look_after_connection();
  void note_reachable(const Result<void>& outcome);
  void commit(Blocks blocks);
  [[nodiscard]] bool has_stream() const;
  Result<void> ensure_stream();
  Result<void> try_commit(const Blocks& blocks, std::int64_t period, std::optional<Sealed>& sealed);
  Result<bool> settled_in_ended_stream(std::size_t count);
  void note_committed(Blocks blocks);
  void tell();
  void refuse(Blocks blocks, std::string_view code, const std::string& message);
  void refuse_all(Blocks blocks, std::string_view code, const std::string& message);
  void stop_for_good(const Error& cause, Blocks blocks);

  // On the line's thread.
  void keep_line(const std::stop_token& stop);
  void line_grew_to(Sequence end);
  void work_was_shared();
  void feed_grew();
  void note_durability(postgres::Database& database);

  const PostgresLogOptions options_;
  const runtime::MasterKey master_;
  const runtime::Clock& clock_;
  const std::string owner_;  // of this process's streams
  log::LogId log_id_;
  mutable postgres::Pool pool_;
  mutable postgres::RecordReader reader_;
  std::mutex listeners_mutex_;
  std::function<void(Sequence)> listener_;  // guarded by listeners_mutex_
  std::function<void()> feed_listener_;     // guarded by listeners_mutex_

  std::atomic<std::uint64_t> end_{0};
  std::atomic<bool> failed_ = false;
  std::atomic<bool> reachable_ = true;
  std::atomic<bool> read_only_ = false;
  std::atomic<bool> may_write_blocks_ = false;  // whoever is alive can read them

  postgres::AppendQueue queue_;

  mutable std::mutex names_mutex_;
  std::string durability_faults_;       // guarded by names_mutex_
  std::set<std::int64_t> own_streams_;  // guarded by names_mutex_
  std::int64_t durable_stream_ = 0;     // guarded by names_mutex_
  std::int64_t durable_number_ = 0;     // of that stream; guarded by names_mutex_

  // The writer's thread owns these.
  std::unique_ptr<postgres::Database> database_;
  std::int64_t stream_ = 0;  // 0: one has to be begun
  bool abandon_stream_ = false;
  std::unique_ptr<log::FrameSealer> sealer_;
  postgres::RowSealer::Form form_ = postgres::RowSealer::Form::kOfRecords;  // of the stream's rows
  std::int64_t number_ = 0;                                                 // the last one that is committed
  bool in_doubt_ = false;                                                   // the numbers after it may be there
  ToTell to_tell_;

  runtime::File wake_line_;  // an eventfd
  std::jthread writer_;
  std::jthread line_;  // last: uses all of the above
};

}  // namespace resultsync::store
