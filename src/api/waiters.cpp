#include "api/waiters.hpp"

#include <algorithm>

#include "runtime/threads.hpp"

namespace resultsync::api {
namespace {

void end_all(std::list<FeedWaiters::Waiter> waiters, FeedWaiters::Ended how) {
  for (auto& waiter : waiters) waiter.ended(how);
}

}  // namespace

FeedWaiters::FeedWaiters(std::size_t waiters_max, ReadPositions read_positions, runtime::Gauge waiting)
    : waiters_max_(waiters_max), read_positions_(std::move(read_positions)), waiting_gauge_(waiting) {
  thread_ = runtime::start_thread("feed-waiters", [this](const std::stop_token& stop) { run(stop); });
}

FeedWaiters::~FeedWaiters() {
  stop();
}

bool FeedWaiters::park(Waiter& waiter) {
  std::unique_lock lock(mutex_);
  if (stopped_) {
    lock.unlock();
    waiter.ended(Ended::kStopped);
    return true;
  }
  if (waiters_.size() >= waiters_max_) return false;
  if (waiter.generation != generation_ && !waiter.feeds.empty()) look_ = true;
  const bool sooner = waiter.deadline < next_deadline_;
  next_deadline_ = std::min(next_deadline_, waiter.deadline);
  waiters_.push_back(std::move(waiter));
  waiting_gauge_.set(static_cast<double>(waiters_.size()));
  const bool due = look_ || sooner;
  lock.unlock();
  if (due) changed_.notify_one();
  return true;
}

void FeedWaiters::wake() {
  {
    const std::lock_guard lock(mutex_);
    ++generation_;
    if (waiters_.empty()) return;
    look_ = true;
  }
  changed_.notify_one();
}

std::uint64_t FeedWaiters::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

void FeedWaiters::stop() {
  std::list<Waiter> left;
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    left.swap(waiters_);
    waiting_gauge_.set(0);
  }
  end_all(std::move(left), Ended::kStopped);
  const std::lock_guard lock(joining_);
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void FeedWaiters::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::list<Waiter> expired;
    bool look = false;
    {
      std::unique_lock lock(mutex_);
      const auto due = [this] { return look_ || std::chrono::steady_clock::now() >= next_deadline_; };
      // Bounded, because a wait until the end of time overflows in some libraries; waking up for nothing every minute
      // is harmless.
      const Instant until = std::min(next_deadline_, std::chrono::steady_clock::now() + std::chrono::minutes(1));
      changed_.wait_until(lock, stop, until, [&] { return due() || next_deadline_ < until; });
      look = std::exchange(look_, false);
      expired = take_expired(std::chrono::steady_clock::now());
    }
    end_all(std::move(expired), Ended::kTime);
    if (look) wake_those_with_news();
  }
}

std::list<FeedWaiters::Waiter> FeedWaiters::take_expired(Instant now) {
  std::list<Waiter> expired;
  next_deadline_ = Instant::max();
  for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
    const auto next = std::next(waiter);
    if (waiter->deadline <= now) {
      expired.splice(expired.end(), waiters_, waiter);
    } else {
      next_deadline_ = std::min(next_deadline_, waiter->deadline);
    }
    waiter = next;
  }
  waiting_gauge_.set(static_cast<double>(waiters_.size()));
  return expired;
}

void FeedWaiters::wake_those_with_news() {
  std::set<AppPractitionerId> practitioners;
  {
    const std::lock_guard lock(mutex_);
    for (const Waiter& waiter : waiters_) {
      for (const Feed& feed : waiter.feeds) practitioners.insert(feed.practitioner);
    }
  }
  if (practitioners.empty()) return;
  const Positions positions = read_positions_(practitioners);

  std::list<Waiter> woken;
  {
    const std::lock_guard lock(mutex_);
    for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
      const auto next = std::next(waiter);
      // Whoever was parked since is looked at in the next round: park() has seen to it if there is need.
      const bool has_news = std::ranges::any_of(waiter->feeds, [&](const Feed& feed) {
        const auto position = positions.find(feed.practitioner);
        return practitioners.contains(feed.practitioner) &&
               (position == positions.end() || position->second > feed.seen);
      });
      if (has_news) {
        woken.splice(woken.end(), waiters_, waiter);
      }
      waiter = next;
    }
    waiting_gauge_.set(static_cast<double>(waiters_.size()));
  }
  end_all(std::move(woken), Ended::kNews);
}

}  // namespace resultsync::api
