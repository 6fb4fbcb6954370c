// A text that grows by short pieces, thousands a message. Room is made once for several pieces, and then they are only
// copied; most are names that are known where they are written, and the copy of those is a move or two once it is
// inline.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace resultsync::fhir {

class Buffer {
 public:
  explicit Buffer(std::size_t bytes = 0) { grow(bytes); }

  // All parts, one behind the other.
  template <class... Parts>
  [[gnu::always_inline]] void append(const Parts&... parts) {
    append_views(std::string_view(parts)...);
  }
  // What stands from `begin` to `end` once more.
  void repeat(std::size_t begin, std::size_t end) {
    char* const to = room(end - begin);
    std::memcpy(to, bytes_.get() + begin, end - begin);
    size_ += end - begin;
  }
  void push(char c) {
    *room(1) = c;
    ++size_;
  }
  // Room for `bytes` more: where they begin. What was written there counts after wrote().
  char* room(std::size_t bytes) {
    if (capacity_ - size_ < bytes) [[unlikely]]
      grow(bytes);
    return bytes_.get() + size_;
  }
  void wrote(std::size_t bytes) { size_ += bytes; }
  void cut(std::size_t size) { size_ = std::min(size_, size); }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] char back() const { return bytes_[size_ - 1]; }  // not of an empty one
  // Good until the next change.
  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  template <class... Views>
  [[gnu::always_inline]] void append_views(Views... views) {
    char* at = room((views.size() + ... + 0));
    ((at = std::copy_n(views.data(), views.size(), at)), ...);
    size_ = static_cast<std::size_t>(at - bytes_.get());
  }

  [[gnu::noinline]] void grow(std::size_t bytes) {
    capacity_ = std::max({size_ + bytes, capacity_ * 2, std::size_t{256}});
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    if (size_ > 0) std::memcpy(larger.get(), bytes_.get(), size_);
    bytes_ = std::move(larger);
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace resultsync::fhir
