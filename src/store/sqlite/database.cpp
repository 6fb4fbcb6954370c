#include "store/sqlite/database.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

namespace resultsync::store::sqlite {
namespace {

std::string_view code_of(int extended) {
  switch (extended & 0xff) {
    case SQLITE_CANTOPEN:
      return "not_found";
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return "permission_denied";
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return "corrupt_views";
    case SQLITE_FULL:
      return "disk_full";
    default:
      return "io_error";
  }
}

Error error_of(sqlite3* handle, const std::string& name) {
  const int code = sqlite3_extended_errcode(handle);
  return Error{code_of(code), name + " could not be read or written",
               fmt::format("SQLite {}: {}", code, sqlite3_errmsg(handle))};
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Access access) {
  sqlite3* handle = nullptr;
  const int flags = access == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, nullptr);
  std::unique_ptr<Database> database(new Database(handle, std::filesystem::path(path).filename().string()));
  if (code != SQLITE_OK) {
    Error error = error_of(handle, path);
    error.message = "cannot open " + path;
    return std::unexpected(std::move(error));
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 10'000);
  return database;
}

class Database::Prepared final : public sql::Statement {
 public:
  Prepared(Database& database, sqlite3_stmt* statement) : database_(database), statement_(statement) {}
  ~Prepared() override { sqlite3_finalize(statement_); }
  Prepared(const Prepared&) = delete;
  Prepared& operator=(const Prepared&) = delete;

  void bind_integer(int place, std::int64_t value) override { check(sqlite3_bind_int64(statement_, place, value)); }
  void bind_text(int place, std::string_view value) override {
    const char* bytes = value.data() == nullptr ? "" : value.data();
    check(sqlite3_bind_text64(statement_, place, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  void bind_blob(int place, std::string_view value) override {
    const char* bytes = value.data() == nullptr ? "" : value.data();
    check(sqlite3_bind_blob64(statement_, place, bytes, value.size(), SQLITE_STATIC));
  }
  void bind_null(int place) override { check(sqlite3_bind_null(statement_, place)); }

  bool step() override {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) database_.remember_error();
    return false;
  }
  [[nodiscard]] bool is_null(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  [[nodiscard]] std::string_view text(int column) const override {
    return view(reinterpret_cast<const char*>(sqlite3_column_text(statement_, column)), column);
  }
  [[nodiscard]] std::string_view blob(int column) const override {
    return view(static_cast<const char*>(sqlite3_column_blob(statement_, column)), column);
  }
  void reset() override {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }

 private:
  void check(int code) {
    if (code != SQLITE_OK) database_.remember_error();
  }
  std::string_view view(const char* bytes, int column) const {
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }

  Database& database_;
  sqlite3_stmt* statement_;
};

Database::~Database() {
  statements_.clear();
  sqlite3_close_v2(handle_);
}

void Database::execute(const std::string& sql) {
  if (failed()) return;
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) remember_error();
}

void Database::begin() {
  if (!std::exchange(waits_for_the_disk_, true)) execute("PRAGMA synchronous=FULL");
  execute("BEGIN IMMEDIATE");
}

// Within a transaction SQLite keeps its level; the one that ends here is empty. Later commits sync the same file.
void Database::need_not_wait_for_the_disk() {
  execute("COMMIT; PRAGMA synchronous=NORMAL; BEGIN IMMEDIATE");
  waits_for_the_disk_ = false;
}

void Database::on_commit(std::function<void(int)> listener) {
  commit_listener_ = std::move(listener);
  const auto tell = [](void* self, sqlite3*, const char*, int pages) {
    static_cast<Database*>(self)->commit_listener_(pages);
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_, tell, this);
}

Result<void> Database::checkpoint() {
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  if (code == SQLITE_OK || code == SQLITE_BUSY) return {};  // busy: another one is at it
  return std::unexpected(error_of(handle_, name_));
}

std::int64_t Database::steps() const {
  std::int64_t steps = 0;
  for (sqlite3_stmt* each = sqlite3_next_stmt(handle_, nullptr); each != nullptr;
       each = sqlite3_next_stmt(handle_, each))
    steps += sqlite3_stmt_status(each, SQLITE_STMTSTATUS_VM_STEP, 0);
  return steps;
}

void Database::remember_error() {
  remember(error_of(handle_, name_));
}

sql::Statement* Database::prepared(const char* sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return known->second.get();
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    remember_error();
    return nullptr;
  }
  return statements_.emplace(sql, std::make_unique<Prepared>(*this, statement)).first->second.get();
}

}  // namespace resultsync::store::sqlite
