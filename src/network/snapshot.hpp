// An order as the network's API shows it → the body of an event that shows the same, so that what was missed goes
// through the very same path as what was sent. PURE in what it does: values in, values out.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/timestamp.hpp"
#include "network/settings.hpp"
#include "orders/event.hpp"
#include "orders/history.hpp"
#include "orders/json_body.hpp"

namespace resultsync::network {

struct OrderSnapshot {
  OrderId id;
  Timestamp submitted;                      // orders::kNoTime if it says none
  Timestamp newest_date = orders::kNoTime;  // of all that it says happened
  std::string object;                       // the resource
  std::string included;                     // its ordered tests and practitioners, as a JSON array
  ClinicId clinic = {};                     // where the order itself names none, but who asked knows it
};
// An answer about orders as the JSON:API document that is read below, whatever the API's own form.
std::unique_ptr<orders::JsonBody> in_json_api(OrderForm form, std::unique_ptr<orders::JsonBody> answer);

// The orders of an answer of the API: `data` is one or a list; `included` is side-loaded beside it.
std::vector<OrderSnapshot> orders_of(const orders::JsonBody& answer);

// The address of the next page, or (`meta.next_page`) its number; neither on the last.
struct NextPage {
  std::string address;
  std::int64_t number = 0;
};
NextPage next_page(const orders::JsonBody& answer);
// meta.pagination.count or meta.total_count; 0 if it is not said
std::int64_t count_of(const orders::JsonBody& answer);

// The event: `after` is the newest event of the order that is known. Its id names what it shows and what it follows, so
// that reading the same again makes the same event. Its time is the newest date that the order names (`read_at` if it
// names none), and never before `after` (decision 0024).
struct SnapshotEvent {
  EventId id;
  std::string body;
};
SnapshotEvent event_of(const OrderSnapshot& order, std::string_view type, Timestamp read_at,
                       const orders::EventKey& after);

// Whether the snapshot (decoded with all its documents) shows what the history does not: another status, a test or a
// content that is not the current one.
bool shows_news(const orders::OrderHistory& history, const orders::Order& snapshot);

}  // namespace resultsync::network
