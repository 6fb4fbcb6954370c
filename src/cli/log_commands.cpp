#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "cli/api_client.hpp"
#include "cli/audit_offline.hpp"
#include "cli/chosen_store.hpp"
#include "cli/make_commands.hpp"
#include "cli/output.hpp"
#include "cli/store_on_disk.hpp"
#include "cli/table.hpp"
#include "runtime/keys.hpp"
#include "store/log/inspect.hpp"
#include "store/postgres/line.hpp"

namespace resultsync::cli {
namespace {

namespace slog = store::log;

// Prints objects as one JSON document or as lines.
class JsonRows {
 public:
  JsonRows(const Terminal& terminal, const OutputOption& output) : terminal_(terminal), document_(output.json()) {}
  void add(const std::string& json) {
    terminal_.out() << (!document_ ? "" : first_ ? "[\n" : ",\n") << json << (document_ ? "" : "\n");
    first_ = false;
  }
  void finish() {
    if (document_) terminal_.out() << (first_ ? "[]\n" : "\n]\n");
  }

 private:
  const Terminal& terminal_;
  const bool document_;
  bool first_ = true;
};

// The log behind a configuration that names a database; nothing for segment files.
std::optional<Result<ChosenStore>> shared_store(const ServerOptions& server, const std::string& data_dir,
                                                const runtime::Clock& clock) {
  const auto config = config_of(server, data_dir);
  if (!config || !config->postgres) return std::nullopt;
  return open_store_to_read(server, data_dir, clock);
}

// As slog::visit_records(), of any log.
void visit_each(const store::EventLog& log, Sequence from, Sequence through, const slog::RecordVisitor& visit) {
  const Sequence last = std::min(through, log.end());
  for (Sequence at{from.value - 1}; at < last;) {
    const auto records = log.read(at, {});
    if (!records || records->empty()) {
      at = at.next();
      const Error error = records ? Error{"corrupt_record", "the record is not there"} : records.error();
      if (!visit(at, std::unexpected(error))) return;
      continue;
    }
    for (const auto& stored : *records) {
      at = stored.sequence;
      if (at > last || !visit(at, stored.record)) return;
    }
  }
}

// Every record is whole, its body what its digest says, and its reference one that leads to such a body.
slog::VerifyReport verify_each(const store::EventLog& log) {
  slog::VerifyReport report;
  report.segments.emplace_back();
  slog::SegmentReport& all = report.segments.front();
  visit_each(log, Sequence{1}, log.end(), [&](Sequence sequence, const Result<store::Record>& record) {
    std::optional<Error> fault;
    if (!record) {
      if (record.error().code == "erased") {
        ++all.erased;
        return true;
      }
      fault = record.error();
    } else if (record->same_body_as.value != 0) {
      if (const auto whole = log.at(sequence); !whole) fault = Error{"bad_reference", whole.error().message};
    } else if (sha256(record->body) != record->body_sha256) {
      fault = Error{"wrong_digest", "the body is not what its SHA-256 says"};
    }
    ++all.records;
    all.last = sequence;
    if (fault) report.faults.push_back({"log_records", 0, sequence, sequence, std::move(*fault)});
    return true;
  });
  return report;
}

class LogLs final : public Command {
 public:
  void declare(Options& options) override {
    server_.declare_data_dir(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto data_dir = server_.resolved_data_dir();
    if (!data_dir) return terminal.complain(data_dir.error());
    if (const auto config = config_of(server_, *data_dir); config && config->postgres)
      return list_streams(terminal, *config->postgres);
    const auto segments = slog::list_segments(*data_dir);
    if (!segments) return terminal.complain(segments.error());
    Table table({{"SEGMENT"},
                 {"FIRST", Column::Side::kRight},
                 {"RECORDS", Column::Side::kRight},
                 {"BYTES", Column::Side::kRight},
                 {"CREATED"}},
                "The log is empty.");
    JsonRows rows(terminal, output_);
    for (const slog::SegmentLine& segment : *segments) {
      const std::string created = format_timestamp(segment.file.header.created_at);
      if (output_.table()) {
        table.add({segment.file.path, std::to_string(segment.file.first.value), std::to_string(segment.records),
                   std::to_string(segment.file.bytes), created});
        continue;
      }
      JsonWriter json;
      json.begin_object()
          .member("path", segment.file.path)
          .member("first", segment.file.first.value)
          .member("records", segment.records);
      json.member("bytes", segment.file.bytes).member("created_at", created).end_object();
      rows.add(json.text());
    }
    output_.table() ? table.print(terminal) : rows.finish();
    return ExitCode::kOk;
  }

 private:
  static std::string_view state_name(store::postgres::StreamState state) {
    using enum store::postgres::StreamState;
    switch (state) {
      case kOpen:
      case kOpenOfBlocks:
        return "open";
      case kEnded:
      case kEndedOfBlocks:
        return "ended";
      case kPlaced:
      case kPlacedOfBlocks:
        return "placed";
    }
    return "unknown";
  }

  // In PostgreSQL the log is one stream for each process that ever appended.
  ExitCode list_streams(Terminal& terminal, const store::postgres::ConnectOptions& connect) const {
    auto database = store::postgres::Database::open(connect);
    if (!database) return terminal.complain(database.error());
    const auto streams = store::postgres::streams(**database);
    if (const auto status = (*database)->status(); !status) return terminal.complain(status.error());
    Table table({{"STREAM", Column::Side::kRight},
                 {"FIRST", Column::Side::kRight},
                 {"RECORDS", Column::Side::kRight},
                 {"STATE"},
                 {"OWNER"},
                 {"BEGUN"}},
                "The log is empty.");
    JsonRows rows(terminal, output_);
    for (const auto& stream : streams) {
      const std::string begun = format_timestamp(stream.begun_at);
      const std::string_view state = state_name(stream.state);
      const auto first = stream.records == 0 ? std::nullopt : std::optional(stream.first.value);
      if (output_.table()) {
        table.add({std::to_string(stream.stream), first ? std::to_string(*first) : "", std::to_string(stream.records),
                   std::string(state), stream.owner, begun});
        continue;
      }
      JsonWriter json;
      json.begin_object().member("stream", stream.stream).key("first");
      first ? json.number(*first) : json.null();
      json.member("records", stream.records).member("state", state).member("owner", stream.owner);
      json.member("begun_at", begun).end_object();
      rows.add(json.text());
    }
    output_.table() ? table.print(terminal) : rows.finish();
    return ExitCode::kOk;
  }

  ServerOptions server_;
  OutputOption output_;
};

class LogCat final : public Command {
 public:
  void declare(Options& options) override {
    options.add({.names = "--from", .value = "N", .help = "First record", .target = &from_, .least = 1});
    options.add({.names = "--count", .value = "N", .help = "How many at most", .target = &count_, .least = 1});
    options.add({.names = "--body", .help = "With the bodies, which hold health data", .target = &body_});
    server_.declare_data_dir(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto data_dir = server_.resolved_data_dir();
    if (!data_dir) return terminal.complain(data_dir.error());
    const auto master = runtime::MasterKey::load(master_key_path(*data_dir));
    if (!master) return terminal.complain(master.error());
    const std::string records = fmt::format("records/{}-{}", from_, from_ + count_ - 1);
    if (body_) {
      if (const auto audited = audit_reading(server_, *data_dir, "cli log cat", {records}); !audited)
        return terminal.complain(audited.error());
    }
    JsonRows rows(terminal, output_);
    const Sequence from{static_cast<std::uint64_t>(from_)};
    const Sequence through{from.value + static_cast<std::uint64_t>(count_) - 1};
    bool damaged = false;
    bool any = false;
    const slog::RecordVisitor show = [&](Sequence sequence, const Result<store::Record>& record) {
      any = true;
      if (!record) {
        terminal.talk() << fmt::format("record {}: {}\n", sequence.value, printable(record.error().text()));
        damaged = damaged || record.error().code != "erased";
        return true;
      }
      output_.table() ? print(terminal, sequence, *record) : rows.add(json_of(sequence, *record));
      return true;
    };
    const runtime::SystemClock clock;
    if (const auto shared = shared_store(server_, *data_dir, clock)) {
      if (!*shared) return terminal.complain(shared->error());
      visit_each(*(*shared)->log, from, through, show);
    } else if (const auto done = slog::visit_records(*data_dir, *master, from, through, show); !done) {
      return terminal.complain(done.error());
    }
    if (!output_.table()) rows.finish();
    if (!any) terminal.talk() << "There is no such record.\n";
    return damaged ? ExitCode::kVerificationFailed : ExitCode::kOk;
  }

 private:
  void print(const Terminal& terminal, Sequence sequence, const store::Record& record) const {
    terminal.out() << fmt::format("{:>10}  {}  {}  {}  {}\n", sequence.value, format_timestamp(record.received_at),
                                  printable(record.source.text()), record.body_sha256.hex().substr(0, 16),
                                  record.same_body_as.value != 0
                                      ? fmt::format("same body as {}", record.same_body_as.value)
                                      : fmt::format("{} bytes{}", record.body.size(), record.stale ? ", stale" : ""));
    if (body_ && !record.body.empty()) terminal.out() << printable(record.body) << '\n';
  }

  [[nodiscard]] std::string json_of(Sequence sequence, const store::Record& record) const {
    JsonWriter json;
    json.begin_object().member("record", sequence.value).member("source", record.source.text());
    json.member("received_at", format_timestamp(record.received_at)).member("stale", record.stale);
    json.member("body_sha256", record.body_sha256.hex()).member("body_bytes", std::uint64_t{record.body.size()});
    json.key("same_body_as");
    record.same_body_as.value != 0 ? json.number(record.same_body_as.value) : json.null();
    json.key("headers").begin_array();
    for (const store::KeptHeader& header : record.headers) json.string(header.name);
    json.end_array();
    if (body_) json.member("body_base64", encode_base64(record.body));
    return json.end_object().text();
  }

  ServerOptions server_;
  OutputOption output_;
  std::int64_t from_ = 1;
  std::int64_t count_ = 100;
  bool body_ = false;
};

class LogVerify final : public Command {
 public:
  void declare(Options& options) override {
    server_.declare_data_dir(options);
    output_.declare(options);
  }
  ExitCode run(Terminal& terminal) override {
    const auto data_dir = server_.resolved_data_dir();
    if (!data_dir) return terminal.complain(data_dir.error());
    const auto master = runtime::MasterKey::load(master_key_path(*data_dir));
    if (!master) return terminal.complain(master.error());
    const runtime::SystemClock clock;
    const auto shared = shared_store(server_, *data_dir, clock);
    if (shared && !*shared) return terminal.complain(shared->error());
    const auto report =
        shared ? Result<slog::VerifyReport>(verify_each(*(*shared)->log)) : slog::verify(*data_dir, *master);
    if (!report) return terminal.complain(report.error());
    output_.table() ? print(terminal, *report) : print_json(terminal, *report);
    return report->sound() ? ExitCode::kOk : ExitCode::kVerificationFailed;
  }

 private:
  static void print(const Terminal& terminal, const slog::VerifyReport& report) {
    std::uint64_t records = 0;
    std::uint64_t erased = 0;
    std::uint64_t torn = 0;
    for (const slog::SegmentReport& segment : report.segments) {
      records += segment.records;
      erased += segment.erased;
      torn += segment.torn_bytes;
    }
    for (const slog::Fault& fault : report.faults) {
      const std::string which = fault.first == fault.last
                                    ? std::to_string(fault.first.value)
                                    : fmt::format("{} to {}", fault.first.value, fault.last.value);
      terminal.out() << fmt::format("{} at {}, record {}: {}: {}\n", printable(fault.path), fault.offset, which,
                                    fault.error.code, printable(fault.error.text()));
    }
    terminal.out() << fmt::format("{} segments, {} records, {} erased: {}\n", report.segments.size(), records, erased,
                                  report.sound()
                                      ? terminal.on_out(Paint::kGreen, "every one is whole")
                                      : terminal.on_out(Paint::kRed, fmt::format("{} faults", report.faults.size())));
    if (torn > 0)
      terminal.talk() << fmt::format(
          "{} bytes at the end are not whole: being written just now, or never acknowledged.\n", torn);
  }

  static void print_json(const Terminal& terminal, const slog::VerifyReport& report) {
    JsonWriter json;
    json.begin_object().member("sound", report.sound()).key("segments").begin_array();
    for (const slog::SegmentReport& segment : report.segments) {
      json.begin_object()
          .member("path", segment.file.path)
          .member("records", segment.records)
          .member("erased", segment.erased);
      json.member("last", segment.last.value).member("torn_bytes", segment.torn_bytes).end_object();
    }
    json.end_array().key("faults").begin_array();
    for (const slog::Fault& fault : report.faults) {
      json.begin_object().member("path", fault.path).member("offset", fault.offset);
      json.member("first_record", fault.first.value).member("last_record", fault.last.value);
      json.member("code", fault.error.code).member("message", fault.error.text()).end_object();
    }
    terminal.out() << json.end_array().end_object().text() << '\n';
  }

  ServerOptions server_;
  OutputOption output_;
};

}  // namespace

std::unique_ptr<Command> make_log_ls() {
  return std::make_unique<LogLs>();
}
std::unique_ptr<Command> make_log_cat() {
  return std::make_unique<LogCat>();
}
std::unique_ptr<Command> make_log_verify() {
  return std::make_unique<LogVerify>();
}

}  // namespace resultsync::cli
