#include "store/sqlite/database.hpp"

#include <fmt/format.h>

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

Error error_of(sqlite3* handle) {
  const int code = sqlite3_extended_errcode(handle);
  return Error{code_of(code), "the views could not be read or written",
               fmt::format("SQLite {}: {}", code, sqlite3_errmsg(handle))};
}

}  // namespace

Result<std::unique_ptr<Database>> Database::open(const std::string& path, Access access) {
  sqlite3* handle = nullptr;
  const int flags = access == Access::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, nullptr);
  std::unique_ptr<Database> database(new Database(handle));
  if (code != SQLITE_OK) {
    Error error = error_of(handle);
    error.message = "cannot open " + path;
    return std::unexpected(std::move(error));
  }
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, 10'000);
  return database;
}

Database::~Database() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

void Database::execute(const std::string& sql) {
  if (failed()) return;
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) remember_error();
}

Result<void> Database::status() const {
  if (error_) return std::unexpected(*error_);
  return {};
}

void Database::remember_error() {
  if (!error_) error_ = error_of(handle_);
}

sqlite3_stmt* Database::prepared(const char* sql) {
  auto [place, added] = statements_.try_emplace(sql, nullptr);
  if (added && sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &place->second, nullptr) != SQLITE_OK) {
    remember_error();
    statements_.erase(place);
    return nullptr;
  }
  return place->second;
}

bool Query::next() {
  if (statement_ == nullptr || database_.failed()) return false;
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_.remember_error();
  return false;
}

std::string Query::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return bytes == nullptr ? std::string{}
                          : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

Sha256 Query::digest(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return Sha256::from_bytes({bytes, bytes == nullptr ? 0 : size}).value_or(Sha256{});
}

void Query::bind(int place, std::int64_t value) {
  if (statement_ != nullptr && sqlite3_bind_int64(statement_, place, value) != SQLITE_OK) database_.remember_error();
}

void Query::bind(int place, std::string_view value) {
  if (statement_ == nullptr) return;
  const char* bytes = value.data() == nullptr ? "" : value.data();
  if (sqlite3_bind_text64(statement_, place, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8) != SQLITE_OK)
    database_.remember_error();
}

void Query::bind(int place, const Sha256& value) {
  if (statement_ == nullptr) return;
  if (sqlite3_bind_blob64(statement_, place, value.bytes.data(), value.bytes.size(), SQLITE_STATIC) != SQLITE_OK)
    database_.remember_error();
}

void Query::reset() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

}  // namespace resultsync::store::sqlite
