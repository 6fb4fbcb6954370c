#include "cli/sending.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>

#include "http/client.hpp"
#include "runtime/clock.hpp"
#include "runtime/threads.hpp"
#include "vendors/verify.hpp"

namespace resultsync::cli {
namespace {

std::string_view name_of(sandbox::EventKind kind) {
  constexpr std::string_view kNames[] = {"new", "result", "correction"};
  return kNames[static_cast<int>(kind)];
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

using Clock = std::chrono::steady_clock;

// The requests that are to be made, taken one by one by as many threads as there are.
class Run {
 public:
  Run(const std::vector<OutgoingEvent>& events, const std::vector<Sending>& sendings, const Signer& signer,
      const SendOptions& options)
      : events_(events), sendings_(sendings), signer_(signer), options_(options), started_(Clock::now()) {
    report_.statuses.resize(sendings.size(), 0);
  }

  Result<SendReport> finish() {
    std::vector<std::jthread> threads;
    const std::size_t count =
        std::clamp<std::size_t>(options_.concurrency, 1, std::max<std::size_t>(sendings_.size(), 1));
    for (std::size_t i = 0; i < count; ++i) {
      threads.push_back(runtime::start_thread(fmt::format("send-{}", i), [this](const std::stop_token&) { work(); }));
    }
    {
      std::unique_lock lock(mutex_);
      while (done_ < sendings_.size() && !error_) {
        changed_.wait_for(lock, std::chrono::milliseconds(100));
        if (options_.progress) options_.progress(done_, sendings_.size());
      }
    }
    threads.clear();
    if (error_) return std::unexpected(*error_);
    report_.took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - started_);
    std::ranges::sort(report_.latencies);
    return std::move(report_);
  }

 private:
  void work() {
    auto connection = http::Connection::open(options_.url, std::chrono::seconds(10));
    while (true) {
      const std::size_t index = next_++;
      if (index >= sendings_.size()) return;
      if (options_.rate > 0) {  // each request has its time, whatever became of those before it
        std::this_thread::sleep_until(started_ +
                                      std::chrono::duration_cast<Clock::duration>(
                                          std::chrono::duration<double>(static_cast<double>(index) / options_.rate)));
      }
      const Sending& sending = sendings_[index];
      auto request = signed_request(sending);
      if (!request) {
        const std::lock_guard lock(mutex_);
        error_ = request.error();
        next_ = sendings_.size();
        changed_.notify_all();
        return;
      }
      const auto begun = Clock::now();
      if (!connection) connection = http::Connection::open(options_.url, std::chrono::seconds(10));
      const auto response = connection ? (*connection)->send(*request)
                                       : Result<http::ClientResponse>(std::unexpected(connection.error()));
      note(index, response, std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begun));
    }
  }

  Result<http::ClientRequest> signed_request(const Sending& sending) const {
    const OutgoingEvent& event = events_[sending.event];
    // A forgery: the right form, made over other bytes.
    const std::string other = sending.forged ? event.body + " " : std::string();
    auto headers =
        vendors::sign(signer_.scheme, signer_.keys, {.id = event.id, .timestamp = runtime::SystemClock{}.now()},
                      sending.forged ? other : event.body);
    if (!headers) return forward_error(std::move(headers));
    http::ClientRequest request{
        .method = "POST", .url = options_.url, .headers = std::move(*headers), .body = event.body};
    request.headers.push_back({"Content-Type", "application/json"});
    return request;
  }

  void note(std::size_t index, const Result<http::ClientResponse>& response, std::chrono::microseconds took) {
    const std::lock_guard lock(mutex_);
    if (response) {
      report_.statuses[index] = response->status;
      ++report_.by_status[response->status];
      report_.latencies.push_back(took);
    } else {
      ++report_.failures[std::string(response.error().code)];
    }
    if (++done_ == sendings_.size()) changed_.notify_all();
  }

  const std::vector<OutgoingEvent>& events_;
  const std::vector<Sending>& sendings_;
  const Signer& signer_;
  const SendOptions& options_;
  const Clock::time_point started_;
  std::atomic<std::size_t> next_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t done_ = 0;  // guarded by mutex_, as is all that follows
  SendReport report_;
  std::optional<Error> error_;
};

}  // namespace

std::vector<OutgoingEvent> generate(const GeneratedBatch& batch) {
  sandbox::Generator generator(batch.options);
  std::vector<OutgoingEvent> events;
  events.reserve(batch.count);
  for (std::size_t i = 0; i < batch.count; ++i) {
    sandbox::GeneratedEvent event = generator.next();
    OutgoingEvent outgoing{.id = event.id.text(),
                           .order = event.order.text(),
                           .ordered_test = event.ordered_test ? event.ordered_test->text() : std::string(),
                           .clinic = event.clinic.text(),
                           .kind = std::string(name_of(event.kind)),
                           .body = std::move(event.body)};
    if (const auto renamed = batch.renamed_clinics.find(outgoing.clinic); renamed != batch.renamed_clinics.end()) {
      replace_all(outgoing.body, '"' + renamed->first + '"', '"' + renamed->second + '"');
      outgoing.clinic = renamed->second;
    }
    events.push_back(std::move(outgoing));
  }
  return events;
}

std::vector<Sending> plan_sendings(std::size_t events, const SendingPlan& plan) {
  const auto order =
      sandbox::arrivals(events, {.seed = plan.seed,
                                 .duplicates_permille = static_cast<unsigned>(std::lround(plan.duplicates * 1000)),
                                 .displacement_max = plan.shuffle ? 20U : 0U});
  std::vector<Sending> sendings;
  sendings.reserve(order.size() + plan.forged);
  for (const std::size_t event : order) sendings.push_back({.event = event, .forged = false});
  sandbox::Dice dice(plan.seed);
  for (std::size_t i = 0; i < plan.forged && events > 0; ++i) {
    const auto at = static_cast<std::ptrdiff_t>(dice.below(sendings.size() + 1));
    sendings.insert(sendings.begin() + at, {.event = dice.below(events), .forged = true});
  }
  return sendings;
}

std::size_t SendReport::acknowledged() const {
  std::size_t count = 0;
  for (const auto& [status, times] : by_status) count += status >= 200 && status < 300 ? times : 0;
  return count;
}

double SendReport::latency_ms(double quantile) const {
  if (latencies.empty()) return 0;
  const auto rank = static_cast<std::size_t>(std::ceil(quantile * static_cast<double>(latencies.size())));
  return static_cast<double>(latencies[std::clamp<std::size_t>(rank, 1, latencies.size()) - 1].count()) / 1000;
}

Result<SendReport> send_all(const std::vector<OutgoingEvent>& events, const std::vector<Sending>& sendings,
                            const Signer& signer, const SendOptions& options) {
  if (auto url = http::parse_url(options.url); !url) return forward_error(std::move(url));
  return Run(events, sendings, signer, options).finish();
}

}  // namespace resultsync::cli
