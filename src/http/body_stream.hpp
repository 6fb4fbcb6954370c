// The body of an answer that goes on (server-sent events): bytes are given to it as they come to be, and the connection
// sends them as fast as the client takes them. Its writer keeps itself within bounds: what it gives is taken only while
// little waits, and it is told when it may go on. A client that takes nothing for the listener's `write_timeout` is
// closed, and the writer is told.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace resultsync::http {

class Mailbox;

// Shared between whoever writes and the connection that sends. Thread-safe.
class BodyStream {
 public:
  // What waits to be sent may be so long before write() refuses more; one write may be longer than that, alone.
  static constexpr std::size_t kPendingBytesMax = 256 * 1024;

  enum class Told {
    kDrained,  // all that was written has been handed to the system: there is room
    kGone,     // the connection has ended; the last that is told
  };
  // Called on an event-loop thread, never under a lock of the stream's: must not block.
  explicit BodyStream(std::function<void(Told)> tell) : tell_(std::move(tell)) {}

  // False, and nothing taken: there is no room until kDrained, or the stream has ended.
  [[nodiscard]] bool write(std::string bytes);
  // All that was written is still sent; then the answer is whole and the connection closes.
  void end();
  // All that was written is still sent; then the connection closes without the end that chunks have, so that the client
  // knows that the answer is not whole (RFC 9112 §8). To a client of HTTP/1.0 it looks like end().
  void break_off();
  [[nodiscard]] bool is_gone() const;
  [[nodiscard]] bool has_room() const;

  // For the connection. ----------------------------------------------------------------------------------------------
  void attach(std::shared_ptr<Mailbox> mailbox, std::uint64_t connection);
  struct Taken {
    std::string bytes;
    bool ended = false;   // nothing follows
    bool broken = false;  // and the answer is not whole
  };
  Taken take();
  void sent();  // what was taken last is on its way
  void gone();  // idempotent

 private:
  void wake(std::unique_lock<std::mutex> lock);

  const std::function<void(Told)> tell_;
  mutable std::mutex mutex_;
  std::shared_ptr<Mailbox> mailbox_;  // shared with the loop; null before the head was sent
  std::uint64_t connection_ = 0;
  std::string waiting_;        // guarded by mutex_, as all below
  std::size_t in_flight_ = 0;  // bytes that were taken and not sent yet
  bool ended_ = false;
  bool broken_ = false;
  bool gone_ = false;
};

}  // namespace resultsync::http
