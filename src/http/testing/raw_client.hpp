// For tests: a socket that sends exactly these bytes and shows exactly what came back, so that nothing tidies up what
// is wrong.
#pragma once

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace resultsync::http::testing {

struct RawResponse {
  int status = 0;
  std::string head;  // status line and headers
  std::string body;
  [[nodiscard]] bool has(std::string_view line) const { return head.find(line) != std::string::npos; }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port, int receive_buffer_bytes = 0)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (receive_buffer_bytes > 0) {
      ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
    }
    set_patience(std::chrono::seconds{10});
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)),
        connected_(other.connected_),
        received_(std::move(other.received_)) {}
  RawClient& operator=(RawClient&&) = delete;
  ~RawClient() {
    if (socket_ >= 0) ::close(socket_);
  }

  [[nodiscard]] bool connected() const { return connected_; }
  // How long a read waits before it gives up and the test fails.
  void set_patience(std::chrono::milliseconds patience) {
    const timeval time{patience.count() / 1000, (patience.count() % 1000) * 1000};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void finish_sending() { ::shutdown(socket_, SHUT_WR); }

  // The next response; nothing if the connection ends or stays silent before it is whole.
  std::optional<RawResponse> read_response() {
    std::size_t end = 0;
    while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return std::nullopt;
    }
    RawResponse response;
    response.head = received_.substr(0, end + 2);
    received_.erase(0, end + 4);
    if (response.head.size() > 12) std::from_chars(&response.head[9], &response.head[12], response.status);
    std::size_t length = 0;
    if (const std::size_t field = response.head.find("\r\nContent-Length: "); field != std::string::npos) {
      std::from_chars(response.head.data() + field + 18, response.head.data() + response.head.size(), length);
    }
    if (head_only_) length = 0;
    while (received_.size() < length) {
      if (!receive()) return std::nullopt;
    }
    response.body = received_.substr(0, length);
    received_.erase(0, length);
    return response;
  }
  // The next bytes as they come, after what was read; shorter if the connection ends or stays silent.
  std::string read_exactly(std::size_t length) {
    while (received_.size() < length) {
      if (!receive()) break;
    }
    std::string read = received_.substr(0, length);
    received_.erase(0, length);
    return read;
  }
  void expect_head_only() { head_only_ = true; }

  // True if the server closes in order, and sends nothing before that which was not read yet.
  bool closed_by_server() {
    if (!received_.empty()) return false;
    char byte = 0;
    return ::recv(socket_, &byte, 1, 0) == 0;
  }

 private:
  bool receive() {
    char bytes[16 * 1024];
    const ssize_t count = ::recv(socket_, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    received_.append(bytes, static_cast<std::size_t>(count));
    return true;
  }

  int socket_;
  bool connected_ = false;
  bool head_only_ = false;
  std::string received_;
};

}  // namespace resultsync::http::testing
