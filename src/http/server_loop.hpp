// One thread of a listener: its own accepting socket (SO_REUSEPORT shares the port out), its own connections, and one
// sweeper that wakes once a second and ends whatever has passed its deadline; timers per operation would cost a third
// of the speed.
#pragma once

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "http/budget.hpp"
#include "http/message.hpp"
#include "http/server.hpp"
#include "http/tls.hpp"

namespace resultsync::http {

class ServerConnection;
class Loop;
using SteadyTime = std::chrono::steady_clock::time_point;

// What the loops of one listener share. Immutable but for the counters and the certificate.
struct Listener {
  ServerOptions options;
  Handler handler;
  std::shared_ptr<BodyBudget> budget;
  std::atomic<std::shared_ptr<TlsContext>> tls;  // null: plain; replaced when the certificate is read anew
  std::atomic<std::size_t> connections = 0;
};

// Brings answers from any thread to the loop that holds their connection. Shared between the loop and every Responder
// that is still to be called, which may outlive the loop: what comes after close() is dropped.
class Mailbox {
 public:
  struct Answer {
    std::uint64_t connection = 0;
    std::uint64_t request = 0;  // which request of the connection
    Response response;
  };
  explicit Mailbox(Loop& loop) : loop_(&loop) {}
  void post(Answer answer);                    // any thread
  void stream_grew(std::uint64_t connection);  // any thread: a streamed answer has more to send
  std::vector<Answer> take();                  // the loop's thread
  std::vector<std::uint64_t> take_grown();     // the loop's thread
  void close();

 private:
  std::mutex mutex_;
  Loop* loop_;                        // guarded by mutex_; null once closed
  std::vector<Answer> answers_;       // guarded by mutex_
  std::vector<std::uint64_t> grown_;  // guarded by mutex_
};

// Everything but the constructor, stop() and the destructor belongs to the loop's own thread.
class Loop {
 public:
  Loop(Listener& listener, boost::asio::ip::tcp::acceptor::native_handle_type listening, bool ipv6,
       std::string thread_name);
  ~Loop();  // closes what is open and joins
  // Stops as Server::stop() says, and returns when the thread has ended; from another thread, after begin_stop().
  void begin_stop(std::chrono::milliseconds patience);
  void join();

  [[nodiscard]] const Listener& listener() const { return listener_; }
  [[nodiscard]] bool draining() const { return draining_; }
  [[nodiscard]] const std::string& date() const { return date_; }
  [[nodiscard]] const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
  std::string& head_buffer() { return head_buffer_; }
  void refused(Refusal refusal) const;
  void forget(std::uint64_t connection);
  void deliver();  // the answers that wait in the mailbox
  void wake();     // has deliver() called soon; any thread

 private:
  void accept();
  void accepted(boost::asio::ip::tcp::socket socket, const boost::asio::ip::tcp::endpoint& peer);
  void sweep();
  void drain(std::chrono::milliseconds patience);
  void accept_what_waits();
  void end_if_drained();
  void close_all();
  [[nodiscard]] std::vector<std::shared_ptr<ServerConnection>> all_connections() const;

  Listener& listener_;             // owned by the server, which joins the loops first
  boost::asio::io_context io_{1};  // before everything that uses it
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::ip::tcp::endpoint peer_;  // of the connection being accepted
  boost::asio::steady_timer sweeper_;
  boost::asio::steady_timer accept_pause_;
  boost::asio::steady_timer patience_;
  // Connections are shared between this map and their pending operations.
  std::unordered_map<std::uint64_t, std::shared_ptr<ServerConnection>> connections_;
  std::uint64_t next_connection_ = 1;
  std::shared_ptr<Mailbox> mailbox_;
  std::string date_;         // of the current second, for the Date header
  std::string head_buffer_;  // response heads are written here, one at a time
  bool draining_ = false;
  std::jthread thread_;
};

}  // namespace resultsync::http
