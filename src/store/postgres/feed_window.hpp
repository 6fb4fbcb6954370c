// A page of a feed whose blocks the server fetches together.
#pragma once

#include <cstdint>
#include <vector>

#include "store/sql/database.hpp"
#include "store/views.hpp"

namespace resultsync::store::postgres {

struct FeedWindow {
  std::vector<FeedRow> items;  // those that are shown, in their order
  bool is_end = false;         // the feed has no positions behind the window
};

// The items at the positions after + 1 … through: what Session::feed() gives of them. That one goes along the feed and
// joins row by row, and so waits for the disk once for each block; here each table is asked for all rows of the window
// at once. A page of 50 lies in some 200 blocks. `after` is at least 0 and `through` not before it. Errors stay on the
// connection.
FeedWindow feed_window(sql::Database& database, PractitionerKey practitioner, std::int64_t after, std::int64_t through,
                       Reach reach);

}  // namespace resultsync::store::postgres
