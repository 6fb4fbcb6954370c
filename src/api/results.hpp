// What the faces of results have in common: who looks, and where a version of a result stands in the event log.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "api/bodies.hpp"
#include "api/service.hpp"
#include "results/result_file.hpp"
#include "store/network.hpp"

namespace resultsync::api {

// The caller's reach, narrowed to the practitioner of the parameter, if there is one. Problem: 404
// `unknown_practitioner`.
Checked<store::Sight> sight_of(store::ViewsSnapshot& snapshot, const Call& call,
                               const std::optional<std::string>& practitioner);

// A result that the call may see, with the history of its order.
struct FoundResult {
  store::ResultRow row;
  store::OrderRecord order;
  std::vector<store::ToldMissing> told_missing;  // of the order
  [[nodiscard]] const orders::TestHistory& test() const { return *order.history.test(row.test); }
};
// The one that the path and the parameters `source` and `order` name. Problems: 404 `unknown_result`, 409
// `ambiguous_id`.
Checked<FoundResult> find_result(const Service& service, store::ViewsSnapshot& snapshot, const Call& call,
                                 const store::Sight& sight);
std::optional<int> version_number(std::string_view text);
Problem unknown_version();

// One version of an ordered test: the last event in time that shows it, and what stood before that event.
struct VersionPlace {
  int version = 0;
  Sha256 content;
  Sequence record;
  std::vector<Sequence> before;                  // records of the contents before it (orders::contents_before)
  int previous_version = 0;                      // 0: it is the first
  std::vector<store::ToldMissing> missing = {};  // what it was told without, and is shown without (told_place_of only)
};
std::optional<VersionPlace> place_of(const orders::TestHistory& test, int version);

// Likewise of any version that was ever told: one that was told without a document (`told_missing`, of the order)
// stands where the event stands that first showed it, although that event shows another version since the document
// came.
std::optional<VersionPlace> told_place_of(const orders::TestHistory& test, int version,
                                          const std::vector<store::ToldMissing>& told_missing);

// Before the version at `index` of those that are gone over is read: once in a while, the bodies that known_at() needs
// of it and of the next ones are asked for together. `place_of_item` gives the VersionPlace of one of them.
template <class Items, class PlaceOfItem>
void look_ahead(const Items& items, std::size_t index, const PlaceOfItem& place_of_item, Bodies& bodies) {
  constexpr std::size_t kAtOnce = 16;
  if (index % kAtOnce != 0) return;
  std::vector<Sequence> records;
  for (std::size_t i = index; i < std::min(index + kAtOnce, items.size()); ++i) {
    const VersionPlace& place = std::invoke(place_of_item, items[i]);
    records.insert(records.end(), place.before.begin(), place.before.end());
    records.push_back(place.record);
  }
  bodies.look_ahead(records);
}

// The histories of the orders of these results, asked for together.
std::map<store::OrderKey, store::OrderRecord> orders_of(store::ViewsSnapshot& snapshot,
                                                        std::span<const store::ResultRow> rows);

// The file in an event's body, as it is read today.
results::ResultFile read_file(const Body& body, const OrderedTestId& test);

// What stands once that version is put into all that was said before it; nothing where it is not known.
std::optional<results::Interpretation> known_at(const VersionPlace& place, const OrderedTestId& test, Bodies& bodies);

}  // namespace resultsync::api
