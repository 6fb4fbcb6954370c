#include "http/server_connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <cstring>

#include "http/target.hpp"

namespace resultsync::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kBodyFirstBytes = 64 * 1024;    // what a declared body gets before it has shown that it comes
constexpr std::size_t kChunkedFirstBytes = 4 * 1024;  // what a chunked one gets, whose length nobody knows
constexpr std::chrono::seconds kCoolAfter{1};         // the buffer of an idle connection is let go
// A client that is still sending must be let finish, or the reset that follows a close would destroy the answer it has
// not read yet (RFC 9112 §9.6); but not for ever.
constexpr std::chrono::seconds kLingerTimeout{2};
constexpr std::size_t kLingerBytesMax = 64 * 1024 * 1024;
// What a client may say while an answer streams to it (the next request, which is never read).
constexpr std::size_t kWatchBytes = 1024;
constexpr std::size_t kWatchedBytesMax = 64 * 1024;
constexpr std::size_t kOneRecordBytes = 16 * 1024 - 1024;  // of a TLS record, with room for the head
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

Response overloaded(std::string_view code, std::string_view title) {
  Response response = problem(503, code, title);
  response.set_header("Retry-After", "1");
  return response;
}

// The request whose handler this thread is inside of, so that an answer given there needs no way round through the
// mailbox.
struct Handling {
  const Mailbox* mailbox;
  std::uint64_t connection;
  std::uint64_t request;
  std::optional<Response> answer;
};
thread_local Handling* t_handling = nullptr;

// What a Responder does with the answer. It also holds the request's share of the body budget until then.
struct SendAnswer {
  std::shared_ptr<Mailbox> mailbox;  // shared with the loop, which it may outlive
  std::uint64_t connection;
  std::uint64_t request;
  BodyShare share;

  void operator()(Response response) {
    if (t_handling != nullptr && t_handling->mailbox == mailbox.get() && t_handling->connection == connection &&
        t_handling->request == request) {
      t_handling->answer = std::move(response);
    } else {
      mailbox->post({connection, request, std::move(response)});
    }
    share.release();
  }
};

}  // namespace

void ReadBuffer::allocate(std::size_t capacity) {
  if (bytes_) return;
  bytes_ = std::make_unique_for_overwrite<char[]>(capacity);
  capacity_ = capacity;
  clear();
}

void ReadBuffer::free() {
  bytes_.reset();
  capacity_ = 0;
  clear();
}

void ReadBuffer::consume(std::size_t count) {
  begin_ += count;
  if (begin_ == end_) clear();
}

ReadBuffer::Space ReadBuffer::space() {
  if (begin_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {bytes_.get() + end_, capacity_ - end_};
}

ServerConnection::ServerConnection(Loop& loop, std::uint64_t id, Transport transport, std::string peer)
    : loop_(loop), id_(id), transport_(std::move(transport)), peer_(std::move(peer)) {}

void ServerConnection::start() {
  deadline_ = std::chrono::steady_clock::now() + loop_.listener().options.head_timeout;
  head_timed_ = true;
  if (!transport_.is_tls()) return read();
  phase_ = Phase::kHandshake;
  transport_.handshake([self = shared_from_this()](const error_code& error) {
    if (self->phase_ != Phase::kHandshake) return;
    if (error) return self->close();
    self->phase_ = Phase::kHead;
    self->read();
  });
}

void ServerConnection::turn_away() {
  if (transport_.is_tls()) return close();  // a handshake only to say no is what a flood would like us to do
  refuse(Refusal::kTooManyConnections,
         overloaded("too_many_connections", "The service has as many connections as it can hold."));
}

void ServerConnection::answer(std::uint64_t request, Response response) {
  if (phase_ != Phase::kHandling || request != request_) return;
  if (write(std::move(response))) advance();
}

void ServerConnection::begin_drain() {
  if (phase_ == Phase::kStreaming) {
    streaming_->stream->end();
    return pump();
  }
  const bool nothing_asked =
      phase_ == Phase::kIdle || phase_ == Phase::kHandshake || (phase_ == Phase::kHead && input_.unread().empty());
  if (!nothing_asked) return;
  if (!transport_.has_unread()) close();  // else a request has arrived, and is still answered
}

void ServerConnection::close() {
  if (phase_ == Phase::kClosed) return;
  phase_ = Phase::kClosed;
  transport_.close();
  const auto stream = streaming_ ? streaming_->stream : nullptr;
  loop_.forget(id_);  // may be the end of this connection
  if (stream) stream->gone();
}

bool ServerConnection::is_late(SteadyTime now) const {
  return phase_ != Phase::kHandling && now >= deadline_;
}

void ServerConnection::end_late() {
  switch (phase_) {
    case Phase::kHead:
    case Phase::kBody:
      refuse(Refusal::kTimeout, problem(408, "request_timeout", "The request did not arrive in time."));
      break;
    case Phase::kHandshake:
    case Phase::kIdle:
    case Phase::kWriting:
    case Phase::kStreaming:
    case Phase::kLingering:
      close();
      break;
    case Phase::kHandling:
    case Phase::kClosed:
      break;
  }
}

bool ServerConnection::cool(SteadyTime now) {
  if (phase_ != Phase::kIdle || !reading_ || waiting_ || cooling_) return false;
  if (now < deadline_ - loop_.listener().options.idle_timeout + kCoolAfter) return false;
  cooling_ = true;
  transport_.cancel();  // received() goes on from there
  return true;
}

void ServerConnection::advance() {
  while (step()) {
  }
}

bool ServerConnection::step() {
  switch (phase_) {
    case Phase::kIdle:
      if (!input_.unread().empty()) {
        phase_ = Phase::kHead;
        return true;
      }
      read();
      return false;
    case Phase::kHead:
      return take_head();
    case Phase::kBody:
      return take_body();
    case Phase::kHandshake:
    case Phase::kHandling:
    case Phase::kWriting:
    case Phase::kStreaming:
    case Phase::kLingering:
    case Phase::kClosed:
      return false;
  }
  return false;
}

bool ServerConnection::take_head() {
  const ServerOptions& options = loop_.listener().options;
  if (may_skip_line_ && input_.unread().starts_with("\r\n")) {
    input_.consume(2);
    may_skip_line_ = false;
  }
  const std::string_view unread = input_.unread();
  std::optional<std::size_t> end;
  if (!unread.empty() && !(may_skip_line_ && unread == "\r")) {
    auto found = scanner_.find_end(unread);
    if (!found) return refuse_framing(found.error());
    end = *found;
    may_skip_line_ = false;
  }
  if (!end) {
    if (unread.size() >= options.head_bytes_max) {
      return refuse(Refusal::kHeaderTooLarge,
                    problem(431, "head_too_large", "The headers of the request are too large."));
    }
    if (!head_timed_) {
      deadline_ = std::chrono::steady_clock::now() + options.head_timeout;
      head_timed_ = true;
    }
    read();
    return false;
  }
  const auto head = check_request_head(unread.substr(0, *end));
  if (!head) return refuse_framing(head.error());
  const bool going_on = begin_body(*head);
  if (phase_ == Phase::kBody) input_.consume(*end);
  return going_on;
}

bool ServerConnection::begin_body(const RequestHead& head) {
  incoming_ = std::make_unique<Incoming>();
  incoming_->head_request = head.method == "HEAD";
  incoming_->http_1_0 = head.http_1_0;
  incoming_->persistence = !head.keep_alive ? Persistence::kClose
                           : head.http_1_0  ? Persistence::kKeepAliveHttp10
                                            : Persistence::kKeepAlive;
  incoming_->framing = head.body;
  incoming_->share = BodyShare(loop_.listener().budget);

  const Target target = split_target(head.target);
  auto path = decode_path(target.path);
  if (!path || !decode_query_part(target.query)) {
    return refuse_framing({"bad_target", "the target of the request is not percent-encoded UTF-8 text"});
  }
  if (head.expectation == Expectation::kUnknown) {
    return refuse(Refusal::kBadFraming,
                  problem(417, "unknown_expectation", "The only expectation known here is 100-continue."));
  }
  if (head.content_length > loop_.listener().options.body_bytes_max) return refuse_body_too_large();

  Request& request = incoming_->request;
  request.method = head.method;
  request.target = head.target;
  request.path = std::move(*path);
  request.peer = peer_;
  for (const FieldView& field : head.fields) request.headers.add(std::string(field.name), std::string(field.value));
  incoming_->length = static_cast<std::size_t>(head.content_length);

  phase_ = Phase::kBody;
  // Room first: a client that waits for our word should not hear "go on" and then "no".
  if (head.body == BodyFraming::kContentLength && !make_room(1)) return false;
  if (head.expectation == Expectation::kContinue && head.body != BodyFraming::kNone) {
    error_code error;
    if (transport_.write_some({asio::buffer(kContinue), {}}, error) != kContinue.size()) {
      close();  // a client that lets 25 bytes wait does not read
      return false;
    }
  }
  return true;
}

bool ServerConnection::take_body() {
  Incoming& incoming = *incoming_;
  if (incoming.framing == BodyFraming::kChunked) return take_chunks();
  if (incoming.framing == BodyFraming::kNone) return handle();

  const std::string_view unread = input_.unread().substr(0, incoming.length - incoming.received);
  if (!unread.empty()) {
    if (!make_room(incoming.received + unread.size())) return false;
    std::memcpy(incoming.request.body.data() + incoming.received, unread.data(), unread.size());
    incoming.received += unread.size();
    input_.consume(unread.size());
  }
  if (incoming.received == incoming.length) return handle();
  if (!make_room(incoming.received + 1)) return false;
  await_body();
  return false;
}

bool ServerConnection::take_chunks() {
  Incoming& incoming = *incoming_;
  while (!input_.unread().empty()) {
    const auto step = incoming.chunks.next(input_.unread());
    if (!step) return refuse_framing(step.error());
    if (step->data.size() > loop_.listener().options.body_bytes_max - incoming.received) return refuse_body_too_large();
    if (!step->data.empty()) {
      if (!make_room(incoming.received + step->data.size())) return false;
      std::memcpy(incoming.request.body.data() + incoming.received, step->data.data(), step->data.size());
      incoming.received += step->data.size();
    }
    input_.consume(step->consumed);
    if (step->done) {
      incoming.request.body.resize(incoming.received);
      return handle();
    }
  }
  await_body();
  return false;
}

// Makes the body long enough for `bytes`, ahead of what has come in doubling steps, so that neither a large
// Content-Length alone takes memory nor a slow arrival copies much. False: the listener has no room, and the request
// was refused.
bool ServerConnection::make_room(std::size_t bytes) {
  std::string& body = incoming_->request.body;
  if (body.size() >= bytes) return true;
  const bool declared = incoming_->framing == BodyFraming::kContentLength;
  const std::size_t first = declared ? kBodyFirstBytes : kChunkedFirstBytes;
  const std::size_t most = declared ? incoming_->length : loop_.listener().options.body_bytes_max;
  const std::size_t size = std::min(most, std::max({bytes, 2 * body.size(), first}));
  if (!incoming_->share.grow_to(size)) {
    refuse(Refusal::kOverloaded,
           overloaded("overloaded", "The service holds as many requests as it can; try again soon."));
    return false;
  }
  // Not filled: it is written to before it is read from. (libstdc++ 12 hands the function its capacity where the size
  // should be.)
  body.resize_and_overwrite(size, [size](char*, std::size_t) { return size; });
  return true;
}

void ServerConnection::await_body() {
  if (incoming_->body_start == SteadyTime{}) incoming_->body_start = std::chrono::steady_clock::now();
  deadline_ = deadline_of_transfer(incoming_->body_start, loop_.listener().options.body_timeout, incoming_->received);
  read();
}

SteadyTime ServerConnection::deadline_of_transfer(SteadyTime start, std::chrono::seconds timeout,
                                                  std::size_t bytes) const {
  const std::size_t rate = std::max<std::size_t>(1, loop_.listener().options.body_bytes_per_second_min);
  return start + timeout + std::chrono::seconds(bytes / rate);
}

bool ServerConnection::handle() {
  phase_ = Phase::kHandling;
  ++request_;
  Handling handling{.mailbox = loop_.mailbox().get(), .connection = id_, .request = request_, .answer = {}};
  t_handling = &handling;
  loop_.listener().handler(std::move(incoming_->request),
                           Responder(SendAnswer{loop_.mailbox(), id_, request_, std::move(incoming_->share)}));
  t_handling = nullptr;
  return handling.answer && write(std::move(*handling.answer));
}

bool ServerConnection::write(Response response) {
  phase_ = Phase::kWriting;
  Persistence persistence = incoming_ ? incoming_->persistence : Persistence::kClose;
  if (response.close || loop_.draining()) persistence = Persistence::kClose;
  close_after_ = persistence == Persistence::kClose;

  std::string& head = loop_.head_buffer();
  head.clear();
  const bool with_body = status_has_body(final_status(response.status)) && !(incoming_ && incoming_->head_request);
  if (response.stream && with_body) return begin_stream(response);
  if (response.stream) response.stream->gone();
  append_response_head(head, response, persistence, loop_.date());
  if (!with_body) response.body.clear();
  if (transport_.is_tls() && response.body.size() <= kOneRecordBytes) {
    head.append(std::exchange(response.body, {}));  // TLS would make two records of them, and two system calls
  }

  const Transport::Buffers buffers{asio::buffer(head), asio::buffer(response.body)};
  error_code error;
  const std::size_t written = transport_.write_some(buffers, error);
  if (error && error != asio::error::would_block) {
    close();
    return false;
  }
  if (written == head.size() + response.body.size()) return finish_answer();
  outgoing_ = std::make_unique<Outgoing>(head, std::move(response.body), written, std::chrono::steady_clock::now());
  write_rest();
  return false;
}

void ServerConnection::write_rest() {
  const std::size_t total = outgoing_->head.size() + outgoing_->body.size();
  if (outgoing_->written == total) {
    outgoing_.reset();
    if (finish_answer()) advance();
    return;
  }
  deadline_ = deadline_of_transfer(outgoing_->start, loop_.listener().options.write_timeout, outgoing_->written);
  const std::size_t of_head = std::min(outgoing_->written, outgoing_->head.size());
  const Transport::Buffers buffers{asio::buffer(outgoing_->head) + of_head,
                                   asio::buffer(outgoing_->body) + (outgoing_->written - of_head)};
  transport_.async_write_some(buffers, [self = shared_from_this()](const error_code& error, std::size_t count) {
    if (self->phase_ == Phase::kClosed) return;
    if (error) return self->close();
    self->outgoing_->written += count;
    self->write_rest();
  });
}

// The head of a streamed answer, and from then on what its writer gives. Always the last answer of its connection.
bool ServerConnection::begin_stream(Response& response) {
  phase_ = Phase::kStreaming;
  deadline_ = SteadyTime::max();
  streaming_ = std::make_unique<Streaming>();
  streaming_->stream = std::move(response.stream);
  streaming_->chunked = incoming_ && !incoming_->http_1_0;
  append_stream_head(streaming_->out, response, streaming_->chunked, loop_.date());
  if (incoming_) incoming_->share.release();
  streaming_->stream->attach(loop_.mailbox(), id_);
  watch();
  pump();
  return false;
}

void ServerConnection::stream_grew() {
  if (phase_ == Phase::kStreaming) pump();
}

// Sends what there is; comes back when the socket takes more, or when there is more.
void ServerConnection::pump() {
  Streaming& streaming = *streaming_;
  if (streaming.writing) return;
  while (true) {
    if (streaming.written == streaming.out.size() && !refill()) return;
    error_code error;
    const Transport::Buffers buffers{asio::buffer(streaming.out) + streaming.written, {}};
    const std::size_t count = transport_.write_some(buffers, error);
    streaming.written += count;
    if (error == asio::error::would_block) break;
    if (error) return close();
  }
  streaming.writing = true;
  deadline_ = std::chrono::steady_clock::now() + loop_.listener().options.write_timeout;
  const Transport::Buffers buffers{asio::buffer(streaming.out) + streaming.written, {}};
  transport_.async_write_some(buffers, [self = shared_from_this()](const error_code& error, std::size_t count) {
    if (self->phase_ != Phase::kStreaming) return;
    if (error) return self->close();
    self->streaming_->writing = false;
    self->streaming_->written += count;
    self->pump();
  });
}

// Takes the next piece from the writer; false if there is none yet, or the answer is whole.
bool ServerConnection::refill() {
  Streaming& streaming = *streaming_;
  deadline_ = SteadyTime::max();
  if (streaming.last) {
    streaming.stream->gone();
    linger();
    return false;
  }
  if (!streaming.out.empty()) {
    streaming.out.clear();
    streaming.written = 0;
    const auto keep = shared_from_this();
    streaming.stream->sent();
  }
  BodyStream::Taken taken = streaming.stream->take();
  streaming.last = taken.ended;
  if (!streaming.chunked) {
    streaming.out = std::move(taken.bytes);
  } else {
    if (!taken.bytes.empty()) append_chunk(streaming.out, taken.bytes);
    if (taken.ended && !taken.broken) streaming.out.append("0\r\n\r\n");
  }
  return !streaming.out.empty() || (streaming.last && refill());
}

// While an answer streams, its client has nothing to say but that it goes.
void ServerConnection::watch() {
  if (reading_) return;
  reading_ = true;
  input_.allocate(loop_.listener().options.head_bytes_max);
  input_.clear();
  const ReadBuffer::Space space = input_.space();
  transport_.async_read_some(asio::buffer(space.data, std::min(space.size, kWatchBytes)),
                             [self = shared_from_this()](const error_code& error, std::size_t count) {
                               self->reading_ = false;
                               self->received(error, count);
                             });
}

// True if the connection may go on with its next request.
bool ServerConnection::finish_answer() {
  if (close_after_) return linger();
  incoming_.reset();
  scanner_ = {};
  may_skip_line_ = true;
  head_timed_ = false;
  deadline_ = std::chrono::steady_clock::now() + loop_.listener().options.idle_timeout;
  phase_ = Phase::kIdle;
  return true;
}

bool ServerConnection::linger() {
  error_code error;
  transport_.shutdown_send(error);
  if (error) {
    close();
    return false;
  }
  phase_ = Phase::kLingering;
  deadline_ = std::chrono::steady_clock::now() + kLingerTimeout;
  if (!reading_) discard(0);
  return false;
}

bool ServerConnection::refuse(Refusal refusal, Response response) {
  loop_.refused(refusal);
  response.close = true;
  if (incoming_ && !reading_) {  // while a read is pending, the body is its target and must stay
    incoming_->request.body = {};
    incoming_->share.release();
  }
  return write(std::move(response));
}

bool ServerConnection::refuse_framing(const Error& error) {
  if (error.code == "too_many_fields") {
    return refuse(Refusal::kHeaderTooLarge, problem(431, error.code, error.message));
  }
  return refuse(Refusal::kBadFraming, problem(400, error.code, error.message));
}

bool ServerConnection::refuse_body_too_large() {
  return refuse(Refusal::kBodyTooLarge, problem(413, "body_too_large", "The body of the request is too large."));
}

void ServerConnection::read() {
  const bool straight_into_body = phase_ == Phase::kBody && incoming_->framing == BodyFraming::kContentLength;
  if (straight_into_body) {
    std::string& body = incoming_->request.body;
    read_into({body.data() + incoming_->received, body.size() - incoming_->received});
  } else if (input_.allocated()) {
    read_into(input_.space());
  } else {
    wait_until_readable();
  }
}

void ServerConnection::read_into(ReadBuffer::Space space) {
  reading_ = true;
  transport_.async_read_some(asio::buffer(space.data, space.size),
                             [self = shared_from_this()](const error_code& error, std::size_t count) {
                               self->reading_ = false;
                               self->received(error, count);
                             });
}

// Costs one system call more than a read, and no memory: for connections that may stay silent.
void ServerConnection::wait_until_readable() {
  reading_ = waiting_ = true;
  transport_.async_wait_readable([self = shared_from_this()](const error_code& error) {
    self->reading_ = self->waiting_ = false;
    if (self->phase_ == Phase::kClosed) return;
    if (error) return self->close();
    self->input_.allocate(self->loop_.listener().options.head_bytes_max);
    if (self->phase_ != Phase::kWriting) self->read();
  });
}

void ServerConnection::received(const error_code& error, std::size_t count) {
  const bool cooled = std::exchange(cooling_, false) && error == asio::error::operation_aborted;
  if (phase_ == Phase::kClosed) return;
  if (phase_ == Phase::kWriting) return;  // a refused request goes on arriving; linger() reads it away
  if (cooled) {
    input_.free();
    return wait_until_readable();
  }
  if (error) return close();  // the end of the stream too: what is not whole now never will be
  if (phase_ == Phase::kStreaming) {
    watched_bytes_ += count;
    return watched_bytes_ > kWatchedBytesMax ? close() : watch();
  }
  if (phase_ == Phase::kLingering) return discard(count);
  if (phase_ == Phase::kBody && incoming_->framing == BodyFraming::kContentLength) {
    incoming_->received += count;
  } else {
    input_.filled(count);
  }
  advance();
}

void ServerConnection::discard(std::size_t count) {
  lingered_bytes_ += count;
  if (lingered_bytes_ > kLingerBytesMax) return close();
  input_.clear();
  read();
}

}  // namespace resultsync::http
