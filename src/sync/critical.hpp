// Critical results: which version is to be acknowledged, and what happens until somebody has (decision 0030).
//
// A version becomes critical in the transaction that applies it (note_critical, called by index_results.cpp). What
// takes time or reading is the watch's: whether it still stands after the lab sent more, since when somebody could see
// it, and the escalations, each told once, as an operational webhook.
//
//   sync: K 7.1 HH ─▶ open ─▶ watch: somebody is connected ─▶ critical.opened ─ 15 m ─▶ critical.escalated (step 1) ─ …
//                      └──────── acknowledged, or taken back by the lab ─▶ critical.acknowledged, critical.closed
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "orders/history.hpp"
#include "results/result_file.hpp"
#include "runtime/clock.hpp"
#include "runtime/metrics.hpp"
#include "store/event_log.hpp"
#include "store/reviews.hpp"
#include "sync/panic_flags.hpp"

namespace resultsync::sync {

// The news of one ordered test, as its event brings them.
struct CriticalNews {
  const store::OrderRecord& order;
  const orders::TestHistory& test;
  Sequence record;  // of the event
  Timestamp received_at;
  bool new_content = false;
  bool current_changed = false;
  bool shows_current = false;       // the event shows what is current
  const results::ResultFile& file;  // that the event shows, if new_content or what is current changed to it
  const PanicFlags& panic_flags;
};
// Opens what is critical now, ends what was withdrawn or has a critical successor, and has the watch look again at what
// may have been taken back.
void note_critical(store::ViewsTransaction& transaction, const CriticalNews& news);

struct CriticalOptions {
  using Delay = std::chrono::microseconds;
  // How long after somebody could first see it each escalation is told; ascending. Empty: none is.
  std::vector<Delay> escalate_after{std::chrono::minutes(15), std::chrono::hours(1), std::chrono::hours(4)};
  // What the network told longer ago is old news (a back-fill, a reconciliation): it is listed, and nobody is alarmed.
  Delay escalate_younger_than = std::chrono::hours(24 * 7);
  PanicFlags panic_flags = {};
  // At least so often, for what nobody tells of: another instance's doings, a clock that was set.
  std::chrono::milliseconds look_every{5'000};
};

// Several instances may watch one store: each looks again in its transaction, and there is one writer.
class CriticalWatch {
 public:
  // `log` is the log as everybody reads it (ReadableLog).
  CriticalWatch(store::Views& views, const store::EventLog& log, const runtime::Clock& clock, runtime::Metrics& metrics,
                CriticalOptions options);
  ~CriticalWatch();  // stops

  // Does what is due. The number of results that it changed something of; errors: those of the store.
  Result<std::size_t> step();
  // When the next escalation is due; nothing if none is.
  [[nodiscard]] std::optional<Timestamp> next_due() const;

  // Steps when an escalation is due, when woken and from time to time, on a thread of its own, until stop(). While the
  // store is unavailable it tries again; any other failure stops it for good, and `on_failure` is told once.
  void start(std::function<void(const Error&)> on_failure);
  void wake();  // results or acknowledgements came; from any thread, never blocks
  void stop();
  // Called after a commit that made deliveries, on the watch's thread; must not block. Set it before start().
  void on_told(std::function<void()> listener) { told_listener_ = std::move(listener); }

 private:
  // Whether what was critical still stands, as of a history of so many events.
  struct Judgement {
    std::size_t points = 0;
    bool stands = true;
  };
  void run(const std::stop_token& stop);
  [[nodiscard]] std::chrono::milliseconds until_next_step() const;
  Result<std::size_t> mind_all(store::ViewsTransaction& transaction, std::vector<store::CriticalRow> rows,
                               const std::map<store::CriticalKey, Judgement>& judgements);
  // Nothing: it cannot be told now.
  std::optional<Judgement> judge(store::ViewsSnapshot& views, const store::CriticalRow& row) const;
  bool mind(store::ViewsTransaction& transaction, store::CriticalRow row,
            const std::map<store::CriticalKey, Judgement>& judgements);
  void mind_open(store::ViewsTransaction& transaction, store::CriticalRow& row);
  void tell(store::ViewsTransaction& transaction, const store::CriticalRow& row, const std::string& type);
  void tell_end(store::ViewsTransaction& transaction, store::CriticalRow& row);
  [[nodiscard]] bool is_old_news(const store::CriticalRow& row) const;
  [[nodiscard]] Timestamp next_step(const store::CriticalRow& row, Timestamp from) const;
  void show_totals();

  store::Views& views_;
  const store::EventLog& log_;
  const runtime::Clock& clock_;
  const CriticalOptions options_;
  runtime::Gauge open_;
  runtime::Gauge oldest_seconds_;
  runtime::Counter escalations_;
  std::function<void()> told_listener_;
  std::function<void(const Error&)> on_failure_;
  bool told_ = false;                                              // in the transaction in hand
  double escalated_ = 0;                                           // likewise
  std::optional<std::chrono::steady_clock::time_point> shown_at_;  // when the gauges were set

  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool woken_ = false;  // guarded by mutex_
  std::jthread thread_;
};

}  // namespace resultsync::sync
