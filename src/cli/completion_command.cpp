#include <fmt/format.h>

#include <map>
#include <set>

#include "cli/command_line.hpp"
#include "cli/make_commands.hpp"

namespace resultsync::cli {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// What may follow each run of words: "" → the first words, "events" → its commands and the options of its default.
struct Grammar {
  std::map<std::string, std::vector<std::string>> words;
  std::map<std::string, std::vector<Option>> options;
  std::map<std::string, std::string> summaries;

  Grammar() {
    std::set<std::string> seen;
    for (const CommandEntry& entry : commands()) {
      if (entry.hidden) continue;
      const std::string name(entry.name);
      const auto space = name.find(' ');
      const std::string first = name.substr(0, space);
      if (seen.insert(first).second) words[""].push_back(first);
      if (space == std::string::npos) {
        summaries[first] = entry.summary;
      } else {
        words[first].push_back(name.substr(space + 1));
        summaries.try_emplace(first, "List, show and change " + first);
        summaries[name] = entry.summary;
      }
      const auto command = entry.make();
      Options declared;
      command->declare(declared);
      options[name] = declared.all();
      if (default_command_of(first) == entry.name) options[first] = declared.all();
    }
  }
};

std::string escaped(std::string text) {  // for single quotes
  for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 4) text.replace(at, 1, "'\\''");
  return text;
}

std::string bash(const Grammar& grammar) {
  std::string text =
      "# bash completion of resultsync; made by `resultsync completion bash`\n"
      "_resultsync() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
      "  local path=\"\" word i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    word=\"${COMP_WORDS[i]}\"\n"
      "    [[ $word == -* ]] && break\n"
      "    case \"${path:+$path }$word\" in\n";
  std::string paths;
  for (const auto& [path, summary] : grammar.summaries) paths += (paths.empty() ? "" : "|") + ("\"" + path + "\"");
  text += "      " + paths + ") path=\"${path:+$path }$word\" ;;\n      *) break ;;\n    esac\n  done\n";
  text += "  case \"$path $previous\" in\n";
  for (const auto& [path, options] : grammar.options) {
    for (const Option& option : options) {
      if (option.is_positional() || option.is_flag()) continue;
      std::string patterns;
      for (const std::string& name : option.each_name())
        patterns += (patterns.empty() ? "" : "|") + fmt::format("\"{} {}\"", path, name);
      if (!option.choices.empty()) {
        text += fmt::format("    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return ;;\n", patterns,
                            joined(option.choices));
      } else if (option.names_file) {
        text += fmt::format("    {}) compopt -o filenames; COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n",
                            patterns);
      } else {
        text += fmt::format("    {}) COMPREPLY=(); return ;;\n", patterns);
      }
    }
  }
  text += "  esac\n  case \"$path\" in\n";
  std::set<std::string> all = {""};
  for (const auto& [path, summary] : grammar.summaries) all.insert(path);
  for (const std::string& path : all) {
    std::vector<std::string> offered;
    bool files = false;
    if (const auto found = grammar.words.find(path); found != grammar.words.end()) offered = found->second;
    if (const auto found = grammar.options.find(path); found != grammar.options.end()) {
      for (const Option& option : found->second) {
        if (option.is_positional()) {
          files = files || option.names_file;
          offered.insert(offered.end(), option.choices.begin(), option.choices.end());
        } else {
          offered.push_back(option.each_name().back());
        }
      }
    }
    offered.emplace_back("--help");
    text += fmt::format("    \"{}\") COMPREPLY=($(compgen -W \"{}\" -- \"$current\"))", path, joined(offered));
    text += files ? "; compopt -o filenames; COMPREPLY+=($(compgen -f -- \"$current\")) ;;\n" : " ;;\n";
  }
  return text + "  esac\n}\ncomplete -F _resultsync resultsync\n";
}

// zsh runs the same function through its own bridge, and so both offer the same.
std::string zsh(const Grammar& grammar) {
  return "#compdef resultsync\n# zsh completion of resultsync; made by `resultsync completion zsh`\n"
         "autoload -U +X bashcompinit && bashcompinit\n" +
         bash(grammar);
}

std::string fish(const Grammar& grammar) {
  std::string text =
      "# fish completion of resultsync; made by `resultsync completion fish`\n"
      "function __resultsync_at\n"
      "  set -l words\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    string match -q -- '-*' $word; and break\n"
      "    set -a words $word\n"
      "  end\n"
      "  set -l path (string split ' ' -- $argv[1])\n"
      "  test -z \"$argv[1]\"; and set path\n"
      "  test (count $words) -ge (count $path); or return 1\n"
      "  test (count $path) -eq 0; and test (count $words) -eq 0; and return 0\n"
      "  test (count $path) -eq 0; and return 1\n"
      "  test \"$words[1..\"(count $path)\"]\" = \"$argv[1]\"\n"
      "end\n"
      "complete -c resultsync -f\n";
  for (const auto& [path, words] : grammar.words) {
    for (const std::string& word : words) {
      const auto summary = grammar.summaries.find(path.empty() ? word : path + " " + word);
      text += fmt::format("complete -c resultsync -n \"__resultsync_at '{}'\" -a '{}' -d '{}'\n", path, word,
                          summary == grammar.summaries.end() ? "" : escaped(summary->second));
    }
  }
  for (const auto& [path, options] : grammar.options) {
    for (const Option& option : options) {
      std::string line = fmt::format("complete -c resultsync -n \"__resultsync_at '{}'\"", path);
      if (option.is_positional()) {
        if (!option.names_file && option.choices.empty()) continue;
        line += option.names_file ? " -F" : fmt::format(" -a '{}'", joined(option.choices));
      } else {
        for (const std::string& name : option.each_name()) {
          line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
        }
        if (!option.is_flag()) line += option.names_file ? " -r -F" : " -x";
        if (!option.choices.empty()) line += fmt::format(" -a '{}'", joined(option.choices));
      }
      text += line + fmt::format(" -d '{}'\n", escaped(option.help));
    }
  }
  return text;
}

class Completion final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "SHELL",
                 .help = "Which shell",
                 .target = &shell_,
                 .required = true,
                 .choices = {"bash", "zsh", "fish"}});
  }

  ExitCode run(Terminal& terminal) override {
    const Grammar grammar;
    terminal.out() << (shell_ == "bash" ? bash(grammar) : shell_ == "zsh" ? zsh(grammar) : fish(grammar));
    return ExitCode::kOk;
  }

 private:
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> make_completion() {
  return std::make_unique<Completion>();
}

}  // namespace resultsync::cli
