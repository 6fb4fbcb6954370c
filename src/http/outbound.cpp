#include "http/outbound.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <future>
#include <mutex>
#include <set>
#include <thread>
#include <unordered_map>

#include "http/framing.hpp"
#include "http/link.hpp"
#include "http/request_head.hpp"
#include "http/tls.hpp"
#include "runtime/threads.hpp"

namespace resultsync::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using SteadyTime = std::chrono::steady_clock::time_point;
using Addresses = Result<std::vector<IpAddress>>;

constexpr unsigned kResolverThreads = 4;
constexpr std::size_t kLookupsWaitingMax = 4096;
constexpr std::size_t kAddressesMax = 16;          // of one host that are looked at and tried
constexpr std::size_t kRememberedHostsMax = 4096;  // look-ups whose answers are kept
constexpr std::size_t kHostBytesMax = 254;         // RFC 1035 §2.3.4, and a dot at its end
constexpr std::chrono::seconds kResolverPatience{1};
constexpr std::chrono::seconds kSweepEvery{1};
const Error kStopped{"stopped", "outbound requests have stopped"};
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

tcp::endpoint endpoint_of(const IpAddress& address, std::uint16_t port) {
  if (address.is_v6) return {asio::ip::address_v6(address.bytes), port};
  asio::ip::address_v4::bytes_type bytes;
  std::copy_n(address.bytes.begin(), 4, bytes.begin());
  return {asio::ip::address_v4(bytes), port};
}

Addresses look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  if (const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); error != 0) {
    return fail("resolve_failed", "the host name was not found", ::gai_strerror(error));
  }
  std::vector<IpAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    IpAddress address;
    if (each->ai_family == AF_INET) {
      std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr, 4);
    } else if (each->ai_family == AF_INET6) {
      address.is_v6 = true;
      std::memcpy(address.bytes.data(), &reinterpret_cast<const sockaddr_in6*>(each->ai_addr)->sin6_addr, 16);
    } else {
      continue;
    }
    if (std::ranges::find(addresses, address) == addresses.end()) addresses.push_back(address);
  }
  ::freeaddrinfo(found);
  return addresses;
}

// Threads that look names up. A look-up cannot be interrupted, so at the end whoever still sits in one is left behind:
// the state is shared with those threads, and they touch nothing else once it is closed.
class Resolvers {
 public:
  using Found = std::move_only_function<void(Addresses)>;

  explicit Resolvers(Resolve resolve) : state_(std::make_shared<State>()) {
    state_->resolve = std::move(resolve);
    for (unsigned i = 0; i < kResolverThreads; ++i) {
      runtime::start_thread("http-resolve", [state = state_](const std::stop_token&) { work(*state); }).detach();
      ++state_->threads;
    }
  }
  ~Resolvers() { stop(); }

  // False if too many wait. `found` is called on a resolver's thread; not at all after stop().
  bool submit(std::string host, Found found) {
    const std::lock_guard lock(state_->mutex);
    if (state_->closed || state_->waiting.size() >= kLookupsWaitingMax) return false;
    state_->waiting.emplace_back(std::move(host), std::move(found));
    state_->changed.notify_one();
    return true;
  }

  void stop() {
    std::unique_lock lock(state_->mutex);
    state_->closed = true;
    state_->waiting.clear();
    state_->changed.notify_all();
    state_->changed.wait_for(lock, kResolverPatience, [this] { return state_->threads == 0; });
  }

 private:
  struct State {
    Resolve resolve;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::pair<std::string, Found>> waiting;  // guarded by mutex, as all below
    bool closed = false;
    unsigned threads = 0;
  };

  static void work(State& state) {
    std::unique_lock lock(state.mutex);
    while (true) {
      state.changed.wait(lock, [&state] { return state.closed || !state.waiting.empty(); });
      if (state.closed) break;
      auto [host, found] = std::move(state.waiting.front());
      state.waiting.pop_front();
      lock.unlock();
      Addresses addresses = state.resolve(host);
      lock.lock();
      if (!state.closed) found(std::move(addresses));
    }
    --state.threads;
    state.changed.notify_all();
  }

  std::shared_ptr<State> state_;
};

// One request on its way. Shared between its coroutine, its timer and the loop's map.
struct Exchange {
  Exchange(asio::io_context& io, OutboundRequest asked, Url to, std::shared_ptr<const WireRequest> message,
           Outbound::Done answer)
      : request(std::move(asked)),
        url(std::move(to)),
        wire(std::move(message)),
        done(std::move(answer)),
        timer(io),
        lookup(io) {}

  OutboundRequest request;  // without its body, which is in `wire`
  Url url;
  std::shared_ptr<const WireRequest> wire;
  Outbound::Done done;
  SteadyTime deadline{};
  asio::steady_timer timer;
  asio::steady_timer lookup;  // cancelled when the look-up that it waits for has ended
  std::shared_ptr<Link> link;
  std::optional<Error> ended;  // from outside: its time is over, or everything stops
  bool started = false;

  void end(Error error) {
    if (!ended) ended = std::move(error);
    lookup.cancel();
    if (link) link->close();
  }
};

// Addresses of a host, and who waits for them.
struct Lookup {
  std::optional<Addresses> addresses;
  SteadyTime valid_until{};
  std::vector<std::weak_ptr<Exchange>> waiting;
};

// One thread with its own connections. All but send(), refuse(), begin_stop(), join() and connections() belongs to that
// thread.
class OutboundLoop {
 public:
  OutboundLoop(const Outbound::Options& options, std::size_t connections_max, std::shared_ptr<TlsContext> tls,
               Resolvers& resolvers)
      : options_(options),
        connections_max_(connections_max),
        tls_(std::move(tls)),
        resolvers_(resolvers),
        work_(io_.get_executor()),
        sweeper_(io_) {
    sweep();
    thread_ = runtime::start_thread("outbound", [this](const std::stop_token&) { io_.run(); });
  }
  ~OutboundLoop() {
    begin_stop();
    join();
  }

  void send(OutboundRequest request, Url url, std::shared_ptr<const WireRequest> wire, Outbound::Done done) {
    {
      const std::lock_guard lock(gate_);
      if (!closed_) {
        auto exchange =
            std::make_shared<Exchange>(io_, std::move(request), std::move(url), std::move(wire), std::move(done));
        exchange->deadline = std::chrono::steady_clock::now() + exchange->request.total_timeout;
        asio::post(io_, [this, exchange = std::move(exchange)] { enter(exchange); });
        return;
      }
    }
    done(std::unexpected<Error>(kStopped));
  }

  // Answers from the loop, as everything else does: a caller may hold a lock that `done` takes.
  void refuse(Outbound::Done done, Error error) {
    {
      const std::lock_guard lock(gate_);
      if (!closed_) {
        asio::post(io_, [done = std::move(done), error = std::move(error)]() mutable {
          done(std::unexpected<Error>(std::move(error)));
        });
        return;
      }
    }
    done(std::unexpected<Error>(std::move(error)));
  }

  void begin_stop() {
    const std::lock_guard lock(gate_);
    if (!closed_.exchange(true)) asio::post(io_, [this] { end_all(); });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] std::size_t connections() const { return open_.load(std::memory_order_relaxed); }

 private:
  void enter(const std::shared_ptr<Exchange>& exchange) {
    all_.insert(exchange);
    exchange->timer.expires_at(exchange->deadline);
    exchange->timer.async_wait([this, exchange](const error_code& stopped) {
      if (stopped) return;
      exchange->end({"timeout", "the exchange took longer than it may", {}});
      if (!exchange->started) finish(exchange, std::unexpected<Error>(*exchange->ended));
    });
    if (active_ >= connections_max_ && waiting_.size() >= options_.waiting_max) {
      return finish(exchange, fail("overloaded", "too many requests wait for a connection"));
    }
    waiting_.push_back(exchange);
    start_waiting();
  }

  void start_waiting() {
    while (!waiting_.empty() && active_ < connections_max_) {
      const auto exchange = std::move(waiting_.front());
      waiting_.pop_front();
      if (!exchange->done) continue;  // its time was over while it waited
      exchange->started = true;
      ++active_;
      asio::co_spawn(io_, perform(exchange),
                     [this, exchange](const std::exception_ptr& error, Result<ClientResponse> response) {
                       if (error) std::rethrow_exception(error);
                       --active_;
                       exchange->link.reset();
                       if (!response && closed_) exchange->end(kStopped);
                       if (exchange->ended) response = std::unexpected<Error>(*exchange->ended);
                       finish(exchange, std::move(response));
                       start_waiting();
                     });
    }
  }

  void finish(const std::shared_ptr<Exchange>& exchange, Result<ClientResponse> response) {
    exchange->timer.cancel();
    all_.erase(exchange);
    if (auto done = std::exchange(exchange->done, nullptr)) done(std::move(response));
  }

  void end_all() {
    sweeper_.cancel();
    for (const auto& [key, kept] : idle_) {
      for (const Idle& each : kept) close(*each.link);
    }
    idle_.clear();
    idle_count_ = 0;
    const auto all = all_;
    for (const auto& exchange : all) {
      exchange->end(kStopped);
      if (!exchange->started) finish(exchange, std::unexpected<Error>(*exchange->ended));
    }
    work_.reset();
  }

  asio::awaitable<Result<ClientResponse>> perform(std::shared_ptr<Exchange> exchange) {
    auto endpoints = co_await destinations(exchange);
    if (!endpoints) co_return forward_error(std::move(endpoints));
    const bool may_repeat = exchange->request.repeatable || is_idempotent(exchange->request.method);

    if (auto kept = take_idle(exchange->url, *endpoints)) {
      exchange->link = std::move(kept);
      auto response = co_await over_link(*exchange);
      const bool lost = !response && response.error().code == "connection_lost" && !exchange->link->answered();
      if (!lost || !may_repeat || exchange->ended) co_return leave(*exchange, std::move(response));
      drop(*exchange);
    }
    if (exchange->ended) co_return std::unexpected<Error>(*exchange->ended);
    make_room();
    exchange->link = std::make_shared<Link>(io_.get_executor());
    open_.fetch_add(1, std::memory_order_relaxed);
    auto connected = co_await exchange->link->connect(std::move(*endpoints));
    if (connected && exchange->url.scheme == "https") {
      connected = co_await exchange->link->secure(tls_, exchange->url.host);
    }
    if (!connected) {
      drop(*exchange);
      co_return forward_error(std::move(connected));
    }
    auto response = co_await over_link(*exchange);
    co_return leave(*exchange, std::move(response));
  }

  asio::awaitable<Result<ClientResponse>> over_link(Exchange& exchange) {
    return exchange.link->exchange(exchange.wire, exchange.request.response_bytes_max, exchange.request.long_answer);
  }

  // The checked addresses of the exchange's host. If one of several is refused, all are: whoever mixes them means to
  // get past us with the one that is tried second.
  asio::awaitable<Result<std::vector<tcp::endpoint>>> destinations(std::shared_ptr<Exchange> exchange) {
    const Url& url = exchange->url;
    Addresses addresses = std::vector<IpAddress>{};
    if (const auto numeric = IpAddress::parse(url.host)) {
      addresses->push_back(*numeric);
    } else {
      addresses = co_await resolve(exchange);
    }
    if (!addresses) co_return fail("resolve_failed", "the host name was not found", addresses.error().text());
    if (addresses->empty()) co_return fail("resolve_failed", "the host name has no address");
    if (addresses->size() > kAddressesMax) co_return fail("resolve_failed", "the host name has too many addresses");
    const AddressPolicy::Destination destination{url.host, url.port, is_usual_port(exchange->request, url)};
    std::vector<tcp::endpoint> endpoints;
    for (const IpAddress& address : *addresses) {
      if (auto allowed = options_.policy.check(destination, address); !allowed) {
        co_return forward_error(std::move(allowed));
      }
      endpoints.push_back(endpoint_of(address, url.port));
    }
    co_return endpoints;
  }

  static bool is_usual_port(const OutboundRequest& request, const Url& url) {
    if (!request.ports.empty()) return std::ranges::find(request.ports, url.port) != request.ports.end();
    return url.port == 443 || (url.port == 80 && url.scheme == "http") || url.port >= 1024;
  }

  // One look-up at a time for each host, whose answer serves everybody who asks meanwhile and for a moment after.
  asio::awaitable<Addresses> resolve(std::shared_ptr<Exchange> exchange) {
    const std::string& host = exchange->url.host;
    const SteadyTime now = std::chrono::steady_clock::now();
    Lookup& lookup = lookups_[host];
    if (lookup.addresses && now < lookup.valid_until) co_return *lookup.addresses;
    lookup.addresses.reset();
    lookup.waiting.push_back(exchange);
    exchange->lookup.expires_at(SteadyTime::max());
    if (lookup.waiting.size() == 1 && !ask(host)) {
      lookups_.erase(host);
      co_return fail("resolve_failed", "too many host names are being looked up");
    }
    auto found = std::make_shared<std::optional<Addresses>>();
    answers_[exchange.get()] = found;
    co_await exchange->lookup.async_wait(kAwait);
    answers_.erase(exchange.get());
    if (!*found) co_return fail("resolve_failed", "the look-up was ended");
    co_return std::move(**found);
  }

  bool ask(const std::string& host) {
    return resolvers_.submit(host, [this, host](Addresses addresses) {
      // The resolvers are closed before this loop ends, so it is still there.
      asio::post(io_,
                 [this, host, addresses = std::move(addresses)]() mutable { looked_up(host, std::move(addresses)); });
    });
  }

  void looked_up(const std::string& host, Addresses addresses) {
    const auto found = lookups_.find(host);
    if (found == lookups_.end()) return;
    for (const auto& weak : std::exchange(found->second.waiting, {})) {
      const auto exchange = weak.lock();
      if (!exchange) continue;
      if (const auto answer = answers_.find(exchange.get()); answer != answers_.end()) {
        *answer->second = addresses;
        exchange->lookup.cancel();
      }
    }
    const bool keep =
        addresses.has_value() && options_.remember_addresses.count() > 0 && lookups_.size() <= kRememberedHostsMax;
    if (!keep) {
      lookups_.erase(found);
      return;
    }
    found->second.addresses = std::move(addresses);
    found->second.valid_until = std::chrono::steady_clock::now() + options_.remember_addresses;
  }

  struct Idle {
    std::shared_ptr<Link> link;
    SteadyTime since;
  };
  // Scheme and host too: a TLS connection speaks for one name only.
  static std::string key_of(const Url& url, const tcp::endpoint& peer) {
    return url.scheme + " " + url.host + " " + std::to_string(url.port) + " " + peer.address().to_string();
  }

  std::shared_ptr<Link> take_idle(const Url& url, const std::vector<tcp::endpoint>& endpoints) {
    for (const tcp::endpoint& endpoint : endpoints) {
      const auto found = idle_.find(key_of(url, endpoint));
      if (found == idle_.end()) continue;
      while (!found->second.empty()) {
        auto link = std::move(found->second.back().link);  // the warmest
        found->second.pop_back();
        --idle_count_;
        if (link->is_still_open()) {
          if (found->second.empty()) idle_.erase(found);
          return link;
        }
        close(*link);
      }
      idle_.erase(found);
    }
    return nullptr;
  }

  Result<ClientResponse> leave(Exchange& exchange, Result<ClientResponse> response) {
    const auto& link = exchange.link;
    if (response && link->reusable() && !exchange.ended && !closed_) {
      auto& kept = idle_[key_of(exchange.url, link->peer())];
      if (kept.size() < options_.idle_per_address_max) {
        kept.push_back({link, std::chrono::steady_clock::now()});
        ++idle_count_;
        exchange.link.reset();
        return response;
      }
    }
    drop(exchange);
    return response;
  }

  void drop(Exchange& exchange) {
    close(*exchange.link);
    exchange.link.reset();
  }
  void close(Link& link) {
    link.close();
    open_.fetch_sub(1, std::memory_order_relaxed);
  }

  // Kept connections give way to new ones.
  void make_room() {
    while (idle_count_ > 0 && open_.load(std::memory_order_relaxed) >= connections_max_) {
      auto oldest = idle_.begin();
      for (auto each = idle_.begin(); each != idle_.end(); ++each) {
        if (each->second.front().since < oldest->second.front().since) oldest = each;
      }
      close(*oldest->second.front().link);
      oldest->second.pop_front();
      --idle_count_;
      if (oldest->second.empty()) idle_.erase(oldest);
    }
  }

  void sweep() {
    sweeper_.expires_after(kSweepEvery);
    sweeper_.async_wait([this](const error_code& stopped) {
      if (stopped) return;
      const SteadyTime now = std::chrono::steady_clock::now();
      for (auto each = idle_.begin(); each != idle_.end();) {
        auto& kept = each->second;
        while (!kept.empty() && kept.front().since + options_.idle_timeout <= now) {
          close(*kept.front().link);
          kept.pop_front();
          --idle_count_;
        }
        each = kept.empty() ? idle_.erase(each) : std::next(each);
      }
      std::erase_if(lookups_,
                    [now](const auto& each) { return each.second.addresses && each.second.valid_until <= now; });
      sweep();
    });
  }

  const Outbound::Options& options_;  // owned by the Outbound, which outlives its loops
  const std::size_t connections_max_;
  const std::shared_ptr<TlsContext> tls_;
  Resolvers& resolvers_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::steady_timer sweeper_;
  std::set<std::shared_ptr<Exchange>> all_;
  std::deque<std::shared_ptr<Exchange>> waiting_;
  std::size_t active_ = 0;                                  // exchanges that have begun
  std::unordered_map<std::string, std::deque<Idle>> idle_;  // no entry is empty; the front is the oldest
  std::size_t idle_count_ = 0;
  std::unordered_map<std::string, Lookup> lookups_;
  std::unordered_map<const Exchange*, std::shared_ptr<std::optional<Addresses>>> answers_;
  std::atomic<std::size_t> open_ = 0;
  std::mutex gate_;
  std::atomic<bool> closed_ = false;  // set under gate_, so that nothing is posted after end_all()
  std::jthread thread_;
};

class LoopedOutbound final : public Outbound {
 public:
  LoopedOutbound(Options options, std::shared_ptr<TlsContext> tls)
      : options_(std::move(options)), resolvers_(options_.resolve ? options_.resolve : system_resolver()) {
    const unsigned threads = std::max(1U, options_.threads);
    const std::size_t each = std::max<std::size_t>(1, options_.connections_max / threads);
    for (unsigned i = 0; i < threads; ++i) {
      loops_.push_back(std::make_unique<OutboundLoop>(options_, each, tls, resolvers_));
    }
  }
  ~LoopedOutbound() override { stop(); }

  void send(OutboundRequest request, Done done) override {
    auto url = checked_url(request);
    if (!url) return loops_.front()->refuse(std::move(done), std::move(url).error());
    auto head =
        request_head(request.method, *url, url->target, request.headers, request.body.size(), Afterwards::kKeep);
    if (!head) return loops_.front()->refuse(std::move(done), std::move(head).error());
    auto wire = std::make_shared<const WireRequest>(std::move(*head), std::exchange(request.body, {}),
                                                    request.method == "HEAD");
    const std::size_t loop = std::hash<std::string>{}(url->host) % loops_.size();
    loops_[loop]->send(std::move(request), std::move(*url), std::move(wire), std::move(done));
  }

  void stop() override {
    for (const auto& loop : loops_) loop->begin_stop();
    resolvers_.stop();
    for (const auto& loop : loops_) loop->join();
  }

  [[nodiscard]] std::size_t connections() const override {
    std::size_t open = 0;
    for (const auto& loop : loops_) open += loop->connections();
    return open;
  }

 private:
  static Result<Url> checked_url(const OutboundRequest& request) {
    auto url = parse_url(request.url);
    if (!url) return url;
    if (url->scheme == "http" && !request.allow_http) {
      return fail("bad_url", "the URL is not one to send to", "plain http is not allowed here, only https");
    }
    if (url->host.size() > kHostBytesMax)
      return fail("bad_url", "the URL is not one to send to", "its host is too long");
    return url;
  }

  const Options options_;
  Resolvers resolvers_;  // before the loops, which use it to their end
  std::vector<std::unique_ptr<OutboundLoop>> loops_;
};

}  // namespace

Resolve system_resolver() {
  return look_up;
}

Result<std::unique_ptr<Outbound>> Outbound::start(Options options) {
  auto tls = client_tls(options.ca_file);
  if (!tls) return forward_error(std::move(tls));
  return std::make_unique<LoopedOutbound>(std::move(options), std::move(*tls));
}

Result<ClientResponse> Outbound::send_and_wait(OutboundRequest request) {
  std::promise<Result<ClientResponse>> answer;
  auto answered = answer.get_future();
  send(std::move(request), [&answer](Result<ClientResponse> response) { answer.set_value(std::move(response)); });
  return answered.get();
}

}  // namespace resultsync::http
