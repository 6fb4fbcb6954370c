// SQLite behind the connection of sql/database.hpp.
#pragma once

#include <sqlite3.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "store/sql/database.hpp"

namespace resultsync::store::sqlite {

class Database final : public sql::Database {
 public:
  enum class Access { kReadWrite, kReadOnly };
  // Errors: `not_found`, `permission_denied`, `corrupt_views`, `disk_full`, `io_error`.
  static Result<std::unique_ptr<Database>> open(const std::string& path, Access access);
  ~Database() override;

  void execute(const std::string& sql) override;
  void begin();  // a transaction that writes, and is on disk once it is committed
  void need_not_wait_for_the_disk() override;
  sql::Statement* prepared(const char* sql) override;
  // After each commit that wrote: how many pages the write-ahead log has. In place of SQLite's own checkpoints.
  void on_commit(std::function<void(int)> listener);
  // Copies what the write-ahead log has into the file, as far as no reader needs the file as it is; keeps nobody from
  // reading or writing. Where all of it was copied, the next commit begins the log anew.
  Result<void> checkpoint();
  [[nodiscard]] bool in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  // How many operations of SQLite's machine all statements together have taken so far. Tests compare it, to see that
  // what a statement costs does not grow with what it need not look at.
  [[nodiscard]] std::int64_t steps() const;

 private:
  class Prepared;
  Database(sqlite3* handle, std::string name) : handle_(handle), name_(std::move(name)) {}
  void remember_error();  // of the connection's last call

  sqlite3* handle_;
  const std::string name_;  // of the file, for errors
  bool waits_for_the_disk_ = true;
  std::function<void(int)> commit_listener_;
  std::unordered_map<const char*, std::unique_ptr<sql::Statement>> statements_;
};

}  // namespace resultsync::store::sqlite
