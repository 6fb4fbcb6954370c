// What deliveries ask of the API: a feed item's cursor, its whole form, and the statuses of its result.
#pragma once

#include <string>

#include "delivery/payload.hpp"
#include "store/event_log.hpp"
#include "store/views.hpp"

namespace resultsync::api {

// Opens a snapshot for each item that it writes whole. Used by one thread at a time.
class WebhookItems final : public delivery::ItemReader {
 public:
  // `log` is the one that the API reads bodies from.
  WebhookItems(store::Views& views, const store::EventLog& log) : views_(views), log_(log) {}

  std::string cursor(const store::FeedRow& item) override;
  std::string full(const store::FeedRow& item) override;
  std::vector<std::string> statuses(const store::FeedRow& item) override;

 private:
  const std::string& epoch();

  store::Views& views_;
  const store::EventLog& log_;
  std::string epoch_;  // does not change while the process runs
};

}  // namespace resultsync::api
