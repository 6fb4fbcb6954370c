#include "sync/issue.hpp"

#include <algorithm>
#include <limits>

namespace resultsync::sync {
namespace {

using orders::Notice;
using orders::Unmatched;

constexpr store::EntryKey kNewest{std::numeric_limits<std::int64_t>::max()};

// The newest entry that shows what is current of a test, or of the order where it has no results.
const store::Entry* current_entry(const std::vector<store::Entry>& entries, const orders::OrderHistory& history,
                                  const Notice& like) {
  const store::Entry* newest = nullptr;
  for (const store::Entry& entry : entries) {
    if (entry.notice.kind != like.kind || entry.notice.test != like.test) continue;
    const auto* test = history.test(like.test);
    const bool shows_current = like.kind == Notice::Kind::kResult
                                   ? test != nullptr && entry.notice.version == test->current()
                                   : entry.notice.current;
    if (shows_current) newest = &entry;
  }
  return newest;
}

bool is_current(const store::Entry& entry, const std::vector<store::Entry>& entries,
                const orders::OrderHistory& history) {
  const store::Entry* current = current_entry(entries, history, entry.notice);
  return current != nullptr && current->key == entry.key;
}

// What a connection that was made after the order's first delivery is given: the current result of each test, or the
// order itself.
std::vector<store::Entry> current_entries(const std::vector<store::Entry>& entries,
                                          const orders::OrderHistory& history) {
  std::vector<store::Entry> current;
  for (const store::Entry& entry : entries) {
    if (entry.notice.kind == Notice::Kind::kResult && is_current(entry, entries, history)) current.push_back(entry);
  }
  if (!current.empty()) return current;
  for (const store::Entry& entry : entries) {
    if (is_current(entry, entries, history)) current.push_back(entry);
  }
  return current;
}

// A backfill that has yet to reach this order gives its connection everything up to the job's mark; here only what is
// newer is given.
store::EntryKey left_to_backfill(const std::vector<store::Backfill>& backfills, const store::ConnectionRow& connection,
                                 store::OrderKey order) {
  const auto job = std::ranges::find(backfills, connection.key, &store::Backfill::connection);
  if (job == backfills.end() || order <= job->after) return {};
  return job->through;
}

// The order is given out: from here on its clinic changes only by an operator.
void settle(store::OrderRecord& order, store::ViewsSnapshot& views) {
  order.row.delivered_at = views.last_entry();
  if (order.row.settled_at == Sequence{}) order.row.settled_at = orders::newest_record(order.history);
}

void close_waiting(store::ViewsTransaction& transaction, store::OrderKey order, Unmatched reason) {
  for (const auto& event : transaction.read().waiting_of(order)) {
    if (event.reason == Unmatched::kClinicChanged || event.reason == reason) continue;
    const auto outcome = reason == Unmatched::kNone ? store::Outcome::kSynced : store::Outcome::kWaiting;
    transaction.set_outcome(event.record, outcome, reason);
  }
}

}  // namespace

Settled settle_and_issue(store::ViewsTransaction& transaction, store::OrderRecord& order,
                         const std::vector<store::Entry>& fresh, Timestamp now) {
  auto& views = transaction.read();
  const PractitionerId practitioner = order.history.deciding_practitioner();
  const bool settled = order.row.delivered_at || order.row.by_operator;
  const ClinicId named = order.history.named_clinic();
  const bool ask_map = !settled && named.empty() && !practitioner.empty();
  const auto decision =
      orders::decide_clinic(order.history, {settled ? order.row.clinic : ClinicId{}, order.row.by_operator},
                            ask_map ? views.clinics_of(order.row.source, practitioner) : std::vector<ClinicId>{});
  order.row.clinic = decision.clinic;
  order.row.reason = decision.reason;

  std::vector<store::ConnectionRow> connections;
  if (!decision.clinic.empty()) connections = views.connections(order.row.source, decision.clinic);
  const bool was_parked = !order.row.delivered_at;
  // Older entries and waiting events can only be there if the order is not all new.
  const bool all_new = order.history.points.size() == 1 && !fresh.empty();
  Settled result{0, !connections.empty()};
  if (!connections.empty()) {
    const auto entries = was_parked && !all_new ? views.entries(order.row.key, kNewest) : fresh;
    const auto backfills = views.unfinished_backfills();
    for (const auto& connection : connections) {
      const auto mark = left_to_backfill(backfills, connection, order.row.key);
      for (const store::Entry& entry : entries) {
        if (entry.key <= mark) continue;
        const bool current = was_parked ? is_current(entry, entries, order.history) : entry.notice.current;
        transaction.issue(connection, entry, current, false, now);
        ++result.items;
      }
    }
    if (was_parked) settle(order, views);
  }
  transaction.save_order_row(order);
  if (was_parked && !all_new) {
    transaction.results().move(order.row.key, order.row.source, order.row.clinic);
    const auto reason =
        connections.empty() && decision.reason == Unmatched::kNone ? Unmatched::kNobodyConnected : decision.reason;
    close_waiting(transaction, order.row.key, reason);
  }
  return result;
}

std::size_t issue_backfill(store::ViewsTransaction& transaction, store::OrderRecord& order,
                           const store::ConnectionRow& connection, store::EntryKey through, Timestamp now) {
  const bool was_parked = !order.row.delivered_at || order.row.delivered_at > through;
  const auto all = transaction.read().entries(order.row.key, kNewest);
  const auto owed = was_parked ? all : current_entries(all, order.history);
  std::size_t items = 0;
  for (const store::Entry& entry : owed) {
    if (entry.key > through) continue;
    transaction.issue(connection, entry, is_current(entry, all, order.history), true, now);
    ++items;
  }
  if (!order.row.delivered_at) {
    settle(order, transaction.read());
    transaction.save_order_row(order);
  }
  close_waiting(transaction, order.row.key, Unmatched::kNone);
  return items;
}

}  // namespace resultsync::sync
