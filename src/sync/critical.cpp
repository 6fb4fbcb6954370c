#include "sync/critical.hpp"

#include <algorithm>
#include <limits>

#include "base/json_writer.hpp"
#include "orders/decode.hpp"
#include "results/known_result.hpp"
#include "results/remarkable.hpp"
#include "runtime/log.hpp"
#include "runtime/threads.hpp"
#include "store/deliveries.hpp"
#include "store/unavailable.hpp"

namespace resultsync::sync {
namespace {

using store::CriticalRow;
using store::CriticalState;

constexpr std::size_t kRowsAtOnce = 100;
constexpr std::chrono::milliseconds kBetweenLooks{200};  // however often it is woken
constexpr std::chrono::milliseconds kUnavailablePause{1'000};
constexpr std::string_view kMember = "results_hl7";
constexpr Sequence kNewest{std::numeric_limits<std::int64_t>::max()};

Timestamp later(Timestamp time, CriticalOptions::Delay delay) {
  return Timestamp{time.microseconds + delay.count()};
}

void end(CriticalRow& row, CriticalState state, Timestamp now) {
  row.state = state;
  row.ended_at = now;
  row.next_at = {};
  row.reconsider = false;
}

// The case of the version that the event shows.
CriticalRow opened(const CriticalNews& news) {
  CriticalRow row;
  row.order_key = news.order.row.key;
  row.test = news.test.id;
  row.opened_at = news.received_at;
  row.event_at = news.received_at;
  const auto point = std::ranges::find(news.test.points, news.record, &orders::TestPoint::record);
  if (point == news.test.points.end()) return row;
  row.version = news.test.number_of(point->content);
  if (point->key.created_at != orders::kNoTime) row.event_at = point->key.created_at;
  return row;
}

}  // namespace

void note_critical(store::ViewsTransaction& transaction, const CriticalNews& news) {
  const bool critical =
      results::has_critical(news.file.content, panic_flags_of(news.panic_flags, news.order.row.source));
  if (!critical && news.test.points.size() < 2) return;  // nothing was there that it could take back
  auto& reviews = transaction.reviews();
  auto last = transaction.read().reviews().last_critical(news.order.row.key, news.test.id);
  const bool is_open = last && last->state == CriticalState::kOpen;
  if (news.current_changed && !news.shows_current) {
    if (!is_open) return;
    end(*last, CriticalState::kWithdrawn, news.received_at);
    reviews.save_critical(*last);
  } else if (critical && news.current_changed) {
    CriticalRow row = opened(news);
    if (is_open) {  // it has waited since then, however often the lab sends it again
      row.clock_at = last->clock_at;
      row.steps = last->steps;
      row.next_at = last->next_at;
      end(*last, CriticalState::kSuperseded, news.received_at);
      reviews.save_critical(*last);
    }
    reviews.add_critical(row);
  } else if (is_open) {
    reviews.reconsider(news.order.row.key, news.test.id);
  } else if (critical && news.new_content) {  // it came late: what came after it may have taken it back
    CriticalRow row = opened(news);
    row.reconsider = true;
    reviews.add_critical(row);
  }
}

CriticalWatch::CriticalWatch(store::Views& views, const store::EventLog& log, const runtime::Clock& clock,
                             runtime::Metrics& metrics, CriticalOptions options)
    : views_(views),
      log_(log),
      clock_(clock),
      options_(std::move(options)),
      open_(metrics.gauge("resultsync_critical_open", "Critical results that nobody has acknowledged yet")),
      oldest_seconds_(metrics.gauge("resultsync_critical_oldest_seconds", "How long the oldest of them has waited")),
      escalations_(metrics.counter("resultsync_critical_escalations_total",
                                   "Escalations of critical results that nobody acknowledged in time")) {}

CriticalWatch::~CriticalWatch() {
  stop();
}

// Page after page: what cannot be judged now keeps nothing waiting that comes after it.
Result<std::size_t> CriticalWatch::step() {
  std::size_t changed = 0;
  store::CriticalKey after;
  bool is_idle = true;
  while (true) {
    std::map<store::CriticalKey, Judgement> judgements;
    {
      const auto snapshot = views_.snapshot();
      const auto rows = snapshot->reviews().critical_work(clock_.now(), after, kRowsAtOnce);
      for (const CriticalRow& row : rows) {
        if (!row.reconsider || row.state != CriticalState::kOpen) continue;
        if (const auto judgement = judge(*snapshot, row)) judgements.emplace(row.key, *judgement);
      }
      if (auto status = snapshot->status(); !status) return forward_error(std::move(status));
      if (rows.empty()) break;
    }
    is_idle = false;
    const auto transaction = views_.begin();
    auto rows = transaction->read().reviews().critical_work(clock_.now(), after, kRowsAtOnce);
    const bool more = rows.size() == kRowsAtOnce;
    if (!rows.empty()) after = rows.back().key;
    const auto minded = mind_all(*transaction, std::move(rows), judgements);
    if (!minded) return minded;
    changed += *minded;
    if (!more) break;
  }
  if (is_idle) {
    show_totals();
  } else {
    shown_at_.reset();
  }
  return changed;
}

Result<std::size_t> CriticalWatch::mind_all(store::ViewsTransaction& transaction, std::vector<CriticalRow> rows,
                                            const std::map<store::CriticalKey, Judgement>& judgements) {
  told_ = false;
  escalated_ = 0;
  std::size_t changed = 0;
  for (CriticalRow& row : rows) changed += mind(transaction, std::move(row), judgements) ? 1 : 0;
  if (auto committed = transaction.commit(); !committed) return forward_error(std::move(committed));
  escalations_.add(escalated_);
  if (told_ && told_listener_) told_listener_();
  return changed;
}

std::optional<Timestamp> CriticalWatch::next_due() const {
  return views_.snapshot()->reviews().next_critical_step(clock_.now());
}

// What is known after all that was sent. Labs send reports in parts: what a later part does not speak of stands. What
// cannot be read is no reason to be quiet.
std::optional<CriticalWatch::Judgement> CriticalWatch::judge(store::ViewsSnapshot& views,
                                                             const CriticalRow& row) const {
  const auto order = views.order(row.order_key);
  const auto* test = order ? order->history.test(row.test) : nullptr;
  if (test == nullptr || test->points.empty()) return Judgement{};  // nothing speaks against it
  results::KnownResult known;
  const orders::TestPoint& latest = test->points.back();
  auto records = orders::contents_before(*test, latest.record, kNewest);
  records.push_back(latest.record);
  std::string lab;
  for (const Sequence record : records) {
    const auto stored = log_.at(record);
    if (!stored) {
      if (stored.error().code == store::kUnavailable) return std::nullopt;  // asked again
      known.take_unreadable();
      continue;
    }
    auto file = results::read_result_file(orders::attribute_of(stored->record.body, row.test, kMember));
    if (!file.content.header.sending_facility.empty()) lab = file.content.header.sending_facility;
    known.take(std::move(file));
  }
  const results::Interpretation* content = known.content();
  const auto& panic = panic_flags_of(options_.panic_flags, row.source);
  return Judgement{test->points.size(), content == nullptr || results::has_critical(*content, panic, lab)};
}

bool CriticalWatch::mind(store::ViewsTransaction& transaction, CriticalRow row,
                         const std::map<store::CriticalKey, Judgement>& judgements) {
  if (row.state == CriticalState::kOpen && row.reconsider) {
    const auto judgement = judgements.find(row.key);
    const auto order = transaction.read().order(row.order_key);
    const auto* test = order ? order->history.test(row.test) : nullptr;
    const std::size_t points = test == nullptr ? 0 : test->points.size();
    if (judgement != judgements.end() && points == judgement->second.points) {
      row.reconsider = false;
      if (!judgement->second.stands) end(row, CriticalState::kNoLongerCritical, clock_.now());
    } else if (row.next_at == Timestamp{} || row.next_at > clock_.now()) {
      return false;  // more came meanwhile, or it cannot be read now: it is judged again in the next step
    }  // an alarm that is due waits for no judgement
  }
  row.state == CriticalState::kOpen ? mind_open(transaction, row) : tell_end(transaction, row);
  transaction.reviews().save_critical(row);
  return true;
}

// Its clock runs while somebody can see it: who is not connected cannot be late.
void CriticalWatch::mind_open(store::ViewsTransaction& transaction, CriticalRow& row) {
  const Timestamp now = clock_.now();
  if (row.clinic.empty() || transaction.read().connections(row.source, row.clinic).empty()) {
    row.clock_at = {};
    row.next_at = {};
    return;
  }
  if (row.clock_at == Timestamp{}) {
    row.clock_at = now;
    row.next_at = is_old_news(row) ? Timestamp{} : next_step(row, now);
  }
  if (row.told.empty()) {
    row.told = store::name_of(CriticalState::kOpen);
    if (!is_old_news(row)) tell(transaction, row, "critical.opened");
  }
  if (row.next_at == Timestamp{} || row.next_at > now) return;
  ++row.steps;
  row.next_at = next_step(row, row.clock_at);
  tell(transaction, row, "critical.escalated");
  ++escalated_;
  runtime::log::warning("critical.escalated", {{"source", row.source.text()}, {"step", row.steps}});
}

// Whether it was old already when somebody could first see it.
bool CriticalWatch::is_old_news(const CriticalRow& row) const {
  return row.clock_at > later(row.event_at, options_.escalate_younger_than);
}

// When the next escalation is told if the clock runs from then on; 0 if there is none left.
Timestamp CriticalWatch::next_step(const CriticalRow& row, Timestamp from) const {
  const auto step = static_cast<std::size_t>(row.steps);
  return step < options_.escalate_after.size() ? later(from, options_.escalate_after[step]) : Timestamp{};
}

// That it ended is told to whoever was told that it began; a successor that is critical too speaks for itself.
void CriticalWatch::tell_end(store::ViewsTransaction& transaction, CriticalRow& row) {
  const bool was_told = !row.told.empty() && !is_old_news(row);
  row.told = store::name_of(row.state);
  if (!was_told || row.state == CriticalState::kSuperseded) return;
  tell(transaction, row, row.state == CriticalState::kAcknowledged ? "critical.acknowledged" : "critical.closed");
}

void CriticalWatch::tell(store::ViewsTransaction& transaction, const CriticalRow& row, const std::string& type) {
  auto& read = transaction.read();
  JsonWriter note;
  note.begin_object()
      .member("source", row.source.text())
      .member("clinic_id", row.clinic.text())
      .member("order_id", row.order.text())
      .member("ordered_test_id", row.test.text())
      .member("version", row.version)
      .member("state", store::name_of(row.state))
      .member("opened_at", format_timestamp(row.opened_at))
      .member("steps_told", row.steps)
      .member("steps", std::uint64_t{options_.escalate_after.size()})
      .key("next_step_at");
  row.next_at == Timestamp{} ? note.null() : note.string(format_timestamp(row.next_at));
  if (row.state == CriticalState::kAcknowledged) {
    for (const auto& acknowledgement : read.reviews().acknowledgements(row.key)) {
      note.member("acknowledged_by", acknowledgement.practitioner.text())
          .member("acknowledged_at", format_timestamp(acknowledgement.at));
      break;  // the first one ended it
    }
  }
  note.member("link", store::link_to_version(row.source, row.order, row.test, row.version));
  note.end_object();
  transaction.deliveries().announce(row.order_key, read.connections(row.source, row.clinic), type, note.text(),
                                    clock_.now());
  told_ = true;
}

void CriticalWatch::show_totals() {
  const auto now = clock_.monotonic();
  if (shown_at_ && now - *shown_at_ < options_.look_every) return;
  const auto snapshot = views_.snapshot();
  const auto totals = snapshot->reviews().critical_totals();
  if (!snapshot->status()) return;  // the gauges keep what they say; the next step is told why
  shown_at_ = now;
  open_.set(static_cast<double>(totals.open));
  const std::int64_t age = totals.oldest ? clock_.now().microseconds - totals.oldest->microseconds : 0;
  oldest_seconds_.set(static_cast<double>(std::max<std::int64_t>(age, 0)) / 1e6);
}

void CriticalWatch::start(std::function<void(const Error&)> on_failure) {
  on_failure_ = std::move(on_failure);
  thread_ = runtime::start_thread("critical", [this](const std::stop_token& stop) { run(stop); });
}

void CriticalWatch::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wake_.notify_one();
}

void CriticalWatch::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void CriticalWatch::run(const std::stop_token& stop) {
  const auto wait = [&](std::chrono::milliseconds at_most, bool minds_wake) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, at_most, [&] { return minds_wake && woken_; });
    if (minds_wake) woken_ = false;
  };
  while (!stop.stop_requested()) {
    const auto stepped = step();
    if (!stepped && stepped.error().code == store::kUnavailable) {
      wait(kUnavailablePause, false);
      continue;
    }
    if (!stepped) {
      runtime::log::error("critical.failed", {{"code", stepped.error().code}, {"message", stepped.error().text()}});
      if (on_failure_) on_failure_(stepped.error());
      return;
    }
    if (*stepped > 0) continue;
    const auto due = until_next_step();
    wait(std::min(kBetweenLooks, due), false);
    if (due > kBetweenLooks) wait(std::min(options_.look_every, due - kBetweenLooks), true);
  }
}

// What is due already and could not be done is looked at again in its turn, not at once.
std::chrono::milliseconds CriticalWatch::until_next_step() const {
  const auto due = next_due();
  if (!due) return std::chrono::milliseconds::max();
  const CriticalOptions::Delay left(std::max<std::int64_t>(due->microseconds - clock_.now().microseconds, 0));
  return std::chrono::ceil<std::chrono::milliseconds>(left);
}

}  // namespace resultsync::sync
