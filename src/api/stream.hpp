// Live streams: the items of /v1/feed as server-sent events (WHATWG HTML §9.2), for as long as a client listens. No
// thread belongs to a stream. One is always in just one of three states: it works (a worker reads a batch and writes
// it), waits for room (the client has not taken the batch yet), or is parked until there is news or a heartbeat is due.
// So a slow reader costs one batch, and an idle one a few hundred bytes (P3).
//
//           ┌──────────── news, heartbeat ────────────┐
//           ▼                                         │
//   open ─▶ works ─wrote─▶ waits for room ─drained─▶ works ─nothing─▶ parked
//
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/api.hpp"
#include "api/waiters.hpp"
#include "base/ids.hpp"
#include "http/body_stream.hpp"
#include "store/reach.hpp"

namespace resultsync::api {

inline constexpr std::size_t kStreamPractitionersMax = 50;
inline constexpr std::size_t kBatchItemsMax = 100;
inline constexpr std::size_t kBatchBytesMax = 64 * 1024;  // a batch ends after the item that goes beyond this

// Whose items a stream shows, from where on.
struct StreamPlace {
  AppPractitionerId practitioner;
  std::int64_t position = 0;  // everything up to it has been written
};

struct StreamQuestion {
  std::vector<StreamPlace> places;  // at least one; each practitioner once
  std::string type;                 // "result" or "order"; empty: both
  bool current_only = false;
  std::string epoch;  // of the feeds, when the stream was opened
  store::Reach reach;
  // Before items of these orders are shown: calls `then` once that is on record (P5), with false if they must not be
  // shown. Empty: nothing is recorded.
  using Then = std::move_only_function<void(bool)>;
  std::function<void(const std::vector<std::string>& orders, Then then)> record = {};
  std::function<bool()> still_allowed = {};  // asked before each look; empty: always
};

class Streams {
 public:
  // Has a task run on the API's workers; false if they are too busy. `positions` as of FeedWaiters.
  using Submit = std::function<bool(std::move_only_function<void()>)>;
  Streams(const ApiContext& context, Submit submit, FeedWaiters::ReadPositions positions);
  ~Streams();  // stops

  // A stream that begins once it is a part of an answer; null if there are too many. Any thread.
  std::shared_ptr<http::BodyStream> open(StreamQuestion question);
  void wake();  // feeds may have grown, or practitioners may have gone; any thread; never blocks for long
  void stop();  // ends all of them; more than once is fine

 private:
  struct Session;
  using Shared = std::shared_ptr<Session>;
  struct Batch;

  void told(const Shared& session, http::BodyStream::Told told);
  void work(const Shared& session);
  void look(const Shared& session);
  Batch next_batch(Session& session) const;
  void write(const Shared& session, Batch batch);
  void park(const Shared& session, FeedWaiters::Instant deadline, std::uint64_t generation, bool for_news);

  const ApiContext& context_;
  const Submit submit_;
  runtime::Gauge open_gauge_;
  std::atomic<std::size_t> open_ = 0;
  std::atomic<bool> stopped_ = false;
  FeedWaiters parked_;
};

// One event: `data` may have several lines.
void append_event(std::string& out, std::string_view id, std::string_view type, std::string_view data);

}  // namespace resultsync::api
