// Lets one thread in at a time, in the order of their arrival, so that a busy sync cannot starve the API.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace resultsync::store::sql {

class Turnstile {
 public:
  void enter() {
    std::unique_lock lock(mutex_);
    const auto ticket = next_ticket_++;
    turn_.wait(lock, [&] { return serving_ == ticket; });
  }
  void leave() {
    {
      const std::lock_guard lock(mutex_);
      ++serving_;
    }
    turn_.notify_all();
  }
  // How many stand behind whoever has the turn. For them to ask.
  [[nodiscard]] std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(next_ticket_ - serving_ - 1);
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable turn_;
  std::uint64_t next_ticket_ = 0;  // guarded by mutex_
  std::uint64_t serving_ = 0;      // guarded by mutex_
};

}  // namespace resultsync::store::sql
