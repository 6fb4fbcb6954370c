#include "store/postgres/append_queue.hpp"

#include <utility>

#include "store/log/payload.hpp"

namespace resultsync::store::postgres {
namespace {

bool may_grow_by(const Block& block, std::size_t bytes) {
  return !block.compressed && !block.is_being_compressed && block.payloads.size() + bytes <= kBlockBytesMax;
}

}  // namespace

std::size_t records_in(const Blocks& blocks) {
  std::size_t records = 0;
  for (const auto& block : blocks) records += block->waiting.size();
  return records;
}

void compress(Block& block) {
  if (block.compressed) return;
  if (block.waiting.size() > 1) {
    block.compressed = log::compress_block(block.payloads);
  } else if (const auto payloads = log::payloads_of_block(block.payloads); payloads && !payloads->empty()) {
    block.compressed = log::compress(std::string(payloads->front()));
  }
}

Result<void> AppendQueue::add(const std::string& payload, EventLog::Committed& committed) {
  std::optional<log::Encoded> alone;
  if (payload.size() > kBlockBytesMax) alone = log::compress(payload);
  const std::size_t bytes = alone ? alone->bytes.size() : payload.size() + sizeof(std::uint32_t);  // with its length
  Block* full = nullptr;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return fail("stopped", "the event log is stopping");
    if (records_ >= records_max_ || (records_ > 0 && bytes_ + bytes > bytes_max_))
      return fail("overloaded", "more records wait to be written than the event log takes");
    Block* last = blocks_.empty() ? nullptr : blocks_.back().get();
    if (last == nullptr || alone || !may_grow_by(*last, bytes)) {
      if (last != nullptr && !last->compressed) {
        full = last;
        full->is_being_compressed = true;
      }
      last = blocks_.emplace_back(std::make_unique<Block>()).get();
    }
    if (alone) {
      last->compressed = std::move(alone);
    } else {
      log::append_to_block(payload, last->payloads);
    }
    last->waiting.push_back(std::move(committed));
    ++records_;
    bytes_ += bytes;
  }
  changed_.notify_one();
  if (full == nullptr) return {};
  compress(*full);
  {
    const std::lock_guard lock(mutex_);
    full->is_being_compressed = false;
  }
  changed_.notify_one();
  return {};
}

bool AppendQueue::wait(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, at_most, [this] { return !blocks_.empty() || closed_; });
}

bool AppendQueue::empty() const {
  const std::lock_guard lock(mutex_);
  return blocks_.empty();
}

Blocks AppendQueue::take(std::size_t bytes_max) {
  std::unique_lock lock(mutex_);
  Blocks taken;
  std::size_t bytes = 0;
  while (!blocks_.empty() && (taken.empty() || bytes + blocks_.front()->bytes() <= bytes_max)) {
    changed_.wait(lock, [this] { return !blocks_.front()->is_being_compressed; });
    bytes += blocks_.front()->bytes();
    records_ -= blocks_.front()->waiting.size();
    taken.push_back(std::move(blocks_.front()));
    blocks_.pop_front();
  }
  bytes_ -= bytes;
  return taken;
}

void AppendQueue::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_one();
}

bool AppendQueue::pause(std::chrono::milliseconds how_long) {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, how_long, [this] { return closed_; });
}

}  // namespace resultsync::store::postgres
