// Where a command's words go: data on stdout, talk on stderr, colour and progress only for a person at a terminal.
#pragma once

#include <ostream>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/exit_code.hpp"

namespace resultsync::cli {

enum class Paint { kPlain, kBold, kDim, kGreen, kYellow, kRed, kCyan };

class Terminal {
 public:
  // stdout and stderr of this process. Colour is off where the stream is no terminal, with NO_COLOR set, or with
  // TERM=dumb.
  static Terminal of_process();
  // Plain text into two streams, which must outlive it; for tests.
  Terminal(std::ostream& out, std::ostream& talk) : out_(&out), talk_(&talk) {}

  [[nodiscard]] std::ostream& out() const { return *out_; }
  [[nodiscard]] std::ostream& talk() const { return *talk_; }
  [[nodiscard]] bool out_is_terminal() const { return out_is_terminal_; }
  [[nodiscard]] bool talk_is_terminal() const { return talk_is_terminal_; }

  // `text` in colour if stdout (`on_out`) or stderr (`on_talk`) shows colour; else as it is.
  [[nodiscard]] std::string on_out(Paint paint, std::string_view text) const;
  [[nodiscard]] std::string on_talk(Paint paint, std::string_view text) const;

  // "resultsync: <message>", the cause on a line of its own; answers the exit code that the error stands for.
  ExitCode complain(const Error& error) const;

 private:
  std::ostream* out_;
  std::ostream* talk_;
  bool out_is_terminal_ = false;
  bool talk_is_terminal_ = false;
  bool colour_ = false;
};

// Text from outside, made safe to print: control characters (which a terminal would obey) stand as `\x1b`, ill-formed
// UTF-8 as U+FFFD.
std::string printable(std::string_view text);

// How many columns a terminal gives to printable text: code points, without combining marks; wide East Asian ones count
// two.
std::size_t display_width(std::string_view text);

}  // namespace resultsync::cli
