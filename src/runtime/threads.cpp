#include "runtime/threads.hpp"

#include <pthread.h>
#include <sched.h>

#include <cstdint>
#include <fstream>

namespace resultsync::runtime {

std::jthread start_thread(std::string name, std::function<void(std::stop_token)> body, Priority priority) {
  return std::jthread([name = std::move(name), body = std::move(body), priority](std::stop_token stop) {
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    // SCHED_IDLE still gets what others leave, and gives way the moment that one of them wakes. Failing to lower one's
    // own priority harms nothing.
    const sched_param none{};
    if (priority == Priority::kBackground) ::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none);
    body(std::move(stop));
  });
}

ProcessorTime processor_time() {
  std::int64_t ran = 0;
  std::int64_t waited = 0;
  std::ifstream("/proc/thread-self/schedstat") >> ran >> waited;  // proc(5)
  return {std::chrono::nanoseconds(ran), std::chrono::nanoseconds(waited)};
}

Workers::Workers(std::string name, unsigned threads, std::size_t queue_max) : queue_max_(queue_max) {
  for (unsigned i = 0; i < threads; ++i) {
    threads_.push_back(
        start_thread(name + "-" + std::to_string(i), [this](std::stop_token stop) { work(std::move(stop)); }));
  }
}

Workers::~Workers() {
  for (auto& thread : threads_) thread.request_stop();
  threads_.clear();
}

bool Workers::submit(std::move_only_function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
  return true;
}

void Workers::work(std::stop_token stop) {
  while (true) {
    std::move_only_function<void()> task;
    {
      std::unique_lock lock(mutex_);
      if (!wake_.wait(lock, stop, [this] { return !queue_.empty(); })) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace resultsync::runtime
