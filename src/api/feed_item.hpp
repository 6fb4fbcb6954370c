// One feed item as JSON: what an application is told of one event. docs/reference/http.md explains each member; none is
// ever taken away or given another meaning within /v1.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/bodies.hpp"
#include "base/json_writer.hpp"
#include "orders/decode.hpp"
#include "store/network.hpp"
#include "store/views.hpp"

namespace resultsync::api {

inline constexpr std::size_t kShownValueBytesMax = 16 * 1024;  // of one side of a change; beyond: its digest and size

struct FeedItem {
  store::FeedRow row;
  store::EventRow event;         // that the item comes from
  std::string cursor;            // to read on after this item
  std::vector<Sequence> before;  // of a result: the records of the contents before it (orders::contents_before)
  std::vector<store::ToldMissing> told_missing = {};  // of the order: versions that were told without documents
};
// Whether `before` needs the order's history: of an order, and of a result that was told as the first, it is empty.
bool stands_after_contents(const store::FeedRow& row);
// The `before` of an item that stands after contents; `history` is its order's, null if that is not known.
std::vector<Sequence> contents_before(const store::FeedRow& row, const orders::OrderHistory* history);

void write_feed_item(JsonWriter& json, const FeedItem& item, const AppPractitionerId& practitioner, Bodies& bodies);

// Into an open object: what the ordered test's HL7 in `body` says (results::write_members), and as `diff` what that
// changed against all that was known after the events in `before`, in their order.
void write_reading(JsonWriter& json, const OrderedTestId& test, const Body& body, std::span<const Sequence> before,
                   Bodies& bodies);

// [{"member", "from", "to"}]
void write_changes(JsonWriter& json, const std::vector<orders::MemberChange>& changes);

}  // namespace resultsync::api
