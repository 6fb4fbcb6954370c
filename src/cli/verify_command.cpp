#include <fmt/format.h>

#include "base/json_writer.hpp"
#include "cli/api_client.hpp"
#include "cli/chosen_store.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/source_forms.hpp"
#include "cli/store_on_disk.hpp"
#include "store/sqlite/sqlite_views.hpp"
#include "sync/rebuild.hpp"

namespace resultsync::cli {
namespace {

class Verify final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "--rebuild", .help = "Compute all views anew from the log, and compare", .target = &rebuild_});
    server_.declare_data_dir(options);
    output_.declare(options);
  }

  ExitCode run(Terminal& terminal) override {
    if (!rebuild_)
      return terminal.complain(
          {"usage", "say what to verify: --rebuild (or: resultsync log verify, for the log itself)"});
    const auto data_dir = server_.resolved_data_dir();
    if (!data_dir) return terminal.complain(data_dir.error());
    const auto master = runtime::MasterKey::load(master_key_path(*data_dir));
    if (!master) return terminal.complain(master.error());
    const runtime::SystemClock clock;
    const auto store = open_store_to_read(server_, *data_dir, clock);
    if (!store) return terminal.complain(store.error());
    const auto& log = store->log;
    const auto& live = store->views;
    auto scratch = store::open_memory_views();
    if (!scratch) return terminal.complain(scratch.error());
    sync::ApplyOptions options = apply_options(*data_dir);
    // Documents are facts: the scratch views have none of their bytes, the live ones do.
    options.index = sync::result_index(*master);
    options.index.document_bytes = [views = live.get(), read = options.index.document_bytes](store::ViewsSnapshot&,
                                                                                             const Sha256& sha256) {
      return read(*views->snapshot(), sha256);
    };
    const auto report = sync::verify_rebuild(*log, *live, **scratch, options, [&](Sequence done, Sequence all) {
      if (terminal.talk_is_terminal())
        terminal.talk() << fmt::format("\r{} of {} records", done.value, all.value) << std::flush;
    });
    if (terminal.talk_is_terminal()) terminal.talk() << '\r' << std::string(40, ' ') << '\r';
    if (!report) return terminal.complain(report.error());
    output_.table() ? print(terminal, *report) : print_json(terminal, *report);
    return report->differences == 0 ? ExitCode::kOk : ExitCode::kVerificationFailed;
  }

 private:
  // Which event types carry results is configuration: that of --config, else of the server that runs, else the default.
  [[nodiscard]] sync::ApplyOptions apply_options(const std::string& data_dir) const {
    sync::ApplyOptions options{.result_types = {}, .issue = false};
    const auto config = config_of(server_, data_dir);
    if (!config) return options;
    take_source_forms(*config, options);
    return options;
  }

  static void print(const Terminal& terminal, const sync::RebuildReport& report) {
    for (const std::string& line : report.first_differences) terminal.out() << printable(line) << '\n';
    terminal.out() << fmt::format(
        "{} facts of {} records: {}\n", report.lines, report.through.value,
        report.differences == 0 ? terminal.on_out(Paint::kGreen, "the views say what the log says")
                                : terminal.on_out(Paint::kRed, fmt::format("{} differences", report.differences)));
  }

  static void print_json(const Terminal& terminal, const sync::RebuildReport& report) {
    JsonWriter json;
    json.begin_object()
        .member("through", report.through.value)
        .member("facts", report.lines)
        .member("differences", report.differences);
    json.key("first_differences").begin_array();
    for (const std::string& line : report.first_differences) json.string(line);
    terminal.out() << json.end_array().end_object().text() << '\n';
  }

  ServerOptions server_;
  OutputOption output_;
  bool rebuild_ = false;
};

}  // namespace

std::unique_ptr<Command> make_verify() {
  return std::make_unique<Verify>();
}

}  // namespace resultsync::cli
