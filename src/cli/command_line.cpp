#include "cli/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>

namespace resultsync::cli {
namespace {

std::string_view group_of(std::string_view name) {
  const auto space = name.find(' ');
  return space == std::string_view::npos ? std::string_view() : name.substr(0, space);
}
std::string_view last_word_of(std::string_view name) {
  return name.substr(name.rfind(' ') + 1);
}

void bind(CLI::App& app, const Option& option) {
  CLI::Option* bound = std::visit(
      [&](auto* target) -> CLI::Option* {
        using Value = std::remove_cvref_t<decltype(*target)>;
        if constexpr (std::is_same_v<Value, bool>) {
          return app.add_flag(option.names, *target, option.help);
        } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
          return app.add_option(option.names, *target, option.help)->expected(1)->take_all();
        } else {
          return app.add_option(option.names, *target, option.help);
        }
      },
      option.target);
  bound->required(option.required);
  if (!option.choices.empty()) bound->check(CLI::IsMember(option.choices));
  if (!option.environment.empty()) bound->envname(option.environment);
  if (std::holds_alternative<std::int64_t*>(option.target) || std::holds_alternative<double*>(option.target)) {
    bound->check(CLI::Validator(
        [least = option.least, most = option.most](const std::string& text) -> std::string {
          double number = 0;
          if (!CLI::detail::lexical_cast(text, number)) return fmt::format("{} is no number", text);
          if (number < least || number > most) return fmt::format("{} is not between {} and {}", text, least, most);
          return {};
        },
        "number"));
  }
}

// The commands as the parser sees them, and which of them was called.
class Tree {
 public:
  Tree() : root_("", "resultsync") {
    root_.set_help_flag("-h,--help");
    root_.require_subcommand(0, 1);
    root_.add_flag("--version", version_);
    for (const CommandEntry& entry : commands()) add(entry);
  }

  CLI::App& root() { return root_; }
  [[nodiscard]] bool version_asked() const { return version_; }

  // The words of the deepest command on the command line ("events list").
  [[nodiscard]] std::string called() const {
    std::string words;
    for (const CLI::App* app = &root_; !app->get_subcommands().empty();) {
      app = app->get_subcommands().front();
      words += (words.empty() ? "" : " ") + app->get_name();
    }
    return words;
  }
  Command* command(const std::string& words) {
    const auto found = commands_.find(words);
    return found == commands_.end() ? nullptr : found->second.get();
  }

 private:
  void add(const CommandEntry& entry) {
    const std::string_view group = group_of(entry.name);
    CLI::App* parent = &root_;
    if (!group.empty()) {
      CLI::App*& known = groups_[std::string(group)];
      if (known == nullptr) known = root_.add_subcommand(std::string(group), "")->require_subcommand(0, 1);
      parent = known;
    }
    attach(*parent->add_subcommand(std::string(last_word_of(entry.name)), std::string(entry.summary)), entry,
           entry.name);
    if (!group.empty() && default_command_of(group) == entry.name) attach(*parent, entry, group);
  }

  void attach(CLI::App& app, const CommandEntry& entry, std::string_view name) {
    std::unique_ptr<Command> command = entry.make();
    Options options;
    command->declare(options);
    for (const Option& option : options.all()) bind(app, option);
    commands_.emplace(name, std::move(command));
  }

  CLI::App root_;
  bool version_ = false;
  std::map<std::string, CLI::App*> groups_;  // owned by root_
  std::map<std::string, std::unique_ptr<Command>> commands_;
};

bool is_group(std::string_view word) {
  return std::ranges::any_of(commands(), [&](const CommandEntry& entry) { return group_of(entry.name) == word; });
}

std::vector<std::string_view> words_after(std::string_view group) {
  std::vector<std::string_view> words;
  for (const CommandEntry& entry : commands()) {
    const std::string_view own = group_of(entry.name);
    const std::string_view word = group.empty() ? (own.empty() ? entry.name : own) : last_word_of(entry.name);
    if ((group.empty() || own == group) && !entry.hidden && std::ranges::find(words, word) == words.end())
      words.push_back(word);
  }
  return words;
}

std::string help_for(const std::string& words) {
  if (words.empty()) return help_of_everything();
  const CommandEntry* entry = find_command(words);
  return entry != nullptr ? help_of(*entry) : help_of_group(words);
}

// Says what is wrong with the command line, the way out, and nothing else.
ExitCode usage(Terminal& terminal, const std::string& called, const std::string& what) {
  terminal.talk() << terminal.on_talk(Paint::kRed, "resultsync:") << ' ' << printable(what) << '\n'
                  << "See: resultsync " << (called.empty() ? "" : called + " ") << "--help\n";
  return ExitCode::kUsage;
}

std::string unexpected_word(const std::string& called, const std::string& word) {
  if (word.starts_with('-')) return fmt::format("there is no option {} here", word);
  if (called.empty() || (is_group(called) && find_command(called) == nullptr)) {
    const std::string_view meant = nearest(word, words_after(called));
    const std::string full = called.empty() ? word : called + " " + word;
    return meant.empty() ? fmt::format("there is no command {}", full)
                         : fmt::format("there is no command {}; did you mean {}?", full, meant);
  }
  return fmt::format("{} is one word too many", word);
}

std::string option_line(const Option& option) {
  std::string left;
  if (option.is_positional()) {
    left = option.value.empty() ? option.names : option.value;
  } else {
    for (const std::string& name : option.each_name()) left += (left.empty() ? "" : ", ") + name;
    if (!left.starts_with("--") || option.each_name().size() > 1) {
      // "-o, --output"
    } else {
      left = "    " + left;
    }
    if (!option.is_flag()) left += " " + option.value;
  }
  std::string right = option.help;
  if (!option.choices.empty()) {
    right += ": ";
    for (std::size_t i = 0; i < option.choices.size(); ++i) right += (i == 0 ? "" : "|") + option.choices[i];
  }
  if (const std::string fallback = option.fallback(); !fallback.empty()) right += fmt::format(" [{}]", fallback);
  if (option.required && !option.is_positional()) right += " (required)";
  return left.size() <= 30 ? fmt::format("  {:<30}  {}\n", left, right)
                           : fmt::format("  {}\n{:34}{}\n", left, "", right);
}

std::string usage_line(const CommandEntry& entry, const Options& options) {
  std::string line = fmt::format("Usage: resultsync {}", entry.name);
  for (const Option& option : options.all()) {
    if (!option.is_positional() && option.required)
      line += fmt::format(" {} {}", option.each_name().back(), option.value);
  }
  if (std::ranges::any_of(options.all(),
                          [](const Option& option) { return !option.is_positional() && !option.required; })) {
    line += " [OPTIONS]";
  }
  for (const Option& option : options.all()) {
    if (option.is_positional()) line += option.required ? " " + option.shown_name() : " [" + option.shown_name() + "]";
  }
  return line + "\n";
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

ExitCode run_command_line(const std::vector<std::string>& arguments, Terminal& terminal) {
  Tree tree;
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // what CLI11 asks for
    tree.root().parse(reversed);
  } catch (const CLI::CallForHelp&) {
    terminal.out() << help_for(tree.called());
    return ExitCode::kOk;
  } catch (const CLI::ExtrasError&) {
    const auto extra = tree.root().remaining(true);
    return usage(terminal, tree.called(), unexpected_word(tree.called(), extra.empty() ? "?" : extra.front()));
  } catch (const CLI::ParseError& error) {
    return usage(terminal, tree.called(), error.what());
  }
  const std::string called = tree.version_asked() ? "version" : tree.called();
  if (Command* command = tree.command(called); command != nullptr) return command->run(terminal);
  terminal.talk() << help_for(called);
  return called.empty() && arguments.empty() ? ExitCode::kOk : ExitCode::kUsage;
}

const CommandEntry* find_command(std::string_view name) {
  const auto all = commands();
  const auto found = std::ranges::find(all, name, &CommandEntry::name);
  return found == all.end() ? nullptr : &*found;
}

std::string help_of_everything() {
  std::string text =
      "resultsync receives order results from a lab-ordering network and gives them to the practitioners they belong "
      "to.\n\n"
      "Usage: resultsync COMMAND [OPTIONS]\n";
  // The table stands in the order in which it is listed, so that no section can be forgotten here.
  std::optional<Section> section;
  for (const CommandEntry& entry : commands()) {
    if (entry.hidden) continue;
    if (section != entry.section) text += fmt::format("\n{}\n", title_of(entry.section));
    section = entry.section;
    text += fmt::format("  {:<24}  {}\n", entry.name, entry.summary);
  }
  return text + "\nresultsync COMMAND --help shows what a command takes. Try first: resultsync demo\n";
}

std::string help_of_group(std::string_view group) {
  std::string text = fmt::format("Usage: resultsync {} COMMAND [OPTIONS]\n\n", group);
  for (const CommandEntry& entry : commands()) {
    if (group_of(entry.name) == group) text += fmt::format("  {:<24}  {}\n", entry.name, entry.summary);
  }
  return text;
}

std::string help_of(const CommandEntry& entry) {
  const std::unique_ptr<Command> command = entry.make();
  Options options;
  command->declare(options);
  std::string text = fmt::format("{}.\n\n{}", entry.summary, usage_line(entry, options));
  if (!entry.description.empty()) text += fmt::format("\n{}\n", entry.description);
  for (const bool positional : {true, false}) {
    std::string lines;
    for (const Option& option : options.all()) {
      if (option.is_positional() == positional) lines += option_line(option);
    }
    if (!positional) lines += option_line({.names = "-h,--help", .help = "Show this help"});
    if (!lines.empty()) text += fmt::format("\n{}:\n{}", positional ? "Arguments" : "Options", lines);
  }
  if (!entry.examples.empty()) {
    text += "\nExamples:\n";
    for (std::string_view rest = entry.examples; !rest.empty();) {
      const auto end = std::min(rest.find('\n'), rest.size());
      text += fmt::format("  {}\n", rest.substr(0, end));
      rest = rest.substr(std::min(end + 1, rest.size()));
    }
  }
  return text;
}

std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& names) {
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, typed.size() / 3) + 1;
  for (const std::string_view name : names) {
    if (const std::size_t distance = edit_distance(typed, name); distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace resultsync::cli
