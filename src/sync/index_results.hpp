// What an event brought of results → the facet by which they are found. Each distinct content is read once, when it is
// first seen: whatever it says of codes, identifiers, times and documents is added and never taken away, so that the
// index is a function of the set of events (S1). Who searches reads what is current and judges it there.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "orders/history.hpp"
#include "results/result_file.hpp"
#include "store/views.hpp"
#include "sync/index_key.hpp"
#include "sync/panic_flags.hpp"

namespace resultsync::sync {

struct IndexInput {
  const store::OrderRecord& order;  // with the event in its history, and its clinic decided as far as it can be
  const orders::Change& change;     // that the event brought
  Sequence record;
  std::string_view body;  // of the event, in the common form; links stand as they were sent
  Timestamp received_at;
  bool is_live = true;  // false while rebuilding: nothing is said anew of critical results
};

// The bytes of a document that a link led to, as the views have it; nothing where it cannot be read.
using DocumentBytes = std::function<std::optional<std::string>(store::ViewsSnapshot& views, const Sha256& sha256)>;

struct ResultIndex {
  IndexKey key{Secret<runtime::Key256>{}};
  DocumentBytes document_bytes = {};  // empty: what is behind links is not indexed
  PanicFlags panic_flags = {};
  void add(store::ViewsTransaction& transaction, const IndexInput& input) const;
};

// As a server with that master key has it.
ResultIndex result_index(const runtime::MasterKey& master);

// The status of an ordered test's result: "final", "preliminary", "corrected", … of all its reports together; "unknown"
// where nothing can be read, "withdrawn" where the network took it back.
std::string_view status_of(const results::ResultFile& file);
inline constexpr std::string_view kWithdrawn = "withdrawn";

}  // namespace resultsync::sync
