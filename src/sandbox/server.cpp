#include "sandbox/server.hpp"

#include <fmt/format.h>

#include <atomic>
#include <map>

#include "base/encoding.hpp"
#include "runtime/random.hpp"
#include "runtime/threads.hpp"
#include "sandbox/faces.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::size_t kLateMax = 1000;  // answers that wait at once; one more is given at once
constexpr unsigned kWorkers = 4;
constexpr std::size_t kQueueMax = 2000;  // requests that wait for a worker; beyond: 503

// Answers that come late, because a switch says so. One thread, "sandbox-late".
class LateAnswers {
 public:
  LateAnswers() {
    thread_ = runtime::start_thread("sandbox-late", [this](std::stop_token stop) { run(stop); });
  }
  ~LateAnswers() {
    thread_.request_stop();
    wake_.notify_all();
  }
  void give(http::Responder respond, Answer answer) {
    {
      const std::lock_guard lock(mutex_);
      if (answer.delay.count() > 0 && waiting_.size() < kLateMax) {
        waiting_.emplace(std::chrono::steady_clock::now() + answer.delay,
                         Late{std::move(respond), std::move(answer.response)});
        wake_.notify_all();
        return;
      }
    }
    respond(std::move(answer.response));
  }

 private:
  struct Late {
    http::Responder respond;
    http::Response response;
  };
  void run(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      if (waiting_.empty()) {
        wake_.wait(lock, stop, [&] { return !waiting_.empty(); });
        continue;
      }
      const auto due = waiting_.begin()->first;
      if (std::chrono::steady_clock::now() < due) {
        wake_.wait_until(lock, stop, due, [&] { return waiting_.begin()->first < due; });
        continue;
      }
      auto late = waiting_.extract(waiting_.begin());
      lock.unlock();
      late.mapped().respond(std::move(late.mapped().response));
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::multimap<std::chrono::steady_clock::time_point, Late> waiting_;  // guarded by mutex_
  std::jthread thread_;
};

class RunningSandbox final : public Sandbox {
 public:
  explicit RunningSandbox(const runtime::Clock& clock) : clock_(clock) {}

  Result<void> open(SandboxOptions options) {
    http::ServerOptions listener;
    listener.address = options.listen;
    listener.threads = options.threads;
    listener.body_bytes_max = 1024 * 1024;
    listener.connections_max = 2000;
    // The links of the network begin with the address that the listener gets; requests wait until there is a network.
    auto server = http::Server::start(listener, [this](http::Request request, http::Responder respond) {
      take(std::move(request), std::move(respond));
    });
    if (!server) return forward_error(std::move(server));
    server_ = std::move(*server);
    base_ = options.base.empty() ? "http://" + server_->address() : options.base;
    while (base_.ends_with('/')) base_.pop_back();
    network_ = std::make_unique<Network>(std::move(options.network), base_, clock_);
    workers_ = std::make_unique<runtime::Workers>("sandbox", kWorkers, kQueueMax);
    ready_ = true;
    return {};
  }

  ~RunningSandbox() override {
    ready_ = false;
    server_.reset();
    workers_.reset();
    late_.reset();
    network_.reset();
  }

  [[nodiscard]] const std::string& base() const override { return base_; }
  [[nodiscard]] std::string address() const override { return server_->address(); }
  [[nodiscard]] Network& network() override { return *network_; }
  void stop(std::chrono::milliseconds patience) override { server_->stop(patience); }

 private:
  void take(http::Request request, http::Responder respond) {
    if (!ready_)
      return respond(http::problem(503, "not_ready", "The sandbox is starting.").set_header("Retry-After", "1"));
    auto job = std::make_shared<std::pair<http::Request, http::Responder>>(std::move(request), std::move(respond));
    // Shared between the queue and this function only for as long as it takes to know whether it was queued.
    const bool queued = workers_->submit([this, job] {
      Answer given = answer(*network_, job->first);
      given.response.set_header("X-Request-Id", encode_hex(runtime::random_bytes(8)));
      late_->give(std::move(job->second), std::move(given));
    });
    if (!queued)
      job->second(http::problem(503, "overloaded", "The sandbox is overloaded.").set_header("Retry-After", "1"));
  }

  const runtime::Clock& clock_;
  std::string base_;
  std::unique_ptr<LateAnswers> late_ = std::make_unique<LateAnswers>();
  std::unique_ptr<Network> network_;
  std::unique_ptr<runtime::Workers> workers_;
  std::atomic<bool> ready_ = false;
  std::unique_ptr<http::Server> server_;
};

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address.starts_with("[::1]") || address.starts_with("localhost:");
}

}  // namespace

Answer answer(Network& network, const http::Request& request) {
  std::string_view path = request.path;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  if (path == "/") return {redirect(302, "/control")};
  if (path.starts_with("/oauth/")) return answer_oauth(network, request, path);
  if (path.starts_with("/documents/")) return answer_document(network, request, path);
  if (path.starts_with("/checkout/")) return answer_checkout(network, request, path);
  if (path == "/control" || path.starts_with("/control/")) return answer_control(network, request, path);
  if (network.options().kind == NetworkKind::kFullscript) return answer_fullscript(network, request, path);
  return answer_api(network, request, path);
}

Result<std::unique_ptr<Sandbox>> Sandbox::start(SandboxOptions options, const runtime::Clock& clock) {
  const bool allow_remote = options.network.courier.allow_remote;
  if (!allow_remote && !is_loopback(options.listen))
    return fail("remote_listener", "the sandbox listens on this machine only", "--allow-remote lifts that");
  if (options.network.webhook) {
    if (const auto allowed = check_target(*options.network.webhook, allow_remote); !allowed)
      return std::unexpected(allowed.error());
  }
  auto sandbox = std::make_unique<RunningSandbox>(clock);
  if (auto opened = sandbox->open(std::move(options)); !opened) return forward_error(std::move(opened));
  return sandbox;
}

}  // namespace resultsync::sandbox
