// Threads that have a name, and a pool of workers for what blocks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace resultsync::runtime {

// Starts a thread named `name` (at most 15 characters are shown by the system); it is joined when the value is
// destroyed. A background thread gives way when processors are short: what answers requests goes first.
enum class Priority { kNormal, kBackground };
std::jthread start_thread(std::string name, std::function<void(std::stop_token)> body,
                          Priority priority = Priority::kNormal);

// How long the calling thread has run so far, and how long it could have run while others had the processors. Both stay
// zero where the kernel does not count them.
struct ProcessorTime {
  std::chrono::nanoseconds ran{};
  std::chrono::nanoseconds waited{};
};
ProcessorTime processor_time();

// A fixed number of threads that take tasks in order. The queue is bounded: submit() answers false when it is full or
// closed, and the caller says so to whoever asked (503). Thread-safe.
class Workers {
 public:
  Workers(std::string name, unsigned threads, std::size_t queue_max);
  ~Workers();  // runs what is queued, then joins
  [[nodiscard]] bool submit(std::move_only_function<void()> task);

 private:
  void work(std::stop_token stop);

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::deque<std::move_only_function<void()>> queue_;  // guarded by mutex_
  std::vector<std::jthread> threads_;
};

}  // namespace resultsync::runtime
