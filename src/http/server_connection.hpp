// One connection of a listener: reads a request, has it handled, writes the answer, and begins anew. One request at a
// time: what a client pipelines waits in the socket, so a client that does not read its answers is not read from either
// (P3).
//
// With TLS, kHandshake comes before the first kHead, and all bytes go through transport.hpp.
//
//   kIdle ─bytes─▶ kHead ─▶ kBody ─▶ kHandling ─answer─▶ kWriting ─┬─▶ kIdle
//     │ late          └─refused─┴──────────────────────────▲       └─close─▶ kLingering ─▶ kClosed
//     └─▶ kClosed
//
// A streamed answer (body_stream.hpp) is kStreaming in the place of kWriting: fed through the same mailbox, and always
// the last of its connection.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/body_stream.hpp"
#include "http/budget.hpp"
#include "http/framing.hpp"
#include "http/message.hpp"
#include "http/response_head.hpp"
#include "http/server_loop.hpp"
#include "http/transport.hpp"

namespace resultsync::http {

// Bytes that were read and not yet used, in a buffer of fixed size that exists only while there is something to read
// into it.
class ReadBuffer {
 public:
  [[nodiscard]] bool allocated() const { return bytes_ != nullptr; }
  void allocate(std::size_t capacity);
  void free();
  [[nodiscard]] std::string_view unread() const { return {bytes_.get() + begin_, end_ - begin_}; }
  void consume(std::size_t count);
  void clear() { begin_ = end_ = 0; }
  // Room for more, after moving what is unread to the front; empty when the buffer is full.
  struct Space {
    char* data;
    std::size_t size;
  };
  Space space();
  void filled(std::size_t count) { end_ += count; }

 private:
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// All of it belongs to the thread of its loop.
class ServerConnection : public std::enable_shared_from_this<ServerConnection> {
 public:
  ServerConnection(Loop& loop, std::uint64_t id, Transport transport, std::string peer);

  void start();
  void turn_away();                                       // one too many: 503, and closed
  void answer(std::uint64_t request, Response response);  // ignored unless that request is being handled
  void stream_grew();                                     // there may be more of the streamed answer to send
  void begin_drain();                                     // the listener stops
  void close();

  [[nodiscard]] bool is_late(SteadyTime now) const;
  void end_late();
  // Lets the read buffer go when nothing has come for a while, so that an idle connection is small. True if it did.
  bool cool(SteadyTime now);

 private:
  enum class Phase { kHandshake, kIdle, kHead, kBody, kHandling, kWriting, kStreaming, kLingering, kClosed };

  // The way through a request. Each does what it can with the bytes at hand; true: something changed, go on.
  void advance();
  bool step();
  bool take_head();
  bool begin_body(const RequestHead& head);
  bool take_body();
  bool take_chunks();
  bool handle();
  bool write(Response response);
  bool begin_stream(Response& response);
  void pump();
  bool refill();
  void watch();
  bool finish_answer();
  bool linger();

  bool refuse(Refusal refusal, Response response);
  bool refuse_framing(const Error& error);
  bool refuse_body_too_large();
  [[nodiscard]] bool make_room(std::size_t bytes);

  void read();
  void read_into(ReadBuffer::Space space);
  void wait_until_readable();
  void received(const boost::system::error_code& error, std::size_t count);
  void discard(std::size_t count);
  void await_body();
  void write_rest();
  [[nodiscard]] SteadyTime deadline_of_transfer(SteadyTime start, std::chrono::seconds timeout,
                                                std::size_t bytes) const;

  struct Incoming {
    Request request;
    BodyFraming framing = BodyFraming::kNone;
    std::size_t length = 0;    // what Content-Length said
    std::size_t received = 0;  // so many bytes of request.body are real
    ChunkDecoder chunks;
    BodyShare share;
    SteadyTime body_start{};  // when its first wait began
    bool head_request = false;
    bool http_1_0 = false;
    Persistence persistence = Persistence::kKeepAlive;
  };

  Loop& loop_;
  const std::uint64_t id_;
  Transport transport_;
  const std::string peer_;
  Phase phase_ = Phase::kHead;
  SteadyTime deadline_{};
  ReadBuffer input_;
  bool reading_ = false;       // a read or a wait is pending; it ends by itself or with the socket
  bool waiting_ = false;       // … only for readability
  bool cooling_ = false;       // … and was cancelled to let the buffer go
  bool close_after_ = false;   // after the answer that is being written
  bool may_skip_line_ = true;  // one empty line may precede a request (RFC 9112 §2.2)
  bool head_timed_ = false;    // deadline_ is that of the head
  std::size_t lingered_bytes_ = 0;
  std::size_t watched_bytes_ = 0;
  HeadScanner scanner_;
  std::unique_ptr<Incoming> incoming_;  // while a request is read or handled
  std::uint64_t request_ = 0;           // counts requests, so that a late second answer meets nobody

  // What the socket would not take at once.
  struct Outgoing {
    std::string head, body;
    std::size_t written = 0;
    SteadyTime start{};
  };
  std::unique_ptr<Outgoing> outgoing_;

  // An answer that goes on.
  struct Streaming {
    std::shared_ptr<BodyStream> stream;  // shared with whoever writes it
    bool chunked = true;                 // HTTP/1.0 ends with the connection
    bool writing = false;                // the socket has not taken all of `out` yet
    bool last = false;                   // nothing follows `out`
    std::string out;
    std::size_t written = 0;
  };
  std::unique_ptr<Streaming> streaming_;
};

}  // namespace resultsync::http
