#include <string>
#include <vector>

#include "cli/command_line.hpp"

int main(int argc, char** argv) {
  auto terminal = resultsync::cli::Terminal::of_process();
  return static_cast<int>(resultsync::cli::run_command_line(std::vector<std::string>(argv + 1, argv + argc), terminal));
}
