// /v1/stream.
#include "api/stream.hpp"

#include <algorithm>
#include <limits>
#include <mutex>
#include <optional>
#include <set>

#include "api/cursor.hpp"
#include "api/feed_page.hpp"
#include "api/service.hpp"
#include "runtime/log.hpp"

namespace resultsync::api {
namespace {

using http::BodyStream;
using Instant = FeedWaiters::Instant;

constexpr std::chrono::milliseconds kBusyPause{100};  // until a worker is asked for again
constexpr std::string_view kOpening = "retry: 2000\n: resultsync\n\n";
constexpr std::string_view kHeartbeat = ":\n\n";

Problem too_many_streams() {
  return {.status = 503,
          .code = "too_many_streams",
          .title = "As many streams are open as the service allows. Close some, or read the feed instead.",
          .retry_after_seconds = 5};
}

Problem stream_cursor_gone() {
  return {.status = 410,
          .code = "cursor_gone",
          .title =
              "The stream cannot go on from there: the cursor is another practitioner's, or from before the store was "
              "restored.",
          .restart =
              "Open the stream without `Last-Event-ID` and `after`, and pass by the items that are known already: the "
              "same source, event_id and ordered_test_id."};
}

Checked<std::vector<std::string>> practitioners_of(const Parameters& parameters) {
  std::vector<std::string> named = parameters.texts("practitioner");
  std::ranges::sort(named);
  const auto again = std::ranges::unique(named);
  named.erase(again.begin(), again.end());
  if (named.empty() || named.front().empty()) return std::unexpected(bad_parameter("practitioner", "is needed"));
  if (named.size() > kStreamPractitionersMax) {
    return std::unexpected(
        bad_parameter("practitioner", "may stand up to " + std::to_string(kStreamPractitionersMax) + " times"));
  }
  return named;
}

// Where the client stopped: what it says itself when it comes back goes before what the URL has said since the start.
Checked<std::optional<StreamCursor>> cursor_of(const Call& call) {
  std::optional<std::string> text = call.parameters.text("after");
  if (const auto last = call.headers.only("Last-Event-ID"); last && !last->empty()) text = std::string(*last);
  if (!text) return std::optional<StreamCursor>{};
  auto cursor = parse_stream_cursor(*text);
  if (!cursor) return std::unexpected(bad_cursor());
  return std::optional(std::move(*cursor));
}

Checked<StreamQuestion> read_question(Service& service, const Call& call) {
  const auto named = practitioners_of(call.parameters);
  if (!named) return std::unexpected(named.error());
  const auto cursor = cursor_of(call);
  if (!cursor) return std::unexpected(cursor.error());
  const auto current = call.parameters.flag("current");
  if (!current) return std::unexpected(current.error());
  const std::string type = call.parameters.text("type").value_or("");
  if (!type.empty() && type != "result" && type != "order") {
    return std::unexpected(bad_parameter("type", "must be result or order"));
  }
  const std::string from = call.parameters.text("from").value_or("start");
  if (from != "start" && from != "now") return std::unexpected(bad_parameter("from", "must be start or now"));

  const auto snapshot = service.context.views.snapshot();
  StreamQuestion question;
  question.type = type;
  question.current_only = *current;
  question.epoch = snapshot->feed_epoch();
  question.reach = call.caller.reach;
  for (const std::string& id : *named) {
    const AppPractitionerId practitioner(id);
    const auto row = connected_practitioner(*snapshot, practitioner, call.caller.reach);
    if (!row) return std::unexpected(row.error());
    std::int64_t position = from == "now" ? row->last_position : 0;
    if (*cursor) {
      const auto place = (*cursor)->position_of(question.epoch, practitioner, named->size() == 1);
      if (!place || *place > row->last_position) return std::unexpected(stream_cursor_gone());
      position = *place;
    }
    question.places.push_back({practitioner, position});
  }
  if (const auto ok = snapshot->status(); !ok) return std::unexpected(store_failed(ok.error()));
  return question;
}

std::string event_id(const StreamQuestion& question) {
  if (question.places.size() == 1) {
    const StreamPlace& only = question.places.front();
    return format(feed_cursor(question.epoch, only.practitioner, only.position));
  }
  StreamCursor cursor = stream_cursor(question.epoch);
  for (const StreamPlace& place : question.places) cursor.add(place.practitioner, place.position);
  return format(cursor);
}

}  // namespace

Reply get_stream(Service& service, const Call& call) {
  for (const std::string& practitioner : call.parameters.texts("practitioner")) {
    call.objects.add("practitioner", practitioner);
  }
  auto question = read_question(service, call);
  if (!question) return question.error();
  if (service.watch_stream) service.watch_stream(call, *question);
  auto stream = service.streams.open(std::move(*question));
  if (!stream) return too_many_streams();
  http::Response response;
  response.content_type = "text/event-stream";
  response.set_header("X-Accel-Buffering", "no");  // nginx would hold events back
  response.stream = std::move(stream);
  return response;
}

void append_event(std::string& out, std::string_view id, std::string_view type, std::string_view data) {
  if (!id.empty()) out.append("id: ").append(id).append("\n");
  if (!type.empty()) out.append("event: ").append(type).append("\n");
  while (!data.empty()) {
    const std::size_t end = std::min(data.find_first_of("\r\n"), data.size());
    if (end > 0) out.append("data: ").append(data.substr(0, end)).append("\n");  // an empty line of JSON says nothing
    data.remove_prefix(std::min(end + 1, data.size()));
  }
  out.append("\n");
}

// One stream. Its question belongs to whoever works on it, which is one at a time; what says who that is, is guarded.
struct Streams::Session {
  explicit Session(StreamQuestion q, std::atomic<std::size_t>& o) : question(std::move(q)), open(o) {}
  ~Session() { leave(); }
  void leave() {
    if (!left.exchange(true)) open.fetch_sub(1, std::memory_order_relaxed);
  }

  StreamQuestion question;
  std::weak_ptr<BodyStream> stream;  // belongs to the connection that sends it, and keeps this session
  std::atomic<std::size_t>& open;
  std::atomic<bool> left = false;
  Instant last_written = std::chrono::steady_clock::now();

  std::mutex mutex;
  bool works = false;    // a worker has it, or will; guarded by mutex
  bool waits = true;     // … for room; guarded by mutex
  bool drained = false;  // while it worked; guarded by mutex
};

struct Streams::Batch {
  std::string text;
  std::vector<std::string> orders;  // that it shows
  bool last = false;                // nobody is left whose items it could show
  std::optional<Error> failed;
};

Streams::Streams(const ApiContext& context, Submit submit, FeedWaiters::ReadPositions positions)
    : context_(context),
      submit_(std::move(submit)),
      open_gauge_(context.metrics.gauge("resultsync_api_streams", "Streams of feed items that are open.")),
      parked_(std::numeric_limits<std::size_t>::max(), std::move(positions),
              context.metrics.gauge("resultsync_api_streams_parked", "Open streams that have nothing to send.")) {}

Streams::~Streams() {
  stop();
}

std::shared_ptr<BodyStream> Streams::open(StreamQuestion question) {
  if (stopped_) return nullptr;
  if (open_.fetch_add(1, std::memory_order_relaxed) >= context_.streams_max) {
    open_.fetch_sub(1, std::memory_order_relaxed);
    return nullptr;
  }
  open_gauge_.set(static_cast<double>(open_.load(std::memory_order_relaxed)));
  const auto session = std::make_shared<Session>(std::move(question), open_);
  auto stream = std::make_shared<BodyStream>([this, session](BodyStream::Told what) { told(session, what); });
  session->stream = stream;
  // Taken whatever its size: nothing waits before it.
  [[maybe_unused]] const bool taken = stream->write(std::string(kOpening));
  return stream;
}

void Streams::wake() {
  parked_.wake();
}

void Streams::stop() {
  stopped_ = true;
  parked_.stop();
}

void Streams::told(const Shared& session, BodyStream::Told what) {
  if (what == BodyStream::Told::kGone) {
    session->leave();
    open_gauge_.set(static_cast<double>(open_.load(std::memory_order_relaxed)));
    return;
  }
  {
    const std::lock_guard lock(session->mutex);
    if (session->works) session->drained = true;
    if (!session->waits) return;
    session->waits = false;
    session->works = true;
  }
  work(session);
}

void Streams::work(const Shared& session) {
  const auto stream = session->stream.lock();
  if (!stream || stream->is_gone()) return;
  if (stopped_) return stream->end();
  if (submit_([this, session] { look(session); })) return;
  park(session, std::chrono::steady_clock::now() + kBusyPause, 0, false);
}

// With what is there already nothing is parked: `generation` is from before the look.
void Streams::look(const Shared& session) {
  if (session->stream.expired()) return;
  const std::uint64_t generation = parked_.generation();
  Batch batch = next_batch(*session);
  if (batch.failed) {
    runtime::log::warning("api.stream_failed", {{"code", batch.failed->code}});
    if (const auto stream = session->stream.lock()) stream->end();  // the client comes back, and is answered with why
    return;
  }
  const Instant heartbeat = session->last_written + context_.stream_heartbeat;
  if (batch.text.empty() && !batch.last) {
    if (std::chrono::steady_clock::now() < heartbeat) return park(session, heartbeat, generation, true);
    batch.text = kHeartbeat;
  }
  if (batch.orders.empty() || !session->question.record) return write(session, std::move(batch));
  const auto orders = batch.orders;
  session->question.record(orders, [this, session, batch = std::move(batch)](bool recorded) mutable {
    if (recorded) return write(session, std::move(batch));
    if (const auto stream = session->stream.lock()) stream->end();
  });
}

Streams::Batch Streams::next_batch(Session& session) const {
  StreamQuestion& question = session.question;
  Batch batch;
  if (question.still_allowed && !question.still_allowed()) {
    append_event(batch.text, {}, "closed", R"({"reason":"the key may not read this any more"})");
    batch.last = true;
    return batch;
  }
  struct Found {
    std::size_t place;
    FeedPage page;
    std::int64_t last_position;
    bool whole;  // all there was
  };
  std::vector<Found> found;
  std::set<std::size_t> disconnected;
  {
    const auto snapshot = context_.views.snapshot();
    std::size_t items = 0;
    for (std::size_t i = 0; i < question.places.size() && items < kBatchItemsMax; ++i) {
      const StreamPlace& place = question.places[i];
      const auto row = snapshot->practitioner(place.practitioner, question.reach);
      if (!row || row->connections.empty()) {
        disconnected.insert(i);
        continue;
      }
      if (row->last_position <= place.position) continue;
      const std::size_t limit = kBatchItemsMax - items;
      FeedPage page = FeedPage::load(*snapshot, *row, place.position, limit, question.reach);
      items += page.rows().size();
      const bool whole = page.rows().size() < limit;
      found.push_back({i, std::move(page), row->last_position, whole});
    }
    if (auto ok = snapshot->status(); !ok) {
      batch.failed = ok.error();
      return batch;
    }
  }

  const auto wanted = [&](const store::FeedRow& row) {
    return (question.type.empty() || question.type == orders::name_of(row.entry.notice.kind)) &&
           (row.current || !question.current_only);
  };
  Bodies bodies(context_.log);
  bool passed_by = false;  // items that the filter keeps back, after the last one that was written
  for (const Found& each : found) {
    StreamPlace& place = question.places[each.place];
    const auto& rows = each.page.rows();
    if (batch.text.size() <= kBatchBytesMax) each.page.look_ahead(bodies, wanted);
    std::size_t i = 0;
    for (; i < rows.size() && batch.text.size() <= kBatchBytesMax; ++i) {
      const store::FeedRow& row = rows[i];
      place.position = row.position;
      passed_by = true;
      if (!wanted(row)) continue;
      JsonWriter json;
      each.page.write_item(json, i, bodies);
      append_event(batch.text, event_id(question), orders::name_of(row.entry.notice.kind), json.text());
      if (std::ranges::find(batch.orders, row.order.text()) == batch.orders.end())
        batch.orders.push_back(row.order.text());
      passed_by = false;
    }
    if (i == rows.size() && each.whole && place.position < each.last_position) {
      place.position = each.last_position;  // what came by connections that have ended
      passed_by = true;
    }
  }
  // An id without data moves the client's place and is no event to it.
  if (passed_by) append_event(batch.text, event_id(question), {}, {});

  for (auto i = disconnected.rbegin(); i != disconnected.rend(); ++i) {
    JsonWriter json;
    json.begin_object().member("practitioner", question.places[*i].practitioner.text()).end_object();
    append_event(batch.text, {}, "disconnected", json.text());
    question.places.erase(question.places.begin() + static_cast<std::ptrdiff_t>(*i));
  }
  batch.last = question.places.empty();
  return batch;
}

void Streams::write(const Shared& session, Batch batch) {
  const auto stream = session->stream.lock();
  if (!stream) return;
  session->last_written = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(session->mutex);
    session->drained = false;
  }
  if (!batch.text.empty() && !stream->write(std::move(batch.text))) return stream->end();
  if (batch.last) return stream->end();
  bool go_on = false;
  {
    const std::lock_guard lock(session->mutex);
    go_on = session->drained;
    session->works = go_on;
    session->waits = !go_on;
  }
  if (go_on) work(session);
}

void Streams::park(const Shared& session, Instant deadline, std::uint64_t generation, bool for_news) {
  FeedWaiters::Waiter waiter;
  for (const StreamPlace& place : session->question.places) {
    if (for_news) waiter.feeds.push_back({place.practitioner, place.position});
  }
  waiter.generation = generation;
  waiter.deadline = deadline;
  waiter.ended = [this, session](FeedWaiters::Ended ended) {
    if (ended != FeedWaiters::Ended::kStopped) return work(session);
    if (const auto stream = session->stream.lock()) stream->end();
  };
  [[maybe_unused]] const bool parked = parked_.park(waiter);  // it has room for any number
}

}  // namespace resultsync::api
