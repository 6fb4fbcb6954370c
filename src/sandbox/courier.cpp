#include "sandbox/courier.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "orders/json_body.hpp"
#include "runtime/threads.hpp"
#include "sandbox/numbers.hpp"

namespace resultsync::sandbox {
namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kFirstWait = 30 * kSecond;
constexpr std::int64_t kLongestWait = 6LL * 3600 * kSecond;
constexpr std::int64_t kGiveUpAfter = 3LL * 86'400 * kSecond;
constexpr std::int64_t kHeldAtMost = 6LL * 3600 * kSecond;  // by bursts and reordering, when nothing follows

Timestamp plus(Timestamp time, std::int64_t microseconds) {
  return {time.microseconds + microseconds};
}

std::int64_t wait_after(int failures) {
  return std::min(kLongestWait, kFirstWait << std::min(failures - 1, 12));
}

}  // namespace

std::string_view delivery_state_name(DeliveryState state) {
  constexpr std::string_view kNames[] = {"waiting", "done", "given_up", "lost"};
  return kNames[static_cast<int>(state)];
}

std::string_view attempt_kind_name(AttemptKind kind) {
  constexpr std::string_view kNames[] = {"ordinary", "tampered", "duplicate", "replay"};
  return kNames[static_cast<int>(kind)];
}

Result<void> check_target(const std::string& url, bool allow_remote) {
  const auto parsed = http::parse_url(url);
  if (!parsed) return fail("bad_url", "the webhook is no http address", parsed.error().text());
  const bool loopback = parsed->host.starts_with("127.") || parsed->host == "::1" || parsed->host == "localhost";
  if (!loopback && !allow_remote)
    return fail("remote_target", "the sandbox sends to this machine only", "--allow-remote lifts that");
  return {};
}

Courier::Courier(CourierOptions options, const SimulatedClock& clock, const runtime::Clock& real)
    : options_(std::move(options)), clock_(clock), real_(real) {
  for (unsigned i = 0; i < std::clamp(options_.threads, 1U, 64U); ++i)
    threads_.push_back(runtime::start_thread("sandbox-send", [this](std::stop_token stop) { work(stop); }));
}

Courier::~Courier() {
  for (auto& thread : threads_) thread.request_stop();
}

void Courier::set_url(std::optional<std::string> url) {
  const std::lock_guard lock(mutex_);
  url_ = std::move(url);
  wake_workers();
}

std::optional<std::string> Courier::url() const {
  const std::lock_guard lock(mutex_);
  return url_;
}

void Courier::set_switches(const Switches& switches) {
  const std::lock_guard lock(mutex_);
  switches_ = switches;
  if (static_cast<std::int64_t>(gathering_.size()) >= switches_.burst) release_burst();
  wake_workers();
}

void Courier::wake() {
  const std::lock_guard lock(mutex_);
  wake_workers();
}

void Courier::wake_workers() {
  ++wakes_;
  wake_.notify_all();
}

std::uint64_t Courier::take(Parcel parcel) {
  const std::lock_guard lock(mutex_);
  const Timestamp now = clock_.now();
  Item& item = items_.emplace_back();
  item.shown = {.number = items_.size(),
                .event = std::move(parcel.event),
                .type = std::move(parcel.type),
                .order = std::move(parcel.order),
                .clinic = std::move(parcel.clinic),
                .created = now,
                .state = DeliveryState::kWaiting,
                .next = {},
                .attempts = {}};
  item.body = std::move(parcel.body);
  const std::string& event = item.shown.event;
  by_event_[event] = item.shown.number;
  if (parcel.lost || drawn(switches_.loss, options_.seed, "loss", event)) {
    item.shown.state = DeliveryState::kLost;
    ++counts_.lost;
    return item.shown.number;
  }
  ++counts_.waiting;
  open_of_clinic_[item.shown.clinic].insert(item.shown.number);
  Timestamp at = now;
  if (switches_.delay_seconds > 0) {
    const double share = static_cast<double>(mixed(options_.seed, "delay/" + event) % 1'000'000) / 1e6;
    at = plus(at, static_cast<std::int64_t>(share * switches_.delay_seconds * 1e6));
  }
  if (drawn(switches_.reordering, options_.seed, "reordering", event)) {
    item.after = item.shown.number + 1 + mixed(options_.seed, "places/" + event) % 10;
    at = plus(at, kHeldAtMost);
  } else if (switches_.burst > 1) {
    gathering_.push_back(item.shown.number);
    at = plus(at, kHeldAtMost);
  }
  item.first_due = now;
  plan(item, at, AttemptKind::kOrdinary);
  if (switches_.burst > 1 && static_cast<std::int64_t>(gathering_.size()) >= switches_.burst) release_burst();
  // Those that waited for this one to be sent before them.
  for (std::uint64_t number = item.shown.number > 12 ? item.shown.number - 12 : 1; number < item.shown.number;
       ++number) {
    Item& held = items_[number - 1];
    if (held.after != 0 && held.after <= item.shown.number && held.shown.state == DeliveryState::kWaiting &&
        held.shown.attempts.empty()) {
      held.after = 0;
      plan(held, plus(now, kSecond), AttemptKind::kOrdinary);
    }
  }
  wake_workers();
  return item.shown.number;
}

void Courier::release_burst() {
  const Timestamp now = clock_.now();
  for (const std::uint64_t number : gathering_) {
    Item& item = items_[number - 1];
    if (item.shown.state == DeliveryState::kWaiting && item.shown.attempts.empty())
      plan(item, now, AttemptKind::kOrdinary);
  }
  gathering_.clear();
}

// Of the ordinary attempts of a delivery one is planned at a time: a further plan moves it.
void Courier::plan(Item& item, Timestamp at, AttemptKind kind) {
  if (kind == AttemptKind::kOrdinary && item.shown.next) due_.erase({*item.shown.next, item.shown.number, kind});
  due_.insert({at, item.shown.number, kind});
  if (kind == AttemptKind::kOrdinary) item.shown.next = at;
}

bool Courier::send_again(std::string_view event) {
  const std::lock_guard lock(mutex_);
  const auto at = by_event_.find(event);
  if (at == by_event_.end()) return false;
  Item& item = items_[at->second - 1];
  const bool first = item.shown.state == DeliveryState::kLost || item.shown.state == DeliveryState::kGivenUp;
  if (first) {
    --(item.shown.state == DeliveryState::kLost ? counts_.lost : counts_.given_up);
    ++counts_.waiting;
    item.shown.state = DeliveryState::kWaiting;
    item.first_due = clock_.now();
    item.failures = 0;
    open_of_clinic_[item.shown.clinic].insert(item.shown.number);
  }
  plan(item, clock_.now(), item.shown.state == DeliveryState::kDone ? AttemptKind::kDuplicate : AttemptKind::kOrdinary);
  wake_workers();
  return true;
}

std::vector<Delivery> Courier::deliveries(std::optional<DeliveryState> state, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<Delivery> found;
  for (auto item = items_.rbegin(); item != items_.rend() && found.size() < limit; ++item) {
    if (!state || item->shown.state == *state) found.push_back(item->shown);
  }
  return found;
}

std::optional<Delivery> Courier::delivery_of(std::string_view event) const {
  const std::lock_guard lock(mutex_);
  const auto at = by_event_.find(event);
  return at == by_event_.end() ? std::nullopt : std::optional(items_[at->second - 1].shown);
}

CourierCounts Courier::counts() const {
  const std::lock_guard lock(mutex_);
  CourierCounts counts = counts_;
  const Timestamp now = clock_.now();
  counts.due = under_way_;
  for (auto due = due_.begin(); url_ && due != due_.end() && due->at <= now; ++due) ++counts.due;
  return counts;
}

bool Courier::quiet() const {
  const std::lock_guard lock(mutex_);
  return due_.empty() && under_way_ == 0;
}

void Courier::work(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const std::optional<Due> due = url_ ? pick(clock_.now()) : std::nullopt;
    if (!due) {
      const auto patience =
          due_.empty() || !url_ ? std::chrono::microseconds(std::chrono::seconds(1)) : clock_.until(due_.begin()->at);
      wake_.wait_for(lock, stop, std::max(patience, std::chrono::microseconds(1000)),
                     [&, seen = wakes_] { return wakes_ != seen; });
      continue;
    }
    Item& item = items_[due->number - 1];
    item.under_way = true;
    ++under_way_;
    AttemptKind kind = due->kind;
    // Asked for by hand while another attempt was under way, and that one was taken.
    if (kind == AttemptKind::kOrdinary && item.shown.state == DeliveryState::kDone) kind = AttemptKind::kDuplicate;
    const bool tamper = kind == AttemptKind::kOrdinary && item.shown.tampered == 0 && item.failures == 0 &&
                        drawn(switches_.corruption, options_.seed, "corruption", item.shown.event);
    if (tamper) kind = AttemptKind::kTampered;
    const Prepared prepared = prepare(item, kind, *url_);
    lock.unlock();
    const auto answer = http::send(prepared.request);
    lock.lock();
    note(item, kind, prepared, answer);
    item.under_way = false;
    --under_way_;
    wake_workers();
  }
}

std::optional<Courier::Due> Courier::pick(Timestamp now) {
  for (auto due = due_.begin(); due != due_.end() && due->at <= now; ++due) {
    Item& item = items_[due->number - 1];
    if (!may_go(item)) continue;
    const Due found = *due;
    due_.erase(due);
    if (found.kind == AttemptKind::kOrdinary) item.shown.next.reset();
    return found;
  }
  return std::nullopt;
}

bool Courier::may_go(const Item& item) const {
  if (item.under_way) return false;
  if (!switches_.ordered || item.shown.state != DeliveryState::kWaiting) return true;
  const auto open = open_of_clinic_.find(item.shown.clinic);
  return open == open_of_clinic_.end() || open->second.empty() || *open->second.begin() == item.shown.number;
}

Courier::Prepared Courier::prepare(const Item& item, AttemptKind kind, const std::string& url) const {
  Prepared prepared;
  http::ClientRequest& request = prepared.request;
  request.method = "POST";
  request.url = url;
  request.timeout = options_.timeout;
  request.response_bytes_max = 1024 * 1024;
  request.body = item.body;
  request.headers = {{"Content-Type", "application/json"}, {"User-Agent", "resultsync-sandbox/1"}};
  const std::uint64_t lot = mixed(options_.seed, "tamper/" + item.shown.event) % 3;
  const bool forged = kind == AttemptKind::kTampered && lot == 2;
  const Timestamp signed_at{real_.now().microseconds + switches_.clock_skew_seconds * kSecond};
  const bool reuse = (kind == AttemptKind::kReplay || !switches_.resign) && !item.first_headers.empty();
  if (reuse) {
    prepared.signature = item.first_headers;
  } else if (auto headers = vendors::sign(options_.scheme, forged ? options_.wrong_keys : options_.keys,
                                          {item.shown.event, signed_at}, item.body)) {
    prepared.signature = std::move(*headers);
  }
  if (kind == AttemptKind::kTampered && lot == 0) {
    const std::size_t at = mixed(options_.seed, "byte/" + item.shown.event) % request.body.size();
    request.body[at] = static_cast<char>(request.body[at] ^ 0x04);
  }
  if (kind == AttemptKind::kTampered && lot == 1 && !prepared.signature.empty()) {
    std::string& value = prepared.signature.front().value;
    for (http::Header& header : prepared.signature) {
      if (header.name == options_.scheme.headers.front().signature) header.value.resize(header.value.size() / 2);
    }
    if (value.empty()) value = "0";
  }
  request.headers.insert(request.headers.end(), prepared.signature.begin(), prepared.signature.end());
  return prepared;
}

bool Courier::is_taken(const Result<http::ClientResponse>& answer) const {
  if (!answer) return false;
  if (options_.challenge.empty()) return answer->status >= 200 && answer->status < 300;
  if (answer->status != 200 && answer->status != 201) return false;
  const orders::JsonBody body(answer->body);
  return orders::text_of(orders::member(body.root(), "challenge")) == options_.challenge;
}

void Courier::note(Item& item, AttemptKind kind, const Prepared& prepared, const Result<http::ClientResponse>& answer) {
  const Timestamp now = clock_.now();
  Delivery& shown = item.shown;
  Attempt attempt{
      .at = now, .status = answer ? answer->status : 0, .error = answer ? "" : answer.error().text(), .kind = kind};
  const bool taken = is_taken(answer);
  if (answer && !taken && attempt.status >= 200 && attempt.status < 300) attempt.error = "the challenge is missing";
  if (shown.attempts.size() >= kAttemptsKept) shown.attempts.erase(shown.attempts.begin() + 1);
  shown.attempts.push_back(std::move(attempt));
  ++shown.sent;
  ++counts_.attempts;
  switch (kind) {
    case AttemptKind::kDuplicate:
      ++shown.duplicated;
      return;
    case AttemptKind::kReplay:
      ++shown.replayed;
      return;
    case AttemptKind::kTampered:
      ++shown.tampered;
      if (taken) {
        shown.forgery_taken = true;
        ++counts_.forgeries_taken;
      }
      return plan(item, plus(now, kFirstWait), AttemptKind::kOrdinary);
    case AttemptKind::kOrdinary:
      break;
  }
  if (item.first_headers.empty()) item.first_headers = prepared.signature;
  if (taken) {
    shown.state = DeliveryState::kDone;
    --counts_.waiting;
    ++counts_.done;
    open_of_clinic_[shown.clinic].erase(shown.number);
    if (drawn(switches_.duplicates, options_.seed, "duplicates", shown.event)) {
      const std::uint64_t times = 1 + mixed(options_.seed, "times/" + shown.event) % 3;
      for (std::uint64_t i = 0; i < times; ++i)
        due_.insert({plus(now, static_cast<std::int64_t>(i) * 20 * kSecond), shown.number, AttemptKind::kDuplicate});
    }
    if (drawn(switches_.replay, options_.seed, "replay", shown.event))
      due_.insert({plus(now, 5 * 3600 * kSecond), shown.number, AttemptKind::kReplay});
    return;
  }
  ++item.failures;
  const auto& waits = options_.waits_s;
  const auto failures = static_cast<std::size_t>(item.failures);
  const bool listed = failures <= waits.size();
  const Timestamp next = plus(now, listed ? waits[failures - 1] * kSecond : wait_after(item.failures));
  const bool in_time = next.microseconds - item.first_due.microseconds <= kGiveUpAfter;
  if (waits.empty() ? in_time : listed) return plan(item, next, AttemptKind::kOrdinary);
  shown.state = DeliveryState::kGivenUp;
  --counts_.waiting;
  ++counts_.given_up;
  open_of_clinic_[shown.clinic].erase(shown.number);
}

}  // namespace resultsync::sandbox
