// One record of the log → its effects on the views, inside the caller's transaction.
#pragma once

#include <map>
#include <vector>

#include "store/event_log.hpp"
#include "store/views.hpp"
#include "sync/issue.hpp"

namespace resultsync::sync {

struct ApplyOptions {
  std::map<SourceId, std::vector<std::string>> result_types;  // a source that is not here has "order.new_result"
  // False while rebuilding: nothing that was handed out is issued again.
  bool issue = true;
};

// Applies the next record. The number of feed items it issued, or why the log could not be read.
Result<std::size_t> apply_record(store::ViewsTransaction& transaction, const store::EventLog& log,
                                 const store::StoredRecord& stored, const ApplyOptions& options, Timestamp now);

// Merges an event into its order and tells whoever is to be told; used for new events, and for those that an operator
// has released.
struct MergeInput {
  const SourceId& source;
  const orders::Event& event;
  Sequence record;
  Timestamp received_at;
};
Settled merge_event(store::ViewsTransaction& transaction, store::OrderRecord& order, const MergeInput& input,
                    bool issue, Moment moment);

}  // namespace resultsync::sync
