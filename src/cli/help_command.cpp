#include "cli/command_line.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

class Help final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "COMMAND", .help = "Command to show; nothing: all of them", .target = &first_});
    options.add({.names = "WORD", .help = "Its second word, as in: events list", .target = &second_});
  }

  ExitCode run(Terminal& terminal) override {
    std::vector<std::string> arguments;
    if (!first_.empty()) arguments.push_back(first_);
    if (!second_.empty()) arguments.push_back(second_);
    arguments.emplace_back("--help");
    return run_command_line(arguments, terminal);
  }

 private:
  std::string first_;
  std::string second_;
};

}  // namespace

std::unique_ptr<Command> make_help() {
  return std::make_unique<Help>();
}

}  // namespace resultsync::cli
