#include <fmt/format.h>

#include "base/json_writer.hpp"
#include "cli/config_options.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/table.hpp"

namespace resultsync::cli {
namespace {

std::string_view name_of(SettingKind::Form form) {
  constexpr std::string_view kNames[] = {"text", "address", "path", "size", "number", "true|false", "one of", "list"};
  return kNames[static_cast<int>(form)];
}

// The default, and those of vendors that are known to differ.
std::string defaults_of(const SettingKind& kind) {
  std::string text(kind.fallback);
  if (!kind.key.starts_with("sources.*.")) return text;
  for (const std::string_view vendor : {"generic", "fullscript"}) {
    if (const auto other = vendor_default(vendor, kind.key.substr(kind.key.rfind('.') + 1)))
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", vendor, other->empty() ? "none" : *other);
  }
  return text;
}

class CheckConfig final : public Command {
 public:
  void declare(Options& options) override {
    config_.declare(options);
    output_.declare(options);
    options.add({.names = "--settings",
                 .help = "List every setting there is, with its default, instead",
                 .target = &settings_});
  }

  ExitCode run(Terminal& terminal) override {
    if (settings_) return list_settings(terminal);
    const LoadedConfig loaded = config_.load();
    terminal.talk() << describe(loaded.warnings);
    if (!loaded.problems.empty()) {
      terminal.talk() << describe(loaded.problems)
                      << terminal.on_talk(Paint::kRed, fmt::format("{} problem{}", loaded.problems.size(),
                                                                   loaded.problems.size() == 1 ? "" : "s"))
                      << '\n';
      return ExitCode::kConfig;
    }
    show(terminal, loaded.settings);
    terminal.talk() << terminal.on_talk(Paint::kGreen, "configuration ok") << '\n';
    return ExitCode::kOk;
  }

 private:
  void show(const Terminal& terminal, const std::vector<Setting>& settings) const {
    if (output_.table()) {
      // The value last: a long one widens no column.
      Table table({{"SETTING"}, {"FROM"}, {"VALUE"}}, "");
      for (const Setting& setting : settings) table.add({setting.key, setting.origin, setting.value});
      table.print(terminal);
      return;
    }
    JsonWriter json;
    if (output_.json()) json.begin_array();
    for (const Setting& setting : settings) {
      JsonWriter line;
      line.begin_object()
          .member("key", setting.key)
          .key("value")
          .raw(setting.value)
          .member("from", setting.origin)
          .end_object();
      if (output_.json()) {
        json.raw(line.text());
      } else {
        terminal.out() << line.text() << '\n';
      }
    }
    if (output_.json()) terminal.out() << json.end_array().text() << '\n';
  }

  static ExitCode list_settings(const Terminal& terminal) {
    Table table({{"SETTING"}, {"TYPE"}, {"DEFAULT"}, {"MEANING"}}, "");
    for (const SettingKind& kind : setting_kinds()) {
      table.add({std::string(kind.key), std::string(kind.choices.empty() ? name_of(kind.form) : kind.choices),
                 defaults_of(kind), std::string(kind.meaning)});
    }
    table.print(terminal);
    return ExitCode::kOk;
  }

  ConfigOptions config_;
  OutputOption output_;
  bool settings_ = false;
};

}  // namespace

std::unique_ptr<Command> make_check_config() {
  return std::make_unique<CheckConfig>();
}

}  // namespace resultsync::cli
