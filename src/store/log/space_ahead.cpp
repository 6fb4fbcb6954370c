#include "store/log/space_ahead.hpp"

#include <algorithm>

#include "runtime/threads.hpp"
#include "store/log/directory.hpp"
#include "store/log/format.hpp"

namespace resultsync::store::log {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{1024} * 1024;

const std::string& zeros() {
  static const std::string kept(kPieceBytes, '\0');
  return kept;
}

}  // namespace

SpaceAhead::SpaceAhead(SpaceOptions options, Disk& disk, std::function<void()> wake)
    : options_(std::move(options)), disk_(disk), wake_(std::move(wake)) {
  check_free_space();
  thread_ = runtime::start_thread("log-space", [this](const std::stop_token& stop) { work(stop); });
}

SpaceAhead::~SpaceAhead() {
  stop();
}

void SpaceAhead::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

Result<void> SpaceAhead::follow(const std::string& path, std::uint64_t position, std::uint64_t zeroed_to) {
  auto file = runtime::File::open_read_write(path);
  if (!file) return forward_error(std::move(file));
  {
    const std::lock_guard lock(mutex_);
    file_ = std::make_shared<runtime::File>(std::move(*file));
    ++segment_number_;
    written_ = position;
    zeros_written_ = zeros_synced_ = std::max(position, zeroed_to);
    claimed_from_ = claimed_to_ = 0;
    spare_taken_ = false;
  }
  changed_.notify_one();
  return {};
}

void SpaceAhead::reserve(std::uint64_t end) {
  bool more = false;
  {
    Lock lock(mutex_);
    piece_written_.wait(lock, [&] { return claimed_from_ == claimed_to_ || end <= claimed_from_; });
    written_ = std::max(written_, end);
    zeros_written_ = std::max(zeros_written_, end);
    more = wants_zeros() || wants_spare();
  }
  if (more) changed_.notify_one();
}

bool SpaceAhead::has_space(std::uint64_t end) const {
  const std::lock_guard lock(mutex_);
  return end <= zeros_synced_;
}

std::optional<SpaceAhead::Spare> SpaceAhead::take_spare() {
  const std::lock_guard lock(mutex_);
  if (spare_) spare_taken_ = true;
  return std::exchange(spare_, std::nullopt);
}

void SpaceAhead::say_full() {
  full_ = true;
}

std::optional<Error> SpaceAhead::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void SpaceAhead::work(const std::stop_token& stop) {
  auto next_check = std::chrono::steady_clock::now() + options_.check_every;
  Lock lock(mutex_);
  while (!stop.stop_requested() && !failure_) {
    const bool due = std::chrono::steady_clock::now() >= next_check;
    if (due) {
      next_check += options_.check_every;
      lock.unlock();
      check_free_space();
      lock.lock();
    }
    // A full disk is asked again at every check only.
    const bool try_now = !full_ || due;
    if (try_now && wants_zeros()) {
      write_zeros(lock);
    } else if (try_now && wants_spare()) {
      make_spare(lock);
    } else {
      if (try_now) full_ = false;  // everything that was wanted is there
      changed_.wait_until(lock, stop, next_check, [this] { return !full_ && (wants_zeros() || wants_spare()); });
    }
  }
}

void SpaceAhead::check_free_space() {
  const auto free = disk_.free_bytes(options_.directory);
  low_ = !free || *free < options_.free_bytes_min;
}

bool SpaceAhead::wants_zeros() const {
  const bool segment_has_room = zeros_written_ < options_.segment_bytes;
  return file_ && segment_has_room &&
         zeros_synced_ < std::min(written_ + options_.ahead_bytes / 2, options_.segment_bytes);
}

bool SpaceAhead::wants_spare() const {
  return file_ && !spare_ && !spare_taken_ && written_ > options_.segment_bytes / 2;
}

void SpaceAhead::write_zeros(Lock& lock) {
  const auto file = file_;
  const auto number = segment_number_;
  const std::uint64_t target = std::min(written_ + options_.ahead_bytes, options_.segment_bytes);
  while (number == segment_number_ && zeros_written_ < target) {
    const std::uint64_t from = zeros_written_;
    const std::uint64_t to = std::min(from + kPieceBytes, target);
    claimed_from_ = from;
    claimed_to_ = to;
    lock.unlock();
    const auto written =
        disk_.write(*file, from, std::string_view(zeros()).substr(0, static_cast<std::size_t>(to - from)));
    lock.lock();
    if (number == segment_number_) {
      claimed_from_ = claimed_to_ = 0;
      if (written) zeros_written_ = to;
      piece_written_.notify_all();
    }
    note_result(lock, written);
    if (!written) return;
  }
  const std::uint64_t through = zeros_written_;
  if (number != segment_number_) return;
  lock.unlock();
  const auto synced = disk_.sync(*file);
  lock.lock();
  if (!synced) {
    // Unlike a failed write, a failed sync may have lost what the writer wrote: never to be tried again.
    failure_ = synced.error();
    lock.unlock();
    wake_();
    lock.lock();
    return;
  }
  full_ = false;
  if (number == segment_number_) zeros_synced_ = std::max(zeros_synced_, through);
}

void SpaceAhead::make_spare(Lock& lock) {
  lock.unlock();
  const auto make = [this]() -> Result<Spare> {
    auto file = disk_.create(in_directory(options_.directory, kSpareDraft));
    if (!file) return forward_error(std::move(file));
    Spare spare{std::move(*file), std::min(options_.ahead_bytes, options_.segment_bytes)};
    for (std::uint64_t from = 0; from < spare.zeroed_to; from += kPieceBytes) {
      const auto count = static_cast<std::size_t>(std::min(kPieceBytes, spare.zeroed_to - from));
      if (auto written = disk_.write(spare.file, from, std::string_view(zeros()).substr(0, count)); !written) {
        return forward_error(std::move(written));
      }
    }
    if (auto synced = disk_.sync(spare.file); !synced) return forward_error(std::move(synced));
    return spare;
  };
  auto spare = make();
  lock.lock();
  if (!spare) return note_result(lock, std::unexpected(spare.error()));
  full_ = false;
  spare_ = std::move(*spare);
}

void SpaceAhead::note_result(Lock& lock, const Result<void>& result) {
  if (result) return;
  if (result.error().code == "disk_full") {
    full_ = true;
    return;
  }
  failure_ = result.error();
  lock.unlock();
  wake_();
  lock.lock();
}

}  // namespace resultsync::store::log
