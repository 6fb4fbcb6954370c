#include "bench/load/load.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

namespace resultsync::bench {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Forged events have numbers of their own, so that one of them found in a store shows by its id.
constexpr std::uint64_t kForgedNumbers = 9'000'000'000;
constexpr std::uint64_t kDuplicateReach = 1'000;
constexpr Clock::duration kDrainPatience = 10s;
constexpr Clock::duration kReconnectPause = 10ms;
constexpr std::size_t kConnectsAtOnce = 100;
constexpr int kConnectionsPerSource = 20'000;  // of the 28,000 ephemeral ports of one source address

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_ = -1;
};

enum class Kind { kNew, kDuplicate, kForged };

struct Connection {
  enum class State { kClosed, kConnecting, kIdle, kWaiting } state = State::kClosed;
  Descriptor socket;
  std::string request;
  std::size_t sent_bytes = 0;
  std::array<char, 8 * 1024> answer{};
  std::size_t answer_bytes = 0;
  std::uint64_t number = 0;
  Kind kind = Kind::kNew;
  Clock::time_point due;
};

struct Answer {
  int status = 0;
  bool close = false;
};

// splitmix64: a small generator whose runs can be repeated from their seed.
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : state_(seed) {}
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  bool falls_within(double share) { return share > 0 && static_cast<double>(next() >> 11U) * 0x1.0p-53 < share; }

 private:
  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111eb;
    return z ^ (z >> 31U);
  }
  std::uint64_t state_;
};

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

bool starts_with_ignoring_case(std::string_view line, std::string_view lower) {
  if (line.size() < lower.size()) return false;
  return std::equal(lower.begin(), lower.end(), line.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b + 32) : b); });
}

// The answer in `bytes` once it is there in full; nothing while more is to come. Understands what the measured servers
// send: a Content-Length, or no body. Errors: `bad_response`.
Result<std::optional<Answer>> parse_answer(std::string_view bytes) {
  const auto head_end = bytes.find("\r\n\r\n");
  if (head_end == std::string_view::npos) {
    if (bytes.size() == sizeof(Connection::answer)) return fail("bad_response", "the head of an answer is too long");
    return std::nullopt;
  }
  Answer answer;
  if (!bytes.starts_with("HTTP/1.1 ")) return fail("bad_response", "an answer is not HTTP/1.1");
  std::from_chars(bytes.data() + 9, bytes.data() + 12, answer.status);
  std::size_t body_bytes = 0;
  for (std::size_t at = bytes.find("\r\n") + 2; at < head_end;) {
    const auto line_end = bytes.find("\r\n", at);
    const auto line = bytes.substr(at, line_end - at);
    if (starts_with_ignoring_case(line, "content-length:")) {
      const auto digits = line.find_first_of("0123456789");
      if (digits == std::string_view::npos) return fail("bad_response", "a Content-Length without digits");
      std::from_chars(line.data() + digits, line.data() + line.size(), body_bytes);
    } else if (starts_with_ignoring_case(line, "connection: close")) {
      answer.close = true;
    } else if (starts_with_ignoring_case(line, "transfer-encoding:")) {
      return fail("bad_response", "chunked answers are not understood");
    }
    at = line_end + 2;
  }
  const std::size_t whole = head_end + 4 + body_bytes;
  if (whole > sizeof(Connection::answer)) return fail("bad_response", "an answer is too long");
  if (bytes.size() < whole) return std::nullopt;
  return answer;
}

class Load {
 public:
  Load(const LoadOptions& options, EventFactory& events)
      : options_(options), events_(events), dice_(options.seed), connections_(options.connections) {
    report_.next_number = options.first_number;
  }

  Result<LoadReport> run();

 private:
  Result<bool> open_connections();
  void connect(std::size_t index);
  void reconnect_the_lost();
  void turn(Clock::duration wait);
  void on_writable(std::size_t index);
  void on_readable(std::size_t index);
  void on_answer(std::size_t index, Answer answer);
  void lose(std::size_t index);
  void on_idle(std::size_t index);
  void send_what_is_due();
  void send_next(std::size_t index, Clock::time_point due);
  void flush(std::size_t index);
  bool may_send() const;
  Clock::time_point due_at(std::uint64_t scheduled) const;
  bool in_window(Clock::time_point moment) const { return moment >= window_start_ && moment < window_end_; }
  void note_window_edges();
  void note_unsent();
  void note_acknowledged(const Connection& connection);

  const LoadOptions& options_;
  EventFactory& events_;
  Dice dice_;
  LoadReport report_;
  std::vector<Connection> connections_;
  std::vector<std::size_t>
      idle_;  // open loop: connections free to take what falls due; may name some that were lost since
  std::vector<std::size_t> lost_;
  std::size_t waiting_ = 0;  // connections that owe an answer
  Descriptor epoll_;
  std::unique_ptr<std::FILE, CloseFile> acks_;
  bool acks_unflushed_ = false;
  std::vector<bool> acknowledged_;  // by number - first_number
  std::uint64_t forged_ = 0;
  std::uint64_t scheduled_ = 0;  // open loop: how many have been taken from the schedule
  std::int64_t unix_seconds_ = 0;
  Clock::time_point now_;
  Clock::time_point start_;
  Clock::time_point window_start_;
  Clock::time_point window_end_;
  Clock::time_point next_reconnect_;
  std::optional<double> cpu_at_window_start_;
  std::optional<double> cpu_at_window_end_;
  bool stopping_ = false;
  std::optional<Error> error_;
};

Result<LoadReport> Load::run() {
  if (!options_.acks_file.empty()) {
    acks_.reset(std::fopen(options_.acks_file.c_str(), "ae"));
    if (!acks_) return fail("no_acks_file", "the file for acknowledged ids cannot be opened", std::strerror(errno));
  }
  epoll_ = Descriptor(epoll_create1(EPOLL_CLOEXEC));
  now_ = Clock::now();
  if (auto opened = open_connections(); !opened) return forward_error(std::move(opened));

  start_ = now_ = Clock::now();
  window_start_ = start_ + options_.warmup;
  window_end_ = window_start_ + options_.duration;
  unix_seconds_ = std::time(nullptr);
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i].state == Connection::State::kIdle) on_idle(i);
  }
  while (!error_ && now_ < window_end_ && !(stopping_ && waiting_ == 0)) {
    send_what_is_due();
    const bool scheduled = options_.events_per_second > 0 && !idle_.empty();
    turn(std::min<Clock::duration>(20ms, scheduled ? due_at(scheduled_) - now_ : Clock::duration::max()));
  }
  if (options_.events_per_second > 0 && !stopping_) note_unsent();
  stopping_ = true;
  for (const auto patience_end = now_ + kDrainPatience; !error_ && waiting_ > 0 && now_ < patience_end;) turn(20ms);
  report_.unanswered += waiting_;

  if (error_) return std::unexpected(*error_);
  note_window_edges();
  report_.seconds = std::chrono::duration<double>(std::min(now_, window_end_) - window_start_).count();
  report_.client_cpu_seconds = cpu_at_window_end_.value_or(cpu_seconds()) - cpu_at_window_start_.value_or(0);
  return std::move(report_);
}

// Opens every connection before the clock starts, some at a time: more than a listener's backlog at once would lose
// their handshakes.
Result<bool> Load::open_connections() {
  for (std::size_t first = 0; first < connections_.size(); first += kConnectsAtOnce) {
    const std::size_t end = std::min(first + kConnectsAtOnce, connections_.size());
    for (std::size_t i = first; i < end; ++i) connect(i);
    const auto all_open = [&] {
      return std::all_of(connections_.begin() + static_cast<std::ptrdiff_t>(first),
                         connections_.begin() + static_cast<std::ptrdiff_t>(end),
                         [](const Connection& c) { return c.state == Connection::State::kIdle; });
    };
    for (const auto patience_end = now_ + kDrainPatience; !all_open();) {
      if (now_ > patience_end || (!options_.persist && !lost_.empty())) {
        return fail("connect_failed", "the server does not take the connections", std::strerror(errno));
      }
      turn(20ms);
    }
  }
  return true;
}

void Load::connect(std::size_t index) {
  Connection& connection = connections_[index];
  connection.socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int fd = connection.socket.get();
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (connections_.size() > kConnectionsPerSource) {
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(index) / kConnectionsPerSource);
    ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(options_.ports[index % options_.ports.size()]);
  connection.answer_bytes = 0;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 && errno != EINPROGRESS) {
    ++report_.connects_failed;
    connection.state = Connection::State::kClosed;
    lost_.push_back(index);
    return;
  }
  connection.state = Connection::State::kConnecting;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = index;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event);
}

void Load::reconnect_the_lost() {
  if (lost_.empty() || now_ < next_reconnect_ || (stopping_ && waiting_ == 0)) return;
  next_reconnect_ = now_ + kReconnectPause;
  for (const std::size_t index : std::exchange(lost_, {})) connect(index);
}

// Waits for the next thing to happen, at most `wait`, and deals with all that has.
void Load::turn(Clock::duration wait) {
  std::array<epoll_event, 256> happened;
  const auto wait_ns = std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(wait).count());
  const timespec timeout{wait_ns / 1'000'000'000, wait_ns % 1'000'000'000};
  const int count = ::epoll_pwait2(epoll_.get(), happened.data(), static_cast<int>(happened.size()), &timeout, nullptr);
  now_ = Clock::now();
  unix_seconds_ = std::time(nullptr);
  note_window_edges();
  for (int i = 0; i < count && !error_; ++i) {
    const auto& event = happened[static_cast<std::size_t>(i)];
    if ((event.events & EPOLLOUT) != 0) on_writable(event.data.u64);
    if ((event.events & ~EPOLLOUT) != 0) on_readable(event.data.u64);
  }
  reconnect_the_lost();
  if (acks_unflushed_) {
    std::fflush(acks_.get());
    acks_unflushed_ = false;
  }
}

void Load::on_writable(std::size_t index) {
  Connection& connection = connections_[index];
  if (connection.state == Connection::State::kConnecting) {
    int failed = 0;
    socklen_t size = sizeof(failed);
    ::getsockopt(connection.socket.get(), SOL_SOCKET, SO_ERROR, &failed, &size);
    if (failed != 0) {
      ++report_.connects_failed;
      errno = failed;
      lose(index);
      return;
    }
    connection.state = Connection::State::kIdle;
    if (start_ != Clock::time_point{}) on_idle(index);
  } else if (connection.state == Connection::State::kWaiting) {
    flush(index);
  }
}

void Load::on_readable(std::size_t index) {
  Connection& connection = connections_[index];
  while (connection.state == Connection::State::kWaiting || connection.state == Connection::State::kIdle) {
    const auto got = ::recv(connection.socket.get(), connection.answer.data() + connection.answer_bytes,
                            connection.answer.size() - connection.answer_bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0 || connection.state == Connection::State::kIdle) {  // closed, or bytes that nobody asked for
      lose(index);
      return;
    }
    connection.answer_bytes += static_cast<std::size_t>(got);
    const bool maybe_more = connection.answer_bytes == connection.answer.size();
    auto answer = parse_answer({connection.answer.data(), connection.answer_bytes});
    if (!answer) {
      error_ = answer.error();
      return;
    }
    if (*answer) on_answer(index, **answer);
    if (!maybe_more) return;  // a short read: the socket is empty, and the next bytes give an edge
  }
}

void Load::on_answer(std::size_t index, Answer answer) {
  Connection& connection = connections_[index];
  --waiting_;
  connection.state = Connection::State::kIdle;
  connection.answer_bytes = 0;
  ++report_.status[answer.status];
  if (answer.status >= 200 && answer.status < 300) {
    note_acknowledged(connection);
    const auto moment = Clock::now();
    if (in_window(moment)) ++report_.window_acknowledged;
    if (in_window(connection.due)) {
      report_.latency_ns.record(static_cast<std::uint64_t>(std::chrono::nanoseconds(moment - connection.due).count()));
    }
  }
  if (answer.close) {
    lose(index);
  } else {
    on_idle(index);
  }
}

void Load::note_acknowledged(const Connection& connection) {
  if (connection.kind == Kind::kForged) {
    ++report_.forged_acknowledged;
    return;
  }
  if (connection.kind == Kind::kDuplicate) ++report_.duplicates_acknowledged;
  const std::uint64_t place = connection.number - options_.first_number;
  if (place >= acknowledged_.size()) acknowledged_.resize(std::max<std::size_t>(place + 1, acknowledged_.size() * 2));
  if (!acknowledged_[place]) {
    acknowledged_[place] = true;
    ++report_.acknowledged_ids;
  }
  if (acks_) {
    const std::string line = events_.event_id(connection.number) + "\n";
    std::fwrite(line.data(), 1, line.size(), acks_.get());
    acks_unflushed_ = true;
  }
}

// The connection is gone, with its answer if it owed one.
void Load::lose(std::size_t index) {
  Connection& connection = connections_[index];
  if (connection.state == Connection::State::kWaiting) {
    --waiting_;
    ++report_.unanswered;
    if (!options_.persist)
      error_ = Error{"connect_failed", "the server closed a connection that waited for its answer"};
  }
  connection.state = Connection::State::kClosed;
  connection.socket = Descriptor();
  lost_.push_back(index);
}

void Load::on_idle(std::size_t index) {
  if (options_.events_per_second > 0) {
    idle_.push_back(index);
  } else if (may_send()) {
    send_next(index, Clock::now());
  }
}

void Load::send_what_is_due() {
  if (options_.events_per_second <= 0) return;
  while (!idle_.empty() && may_send() && due_at(scheduled_) <= now_ && due_at(scheduled_) < window_end_) {
    const std::size_t index = idle_.back();
    idle_.pop_back();
    if (connections_[index].state != Connection::State::kIdle) continue;
    send_next(index, due_at(scheduled_));
    ++scheduled_;
  }
}

Clock::time_point Load::due_at(std::uint64_t scheduled) const {
  return start_ + std::chrono::nanoseconds(
                      static_cast<std::int64_t>(static_cast<double>(scheduled) * 1e9 / options_.events_per_second));
}

bool Load::may_send() const {
  return !stopping_ && now_ < window_end_;
}

void Load::send_next(std::size_t index, Clock::time_point due) {
  Connection& connection = connections_[index];
  const std::uint64_t used = report_.next_number - options_.first_number;
  if (dice_.falls_within(options_.forged_share)) {
    connection.kind = Kind::kForged;
    connection.number = kForgedNumbers + forged_++;
    ++report_.forged_sent;
  } else if (used > 0 && dice_.falls_within(options_.duplicates_share)) {
    connection.kind = Kind::kDuplicate;
    connection.number = report_.next_number - 1 - dice_.below(std::min(used, kDuplicateReach));
  } else {
    connection.kind = Kind::kNew;
    connection.number = report_.next_number++;
    if (connection.number >= kForgedNumbers)
      error_ = Error{"out_of_numbers", "this tag has no numbers left; use another"};
    if (options_.events_max > 0 && used + 1 >= options_.events_max) stopping_ = true;
  }
  ++report_.sent;
  events_.write_request(connection.number, connection.kind == Kind::kForged ? Signature::kForged : Signature::kValid,
                        unix_seconds_, connection.request);
  connection.sent_bytes = 0;
  connection.due = due;
  connection.state = Connection::State::kWaiting;
  ++waiting_;
  flush(index);
}

void Load::flush(std::size_t index) {
  Connection& connection = connections_[index];
  while (connection.sent_bytes < connection.request.size()) {
    const auto sent = ::send(connection.socket.get(), connection.request.data() + connection.sent_bytes,
                             connection.request.size() - connection.sent_bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      if (errno != EAGAIN) lose(index);
      return;
    }
    connection.sent_bytes += static_cast<std::size_t>(sent);
  }
}

// What fell due in the window and found no free connection has waited until now at least, and counts as that.
void Load::note_unsent() {
  for (; due_at(scheduled_) < window_end_; ++scheduled_) {
    if (!in_window(due_at(scheduled_))) continue;
    ++report_.unsent;
    report_.latency_ns.record(static_cast<std::uint64_t>(std::chrono::nanoseconds(now_ - due_at(scheduled_)).count()));
  }
}

void Load::note_window_edges() {
  if (start_ == Clock::time_point{}) return;
  if (!cpu_at_window_start_ && now_ >= window_start_) cpu_at_window_start_ = cpu_seconds();
  if (!cpu_at_window_end_ && now_ >= window_end_) cpu_at_window_end_ = cpu_seconds();
}

}  // namespace

Result<LoadReport> run_load(const LoadOptions& options, EventFactory& events) {
  return Load(options, events).run();
}

}  // namespace resultsync::bench
