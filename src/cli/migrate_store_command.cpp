// migrate-store: from the files of one machine into a PostgreSQL that several share.
#include <fmt/format.h>

#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/secret_file.hpp"
#include "cli/store_on_disk.hpp"
#include "cli/table.hpp"
#include "runtime/file.hpp"
#include "store/postgres/move.hpp"

namespace resultsync::cli {
namespace {

class MigrateStore final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--from",
                 .value = "sqlite:DIR",
                 .help = "The data directory of a server that is stopped",
                 .target = &from_,
                 .required = true});
    options.add({.names = "--to",
                 .value = "postgres:CONNINFO",
                 .help = "The database, as server.store names it",
                 .target = &to_,
                 .required = true});
    options.add({.names = "--password-file",
                 .value = "FILE",
                 .help = "Holds the database's password; default: libpq's own ways",
                 .target = &password_file_,
                 .names_file = true});
    options.add({.names = "--schema", .value = "NAME", .help = "As server.store_schema", .target = &schema_});
  }

  ExitCode run(Terminal& terminal) override {
    constexpr std::string_view kFrom = "sqlite:";
    constexpr std::string_view kTo = "postgres:";
    if (!from_.starts_with(kFrom) || !(to_.starts_with(kTo) || to_.starts_with("postgresql://")))
      return terminal.complain(
          {"usage", "say --from sqlite:DIR --to postgres:CONNINFO: it moves from files to PostgreSQL"});
    const std::string data_dir = from_.substr(kFrom.size());
    store::postgres::ConnectOptions to;
    to.conninfo = to_.starts_with(kTo) && !to_.starts_with("postgres://") ? to_.substr(kTo.size()) : to_;
    to.schema = schema_;
    if (auto sound = store::postgres::check(to); !sound) return terminal.complain(sound.error());
    if (password_file_) {
      auto password = read_secret_file(*password_file_);
      if (!password) return terminal.complain(password.error());
      to.password = std::move(*password);
    }
    // Nobody may write to it meanwhile.
    const auto lock = runtime::DirectoryLock::take(data_dir);
    if (!lock) return terminal.complain(lock.error());
    const auto master = runtime::MasterKey::load(master_key_path(data_dir));
    if (!master) return terminal.complain(master.error());
    const auto report = store::postgres::move_embedded(
        data_dir, *master, to, [&](const store::postgres::MoveProgress& progress) { show(terminal, progress); });
    if (terminal.talk_is_terminal()) terminal.talk() << '\r' << std::string(60, ' ') << '\r';
    if (!report) return terminal.complain(report.error());
    Table table({{"PART"}, {"ROWS, EQUAL ON BOTH SIDES", Column::Side::kRight}}, "");
    for (const auto& part : report->parts) table.add({part.what, std::to_string(part.rows)});
    table.print(terminal);
    terminal.talk()
        << "Moved. Set server.store, and start on the same data_dir: it holds the keys. The files in it were not "
           "changed:\nuntil the first server has started on the database, taking server.store out again goes "
           "back.\n";
    return ExitCode::kOk;
  }

 private:
  static void show(const Terminal& terminal, const store::postgres::MoveProgress& progress) {
    if (!terminal.talk_is_terminal()) return;
    terminal.talk() << fmt::format("\r{}: {}{}          ", progress.what, progress.done,
                                   progress.all == 0 ? " rows" : fmt::format(" of {} segments", progress.all))
                    << std::flush;
  }

  std::string from_;
  std::string to_;
  std::optional<std::string> password_file_;
  std::string schema_ = "resultsync";
};

}  // namespace

std::unique_ptr<Command> make_migrate_store() {
  return std::make_unique<MigrateStore>();
}

}  // namespace resultsync::cli
