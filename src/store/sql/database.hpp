// SQL, thinly, over either engine (sqlite/, postgres/): a connection that owns its prepared statements, and queries
// that bind and read by type. Errors are sticky: after the first one every further query on the connection does nothing
// until clear_error().
//
// The statements of this house are written once, in the language that both engines share: parameters ?1, ?2 …; INTEGER
// for numbers, times and truth values, TEXT, BLOB; ON CONFLICT, RETURNING, row values; no function that only one of
// them has. What truly differs (the tables' definitions, the log, waking others) stands in the engine's folder.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace resultsync::store::sql {

// A row to be written, which somebody else's database takes together with others like it: a statement a row costs it
// more than the row. `sql` is INSERT INTO … VALUES (…), perhaps with ON CONFLICT; no parameter is NULL, and none stands
// behind the values. Rows of one statement are written in their order, and rows of different statements in any.
struct Gathered {
  const char* sql;
  // If a conflict updates: how many parameters, from the first, name the row. One statement cannot write it twice.
  int key = 0;
  // It asks for rows of other tables, which may be gathered, too: it goes behind them.
  bool looks_up = false;
};

// A prepared statement, owned by its connection. Places and columns: parameters count from 1, columns from 0.
class Statement {
 public:
  virtual ~Statement() = default;
  // Texts and blobs must outlive the run.
  virtual void bind_integer(int place, std::int64_t value) = 0;
  virtual void bind_text(int place, std::string_view value) = 0;
  virtual void bind_blob(int place, std::string_view value) = 0;
  virtual void bind_null(int place) = 0;
  // Asks now, and leaves the waiting to the first step(): for questions that do not wait for each other's answers,
  // where each is a round trip. An engine that is none away does nothing.
  virtual void ask_ahead() {}
  virtual bool step() = 0;  // to the next row; false at the end and on an error
  // Of the row that step() came to; views are valid until the next step() or reset().
  [[nodiscard]] virtual bool is_null(int column) const = 0;
  [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
  [[nodiscard]] virtual std::string_view text(int column) const = 0;
  [[nodiscard]] virtual std::string_view blob(int column) const = 0;
  virtual void reset() = 0;
};

// One connection, used by one thread at a time.
class Database {
 public:
  Database() = default;
  virtual ~Database() = default;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Statements without parameters or rows, several separated by `;`.
  virtual void execute(const std::string& sql) = 0;
  // `sql` is a string literal: its address is its name in the cache. Null after an error, which is remembered.
  virtual Statement* prepared(const char* sql) = 0;
  // A statement whose runs in a transaction may be carried out together, later, but before anything else that this
  // connection asks or writes.
  virtual Statement* gathered(const Gathered& rows) { return prepared(rows.sql); }
  // The transaction that has just begun, and has asked and written nothing yet, is committed without waiting for the
  // disk, where an engine can do that: a process that dies loses nothing of it, a machine that fails may lose it, and
  // never what was committed before it.
  virtual void need_not_wait_for_the_disk() {}
  // Whether every question is a round trip to somebody else, so that asking together pays.
  [[nodiscard]] virtual bool is_remote() const { return false; }

  // Until it is taken back or the transaction ends, rows are met in the order of an index where that is asked for. For
  // pages of what may be long: an engine that expects few rows would read all of them, and sort.
  virtual void meet_in_order(bool) {}

  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] Result<void> status() const {
    if (error_) return std::unexpected(*error_);
    return {};
  }
  void clear_error() { error_.reset(); }
  // For whoever finds that the transaction must not go on: as if the engine had said so.
  void refuse(Error error) { remember(std::move(error)); }

 protected:
  void remember(Error error) {  // the first one is what went wrong
    if (!error_) error_ = std::move(error);
  }

 private:
  std::optional<Error> error_;
};

// For as long as it lives: Database::meet_in_order().
class InOrder {
 public:
  explicit InOrder(Database& database) : database_(database) { database_.meet_in_order(true); }
  ~InOrder() { database_.meet_in_order(false); }
  InOrder(const InOrder&) = delete;
  InOrder& operator=(const InOrder&) = delete;

 private:
  Database& database_;
};

// Bytes for a BLOB column.
struct Blob {
  std::string_view bytes;
};

// One run of a statement. Parameters are bound in the order of the arguments; texts and blobs must outlive the query.
// A statement serves one query at a time: end a loop over its rows before running the same literal again.
//
//   Query query(database, "SELECT event_id FROM events WHERE record = ?1", record);
//   while (query.next()) use(query.text(0));
class Query {
 public:
  template <class... Values>
  Query(Database& database, const char* sql, const Values&... values) : database_(database) {
    if (database_.failed()) return;
    statement_ = database_.prepared(sql);
    if (statement_ == nullptr) return;
    [[maybe_unused]] int place = 0;
    (bind(++place, values), ...);
  }
  template <class... Values>
  Query(Database& database, const Gathered& row, const Values&... values) : database_(database) {
    if (database_.failed()) return;
    statement_ = database_.gathered(row);
    if (statement_ == nullptr) return;
    int place = 0;
    (bind(++place, values), ...);
  }
  // One of the array for each of the parameters.
  template <class Value, std::size_t kCount>
  Query(Database& database, const char* sql, const std::array<Value, kCount>& values) : database_(database) {
    if (database_.failed()) return;
    statement_ = database_.prepared(sql);
    if (statement_ == nullptr) return;
    int place = 0;
    for (const Value& value : values) bind(++place, value);
  }
  ~Query() {
    if (statement_ != nullptr) statement_->reset();
  }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  bool next() {  // moves to the next row; false at the end and on an error
    return statement_ != nullptr && !database_.failed() && statement_->step();
  }
  void ask_ahead() {  // Statement::ask_ahead()
    if (statement_ != nullptr && !database_.failed()) statement_->ask_ahead();
  }
  void run() {  // for statements without rows
    while (next()) {
    }
  }

  [[nodiscard]] bool is_null(int column) const { return statement_->is_null(column); }
  [[nodiscard]] std::int64_t integer(int column) const { return statement_->integer(column); }
  [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }
  [[nodiscard]] std::string text(int column) const { return std::string(statement_->text(column)); }
  [[nodiscard]] std::string blob(int column) const { return std::string(statement_->blob(column)); }
  [[nodiscard]] Sha256 digest(int column) const {
    return Sha256::from_bytes(statement_->blob(column)).value_or(Sha256{});
  }

 private:
  void bind(int place, std::int64_t value) { statement_->bind_integer(place, value); }
  void bind(int place, std::string_view value) { statement_->bind_text(place, value); }
  void bind(int place, const std::string& value) { statement_->bind_text(place, value); }
  void bind(int place, const char* value) { statement_->bind_text(place, value); }
  void bind(int place, const Sha256& value) { statement_->bind_blob(place, value.view()); }
  void bind(int place, const Blob& value) { statement_->bind_blob(place, value.bytes); }
  void bind(int place, bool value) { statement_->bind_integer(place, value ? 1 : 0); }
  void bind(int place, int value) { statement_->bind_integer(place, value); }
  void bind(int place, std::size_t value) { statement_->bind_integer(place, static_cast<std::int64_t>(value)); }
  template <class T>
  void bind(int place, const std::optional<T>& value) {  // an absent value is NULL
    value ? bind(place, *value) : statement_->bind_null(place);
  }

  Database& database_;
  Statement* statement_ = nullptr;
};

}  // namespace resultsync::store::sql
