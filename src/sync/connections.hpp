// What the application and its operators say: who is connected to which clinic, and where an unmatched event belongs.
// Each call is one transaction on the views. Blocks; thread-safe.
#pragma once

#include "base/result.hpp"
#include "store/event_log.hpp"
#include "store/views.hpp"
#include "sync/apply.hpp"

namespace resultsync::sync {

struct ConnectRequest {
  AppPractitionerId practitioner;
  SourceId source;
  ClinicId clinic;
  PractitionerId vendor_practitioner;       // may be empty
  store::Reach reach = store::kEverything;  // of who asks: they can give nobody more than they see
};
struct Connected {
  store::ConnectionRow connection;
  bool created = false;  // false: it was there already (its vendor practitioner may have changed)
};

// Connects an application practitioner to a clinic: from this transaction on every new item of the clinic is theirs,
// and a backfill job will give them what was parked and the clinic's current results. Calling it again changes nothing.
// Error: `not_found` (the clinic is beyond the reach).
Result<Connected> connect(store::Views& views, const ConnectRequest& request, Timestamp now);
// The same as a part of the caller's transaction, which must be dropped if it fails.
Result<Connected> connect(store::ViewsTransaction& transaction, const ConnectRequest& request, Timestamp now);

// Ends the practitioner's live connections (those to `clinic` of `source` only, where given). Their items are no longer
// visible. Error: `not_found`. The result is how many were ended.
struct DisconnectRequest {
  AppPractitionerId practitioner;
  std::optional<SourceId> source;
  std::optional<ClinicId> clinic;
  store::Reach reach = store::kEverything;
};
Result<std::size_t> disconnect(store::Views& views, const DisconnectRequest& request, Timestamp now);

// `log` gives bodies as they arrived. An operator says which clinic the order of a waiting event belongs to. Everything
// that waited for it is synced, once (S6). Errors: `not_found`, `not_waiting`.
struct Matched {
  OrderId order;
  ClinicId clinic;
  std::size_t items = 0;          // feed items that were issued by it
  bool nobody_connected = false;  // the clinic is settled now, but nobody is connected to it yet
};
Result<Matched> match(store::Views& views, const store::EventLog& log, const SourceId& source, const EventId& event,
                      const ClinicId& clinic, Timestamp now, const ApplyOptions& options = {});

}  // namespace resultsync::sync
