// What receivers have acknowledged and the store does not know yet. An answer waits for the writer's turn and a commit;
// a process that is killed meanwhile would send all of those again. So each is first noted here, in the page cache of a
// small file: that outlives the process, and a machine that fails costs no more than sending again.
//
// A ring: as many answers as can wait at a time have a slot. Which of them the store has learnt since is not kept, for
// a note that is old says nothing: its fencing token is no longer the delivery's.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/timestamp.hpp"
#include "runtime/file.hpp"
#include "store/deliveries.hpp"

namespace resultsync::delivery {

struct Receipt {
  store::DeliveryKey key;
  std::int64_t nonce = 0;
  std::int64_t fence = 0;  // of the claim that was answered
  std::int64_t status = 0;
  Timestamp started_at;
  std::int64_t duration_us = 0;

  bool operator==(const Receipt&) const = default;
};

class Receipts {
 public:
  // Creates the file if it is not there. `slots`: how many answers can wait for the store at a time. Errors: those of
  // runtime::File.
  static Result<std::unique_ptr<Receipts>> open(const std::string& path, std::size_t slots);

  // What the process before noted, in no order; what was torn is left out.
  [[nodiscard]] const std::vector<Receipt>& left() const { return left_; }
  // Thread-safe. A note that cannot be written is not made: then the delivery may come twice.
  void note(const Receipt& receipt);

 private:
  Receipts(runtime::File file, std::size_t slots) : file_(std::move(file)), slots_(slots) {}
  Result<void> read_left();

  const runtime::File file_;
  const std::size_t slots_;
  std::vector<Receipt> left_;
  std::mutex mutex_;
  std::size_t next_ = 0;  // guarded by mutex_
};

}  // namespace resultsync::delivery
