#include "delivery/receipts.hpp"

#include <array>
#include <cstring>

#include "store/log/crc32c.hpp"

namespace resultsync::delivery {
namespace {

// Words in the machine's own order: the file does not leave it. The last one is the checksum of those before it.
using Slot = std::array<std::int64_t, 7>;
constexpr std::size_t kSlotBytes = sizeof(Slot);

std::string_view bytes_of(const Slot& slot) {
  return {reinterpret_cast<const char*>(slot.data()), kSlotBytes};
}

std::int64_t checksum(const Slot& slot) {
  return store::log::crc32c(bytes_of(slot).substr(0, kSlotBytes - sizeof(std::int64_t)));
}

}  // namespace

Result<std::unique_ptr<Receipts>> Receipts::open(const std::string& path, std::size_t slots) {
  auto file = runtime::File::open_read_write(path);
  if (!file && file.error().code == "not_found") file = runtime::File::create_new(path);
  if (!file) return forward_error(std::move(file));
  auto receipts = std::unique_ptr<Receipts>(new Receipts(std::move(*file), slots));
  if (auto read = receipts->read_left(); !read) return forward_error(std::move(read));
  return receipts;
}

Result<void> Receipts::read_left() {
  auto size = file_.size();
  if (!size) return forward_error(std::move(size));
  auto bytes = file_.read_at(0, *size);
  if (!bytes) return forward_error(std::move(bytes));
  for (std::size_t at = 0; at + kSlotBytes <= bytes->size(); at += kSlotBytes) {
    Slot slot{};
    std::memcpy(slot.data(), bytes->data() + at, kSlotBytes);
    const auto [key, nonce, fence, status, started_at, duration, sum] = slot;
    if (key == 0 || sum != checksum(slot)) continue;
    left_.push_back({store::DeliveryKey{key}, nonce, fence, status, Timestamp{started_at}, duration});
  }
  return {};
}

void Receipts::note(const Receipt& receipt) {
  Slot slot{receipt.key.value,
            receipt.nonce,
            receipt.fence,
            receipt.status,
            receipt.started_at.microseconds,
            receipt.duration_us,
            0};
  slot.back() = checksum(slot);
  const std::lock_guard lock(mutex_);
  const std::size_t place = next_++ % slots_;
  static_cast<void>(file_.write_at(place * kSlotBytes, bytes_of(slot)));
}

}  // namespace resultsync::delivery
