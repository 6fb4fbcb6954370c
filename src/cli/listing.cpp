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

}  // namespace resultsync::cli
