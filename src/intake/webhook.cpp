#include "intake/webhook.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "intake/committed_bodies.hpp"
#include "intake/log_pace.hpp"
#include "runtime/log.hpp"
#include "vendors/verify.hpp"

namespace resultsync::intake {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::string_view kRequests = "resultsync_intake_requests_total";
constexpr std::string_view kRequestsHelp = "Requests to the webhook paths, by source and by what became of them.";

// What became of a request for a source; the names are label values.
enum Outcome : std::size_t {
  kAccepted,
  kAcceptedStale,
  kBadSignature,
  kStaleRefused,
  kOverloaded,
  kDiskLow,
  kStopped,
  kStoreFailed,
  kTried
};
constexpr std::array<const char*, 9> kOutcomeNames = {"accepted",      "accepted_stale", "bad_signature",
                                                      "stale_refused", "overloaded",     "disk_low",
                                                      "stopped",       "store_failed",   "tried"};

// Label values for http::Refusal, in its order.
constexpr std::array<const char*, 6> kRefusalNames = {"bad_framing", "header_too_large", "too_large",
                                                      "timeout",     "overloaded",       "too_many_connections"};

Outcome outcome_of(const Error& error) {
  if (error.code == "overloaded") return kOverloaded;
  if (error.code == "disk_low") return kDiskLow;
  if (error.code == "stopped") return kStopped;
  return kStoreFailed;
}

runtime::Counter requests(runtime::Metrics& metrics, const std::string& source, const std::string& result) {
  return metrics.counter(std::string(kRequests), std::string(kRequestsHelp), {{"source", source}, {"result", result}});
}

// The counters of one source, looked up once.
struct SourceCounters {
  std::vector<runtime::Counter> by_outcome;
  std::vector<runtime::Counter> by_signature_error;  // in the order of kSignatureErrorCodes
  runtime::Counter body_bytes;
  runtime::Counter references;

  SourceCounters(runtime::Metrics& metrics, const std::string& source)
      : body_bytes(metrics.counter("resultsync_intake_body_bytes_total", "Bytes of the bodies that were acknowledged.",
                                   {{"source", source}})),
        references(metrics.counter("resultsync_intake_body_references_total",
                                   "Acknowledged receipts kept as a reference to an identical body.",
                                   {{"source", source}})) {
    for (const char* outcome : kOutcomeNames) by_outcome.push_back(requests(metrics, source, outcome));
    for (const std::string_view code : vendors::kSignatureErrorCodes) {
      by_signature_error.push_back(metrics.counter("resultsync_intake_signature_errors_total",
                                                   "Refused requests, by what was wrong with their signature.",
                                                   {{"source", source}, {"reason", std::string(code)}}));
    }
  }
};

// What the commit of a record has to know of its request.
struct Receipt {
  std::size_t source = 0;
  Sha256 body;
  std::size_t body_bytes = 0;
  bool stale = false;
  bool is_reference = false;
  SteadyTime arrived;
};

http::Response acknowledged(const std::string& text);
http::Response invalid_signature();
http::Response unavailable(const Error& error, std::chrono::seconds retry_after);
http::Response method_not_allowed();
std::vector<store::KeptHeader> kept_headers(const vendors::SignatureScheme& scheme, const http::Headers& headers,
                                            std::size_t bytes_max);

}  // namespace

struct Webhook::State {
  State(std::vector<vendors::Source> configured, store::EventLog& event_log, const runtime::Clock& a_clock,
        runtime::Metrics& metrics, WebhookOptions given);

  void refuse_signature(std::size_t source, Outcome outcome, const Error& error, const std::string& peer);
  // The answer to a request that was handed to the log. Runs on the log's thread.
  http::Response concluded(const Receipt& receipt, const Result<store::Sequence>& sequence);

  const std::vector<vendors::Source> sources;
  store::EventLog& log;
  const runtime::Clock& clock;
  const WebhookOptions options;
  CommittedBodies committed_bodies;
  std::vector<SourceCounters> counters;  // by the index of the source
  runtime::Counter not_found;
  runtime::Counter method_refused;
  std::vector<runtime::Counter> refusals;  // by http::Refusal
  runtime::Histogram ack_seconds;
  LogPace bad_signature_pace;
  LogPace too_large_pace;
  LogPace not_stored_pace;
};

Webhook::Webhook(std::vector<vendors::Source> sources, store::EventLog& log, const runtime::Clock& clock,
                 runtime::Metrics& metrics, WebhookOptions options)
    : state_(std::make_shared<State>(std::move(sources), log, clock, metrics, options)) {}

Webhook::~Webhook() = default;

void Webhook::handle(http::Request request, http::Responder respond) {
  const SteadyTime arrived = state_->clock.monotonic();
  const vendors::Source* const source = vendors::source_at(state_->sources, request.path);
  if (source == nullptr) {
    state_->not_found.add();
    return respond(http::problem(404, "not_found", "There is nothing at this path."));
  }
  if (request.method != "POST") {
    state_->method_refused.add();
    return respond(method_not_allowed());
  }

  const auto index = static_cast<std::size_t>(source - state_->sources.data());
  const Timestamp now = state_->clock.now();
  if (source->answers_empty && request.body.empty() &&
      !request.headers.only(vendors::headers_in_use(source->scheme, request.headers).signature)) {
    state_->counters[index].by_outcome[kTried].add();
    return respond(acknowledged(source->acknowledgement));
  }
  const auto verified =
      vendors::verify(source->scheme, source->keys, request.headers, request.body, now, source->tolerance);
  if (!verified) {  // I4: nothing is stored
    state_->refuse_signature(index, kBadSignature, verified.error(), request.peer);
    return respond(invalid_signature());
  }
  if (source->stale_policy == vendors::StalePolicy::kRefuse && verified->stale()) {
    state_->refuse_signature(index, kStaleRefused, vendors::staleness(*verified).error(), request.peer);
    return respond(invalid_signature());
  }

  store::Record record{.source = source->id,
                       .received_at = now,
                       .stale = verified->stale(),
                       .headers = kept_headers(source->scheme, request.headers, state_->options.kept_header_bytes_max),
                       .body_sha256 = sha256(request.body),
                       .body = {},
                       .same_body_as = {}};
  Receipt receipt{.source = index,
                  .body = record.body_sha256,
                  .body_bytes = request.body.size(),
                  .stale = record.stale,
                  .is_reference = false,
                  .arrived = arrived};
  if (const auto same = state_->committed_bodies.find(index, record.body_sha256)) {
    record.same_body_as = *same;
    receipt.is_reference = true;
  } else {
    record.body = std::move(request.body);
  }

  // I1, I5, I6: the answer is given by the commit and by nothing else, to a duplicate as to the first.
  state_->log.append(std::move(record), [state = state_, receipt, respond = std::move(respond)](
                                            const Result<store::Sequence>& sequence) mutable {
    respond(state->concluded(receipt, sequence));
  });
}

void Webhook::on_refusal(http::Refusal refusal) {
  state_->refusals.at(static_cast<std::size_t>(refusal)).add();
  if (refusal != http::Refusal::kBodyTooLarge) return;
  if (const auto left_out = state_->too_large_pace.due(state_->clock.monotonic())) {
    runtime::log::error("intake.body_too_large", {{"left_out", *left_out}});
  }
}

Webhook::State::State(std::vector<vendors::Source> configured, store::EventLog& event_log,
                      const runtime::Clock& a_clock, runtime::Metrics& metrics, WebhookOptions given)
    : sources(std::move(configured)),
      log(event_log),
      clock(a_clock),
      options(given),
      committed_bodies(given.committed_bodies_max),
      not_found(requests(metrics, "", "not_found")),
      method_refused(requests(metrics, "", "method_not_allowed")),
      ack_seconds(metrics.histogram("resultsync_intake_ack_seconds",
                                    "From the whole request being there to its 200, commit included.",
                                    {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10})),
      bad_signature_pace(given.log_interval),
      too_large_pace(given.log_interval),
      not_stored_pace(given.log_interval) {
  for (const vendors::Source& source : sources) counters.emplace_back(metrics, source.id.text());
  for (const char* refusal : kRefusalNames) refusals.push_back(requests(metrics, "", refusal));
}

void Webhook::State::refuse_signature(std::size_t source, Outcome outcome, const Error& error,
                                      const std::string& peer) {
  counters[source].by_outcome[outcome].add();
  const auto code = std::ranges::find(vendors::kSignatureErrorCodes, error.code);
  if (code != vendors::kSignatureErrorCodes.end()) {
    counters[source].by_signature_error[static_cast<std::size_t>(code - vendors::kSignatureErrorCodes.begin())].add();
  }
  if (const auto left_out = bad_signature_pace.due(clock.monotonic())) {
    runtime::log::warning(
        "intake.bad_signature",
        {{"source", sources[source].id.text()}, {"reason", error.code}, {"peer", peer}, {"left_out", *left_out}});
  }
}

http::Response Webhook::State::concluded(const Receipt& receipt, const Result<store::Sequence>& sequence) {
  SourceCounters& counted = counters[receipt.source];
  const SteadyTime now = clock.monotonic();
  if (!sequence) {
    counted.by_outcome[outcome_of(sequence.error())].add();
    if (const auto left_out = not_stored_pace.due(now)) {
      runtime::log::error(
          "intake.not_stored",
          {{"source", sources[receipt.source].id.text()}, {"reason", sequence.error().code}, {"left_out", *left_out}});
    }
    return unavailable(sequence.error(), options.retry_after);
  }
  if (receipt.is_reference) {
    counted.references.add();
  } else {
    committed_bodies.remember(receipt.source, receipt.body, *sequence);
  }
  counted.by_outcome[receipt.stale ? kAcceptedStale : kAccepted].add();
  counted.body_bytes.add(static_cast<double>(receipt.body_bytes));
  ack_seconds.observe(std::chrono::duration<double>(now - receipt.arrived).count());
  return acknowledged(sources[receipt.source].acknowledgement);
}

namespace {

http::Response acknowledged(const std::string& text) {
  http::Response response;
  response.body = text;
  return response;
}

// The same for every reason: who may not send learns nothing about why.
http::Response invalid_signature() {
  return http::problem(400, "invalid_signature", "The signature of this request could not be verified.");
}

http::Response unavailable(const Error& error, std::chrono::seconds retry_after) {
  auto response = http::problem(503, error.code, "The event could not be stored now. Send it again later.");
  response.set_header("Retry-After", std::to_string(retry_after.count()));
  return response;
}

http::Response method_not_allowed() {
  auto response = http::problem(405, "method_not_allowed", "Webhooks are sent with POST.");
  response.set_header("Allow", "POST");
  return response;
}

// The headers a later reader may need: those that were verified, and those that say how to read the body. What no
// longer fits is cut, the least important last header first. verify() bounds the signed ones, so that they always fit
// into the default.
std::vector<store::KeptHeader> kept_headers(const vendors::SignatureScheme& scheme, const http::Headers& headers,
                                            std::size_t bytes_max) {
  const vendors::HeaderSet& signed_by = vendors::headers_in_use(scheme, headers);
  std::vector<store::KeptHeader> kept;
  std::size_t left = bytes_max;
  for (const std::string_view name :
       {std::string_view(signed_by.signature), std::string_view(signed_by.timestamp), std::string_view(signed_by.id),
        std::string_view("content-type"), std::string_view("content-encoding"), std::string_view("user-agent")}) {
    const auto value = name.empty() ? std::nullopt : headers.only(name);
    if (!value || name.size() >= left) continue;
    left -= name.size();
    kept.push_back({std::string(name), std::string(value->substr(0, left))});
    left -= kept.back().value.size();
  }
  return kept;
}

}  // namespace
}  // namespace resultsync::intake
