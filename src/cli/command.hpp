// A command of the binary: what it takes, and what it does. One file each; commands.cpp is the table of them all.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "cli/exit_code.hpp"
#include "cli/options.hpp"
#include "cli/terminal.hpp"

namespace resultsync::cli {

class Command {
 public:
  virtual ~Command() = default;
  virtual void declare(Options& options) = 0;
  virtual ExitCode run(Terminal& terminal) = 0;  // after its options were parsed
};

enum class Section { kServer, kPractitioners, kEvents, kAccess, kDeliveries, kWebhooks, kMessages, kStore, kOther };
std::string_view title_of(Section section);

struct CommandEntry {
  std::string_view name;  // "serve"; "events list" stands in the group "events"
  Section section;
  std::string_view summary;      // one line, in the imperative, without a full stop
  std::string_view description;  // further lines for --help and the man page; may be empty
  std::string_view examples;     // command lines, one a line; may be empty
  std::unique_ptr<Command> (*make)();
  bool hidden = false;  // not in the list of commands
};

// All of them, in the order in which --help lists them.
std::span<const CommandEntry> commands();

// A group ("events") with no further word runs this command of it; empty if it has none.
std::string_view default_command_of(std::string_view group);

}  // namespace resultsync::cli
