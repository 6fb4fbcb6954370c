#include "api/feed_page.hpp"

#include "api/cursor.hpp"

namespace resultsync::api {

FeedPage FeedPage::load(store::ViewsSnapshot& snapshot, const store::PractitionerRow& practitioner, std::int64_t after,
                        std::size_t limit, store::Reach reach) {
  FeedPage page;
  page.practitioner_ = practitioner.app_practitioner;
  page.epoch_ = snapshot.feed_epoch();
  page.rows_ = snapshot.feed(practitioner.key, after, limit, reach);
  KnownOrders orders;
  for (const store::FeedRow& row : page.rows_) {
    const Sequence record = row.entry.notice.record;
    page.before_[row.position] = contents_before(snapshot, row, orders);
    if (const auto [of_order, is_new] = page.told_missing_.try_emplace(row.entry.order); is_new)
      of_order->second = snapshot.network().told_missing(row.entry.order);
    if (page.events_.contains(record)) continue;
    if (auto event = snapshot.event_of_record(record)) page.events_.emplace(record, std::move(*event));
  }
  return page;
}

void FeedPage::write_item(JsonWriter& json, std::size_t index, Bodies& bodies) const {
  const store::FeedRow& row = rows_[index];
  const auto event = events_.find(row.entry.notice.record);
  write_feed_item(json,
                  {row, event == events_.end() ? store::EventRow{} : event->second, cursor_after(row.position),
                   before_.at(row.position), told_missing_.at(row.entry.order)},
                  practitioner_, bodies);
}

std::string FeedPage::cursor_after(std::int64_t position) const {
  return format(feed_cursor(epoch_, practitioner_, position));
}

}  // namespace resultsync::api
