// A complete receiver of resultsync's webhooks, on POSIX sockets and OpenSSL: it verifies, keeps each webhook once, and
// acknowledges.
//
//   c++ -std=c++20 receiver.cpp -lcrypto -o receiver
//   WEBHOOK_SECRET=whsec_… RESULTSYNC_URL=127.0.0.1:8081 RESULTSYNC_KEY=… ./receiver 9000
//
// One connection at a time and the simplest HTTP that works, so that the steps can be seen. Yours has a framework.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <set>
#include <string>

namespace {

struct Request {
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

std::string decode_base64(const std::string& text) {
  std::string bytes(text.size(), '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                   reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  const auto padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  bytes.resize(size < padding ? 0 : static_cast<std::size_t>(size - padding));
  return bytes;
}

// Standard Webhooks: HMAC-SHA256 over id.timestamp.body, on the raw bytes.
bool is_genuine(Request& request, const std::string& key) {
  const std::string& timestamp = request.headers["webhook-timestamp"];
  if (timestamp.empty() || timestamp.size() > 12 || timestamp.find_first_not_of("0123456789") != std::string::npos)
    return false;
  if (std::llabs(std::time(nullptr) - std::stoll(timestamp)) > 300) return false;
  const std::string content = request.headers["webhook-id"] + "." + timestamp + "." + request.body;
  unsigned char expected[32];
  unsigned size = sizeof expected;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(content.data()),
       content.size(), expected, &size);
  std::string rest = request.headers["webhook-signature"] + " ";
  for (auto end = rest.find(' '); end != std::string::npos; rest.erase(0, end + 1), end = rest.find(' ')) {
    const std::string given = rest.substr(0, end);
    const std::string signature = given.starts_with("v1,") ? decode_base64(given.substr(3)) : "";
    if (signature.size() == size && CRYPTO_memcmp(signature.data(), expected, size) == 0) return true;
  }
  return false;
}

// What was kept: a line for each webhook, synced before it is answered. Yours is a table with a unique key.
class Store {
 public:
  explicit Store(const std::string& path) : file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600)) {
    std::ifstream kept(path);
    for (std::string id; kept >> id; kept.ignore(1 << 24, '\n')) ids_.insert(id);
  }
  bool keep(const std::string& id, const std::string& body) {  // false if it was there already
    if (ids_.contains(id)) return false;
    const std::string line = id + " " + body + "\n";
    if (::write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size()) || ::fdatasync(file_) != 0)
      std::exit(1);
    return ids_.insert(id).second;
  }

 private:
  int file_;
  std::set<std::string> ids_;
};

// The text of a member of `data`; for this page. Use a JSON library.
std::string member(const std::string& json, const std::string& name) {
  const auto at = json.find("\"" + name + "\":\"");
  if (at == std::string::npos) return {};
  const auto start = at + name.size() + 4;
  return json.substr(start, json.find('"', start) - start);
}

std::optional<Request> read_request(int connection) {
  std::string text;
  char part[4096];
  std::size_t head = std::string::npos;
  std::size_t length = 0;
  Request request;
  while (head == std::string::npos || text.size() < head + 4 + length) {
    const auto size = ::read(connection, part, sizeof part);
    if (size <= 0) return std::nullopt;
    text.append(part, static_cast<std::size_t>(size));
    if (head != std::string::npos || (head = text.find("\r\n\r\n")) == std::string::npos) continue;
    for (auto at = text.find("\r\n"); at < head; at = text.find("\r\n", at + 2)) {
      const auto colon = text.find(':', at);
      std::string name = text.substr(at + 2, colon - at - 2);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      const auto value = text.find_first_not_of(' ', colon + 1);
      request.headers[name] = text.substr(value, text.find("\r\n", value) - value);
    }
    length = std::strtoul(request.headers["content-length"].c_str(), nullptr, 10);
  }
  request.body = text.substr(head + 4, length);
  return request;
}

int connect_to(const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  const auto colon = address.rfind(':');
  to.sin_port = htons(static_cast<std::uint16_t>(std::strtoul(address.c_str() + colon + 1, nullptr, 10)));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const int connection = ::socket(AF_INET, SOCK_STREAM, 0);
  return ::connect(connection, reinterpret_cast<sockaddr*>(&to), sizeof to) == 0 ? connection : -1;
}

// Tells resultsync that the item is in the record.
void acknowledge(const std::string& webhook) {
  const std::string server = std::getenv("RESULTSYNC_URL");
  const std::string body = R"({"practitioner":")" + member(webhook, "practitioner_id") + R"(","items":[")" +
                           member(webhook, "cursor") + "\"]}";
  const std::string request =
      "POST /v1/feed/ack HTTP/1.1\r\nHost: " + server + "\r\nAuthorization: Bearer " + std::getenv("RESULTSYNC_KEY") +
      "\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  const int connection = connect_to(server);
  char answer[4096];
  if (connection >= 0 && ::write(connection, request.data(), request.size()) > 0) {
    while (::read(connection, answer, sizeof answer) > 0) {
    }
  }
  ::close(connection);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string secret = std::getenv("WEBHOOK_SECRET");
  const std::string key = decode_base64(secret.substr(secret.starts_with("whsec_") ? 6 : 0));
  Store store(argc > 2 ? argv[2] : "webhooks.txt");
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  here.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  socklen_t size = sizeof here;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&here), size) != 0 || ::listen(listener, 64) != 0) return 1;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&here), &size);
  std::cout << "listening " << ntohs(here.sin_port) << std::endl;
  while (true) {
    const int connection = ::accept(listener, nullptr, nullptr);
    auto request = read_request(connection);
    const bool genuine = request && is_genuine(*request, key);
    const bool is_new = genuine && store.keep(request->headers["webhook-id"], request->body);
    const std::string answer = std::string("HTTP/1.1 ") + (genuine ? "200 OK" : "401 Unauthorized") +
                               "\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    if (request && ::write(connection, answer.data(), answer.size()) < 0) std::perror("answer");
    ::close(connection);
    if (!is_new || member(request->body, "cursor").empty()) continue;
    std::cout << member(request->body, "type") << ' ' << member(request->body, "order_id") << std::endl;
    acknowledge(request->body);
  }
}
