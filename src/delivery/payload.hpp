// What is sent: the body of a webhook (Standard Webhooks: `type`, `timestamp`, `data`).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/deliveries.hpp"

namespace resultsync::delivery {

// What only the API knows how to write: it gives this to whoever delivers. Called on the delivery thread; may read the
// store.
class ItemReader {
 public:
  virtual ~ItemReader() = default;
  // The item's place in the practitioner's feed, as `cursor` of /v1/feed.
  virtual std::string cursor(const store::FeedRow& item) = 0;
  // The whole item as JSON, as /v1/feed shows it. It holds health data.
  virtual std::string full(const store::FeedRow& item) = 0;
  // The statuses of the result's reports ("final", "corrected"), "unknown" if none can be read; empty for an order's
  // item.
  virtual std::vector<std::string> statuses(const store::FeedRow& item) = 0;
};

// Deterministic: the same delivery gives the same bytes, but for `superseded`, which becomes true once.
std::string payload_of(const store::DueDelivery& due, store::PayloadForm form, ItemReader& reader);

}  // namespace resultsync::delivery
