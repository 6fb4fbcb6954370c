// Sends signed events to a webhook, as the network would: many at a time, at a given pace, and keeps account of every
// answer.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/signing_options.hpp"
#include "sandbox/generator.hpp"

namespace resultsync::cli {

// An event to be sent, and what is known of it. `order` and what follows are empty for a body that was not generated.
struct OutgoingEvent {
  std::string id;
  std::string order;
  std::string ordered_test;
  std::string clinic;
  std::string kind;  // "new", "result", "correction"; "file" or "sample" otherwise
  std::string body;
};

struct GeneratedBatch {
  sandbox::GeneratorOptions options;
  std::size_t count = 0;
  std::map<std::string, std::string> renamed_clinics;  // generated id → id to be used in its place
};
std::vector<OutgoingEvent> generate(const GeneratedBatch& batch);

// One request to be made: which event, and whether its signature is a forgery.
struct Sending {
  std::size_t event = 0;
  bool forged = false;
};
struct SendingPlan {
  std::uint64_t seed = 1;
  double duplicates = 0;  // share of the events that are sent twice
  bool shuffle = false;
  std::size_t forged = 0;  // requests more, signed wrongly
};
std::vector<Sending> plan_sendings(std::size_t events, const SendingPlan& plan);

struct SendOptions {
  std::string url;
  std::size_t concurrency = 8;
  double rate = 0;  // requests a second; 0: as fast as answers come
  std::function<void(std::size_t done, std::size_t all)>
      progress;  // ten times a second, on the caller's thread; may be empty
};

struct SendReport {
  std::vector<int> statuses;                         // of each sending; 0 where no answer came
  std::map<int, std::size_t> by_status;              // of those that got an answer
  std::map<std::string, std::size_t> failures;       // by error code, of those that got none
  std::vector<std::chrono::microseconds> latencies;  // of the answers, ascending
  std::chrono::microseconds took{0};

  [[nodiscard]] std::size_t acknowledged() const;          // answered 2xx
  [[nodiscard]] double latency_ms(double quantile) const;  // 0.5: the median
};

// Blocks until every request has its answer or its failure. Error: what signing says.
Result<SendReport> send_all(const std::vector<OutgoingEvent>& events, const std::vector<Sending>& sendings,
                            const Signer& signer, const SendOptions& options);

}  // namespace resultsync::cli
