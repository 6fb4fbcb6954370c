#include "cli/terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>

#include "base/encoding.hpp"

namespace resultsync::cli {
namespace {

std::string painted(Paint paint, std::string_view text) {
  constexpr std::string_view kCodes[] = {"", "1", "2", "32", "33", "31", "36"};
  if (paint == Paint::kPlain) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<int>(paint)], text);
}

// Decodes the code point at `at` of well-formed UTF-8 and moves past it.
std::uint32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at++]);
  if (lead < 0x80) return lead;
  const int more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  std::uint32_t point = lead & (0x3fU >> more);
  for (int i = 0; i < more && at < text.size(); ++i)
    point = (point << 6U) | (static_cast<unsigned char>(text[at++]) & 0x3fU);
  return point;
}

bool is_combining(std::uint32_t point) {
  return (point >= 0x300 && point <= 0x36f) || point == 0x200b || point == 0x200d;
}
bool is_wide(std::uint32_t point) {
  return (point >= 0x1100 && point <= 0x115f) || (point >= 0x2e80 && point <= 0xa4cf) ||
         (point >= 0xac00 && point <= 0xd7a3) || (point >= 0xf900 && point <= 0xfaff) ||
         (point >= 0xff00 && point <= 0xff60) || (point >= 0x1f300 && point <= 0x1faff);
}

}  // namespace

Terminal Terminal::of_process() {
  Terminal terminal(std::cout, std::cerr);
  terminal.out_is_terminal_ = ::isatty(STDOUT_FILENO) == 1;
  terminal.talk_is_terminal_ = ::isatty(STDERR_FILENO) == 1;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* kind = std::getenv("TERM");
  terminal.colour_ =
      (no_colour == nullptr || *no_colour == '\0') && kind != nullptr && std::string_view(kind) != "dumb";
  return terminal;
}

std::string Terminal::on_out(Paint paint, std::string_view text) const {
  return painted(colour_ && out_is_terminal_ ? paint : Paint::kPlain, text);
}

std::string Terminal::on_talk(Paint paint, std::string_view text) const {
  return painted(colour_ && talk_is_terminal_ ? paint : Paint::kPlain, text);
}

ExitCode Terminal::complain(const Error& error) const {
  talk() << on_talk(Paint::kRed, "resultsync:") << ' ' << printable(error.message) << '\n';
  if (!error.cause.empty()) {
    std::string_view rest = error.cause;
    while (!rest.empty()) {  // a cause may show several lines, such as a sample configuration
      const auto end = rest.find('\n');
      talk() << "  " << printable(rest.substr(0, end)) << '\n';
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    }
  }
  talk().flush();
  return exit_code_of(error);
}

std::string printable(std::string_view text) {
  const std::string clean = repair_utf8(text);
  std::string shown;
  shown.reserve(clean.size());
  for (std::size_t at = 0; at < clean.size();) {
    const std::size_t begin = at;
    const std::uint32_t point = next_code_point(clean, at);
    if (point < 0x20 || (point >= 0x7f && point < 0xa0)) {
      shown += fmt::format("\\x{:02x}", point);
    } else if ((point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069)) {
      shown += fmt::format("\\u{:04x}", point);  // direction overrides can make a line read as another
    } else {
      shown.append(clean, begin, at - begin);
    }
  }
  return shown;
}

std::size_t display_width(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::uint32_t point = next_code_point(text, at);
    columns += is_combining(point) ? 0U : is_wide(point) ? 2U : 1U;
  }
  return columns;
}

}  // namespace resultsync::cli
