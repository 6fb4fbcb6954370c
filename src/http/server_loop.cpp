#include "http/server_loop.hpp"

#include <malloc.h>
#include <signal.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <ctime>

#include "http/server_connection.hpp"
#include "runtime/threads.hpp"

namespace resultsync::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::chrono::seconds kSweepEvery{1};
constexpr std::chrono::milliseconds kAcceptPause{100};
// Connections over the limit that may be open at once to be told 503; beyond, they are closed without a word.
constexpr std::size_t kOverflowMax = 64;
// So many read buffers let go in one sweep are worth handing the memory back to the system.
constexpr std::size_t kTrimFrom = 256;

std::string imf_fixdate() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  char text[40];
  // The C locale's names are what RFC 9110 §5.6.7 asks for; the program never sets another.
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

std::string describe(const tcp::endpoint& peer) {
  const auto address = peer.address();
  const std::string host = address.is_v6() ? "[" + address.to_string() + "]" : address.to_string();
  return host + ":" + std::to_string(peer.port());
}

// OpenSSL writes to the socket itself, without MSG_NOSIGNAL; the signal goes to the thread that writes.
void block_sigpipe() {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

}  // namespace

void Mailbox::post(Answer answer) {
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr) return;
  answers_.push_back(std::move(answer));
  if (answers_.size() + grown_.size() == 1) loop_->wake();
}

void Mailbox::stream_grew(std::uint64_t connection) {
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr) return;
  grown_.push_back(connection);
  if (answers_.size() + grown_.size() == 1) loop_->wake();
}

std::vector<std::uint64_t> Mailbox::take_grown() {
  const std::lock_guard lock(mutex_);
  return std::exchange(grown_, {});
}

std::vector<Mailbox::Answer> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  loop_ = nullptr;
  answers_.clear();
  grown_.clear();
}

Loop::Loop(Listener& listener, tcp::acceptor::native_handle_type listening, bool ipv6, std::string thread_name)
    : listener_(listener),
      work_(io_.get_executor()),
      acceptor_(io_, ipv6 ? tcp::v6() : tcp::v4(), listening),
      sweeper_(io_),
      accept_pause_(io_),
      patience_(io_),
      mailbox_(std::make_shared<Mailbox>(*this)),
      date_(imf_fixdate()) {
  accept();
  sweep();
  thread_ = runtime::start_thread(std::move(thread_name), [this](const std::stop_token&) {
    block_sigpipe();
    io_.run();
    mailbox_->close();
  });
}

Loop::~Loop() {
  if (thread_.joinable()) begin_stop(std::chrono::milliseconds{0});
  join();
  connections_.clear();
}

void Loop::begin_stop(std::chrono::milliseconds patience) {
  asio::post(io_, [this, patience] { drain(patience); });
}

void Loop::join() {
  if (thread_.joinable()) thread_.join();
}

void Loop::wake() {
  asio::post(io_, [this] { deliver(); });
}

void Loop::deliver() {
  for (auto& answer : mailbox_->take()) {
    const auto found = connections_.find(answer.connection);
    if (found == connections_.end()) continue;  // gone in the meantime, which is harmless
    const auto connection = found->second;      // answering may end it
    connection->answer(answer.request, std::move(answer.response));
  }
  for (const std::uint64_t id : mailbox_->take_grown()) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;
    const auto connection = found->second;
    connection->stream_grew();
  }
}

void Loop::refused(Refusal refusal) const {
  if (listener_.options.on_refusal) listener_.options.on_refusal(refusal);
}

void Loop::forget(std::uint64_t connection) {
  if (connections_.erase(connection) == 0) return;
  listener_.connections.fetch_sub(1, std::memory_order_relaxed);
  end_if_drained();
}

void Loop::accept() {
  acceptor_.async_accept(peer_, [this](const error_code& error, tcp::socket socket) {
    if (!acceptor_.is_open()) return;
    if (!error) {
      accepted(std::move(socket), peer_);
    } else if (error != asio::error::connection_aborted) {
      // Out of descriptors or memory: the waiting connection stays readable, so trying again at once would spin.
      accept_pause_.expires_after(kAcceptPause);
      accept_pause_.async_wait([this](const error_code& stopped) {
        if (!stopped && acceptor_.is_open()) accept();
      });
      return;
    }
    accept();
  });
}

void Loop::accepted(tcp::socket socket, const tcp::endpoint& peer) {
  const std::size_t others = listener_.connections.fetch_add(1, std::memory_order_relaxed);
  const std::size_t limit = listener_.options.connections_max;
  error_code error;
  socket.non_blocking(true, error);
  if (error || others >= limit + kOverflowMax) {
    listener_.connections.fetch_sub(1, std::memory_order_relaxed);
    refused(Refusal::kTooManyConnections);
    return;
  }
  const std::uint64_t id = next_connection_++;
  const auto tls = listener_.tls.load();
  Transport transport(std::move(socket), tls ? tls->native_handle() : nullptr);
  const auto connection = std::make_shared<ServerConnection>(*this, id, std::move(transport), describe(peer));
  connections_.emplace(id, connection);
  if (others >= limit) {
    connection->turn_away();
  } else {
    connection->start();
  }
}

void Loop::sweep() {
  sweeper_.expires_after(kSweepEvery);
  sweeper_.async_wait([this](const error_code& stopped) {
    if (stopped) return;
    date_ = imf_fixdate();
    const SteadyTime now = std::chrono::steady_clock::now();
    std::vector<std::shared_ptr<ServerConnection>> late;  // ending one changes the map
    std::size_t cooled = 0;
    for (const auto& [id, connection] : connections_) {
      if (connection->is_late(now)) late.push_back(connection);
      if (connection->cool(now)) ++cooled;
    }
    for (const auto& connection : late) connection->end_late();
    if (cooled >= kTrimFrom) ::malloc_trim(0);
    sweep();
  });
}

void Loop::drain(std::chrono::milliseconds patience) {
  if (!draining_) {
    draining_ = true;
    accept_what_waits();
    error_code ignored;
    acceptor_.close(ignored);
    accept_pause_.cancel();
    // Once more round the queue: a request that was read already, but not yet looked at, comes first.
    asio::post(io_, [this] {
      for (const auto& connection : all_connections()) connection->begin_drain();
    });
  }
  end_if_drained();
  if (patience <= std::chrono::milliseconds{0}) return close_all();
  patience_.expires_after(patience);
  patience_.async_wait([this](const error_code& stopped) {
    if (!stopped) close_all();
  });
}

// The kernel has completed these connections already and would reset them with the closing socket.
void Loop::accept_what_waits() {
  error_code error;
  acceptor_.non_blocking(true, error);
  while (!error) {
    tcp::endpoint peer;
    tcp::socket socket = acceptor_.accept(peer, error);
    if (!error) accepted(std::move(socket), peer);
  }
}

void Loop::end_if_drained() {
  if (draining_ && connections_.empty()) io_.stop();
}

void Loop::close_all() {
  for (const auto& connection : all_connections()) connection->close();
  io_.stop();
}

// A copy, since whatever is done to a connection may end it and change the map.
std::vector<std::shared_ptr<ServerConnection>> Loop::all_connections() const {
  std::vector<std::shared_ptr<ServerConnection>> all;
  all.reserve(connections_.size());
  for (const auto& [id, connection] : connections_) all.push_back(connection);
  return all;
}

}  // namespace resultsync::http
