// A bar on stderr for a person at a terminal; nothing anywhere else.
#pragma once

#include <fmt/format.h>

#include <string>

#include "cli/terminal.hpp"

namespace resultsync::cli {

class ProgressBar {
 public:
  explicit ProgressBar(const Terminal& terminal) : terminal_(terminal) {}
  ~ProgressBar() { clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void show(std::size_t done, std::size_t all) {
    if (!terminal_.talk_is_terminal() || all == 0) return;
    constexpr std::size_t kWidth = 30;
    const std::size_t filled = done * kWidth / all;
    terminal_.talk() << '\r' << terminal_.on_talk(Paint::kCyan, std::string(filled, '#'))
                     << std::string(kWidth - filled, '.') << fmt::format(" {}/{}", done, all) << std::flush;
    shown_ = true;
  }
  void clear() {
    if (shown_) terminal_.talk() << "\r\x1b[K" << std::flush;
    shown_ = false;
  }

 private:
  const Terminal& terminal_;
  bool shown_ = false;
};

}  // namespace resultsync::cli
