#include "store/log/frame_scanner.hpp"

#include <algorithm>

namespace resultsync::store::log {

using State = DecodedFrame::State;

Result<std::string_view> FrameScanner::look(std::uint64_t offset, std::size_t count) {
  const bool inside = offset >= window_offset_ && offset + count <= window_offset_ + window_.size();
  if (!inside) {
    auto bytes = file_->read_at(offset, std::max(count, window_bytes_));
    if (!bytes) return forward_error(std::move(bytes));
    window_ = std::move(*bytes);
    window_offset_ = offset;
  }
  return std::string_view(window_).substr(static_cast<std::size_t>(offset - window_offset_));
}

Result<DecodedFrame> FrameScanner::next() {
  offset_ = next_offset_;
  std::size_t wanted = kFrameHeaderBytes;
  while (true) {
    auto bytes = look(offset_, wanted);
    if (!bytes) return forward_error(std::move(bytes));
    DecodedFrame frame = decode_frame(*bytes);
    if (frame.state == State::kNeedsMore) {
      if (bytes->size() >= frame.bytes || wanted >= frame.bytes)
        return DecodedFrame{.state = State::kDamaged, .header = {}, .sealed = {}};
      wanted = frame.bytes;
      continue;
    }
    if (frame.state == State::kWhole) next_offset_ = offset_ + frame.bytes;
    return frame;
  }
}

Result<DecodedFrame> FrameScanner::search() {
  std::uint64_t place = offset_ + kFrameAlignment;
  while (true) {
    auto bytes = look(place, kFrameHeaderBytes);
    if (!bytes) return forward_error(std::move(bytes));
    if (bytes->size() < kFrameHeaderBytes) return DecodedFrame{};
    // Frames stand at multiples of 16: of the 4 Mi places in a segment of zeros each is one comparison.
    std::size_t at = 0;
    while (at + kFrameHeaderBytes <= bytes->size() && !bytes->substr(at).starts_with(kFrameMagic))
      at += kFrameAlignment;
    place += at;
    if (at + kFrameHeaderBytes > bytes->size()) continue;
    next_offset_ = place;
    auto frame = next();
    if (!frame || frame->state == State::kWhole) return frame;
    place += kFrameAlignment;
  }
}

}  // namespace resultsync::store::log
