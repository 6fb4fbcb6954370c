#include "api/webhook_items.hpp"

#include <algorithm>

#include "api/bodies.hpp"
#include "api/cursor.hpp"
#include "api/feed_item.hpp"
#include "api/told.hpp"
#include "orders/decode.hpp"
#include "results/result_file.hpp"

namespace resultsync::api {

const std::string& WebhookItems::epoch() {
  if (epoch_.empty()) epoch_ = views_.snapshot()->feed_epoch();
  return epoch_;
}

std::string WebhookItems::cursor(const store::FeedRow& item) {
  return format(feed_cursor(epoch(), item.connection.app_practitioner, item.position));
}

std::string WebhookItems::full(const store::FeedRow& item) {
  FeedItem shown{item, {}, cursor(item), {}};
  {
    const auto snapshot = views_.snapshot();
    if (auto event = snapshot->event_of_record(item.entry.notice.record)) shown.event = std::move(*event);
    if (stands_after_contents(item)) {
      const auto order = snapshot->order(item.entry.order);
      shown.before = contents_before(item, order ? &order->history : nullptr);
    }
    shown.told_missing = snapshot->network().told_missing(item.entry.order);
  }
  Bodies bodies(log_);
  JsonWriter json;
  write_feed_item(json, shown, item.connection.app_practitioner, bodies);
  return json.take();
}

std::vector<std::string> WebhookItems::statuses(const store::FeedRow& item) {
  const auto& notice = item.entry.notice;
  if (notice.kind != orders::Notice::Kind::kResult) return {};
  const auto missing =
      missing_of(views_.snapshot()->network().told_missing(item.entry.order), notice.test, notice.version);
  const auto body = body_as_told(Bodies(log_).of(notice.record), missing);
  if (!body->unavailable.empty()) return {"unknown"};
  const auto file = results::read_result_file(orders::attribute_of(body->bytes, notice.test, "results_hl7"));
  std::vector<std::string> statuses;
  for (const auto& report : file.content.reports) {
    std::string status(results::status_name(report.status->status));
    if (std::ranges::find(statuses, status) == statuses.end()) statuses.push_back(std::move(status));
  }
  if (statuses.empty()) statuses.emplace_back("unknown");  // a document that is no HL7
  return statuses;
}

}  // namespace resultsync::api
