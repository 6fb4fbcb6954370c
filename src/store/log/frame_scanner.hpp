// Walks the frames of a segment file, one after another, through a window of its bytes.
//
//   FrameScanner scanner(file, kSegmentHeaderBytes);
//   while (true) {
//     auto frame = scanner.next();                       // an error is an error of reading the file
//     if (!frame || frame->state != State::kWhole) break;
//   }
//
// A frame's bytes stay valid until the next call.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "runtime/file.hpp"
#include "store/log/format.hpp"

namespace resultsync::store::log {

class FrameScanner {
 public:
  // `file` must outlive the scanner. `window_bytes`: how much is read at a time.
  FrameScanner(const runtime::File& file, std::uint64_t offset, std::size_t window_bytes = std::size_t{1024} * 1024)
      : file_(&file), offset_(offset), next_offset_(offset), window_bytes_(window_bytes) {}

  // The next frame is looked for at this place.
  void go_to(std::uint64_t offset) { offset_ = next_offset_ = offset; }

  // The frame at the place where the last one ended. What the file ends in the middle of is kDamaged. After anything
  // but kWhole the scanner stays where it is.
  Result<DecodedFrame> next();

  // Where the frame of the last next() begins; before it, where the scanner does.
  [[nodiscard]] std::uint64_t offset() const { return offset_; }
  // Where the next one begins.
  [[nodiscard]] std::uint64_t next_offset() const { return next_offset_; }

  // Goes on to the next place after offset() that holds a whole frame, and returns it; kNothing if there is none up to
  // the file's end.
  Result<DecodedFrame> search();

 private:
  // At least `count` bytes from `offset` on, fewer only at the file's end.
  Result<std::string_view> look(std::uint64_t offset, std::size_t count);

  const runtime::File* file_;
  std::uint64_t offset_;
  std::uint64_t next_offset_;
  std::size_t window_bytes_;
  std::uint64_t window_offset_ = 0;
  std::string window_;
};

}  // namespace resultsync::store::log
