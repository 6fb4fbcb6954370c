// One load: many keep-alive connections, one thread, one epoll. Sends events and keeps account of every answer.
//
// Closed loop (no rate): each connection sends its next event as soon as it has its answer; the latency is that of the
// exchange. Open loop (a rate): events fall due at fixed moments whatever the server does, and the latency counts from
// the moment an event was due, waiting for a free connection included. A stall of the server therefore shows in full
// (no coordinated omission).
#pragma once

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "bench/load/events.hpp"
#include "bench/load/histogram.hpp"

namespace resultsync::bench {

struct LoadOptions {
  // On 127.0.0.1; no other address is ever a target. Connections go to them in turn.
  std::vector<std::uint16_t> ports;
  unsigned connections = 64;
  std::chrono::nanoseconds warmup{std::chrono::seconds(1)};
  std::chrono::nanoseconds duration{std::chrono::seconds(6)};
  double events_per_second = 0;  // 0: closed loop
  std::uint64_t events_max = 0;  // stop after so many new events, 0: no limit
  std::uint64_t first_number = 0;
  double duplicates_share = 0;  // of the requests: the exact body of one of the last thousand events again
  double forged_share = 0;      // of the requests: a wrong signature
  std::uint64_t seed = 1;
  std::string acks_file;  // every acknowledged event id, one a line, appended and flushed as it arrives
  bool persist = false;   // go on connecting when the server has gone away; otherwise that ends the load
};

struct LoadReport {
  // Over the whole load, warm-up and the last answers included.
  std::uint64_t sent = 0;
  std::uint64_t acknowledged_ids = 0;  // distinct events answered 2xx
  std::uint64_t duplicates_acknowledged = 0;
  std::uint64_t forged_sent = 0;
  std::uint64_t forged_acknowledged = 0;  // must be 0
  std::uint64_t unanswered = 0;           // sent, and the connection ended first
  std::uint64_t connects_failed = 0;
  std::map<int, std::uint64_t> status;
  std::uint64_t next_number = 0;  // the first number that was not used

  // Of the measured window.
  double seconds = 0;
  std::uint64_t window_acknowledged = 0;  // 2xx that arrived in it
  std::uint64_t unsent = 0;               // open loop: due in it and never sent, for want of a free connection
  Histogram latency_ns;                   // of the 2xx to what fell due in it; of the unsent, how long they had waited
  double client_cpu_seconds = 0;
};

// Runs the load to its end. Blocks. Errors: `connect_failed`, `no_acks_file`, `bad_response`, `out_of_numbers`.
Result<LoadReport> run_load(const LoadOptions& options, EventFactory& events);

}  // namespace resultsync::bench
