// Where the deliveries of a benchmark go: answers 200 at once and counts. `GET /count` says how many POSTs there were,
// and when (seconds of the monotonic clock) the first and the last came; a POST to /reset begins anew.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>

#include "http/server.hpp"

using namespace resultsync;

int main() {
  std::atomic<std::uint64_t> count = 0;
  std::atomic<double> first = 0;
  std::atomic<double> last = 0;
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  auto server = http::Server::start({}, [&](http::Request request, http::Responder respond) {
    http::Response response;
    if (request.method == "GET") {
      response.body =
          fmt::format(R"({{"count":{},"first":{:.6f},"last":{:.6f}}})", count.load(), first.load(), last.load());
    } else if (request.path == "/reset") {
      count = 0;
    } else {
      const double at = now();
      if (count.fetch_add(1) == 0) first = at;
      last = at;
    }
    respond(std::move(response));
  });
  if (!server) return 1;
  fmt::print("{}\n", (*server)->address());
  std::fflush(stdout);
  pollfd input{STDIN_FILENO, POLLIN, 0};
  ::poll(&input, 1, -1);  // until whoever started it closes its input
  return 0;
}
