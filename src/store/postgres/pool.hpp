// Connections of one installation, opened when they are first needed and replaced when they were lost. Thread-safe.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "store/postgres/database.hpp"

namespace resultsync::store::postgres {

class Pool {
 public:
  Pool(ConnectOptions options, std::size_t most) : options_(std::move(options)), most_(most) {}

  // Waits while all are in use. Errors: those of opening one.
  Result<std::unique_ptr<Database>> take();
  void give_back(std::unique_ptr<Database> database);

 private:
  const ConnectOptions options_;
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::vector<std::unique_ptr<Database>> free_;  // guarded by mutex_
  std::size_t out_ = 0;                          // guarded by mutex_
};

// A connection for as long as this lives; none if none could be had.
class Borrowed {
 public:
  explicit Borrowed(Pool& pool) : pool_(pool), database_(pool.take()) {}
  ~Borrowed() { pool_.give_back(database_ ? std::move(*database_) : nullptr); }
  Borrowed(const Borrowed&) = delete;
  Borrowed& operator=(const Borrowed&) = delete;

  [[nodiscard]] Result<void> status() const {
    if (!database_) return std::unexpected(database_.error());
    return (*database_)->status();
  }
  [[nodiscard]] bool has_value() const { return database_.has_value(); }
  Database& operator*() { return **database_; }
  Database* operator->() { return database_->get(); }

 private:
  Pool& pool_;
  Result<std::unique_ptr<Database>> database_;
};

}  // namespace resultsync::store::postgres
