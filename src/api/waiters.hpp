// Long polls and streams that wait for feeds to grow: parked here without a thread each, woken by a change of the
// feeds, by their time, or by the end of the service. One thread serves all of them.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "base/ids.hpp"
#include "runtime/metrics.hpp"

namespace resultsync::api {

class FeedWaiters {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  enum class Ended { kNews, kTime, kStopped };

  struct Feed {
    AppPractitionerId practitioner;
    std::int64_t seen = 0;  // news is a last position beyond this
  };
  struct Waiter {
    std::vector<Feed> feeds;       // woken by news of any of them, or if one is not connected any more
    std::uint64_t generation = 0;  // generation() from before `seen` was read
    Instant deadline;
    std::move_only_function<void(Ended)> ended;  // called once, without a lock held; must not block
  };

  // The last positions of these practitioners; one who is not connected any more is left out. May block: it reads the
  // store.
  using Positions = std::map<AppPractitionerId, std::int64_t>;
  using ReadPositions = std::function<Positions(const std::set<AppPractitionerId>&)>;

  FeedWaiters(std::size_t waiters_max, ReadPositions read_positions, runtime::Gauge waiting);
  ~FeedWaiters();  // stops

  // False, and `waiter` unchanged, if no more may wait. Once stopped, the waiter ends at once. Any thread.
  [[nodiscard]] bool park(Waiter& waiter);
  // Feeds may have grown. Any thread; never blocks for long.
  void wake();
  // How often wake() was called: a waiter parked with an older number is looked at again, so that nothing falls between
  // the look at the feed and the parking.
  [[nodiscard]] std::uint64_t generation() const;
  // Ends every waiter and the thread. Any thread but its own; more than once is fine.
  void stop();

 private:
  void run(const std::stop_token& stop);
  std::list<Waiter> take_expired(Instant now);  // with mutex_ held
  void wake_those_with_news();

  const std::size_t waiters_max_;
  const ReadPositions read_positions_;
  runtime::Gauge waiting_gauge_;

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Waiter> waiters_;  // guarded by mutex_, as is all that follows
  std::uint64_t generation_ = 0;
  Instant next_deadline_ = Instant::max();  // not later than the earliest of the waiters'
  bool look_ = false;                       // a waiter may have news
  bool stopped_ = false;

  std::mutex joining_;  // held by the stop() that joins thread_
  std::jthread thread_;
};

}  // namespace resultsync::api
