// One record of the log → its effects on the views, inside the caller's transaction.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "orders/documents.hpp"
#include "store/event_log.hpp"
#include "store/network.hpp"
#include "store/views.hpp"
#include "sync/index_results.hpp"
#include "sync/issue.hpp"

namespace resultsync::sync {

// The header of a record whose event never came: it was read from the network's API. Its body is in the common form.
inline constexpr std::string_view kOriginHeader = "resultsync-origin";
inline constexpr std::string_view kReconciled = "reconciled";
bool is_reconciled(const store::Record& record);

// The body of a record as its source sent it → the same in the form that decode.hpp reads (vendors/). The body is given
// apart, since a record may refer to another's. Empty: bodies are in it already. Thread-safe.
using CommonForm = std::function<std::string(const store::Record& record, std::string_view body)>;
inline std::string in_common_form(const CommonForm& form, const store::Record& record) {
  return form && !is_reconciled(record) ? form(record, record.body) : record.body;
}

struct ApplyOptions {
  // A source that is not here has "order.new_result"; "*" is every type.
  std::map<SourceId, std::vector<std::string>> result_types;
  std::map<SourceId, std::vector<std::string>> other_types = {};  // known to carry none
  std::set<SourceId> thin = {};  // their events say that an order has changed; what it is now has to be read
  // False while rebuilding: nothing that was handed out is issued again.
  bool issue = true;
  CommonForm common_form = {};
  ResultIndex index = {};
};

// What a record says, in the common form. A body that the source sent in it already is not copied: it is the record's.
struct Reading {
  std::string translated;
  orders::Event event;
};

// Nothing for a record that is another receipt of a body that is in the log, which mostly needs no reading. Asks
// nothing of the views: a live record is read before its transaction begins.
std::optional<Reading> read_record(const store::Record& record, const ApplyOptions& options);

// Applies the next record. The number of feed items it issued, or why the log could not be read. `reading` is what
// read_record() gave for it, or null.
Result<std::size_t> apply_record(store::ViewsTransaction& transaction, const store::EventLog& log,
                                 const store::StoredRecord& stored, const ApplyOptions& options, Timestamp now,
                                 const Reading* reading = nullptr);

// Merges an event into its order and tells whoever is to be told; used for new events, and for those that an operator
// has released.
struct MergeInput {
  const SourceId& source;
  const orders::Event& event;
  Sequence record;
  std::string_view body;  // of the event, in the common form
  Timestamp received_at;
};
Settled merge_event(store::ViewsTransaction& transaction, store::OrderRecord& order, const MergeInput& input,
                    const ApplyOptions& options, Timestamp now);

// Writes what an event of that key changed of the order's history, and gives the entries it makes to whoever is to be
// told.
Settled tell_change(store::ViewsTransaction& transaction, store::OrderRecord& order, const orders::EventKey& key,
                    const orders::Change& change, Timestamp now);

// Remembers which documents the versions lack that the event's tests show, `uses` being what became of the event's
// links: such a version is shown so for ever (S3). The event has been merged.
void note_missing(store::ViewsTransaction& transaction, const store::OrderRecord& order, const orders::Event& event,
                  const std::vector<store::DocumentUse>& uses);

}  // namespace resultsync::sync
