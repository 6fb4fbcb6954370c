// All that the views know of one order: what a page of it shows besides the bodies of its events. ViewsSnapshot::
// whole_order() looks at no reach: it is asked for an order that was found in sight (S5).
#pragma once

#include <map>
#include <vector>

#include "store/network.hpp"
#include "store/results.hpp"
#include "store/reviews.hpp"
#include "store/views.hpp"

namespace resultsync::store {

struct WholeOrder {
  OrderRecord order;
  std::map<Sequence, EventRow> events;  // of the records that the history names: by its points and versions
  std::vector<ToldMissing> told_missing;
  std::map<OrderedTestId, Review> reviews;  // of its results
  LastSaid said;
};

}  // namespace resultsync::store
