// SQLite, thinly: a connection that owns its prepared statements, and queries that bind and read by type. Errors are
// sticky: after the first one every further query on the connection does nothing until clear_error().
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace resultsync::store::sqlite {

// One connection, used by one thread at a time.
class Database {
 public:
  enum class Access { kReadWrite, kReadOnly };
  // Errors: `not_found`, `permission_denied`, `corrupt_views`, `disk_full`, `io_error`.
  static Result<std::unique_ptr<Database>> open(const std::string& path, Access access);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // Statements without parameters or rows, several separated by `;`.
  void execute(const std::string& sql);

  [[nodiscard]] bool failed() const { return error_.has_value(); }
  [[nodiscard]] Result<void> status() const;
  void clear_error() { error_.reset(); }
  void remember_error();  // of the connection's last call

  // `sql` is a string literal: its address is its name in the cache.
  sqlite3_stmt* prepared(const char* sql);
  [[nodiscard]] sqlite3* handle() const { return handle_; }

 private:
  explicit Database(sqlite3* handle) : handle_(handle) {}
  sqlite3* handle_;
  std::unordered_map<const char*, sqlite3_stmt*> statements_;
  std::optional<Error> error_;
};

// One run of a statement. Parameters are bound in the order of the arguments; texts and blobs must outlive the query.
//
//   Query query(database, "SELECT event_id FROM events WHERE record = ?1", record);
//   while (query.next()) use(query.text(0));
class Query {
 public:
  template <class... Values>
  Query(Database& database, const char* sql, const Values&... values) : database_(database) {
    if (database_.failed()) return;
    statement_ = database_.prepared(sql);
    [[maybe_unused]] int place = 0;
    (bind(++place, values), ...);
  }
  ~Query() { reset(); }
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;

  bool next();  // moves to the next row; false at the end and on an error
  void run() {  // for statements without rows
    while (next()) {
    }
  }

  [[nodiscard]] std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }
  [[nodiscard]] std::string text(int column) const;
  [[nodiscard]] Sha256 digest(int column) const;

 private:
  void bind(int place, std::int64_t value);
  void bind(int place, std::string_view value);
  void bind(int place, const std::string& value) { bind(place, std::string_view(value)); }
  void bind(int place, const char* value) { bind(place, std::string_view(value)); }
  void bind(int place, const Sha256& value);
  void bind(int place, bool value) { bind(place, std::int64_t{value ? 1 : 0}); }
  void bind(int place, int value) { bind(place, std::int64_t{value}); }
  void bind(int place, std::size_t value) { bind(place, static_cast<std::int64_t>(value)); }
  void reset();

  Database& database_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace resultsync::store::sqlite
