#include "api/feed_page.hpp"

#include <set>

#include "api/cursor.hpp"

namespace resultsync::api {
namespace {

template <class Key>
std::vector<Key> as_vector(const std::set<Key>& keys) {
  return {keys.begin(), keys.end()};
}

}  // namespace

FeedPage FeedPage::load(store::ViewsSnapshot& snapshot, const store::PractitionerRow& practitioner, std::int64_t after,
                        std::size_t limit, store::Reach reach) {
  FeedPage page;
  page.practitioner_ = practitioner.app_practitioner;
  page.epoch_ = snapshot.feed_epoch();
  page.rows_ = snapshot.feed(practitioner.key, after, limit, reach);
  std::set<store::OrderKey> of_orders;
  std::set<store::OrderKey> with_history;  // most results are the first of their test, and need none
  std::set<Sequence> of_records;
  for (const store::FeedRow& row : page.rows_) {
    of_orders.insert(row.entry.order);
    if (stands_after_contents(row)) with_history.insert(row.entry.order);
    of_records.insert(row.entry.notice.record);
  }
  const auto orders = snapshot.orders(as_vector(with_history));
  page.told_missing_ = snapshot.network().told_missing(as_vector(of_orders));
  page.events_ = snapshot.events_of_records(as_vector(of_records));
  for (const store::FeedRow& row : page.rows_) {
    const auto order = orders.find(row.entry.order);
    page.before_[row.position] = contents_before(row, order == orders.end() ? nullptr : &order->second.history);
  }
  return page;
}

void FeedPage::write_item(JsonWriter& json, std::size_t index, Bodies& bodies) const {
  const store::FeedRow& row = rows_[index];
  const auto event = events_.find(row.entry.notice.record);
  const auto told_missing = told_missing_.find(row.entry.order);
  write_feed_item(json,
                  {row, event == events_.end() ? store::EventRow{} : event->second, cursor_after(row.position),
                   before_.at(row.position),
                   told_missing == told_missing_.end() ? std::vector<store::ToldMissing>{} : told_missing->second},
                  practitioner_, bodies);
}

void FeedPage::look_ahead(Bodies& bodies, const Wanted& wanted) const {
  std::set<Sequence> records;
  for (const store::FeedRow& row : rows_) {
    if (wanted && !wanted(row)) continue;
    records.insert(row.entry.notice.record);
    if (row.entry.notice.previous.value != 0) records.insert(row.entry.notice.previous);
    records.insert(before_.at(row.position).begin(), before_.at(row.position).end());
  }
  bodies.look_ahead(as_vector(records));
}

std::string FeedPage::cursor_after(std::int64_t position) const {
  return format(feed_cursor(epoch_, practitioner_, position));
}

}  // namespace resultsync::api
