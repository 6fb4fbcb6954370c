#include "store/postgres/pool.hpp"

namespace resultsync::store::postgres {

Result<std::unique_ptr<Database>> Pool::take() {
  std::unique_ptr<Database> given;
  {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return out_ < most_; });
    ++out_;
    if (!free_.empty()) {
      given = std::move(free_.back());
      free_.pop_back();
    }
  }
  if (given && given->still_there()) return given;
  return Database::open(options_);
}

void Pool::give_back(std::unique_ptr<Database> database) {
  {
    const std::lock_guard lock(mutex_);
    --out_;
    if (database && database->usable()) {
      database->clear_error();
      free_.push_back(std::move(database));
    } else {
      // What was lost was lost by all: a server that restarted ended every connection.
      free_.clear();
    }
  }
  returned_.notify_one();
}

}  // namespace resultsync::store::postgres
