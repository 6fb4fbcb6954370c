// Endpoints of the application, and what becomes of each feed item at each of them (D1). A facet of the views: reached
// by deliveries() of a snapshot or a transaction, and part of it. Addresses, secrets and answers are sealed before they
// come here.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/reach.hpp"
#include "store/views.hpp"

namespace resultsync::store {

using EndpointKey = Key<struct EndpointKeyTag>;
using DeliveryKey = Key<struct DeliveryKeyTag>;
using JobKey = Key<struct JobKeyTag>;

enum class EndpointState {
  kEnabled,
  kPaused,    // takes items, sends nothing
  kDisabled,  // takes nothing; what was open became dead letters
  kDeleted,
};
std::string_view name_of(EndpointState state);  // "enabled", "paused", "disabled", "deleted"

enum class PayloadForm { kThin, kFull };
std::string_view name_of(PayloadForm form);  // "thin", "full"

enum class DeliveryState {
  kPending,
  kHeld,  // waits for its predecessor's first attempt to end
  kInFlight,
  kDelivered,
  kDead,
  kSkipped,
};
std::string_view name_of(DeliveryState state);  // "pending", "held", "in_flight", "delivered", "dead", "skipped"
std::optional<DeliveryState> delivery_state_named(std::string_view name);

// What an endpoint wants. An empty list takes everything (of types: every feed item, and no operational event).
struct EndpointFilter {
  std::vector<std::string> practitioners;  // the application's ids
  std::vector<std::string> clinics;
  std::vector<std::string> types;     // "result", "order", "critical.opened", "endpoint.*"
  std::vector<std::string> statuses;  // of results: asked when the item is read, before it is first sent

  [[nodiscard]] bool takes_type(std::string_view type) const;
  [[nodiscard]] bool takes(std::string_view type, const ConnectionRow& connection) const;
  bool operator==(const EndpointFilter&) const = default;
};

// What ends of its own accord: everything open up to `through` becomes `to`, chunk by chunk.
struct Sweep {
  DeliveryKey through;
  DeliveryState to = DeliveryState::kSkipped;
  std::string reason;
};

struct EndpointRow {
  EndpointKey key;
  std::string id;       // "ep_…"
  std::string url;      // sealed
  std::string secrets;  // sealed
  std::string description;
  EndpointState state = EndpointState::kEnabled;
  std::string state_reason;
  Timestamp state_since;
  EndpointFilter filter;
  PayloadForm payload = PayloadForm::kThin;
  bool ordered = true;           // per order: version n+1 waits for n's first attempt
  std::int64_t rate = 0;         // requests a second; 0: no limit
  std::int64_t concurrency = 8;  // requests at a time
  Reach reach;                   // of whoever made it: it never receives more (S5)
  Timestamp created_at;
  Timestamp previous_until;  // 0: only one secret signs
  bool failing = false;
  Timestamp health_since;
  Timestamp breaker_until;  // 0: closed
  bool dead_told = false;
  Sweep sweep;
};

struct DeliveryRow {
  DeliveryKey key;
  std::int64_t nonce = 0;
  EndpointKey endpoint;
  std::string type;
  PractitionerKey practitioner;  // 0 where it is no feed item
  std::int64_t position = 0;
  OrderKey order;
  std::string note;
  bool replay = false;
  DeliveryState state = DeliveryState::kPending;
  std::string reason;
  std::int64_t attempts = 0;
  bool attempted = false;
  std::int64_t tries = 0;
  Timestamp next_at;  // 0: at once, which no jump of a clock can change
  std::int64_t fence = 0;
  Timestamp lease_until;
  std::int64_t last_status = 0;
  Timestamp created_at;
  std::optional<Timestamp> ended_at;
};
// A delivery as the API shows it.
struct DeliveryView {
  DeliveryRow row;
  std::string endpoint_id;
  EndpointState endpoint_state = EndpointState::kEnabled;
  std::string app_practitioner;  // this and the following are empty where it is no feed item
  std::string source;
  std::string order_id;
  std::string test_id;
  std::int64_t version = 0;
};
// What is sent: the delivery with the feed item it is of, as it stands at this moment.
struct DueDelivery {
  DeliveryRow row;
  bool visible = true;      // S5, asked in the same transaction that claims it
  bool superseded = false;  // a newer item of the same test went before this retry
  std::optional<FeedRow> item;
  EventId event;
  Timestamp event_created_at;
};

struct AttemptRow {
  std::int64_t number = 0;
  Timestamp started_at;
  std::int64_t duration_us = 0;
  std::string outcome;      // "delivered", "status", "timeout", "connect_failed", …, "interrupted"
  std::int64_t status = 0;  // 0: no answer
  std::string response;     // sealed; may be empty
};

// What became of a Finish.
struct Finished {
  bool written = false;       // no: the lease was lost meanwhile, and nothing was written (D3)
  bool lets_next_go = false;  // the next one of the order's line may go now
};
// How an attempt ended, or why there will be none.
struct Finish {
  DeliveryRow row;  // as it was claimed, with the fencing token of the claim
  DeliveryState state = DeliveryState::kDelivered;
  std::string reason;
  bool counts = true;  // false: nothing was sent (the service stops); the same attempt is made later
  Timestamp next_at;   // of kPending: when it is tried again
  AttemptRow attempt;  // its number is given here
};

struct Job {
  enum class Kind { kRetry, kReplay };
  enum class State { kRunning, kFinished, kCancelled };
  JobKey key;
  Kind kind = Kind::kRetry;
  State state = State::kRunning;
  EndpointKey endpoint;  // 0: every one (kRetry)
  Reach reach;
  Timestamp since;  // of the item's issue (kReplay) or the delivery's creation (kRetry)
  Timestamp until;
  PractitionerKey practitioner;  // 0: all
  std::int64_t rate = 0;
  std::int64_t after_key = 0;    // done up to here: a delivery (kRetry), a practitioner (kReplay)
  std::int64_t after_place = 0;  // and the position in their feed
  std::int64_t done = 0;
  std::int64_t total = 0;
  Timestamp created_at;
  std::optional<Timestamp> ended_at;
};
std::string_view name_of(Job::Kind kind);    // "retry", "replay"
std::string_view name_of(Job::State state);  // "running", "finished", "cancelled"

struct DeliveryFilter {
  Reach reach;
  EndpointKey endpoint;  // 0: all
  std::optional<DeliveryState> state;
  std::optional<OrderId> order;
  std::optional<AppPractitionerId> practitioner;
};

struct EndpointCounts {
  std::int64_t open = 0;
  std::int64_t dead = 0;
  Timestamp oldest_open;  // 0: nothing is open
};

class DeliveryReads {
 public:
  virtual ~DeliveryReads() = default;
  // Deleted ones are left out unless they have a sweep to do.
  virtual std::vector<EndpointRow> endpoints(Reach reach) = 0;
  virtual std::optional<EndpointRow> endpoint(const std::string& id, Reach reach) = 0;
  virtual EndpointCounts counts(EndpointKey endpoint) = 0;

  // Newest first; `before` 0 starts at the newest.
  virtual std::vector<DeliveryView> deliveries(const DeliveryFilter& filter, DeliveryKey before, std::size_t limit) = 0;
  virtual std::optional<DeliveryView> delivery(DeliveryKey key, std::int64_t nonce, Reach reach) = 0;
  virtual std::vector<AttemptRow> attempts(DeliveryKey key) = 0;
  virtual DeliveryKey last_delivery() = 0;

  // The next moment at which something of the endpoint is due (0: at once); nothing if nothing is pending.
  virtual std::optional<Timestamp> next_due(EndpointKey endpoint, DeliveryKey after) = 0;

  virtual std::optional<Job> job(JobKey key, Reach reach) = 0;
  // Newest first; `before` 0 starts at the newest.
  virtual std::vector<Job> jobs(Reach reach, JobKey before, std::size_t limit) = 0;
  virtual std::vector<Job> running_jobs() = 0;
  virtual std::int64_t count_dead(const Job& job) = 0;
  virtual std::int64_t count_items(const Job& job, const EndpointRow& endpoint) = 0;
};

class DeliveryWrites {
 public:
  virtual ~DeliveryWrites() = default;
  virtual DeliveryReads& read() = 0;

  virtual EndpointKey add_endpoint(const EndpointRow& endpoint) = 0;
  virtual void save_endpoint(const EndpointRow& endpoint) = 0;

  // A feed item was issued: one delivery for each endpoint that wants it (D1).
  virtual void plan(const ConnectionRow& connection, const Entry& entry, std::int64_t position, Timestamp now) = 0;
  // Something that is told to one endpoint beside the feed.
  virtual DeliveryRow add(EndpointKey endpoint, const std::string& type, const std::string& note, Timestamp now) = 0;
  // Something about an order beside the feed, told to every endpoint that subscribes to the type and that receives what
  // one of these connections, those to the order's clinic, may see (S5); asked again before every attempt (D1).
  virtual void announce(OrderKey order, const std::vector<ConnectionRow>& connections, const std::string& type,
                        const std::string& note, Timestamp now) = 0;

  // This transaction only claims, and whoever alone works on these views asks for it: a machine that fails may forget
  // it once it is committed, for then nobody is left who holds a claim, and what was claimed is sent again (at least
  // once). To be said before anything else.
  virtual void only_claims() = 0;
  // Claims up to `limit` deliveries of the endpoint that are due, each with a lease and a new fencing token (D3).
  virtual std::vector<DueDelivery> claim(const EndpointRow& endpoint, Timestamp now, Timestamp lease_until,
                                         std::size_t limit) = 0;
  // Writes how an attempt ended.
  virtual Finished finish(const Finish& finish, Timestamp now) = 0;
  // What was claimed is not to be sent after all. False: the lease was lost.
  virtual bool skip(const DeliveryRow& row, const std::string& reason, Timestamp now) = 0;
  // What was in flight under leases that end before `expired_before` is pending again, with its attempt marked
  // `interrupted`. Answers how many.
  virtual std::size_t release_leases(Timestamp expired_before, Timestamp now) = 0;
  // The wall clock went back: what is due later than `latest` would wait too long, and is due at `latest`.
  virtual void bound_schedule(Timestamp latest) = 0;

  // One chunk of what an endpoint's sweep is to end; the number of rows. 0: it is done.
  virtual std::size_t sweep(const EndpointRow& endpoint, Timestamp now, std::size_t limit) = 0;
  // A dead or skipped delivery is sent again, under the same id. False: it is in no such state.
  virtual bool retry(DeliveryKey key) = 0;

  virtual JobKey add_job(const Job& job) = 0;
  virtual void save_job(const Job& job) = 0;
  // The next chunk of a job; moves its place and counts on, and ends it where nothing is left.
  virtual void advance_retry(Job& job, Timestamp now, std::size_t limit) = 0;
  virtual void advance_replay(Job& job, const EndpointRow& endpoint, Timestamp now, std::size_t limit) = 0;

  // Deletes ended deliveries that are older than `before`, from `after` on, at most `limit` looked at; answers where it
  // came to, 0 at the end. Dead letters stay until an operator has decided.
  virtual DeliveryKey prune(DeliveryKey after, Timestamp before, std::size_t limit) = 0;
};

}  // namespace resultsync::store
