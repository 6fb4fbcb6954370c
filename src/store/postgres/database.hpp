// PostgreSQL 15 or later behind the connection of sql/database.hpp, over libpq in pipeline mode: a statement without
// rows is sent and not waited for; one that gives rows waits for the server, once for all that was sent before it, and
// those that were asked ahead wait together. The errors of what was not waited for are found then, or at commit():
// which is what sticky errors are for. Rows that may be gathered (sql/database.hpp) are sent as arrays, one statement
// for all of them, once something else is sent.
//
// The error codes say what may be done about one:
//   `unavailable`  retry, or indeterminate: the server cannot be reached, is no primary just now, wants the transaction
//                  tried again, or did not answer whether it committed. Ask again; what is asked must be idempotent, or
//                  read first what became of it. Nothing may be answered 2xx on the hope that it did.
//   `disk_full`    refused for lack of space; nothing happened.
//   `fenced`       the log's stream was ended (log_open() of the tables).
//   others         fatal: `permission_denied`, `not_found` (no such database), `corrupt_views`, `io_error`.
#pragma once

#include <libpq-fe.h>

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/secret.hpp"
#include "store/sql/database.hpp"
#include "store/unavailable.hpp"

namespace resultsync::store::postgres {

struct ConnectOptions {
  std::string conninfo;          // libpq's: "host=a,b dbname=results user=results", or a postgresql:// URI; no password
  Secret<std::string> password;  // empty: libpq's own ways (~/.pgpass, PGPASSFILE, peer, certificates)
  std::string schema = "resultsync";  // of [a-z0-9_]; all tables are in it
  std::string name = "resultsync";    // application_name, for whoever looks at pg_stat_activity
  // An answer that takes longer means that the connection is of no use any more: `unavailable`.
  std::chrono::milliseconds answer_within{30'000};
};

// The options are sound: a conninfo that libpq reads, without a password, and a schema's name. Error: `bad_conninfo`.
Result<void> check(const ConnectOptions& options);

// The class of an error by its SQLSTATE; an empty one is a connection that was lost.
std::string_view code_of(std::string_view sqlstate);

class Database final : public sql::Database {
 public:
  // Blocks for some seconds at most for each host that is named. Errors: `bad_conninfo`, `unavailable`,
  // `permission_denied`, `not_found`, `unsupported_server`.
  static Result<std::unique_ptr<Database>> open(const ConnectOptions& options);
  ~Database() override;

  void execute(const std::string& sql) override;  // waits
  sql::Statement* prepared(const char* sql) override;
  sql::Statement* gathered(const sql::Gathered& rows) override;
  [[nodiscard]] bool is_remote() const override { return true; }
  void meet_in_order(bool in_order) override;  // not waited for; inside a transaction

  // `kWrite`: read committed. `kSnapshot`: repeatable read, read only. Not waited for.
  enum class Mode { kWrite, kSnapshot };
  void begin(Mode mode);
  // Waits for everything that was sent; calls `meanwhile` first, when the server has all of it. `unavailable`: whether
  // it happened is open.
  Result<void> commit(const std::function<void()>& meanwhile = {});
  // Forgets the error, too. Afterwards the connection is in no transaction, or not usable().
  void rollback();
  // The end of a transaction that only read. The server's answer is waited for by nobody: still_there() finds it, or
  // whoever asks next. After an error it is rollback().
  void end_snapshot();
  // Waits for everything that was sent, inside a transaction or not.
  void finish();

  // Looks whether the server has hung up meanwhile. For a connection that was idle.
  [[nodiscard]] bool still_there();

  // False once the connection is lost: open another one.
  [[nodiscard]] bool usable() const { return handle_ != nullptr && !broken_; }

  // How many blocks the server fetches from its disk at once for a statement of ours that asks for many rows, unless it
  // is set to more, or to none.
  static constexpr int kBlocksAhead = 32;

  // The array of 8-byte numbers, of texts or of byte strings, as a parameter in binary form, and such a parameter's
  // place. `bytes` must outlive the run.
  enum class Array : Oid { kIntegers = 1016, kTexts = 1009, kBlobs = 1001 };
  static void bind_array(sql::Statement& statement, int place, Array type, std::string_view bytes);

  // For LISTEN: waits until somebody notifies, `wake_descriptor` can be read, or the time is over; what was said. On a
  // connection in no transaction.
  std::vector<std::string> wait_for_notice(std::chrono::milliseconds at_most, int wake_descriptor);

 private:
  class Prepared;
  class Rows;    // gathered ones, of one statement
  struct Sent {  // something the server will answer
    enum class Kind { kRun, kPrepare, kSync } kind = Kind::kRun;
    Prepared* statement = nullptr;  // null for what is not prepared
  };
  struct ResultDelete {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  using ResultPointer = std::unique_ptr<PGresult, ResultDelete>;

  explicit Database(PGconn* handle);
  static void note(void* self, const PGresult* notice);

  void send_text(const char* sql);  // not prepared, not waited for
  void send(Prepared& statement);   // after what was gathered
  void send_now(Prepared& statement);
  void send_gathered();
  ResultPointer ask(Prepared& statement);  // of the statement, everything before it being answered too
  ResultPointer answers();                 // to all that was sent: the last result that nobody asked for ahead
  void sync();
  ResultPointer receive_all();  // the last result with rows that nobody asked for ahead, if any
  bool wait_for_answer();
  void remember_lost(const char* what);
  void remember_result(const PGresult* result);

  PGconn* handle_;
  bool broken_ = false;
  bool in_transaction_ = false;
  bool commit_in_doubt_ = false;
  std::chrono::milliseconds answer_within_{30'000};
  std::deque<Sent> sent_;
  std::unordered_map<const char*, std::unique_ptr<sql::Statement>> statements_;
  std::unordered_map<const char*, std::unique_ptr<Rows>> rows_;
  std::vector<Rows*> gathered_;  // those that have rows
  std::uint64_t names_ = 0;
};

// Parameters of array type, in PostgreSQL's binary form.
class ArrayWriter {
 public:
  explicit ArrayWriter(Database::Array type);
  void add(std::int64_t number);
  void add(std::string_view bytes);
  [[nodiscard]] std::string_view bytes();

 private:
  std::string out_;
  std::uint32_t count_ = 0;
};

}  // namespace resultsync::store::postgres
