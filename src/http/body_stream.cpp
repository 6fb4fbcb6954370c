#include "http/body_stream.hpp"

#include <utility>

#include "http/server_loop.hpp"

namespace resultsync::http {

bool BodyStream::write(std::string bytes) {
  std::unique_lock lock(mutex_);
  const std::size_t pending = waiting_.size() + in_flight_;
  if (ended_ || gone_ || (pending > 0 && pending + bytes.size() > kPendingBytesMax)) return false;
  if (waiting_.empty()) {
    waiting_ = std::move(bytes);
  } else {
    waiting_.append(bytes);
  }
  wake(std::move(lock));
  return true;
}

void BodyStream::end() {
  std::unique_lock lock(mutex_);
  if (std::exchange(ended_, true)) return;
  wake(std::move(lock));
}

void BodyStream::break_off() {
  std::unique_lock lock(mutex_);
  if (std::exchange(ended_, true)) return;
  broken_ = true;
  wake(std::move(lock));
}

bool BodyStream::is_gone() const {
  const std::lock_guard lock(mutex_);
  return gone_;
}

bool BodyStream::has_room() const {
  const std::lock_guard lock(mutex_);
  return !ended_ && !gone_ && waiting_.empty() && in_flight_ == 0;
}

void BodyStream::attach(std::shared_ptr<Mailbox> mailbox, std::uint64_t connection) {
  const std::lock_guard lock(mutex_);
  mailbox_ = std::move(mailbox);
  connection_ = connection;
}

BodyStream::Taken BodyStream::take() {
  const std::lock_guard lock(mutex_);
  Taken taken{std::exchange(waiting_, {}), ended_, broken_};
  in_flight_ = taken.bytes.size();
  return taken;
}

void BodyStream::sent() {
  {
    const std::lock_guard lock(mutex_);
    in_flight_ = 0;
    if (!waiting_.empty() || ended_ || gone_) return;
  }
  tell_(Told::kDrained);
}

void BodyStream::gone() {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(gone_, true)) return;
    waiting_ = {};
    mailbox_ = nullptr;
  }
  tell_(Told::kGone);
}

// The mailbox takes a lock of its own and may be closing: it is woken without ours.
void BodyStream::wake(std::unique_lock<std::mutex> lock) {
  const auto mailbox = mailbox_;
  const std::uint64_t connection = connection_;
  lock.unlock();
  if (mailbox) mailbox->stream_grew(connection);
}

}  // namespace resultsync::http
