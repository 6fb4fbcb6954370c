// What a command takes from its command line, declared as data: the parser, `--help`, the man pages and the completions
// all read the same declarations.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace resultsync::cli {

// Where a parsed value goes. Owned by the command, which outlives the parsing.
using Target =
    std::variant<bool*, std::string*, std::optional<std::string>*, std::vector<std::string>*, std::int64_t*, double*>;

struct Option {
  std::string names = {};  // "-o,--output"; a positional argument has no dash: "PRACTITIONER"
  std::string value = {};  // what its value is, for --help: "FILE"; a flag has none
  std::string help = {};
  Target target = static_cast<bool*>(nullptr);
  bool required = false;
  std::vector<std::string> choices = {};  // the only values; for completion too
  std::string environment = {};           // read where the option is not given
  double least = 0;                       // for numbers
  double most = 1e15;
  bool names_file = false;  // completed as a path

  [[nodiscard]] bool is_positional() const { return !names.starts_with('-'); }
  [[nodiscard]] bool is_flag() const { return std::holds_alternative<bool*>(target); }
  // "FILE…": its name, with an ellipsis where several may be given.
  [[nodiscard]] std::string shown_name() const {
    return std::holds_alternative<std::vector<std::string>*>(target) ? names + "…" : names;
  }
  [[nodiscard]] std::string fallback() const;  // the default as text; empty if there is none
  [[nodiscard]] std::vector<std::string> each_name() const;
};

class Options {
 public:
  void add(Option option) { all_.push_back(std::move(option)); }
  [[nodiscard]] const std::vector<Option>& all() const { return all_; }

 private:
  std::vector<Option> all_;
};

}  // namespace resultsync::cli
