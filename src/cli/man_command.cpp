#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/command_line.hpp"
#include "cli/make_commands.hpp"
#include "cli/version.hpp"
#include "runtime/file.hpp"

namespace resultsync::cli {
namespace {

// Text as roff takes it (man(7)): backslashes, hyphens and leading dots have a meaning of their own.
std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

std::string dashed(std::string_view name) {
  std::string dashed(name);
  std::ranges::replace(dashed, ' ', '-');
  return dashed;
}

std::string header(const std::string& title) {
  std::string upper = title;
  std::ranges::transform(upper, upper.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return fmt::format(".TH \"{}\" 1 \"\" \"resultsync {}\" \"User Commands\"\n", roff(upper), kVersion);
}

std::string exit_status() {
  std::string text = ".SH EXIT STATUS\n";
  for (const auto& [code, meaning] : kExitCodes) {
    text += fmt::format(".TP\n.B {}\n{}\n", static_cast<int>(code), roff(meaning));
  }
  return text;
}

std::string option_entry(const Option& option) {
  std::string head;
  for (const std::string& name : option.each_name()) head += (head.empty() ? "" : ", ") + name;
  if (!option.is_flag() && !option.value.empty()) head += " " + option.value;
  std::string help = option.help + ".";
  if (!option.choices.empty()) {
    help += " One of:";
    for (const std::string& choice : option.choices) help += " " + choice;
    help += ".";
  }
  if (const std::string fallback = option.fallback(); !fallback.empty()) help += " Default: " + fallback + ".";
  if (option.required) help += " Required.";
  if (!option.environment.empty()) help += " Read from " + option.environment + " where it is not given.";
  return fmt::format(".TP\n.B {}\n{}\n", roff(head), roff(help));
}

std::string page_of(const CommandEntry& entry) {
  const auto command = entry.make();
  Options options;
  command->declare(options);
  std::string page = header("resultsync-" + dashed(entry.name));
  page += fmt::format(".SH NAME\n{} \\- {}\n", roff("resultsync-" + dashed(entry.name)), roff(entry.summary));
  page += fmt::format(".SH SYNOPSIS\n.B resultsync {}\n", roff(entry.name));
  for (const Option& option : options.all()) {
    const std::string shown = option.is_positional()
                                  ? option.shown_name()
                                  : option.each_name().back() + (option.is_flag() ? "" : " " + option.value);
    page += option.required ? fmt::format("{}\n", roff(shown)) : fmt::format("[{}]\n", roff(shown));
  }
  if (!entry.description.empty()) page += fmt::format(".SH DESCRIPTION\n{}\n", roff(entry.description));
  page += ".SH OPTIONS\n";
  for (const Option& option : options.all()) page += option_entry(option);
  page += option_entry({.names = "-h,--help", .help = "Show a summary"});
  if (!entry.examples.empty()) page += fmt::format(".SH EXAMPLES\n.nf\n{}\n.fi\n", roff(entry.examples));
  return page + exit_status() + ".SH SEE ALSO\n.BR resultsync (1)\n";
}

std::string main_page() {
  std::string page = header("resultsync");
  page += ".SH NAME\nresultsync \\- receive order results and give them to the practitioners they belong to\n";
  page += ".SH SYNOPSIS\n.B resultsync\nCOMMAND [OPTIONS]\n.SH COMMANDS\n";
  for (const CommandEntry& entry : commands()) {
    if (!entry.hidden)
      page += fmt::format(".TP\n.BR {} (1)\n{}.\n", roff("resultsync-" + dashed(entry.name)), roff(entry.summary));
  }
  page += ".SH ENVIRONMENT\n";
  page += roff(
      "Settings of the server: RESULTSYNC_ and the setting's name in capitals, with _ for each dot "
      "(RESULTSYNC_SERVER_PUBLIC). A flag goes before a variable, a variable before the configuration file. "
      "NO_COLOR turns colour off.\n");
  return page + exit_status();
}

class Man final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "DIR", .help = "Where the pages go", .target = &directory_, .required = true, .names_file = true});
  }

  ExitCode run(Terminal& terminal) override {
    if (auto made = runtime::make_directories(directory_, 0755); !made) return terminal.complain(made.error());
    if (auto done = write("resultsync.1", main_page()); !done) return terminal.complain(done.error());
    for (const CommandEntry& entry : commands()) {
      if (entry.hidden) continue;
      if (auto done = write("resultsync-" + dashed(entry.name) + ".1", page_of(entry)); !done) {
        return terminal.complain(done.error());
      }
    }
    return ExitCode::kOk;
  }

 private:
  [[nodiscard]] Result<void> write(const std::string& name, const std::string& page) const {
    return runtime::write_file_durably((std::filesystem::path(directory_) / name).string(), page, 0644);
  }

  std::string directory_;
};

}  // namespace

std::unique_ptr<Command> make_man() {
  return std::make_unique<Man>();
}

}  // namespace resultsync::cli
