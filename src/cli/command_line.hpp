// From argv to a command that has run: the one place that knows the parser (CLI11).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/terminal.hpp"

namespace resultsync::cli {

// `arguments` without the program's own name. Everything said about a wrong command line goes to terminal.talk().
ExitCode run_command_line(const std::vector<std::string>& arguments, Terminal& terminal);

// --help, from the table: of everything, of a group ("events"), or of one command.
std::string help_of_everything();
std::string help_of_group(std::string_view group);
std::string help_of(const CommandEntry& entry);

// The entry of that name ("events list"); nullptr if there is none.
const CommandEntry* find_command(std::string_view name);

// Of `names`, the one that `typed` was probably meant to be; empty if none is near.
std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& names);

}  // namespace resultsync::cli
