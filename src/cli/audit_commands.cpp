#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/chosen_store.hpp"
#include "cli/listing.hpp"
#include "cli/make_commands.hpp"
#include "cli/store_on_disk.hpp"
#include "runtime/file.hpp"
#include "runtime/keys.hpp"
#include "runtime/signing.hpp"
#include "store/audit_verify.hpp"

namespace resultsync::cli {
namespace {

constexpr std::size_t kCheckpointFileBytesMax = 256 * 1024 * 1024;

class AuditList final : public Command {
 public:
  void declare(Options& options) override {
    options.add(
        {.names = "--actor", .value = "WHO", .help = "Only what this key's id, or admin, did", .target = &actor_});
    options.add({.names = "--since", .value = "TIME", .help = "Only what was done then or later", .target = &since_});
    options.add({.names = "--limit",
                 .value = "N",
                 .help = "Show at most so many, newest first",
                 .target = &limit_,
                 .least = 1,
                 .most = 1e9});
    server_.declare(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    return print_listing(
        terminal, server_, output_,
        {.target = with_query("/v1/audit", {{"actor", actor_}, {"since", since_}}),
         .most = limit_,
         .columns =
             {{"ROW", Column::Side::kRight}, {"TIME"}, {"WHO"}, {"WHAT"}, {"ABOUT"}, {"WHY"}, {"FROM"}, {"OUTCOME"}},
         .cells =
             [](JsonValue item) {
               return std::vector{shown(item, {"seq"}),    shown(item, {"at"}),      shown(item, {"actor"}),
                                  shown(item, {"action"}), shown(item, {"objects"}), shown(item, {"purpose"}),
                                  shown(item, {"peer"}),   shown(item, {"outcome"})};
             },
         .when_empty = "Nothing was read or changed."});
  }

 private:
  ServerOptions server_;
  OutputOption output_;
  std::string actor_;
  std::string since_;
  std::int64_t limit_ = 100;
};

class AuditExport final : public Command {
 public:
  void declare(Options& options) override { server_.declare(options); }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    // To where the chain ends now: the export's own pages are rows too, and would never come to an end.
    const auto newest = client->get("/v1/audit?limit=1");
    if (!newest) return terminal.complain(newest.error());
    const auto document = JsonDocument::parse(*newest);
    if (!document) return terminal.complain(document.error());
    const auto rows = elements(document->root(), {"items"});
    if (rows.empty()) return ExitCode::kOk;
    const std::string last = shown(rows.front(), {"seq"});
    const auto done = client->each("/v1/audit?order=oldest", SIZE_MAX, [&](JsonValue item) {
      terminal.out() << compact(item) << '\n';
      return shown(item, {"seq"}) != last;
    });
    if (!done) return terminal.complain(done.error());
    return ExitCode::kOk;
  }

 private:
  ServerOptions server_;
};

class AuditCheckpoint final : public Command {
 public:
  void declare(Options& options) override { server_.declare(options); }
  ExitCode run(Terminal& terminal) override {
    const auto client = ApiClient::find(server_);
    if (!client) return terminal.complain(client.error());
    const auto answer = client->get("/v1/audit/checkpoint");
    if (!answer) return terminal.complain(answer.error());
    terminal.out() << *answer << '\n';
    return ExitCode::kOk;
  }

 private:
  ServerOptions server_;
};

class AuditVerify final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--checkpoint",
                 .value = "FILE",
                 .help = "Checkpoints that were kept elsewhere, one a line; default: data_dir/audit.checkpoints",
                 .target = &checkpoint_,
                 .names_file = true});
    options.add({.names = "--public-key",
                 .value = "HEX",
                 .help = "The key that checkpoints must be signed by; default: that of data_dir/audit.key",
                 .target = &public_key_});
    server_.declare_data_dir(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto data_dir = server_.resolved_data_dir();
    if (!data_dir) return terminal.complain(data_dir.error());
    const auto log = open_audit_to_read(server_, *data_dir);
    if (!log) return terminal.complain(log.error());
    const auto kept = read_checkpoints(*data_dir);
    if (!kept) return terminal.complain(kept.error());
    const auto public_key = expected_key(*data_dir);
    if (!public_key) return terminal.complain(public_key.error());
    const auto snapshot = (*log)->snapshot();
    const auto report = store::verify_audit(*snapshot, *kept, *public_key);
    if (!report) return terminal.complain(report.error());
    output_.table() ? print(terminal, *report) : print_json(terminal, *report);
    return report->sound() ? ExitCode::kOk : ExitCode::kVerificationFailed;
  }

 private:
  [[nodiscard]] Result<std::vector<store::AuditCheckpoint>> read_checkpoints(const std::string& data_dir) const {
    std::vector<store::AuditCheckpoint> checkpoints;
    const auto text =
        runtime::read_file(checkpoint_.value_or(audit_checkpoints_path(data_dir)), kCheckpointFileBytesMax);
    if (!text && text.error().code == "not_found" && !checkpoint_) return checkpoints;
    if (!text) return std::unexpected(text.error());
    std::string_view rest = *text;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      const std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      if (line.empty()) continue;
      auto checkpoint = store::parse_checkpoint(line);
      // The last line may have been cut off by a crash.
      if (!checkpoint && rest.empty() && !checkpoint_) break;
      if (!checkpoint) return std::unexpected(checkpoint.error());
      checkpoints.push_back(std::move(*checkpoint));
    }
    return checkpoints;
  }

  [[nodiscard]] Result<std::string> expected_key(const std::string& data_dir) const {
    if (public_key_) {
      auto key = decode_hex(*public_key_);
      if (!key || key->size() != 32) return fail("usage", "--public-key must be 64 hexadecimal digits");
      return std::move(*key);
    }
    const auto key = runtime::MasterKey::load(audit_key_path(data_dir));
    if (!key) return std::unexpected(key.error());
    return runtime::SigningKey(key->key()).public_key();
  }

  static void print(const Terminal& terminal, const store::AuditReport& report) {
    for (const store::AuditFault& fault : report.faults)
      terminal.out() << fmt::format("row {}: {}\n", fault.seq, fault.what);
    terminal.out() << fmt::format("{} rows, {} checkpoints: {}\n", report.rows, report.checkpoints,
                                  report.sound() ? terminal.on_out(Paint::kGreen, "the chain is whole")
                                                 : terminal.on_out(Paint::kRed, "the chain is broken"));
    if (report.unfinished > 0) {
      terminal.out() << fmt::format("{} {} begun and {} no end: interrupted by a crash, or still being done\n",
                                    report.unfinished, report.unfinished == 1 ? "change was" : "changes were",
                                    report.unfinished == 1 ? "has" : "have");
    }
  }

  static void print_json(const Terminal& terminal, const store::AuditReport& report) {
    JsonWriter json;
    json.begin_object()
        .member("sound", report.sound())
        .member("rows", report.rows)
        .member("checkpoints", report.checkpoints)
        .member("unfinished", report.unfinished)
        .member("head_seq", report.head.seq)
        .member("head_hash", report.head.hash.hex());
    json.key("faults").begin_array();
    for (const store::AuditFault& fault : report.faults)
      json.begin_object().member("seq", fault.seq).member("what", fault.what).end_object();
    terminal.out() << json.end_array().end_object().text() << '\n';
  }

  ServerOptions server_;
  OutputOption output_;
  std::optional<std::string> checkpoint_;
  std::optional<std::string> public_key_;
};

}  // namespace

std::unique_ptr<Command> make_audit_list() {
  return std::make_unique<AuditList>();
}
std::unique_ptr<Command> make_audit_export() {
  return std::make_unique<AuditExport>();
}
std::unique_ptr<Command> make_audit_checkpoint() {
  return std::make_unique<AuditCheckpoint>();
}
std::unique_ptr<Command> make_audit_verify() {
  return std::make_unique<AuditVerify>();
}

}  // namespace resultsync::cli
