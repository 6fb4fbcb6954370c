#include "cli/listing.hpp"

#include <fmt/format.h>

namespace resultsync::cli {

ExitCode print_listing(const Terminal& terminal, const ServerOptions& server, const OutputOption& output,
                       const Listing& listing) {
  const auto client = ApiClient::find(server);
  if (!client) return terminal.complain(client.error());
  Table table(listing.columns, listing.when_empty);
  bool first = true;
  const auto most = static_cast<std::size_t>(listing.most);
  std::size_t count = 0;
  const auto done = client->each(listing.target, most, [&](JsonValue item) {
    ++count;
    if (output.table()) {
      table.add(listing.cells(item));
    } else if (output.json()) {
      terminal.out() << (first ? "[\n" : ",\n") << compact(item);
      first = false;
    } else {
      terminal.out() << compact(item) << '\n';
    }
    return true;
  });
  if (!done) return terminal.complain(done.error());
  if (output.table()) table.print(terminal);
  if (output.json()) terminal.out() << (first ? "[]\n" : "\n]\n");
  if (count == most) terminal.talk() << fmt::format("These are {}; more with --limit N.\n", most);
  return ExitCode::kOk;
}

ExitCode print_object(const Terminal& terminal, const OutputOption& output, const Result<std::string>& answer,
                      const ShowObject& show) {
  if (!answer) return terminal.complain(answer.error());
  const auto document = JsonDocument::parse(*answer);
  if (!document) return terminal.complain(document.error());
  const JsonValue object = document->root();
  if (output.table()) {
    show(object);
  } else {
    terminal.out() << (output.json() ? indented(object) : compact(object)) << '\n';
  }
  return ExitCode::kOk;
}

ExitCode print_object(const Terminal& terminal, const ServerOptions& server, const OutputOption& output,
                      const std::string& target, const ShowObject& show) {
  const auto client = ApiClient::find(server);
  if (!client) return terminal.complain(client.error());
  return print_object(terminal, output, client->get(target), show);
}

}  // namespace resultsync::cli
