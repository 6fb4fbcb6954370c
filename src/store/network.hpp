// What is known of the network beyond its events: the documents that its links led to, the consents that practitioners
// gave, the links by which they give them, and what was asked of its API. Durable facts: inputs of a rebuild, never
// made anew by one. Tokens and documents are sealed by whoever writes them (runtime/vault.hpp); here they are bytes.
//
// Part of the same transaction as the rest of the views (views.hpp); errors are sticky.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/timestamp.hpp"
#include "orders/documents.hpp"
#include "store/reach.hpp"
#include "store/views.hpp"

namespace resultsync::store {

// A file, stored once whatever number of events show it.
struct DocumentRow {
  Sha256 sha256;  // of its bytes as they came
  std::string media_type;
  std::int64_t bytes = 0;
  SourceId source;  // whose link it first came by
  Timestamp fetched_at;
  std::string sealed;  // zstd, then sealed
};

// One link of one event, and what became of it.
struct DocumentUse {
  Sequence record;
  OrderedTestId test;
  std::string member;
  SourceId source;
  OrderKey order;
  Sha256 link;             // of the address, which is a secret and stands in the event only
  bool is_content = true;  // a result waits for it
  orders::LinkedDocument::State state = orders::LinkedDocument::State::kPending;
  bool open = true;    // it is still tried
  Sha256 document;     // kFetched
  std::string reason;  // of the last attempt that failed: "timeout", "http_403" …; empty without one
  int tries = 0;
  Timestamp received_at;
  Timestamp next_try_at;
};
std::string_view name_of(orders::LinkedDocument::State state);  // "pending", "fetched", "missing"
orders::LinkedDocuments facts_of(const std::vector<DocumentUse>& uses);

// A document that could not be had when a version of a result was told. The version is shown without it for ever, also
// after the document came and made another version.
struct ToldMissing {
  OrderedTestId test;
  int version = 0;
  std::string member;  // "results_pdf"
  std::string reason;  // as in DocumentUse, when the version was told first
};

// A document that is not here, with what it belongs to.
struct MissingDocument {
  DocumentUse use;
  EventId event;
  OrderId order;
};
// Why a use is asked for no more while nobody could answer: no consent lets us ask. It is taken up by the next one.
inline constexpr std::string_view kNoConsent = "no_consent";

// What is empty asks for all.
struct MissingFilter {
  // "pending", "missing" (told without, and still tried), "waiting" (for a consent), "given_up"
  std::string state = {};
  SourceId source = {};
  OrderId order = {};
  ClinicId clinic = {};  // retry_missing() only, with a source: of its orders, and of those whose clinic is not known
};
struct Retried {
  std::int64_t taken_up = 0;  // had been given up, or waited for a consent
  std::int64_t hastened = 0;  // waited for their next attempt
};

struct DocumentTotals {
  std::int64_t documents = 0;
  std::int64_t bytes = 0;
  std::int64_t pending = 0;   // uses
  std::int64_t missing = 0;   // told without, and still tried
  std::int64_t waiting = 0;   // not tried until somebody consents
  std::int64_t given_up = 0;  // told without, and not tried any more
};

using AuthorizationKey = Key<struct AuthorizationKeyTag>;

// A practitioner's consent: one per source and application practitioner.
enum class ConsentState {
  kConnected,
  kNeedsConsent,  // the network takes our tokens no more: the practitioner must consent again
  kRevoked,       // ended by us
  kFailing,       // the network cannot be asked now; tried again
};
std::string_view name_of(ConsentState state);  // "connected", "needs_consent", "revoked", "failing"

struct Authorization {
  AuthorizationKey key;
  SourceId source;
  AppPractitionerId app_practitioner;
  PractitionerId vendor_practitioner;
  ClinicId clinic;
  ConsentState state = ConsentState::kConnected;
  std::string reason;          // an error code; empty where all is well
  std::string sealed_access;   // empty once they are worth nothing
  std::string sealed_refresh;  // replaced in one transaction by the newer one
  Timestamp expires_at;        // of the access token
  std::string lease_owner;     // who refreshes it now; empty: nobody
  Timestamp lease_until;
  Timestamp created_at;
  Timestamp updated_at;
};

// A one-use link by which a practitioner gives consent. It is a secret: here stand digests.
struct ConnectLink {
  Sha256 link;
  SourceId source;
  AppPractitionerId app_practitioner;
  Timestamp expires_at;
  bool used = false;            // it led to the consent page
  Sha256 state;                 // OAuth's `state`; zeros before it was used
  std::string sealed_verifier;  // PKCE
  Timestamp state_expires_at;
  bool finished = false;  // the callback came
};

using RunKey = Key<struct RunKeyTag>;

// One reading of a clinic's orders from the network's API: a back-fill after connecting, or a reconciliation.
struct NetworkRun {
  RunKey key;
  SourceId source;
  AppPractitionerId app_practitioner;  // whose consent it uses
  ClinicId clinic;
  std::string kind;   // "backfill", "manual", "scheduled"
  std::string state;  // "waiting", "running", "finished", "failed"
  std::string reason;
  Timestamp since;  // orders submitted before it are left out; 0: none are
  std::int64_t orders_total = 0;
  std::int64_t orders_read = 0;
  std::int64_t gaps = 0;  // orders of which something was missed, and applied
  Timestamp started_at;
  Timestamp finished_at;
};

inline constexpr std::int64_t kRunsKept = 200;

// What a stretch of the log says of a clinic.
struct ClinicActivity {
  SourceId source;
  ClinicId clinic;
  std::int64_t events = 0;
  Timestamp first_at;
  Timestamp last_at;
};

class NetworkReads {
 public:
  virtual ~NetworkReads() = default;
  virtual std::vector<DocumentUse> uses_of(Sequence record) = 0;
  virtual std::vector<DocumentUse> due_uses(Timestamp now, std::size_t limit) = 0;
  virtual std::vector<DocumentUse> open_uses_of(const SourceId& source, const Sha256& link) = 0;
  virtual std::optional<DocumentRow> document(const Sha256& sha256) = 0;  // with its bytes
  virtual bool has_pending_documents(OrderKey order) = 0;                 // a result of it waits for one
  virtual DocumentTotals document_totals() = 0;
  // Of the first `events` events after `after`, in the order in which they came.
  virtual std::vector<MissingDocument> missing_documents(const MissingFilter& filter, Sequence after,
                                                         std::size_t events) = 0;
  virtual std::vector<ToldMissing> told_missing(OrderKey order) = 0;  // of all its tests and versions
  // The same for several, asked for together; orders without any are left out.
  virtual std::map<OrderKey, std::vector<ToldMissing>> told_missing(std::span<const OrderKey> orders) = 0;

  virtual std::optional<Authorization> authorization(const SourceId& source, const AppPractitionerId& id) = 0;
  virtual std::optional<Authorization> authorization(AuthorizationKey key) = 0;
  virtual std::vector<Authorization> authorizations() = 0;
  virtual std::vector<Authorization> authorizations_of(const AppPractitionerId& id) = 0;
  virtual std::optional<ConnectLink> connect_link(const Sha256& link) = 0;
  virtual std::optional<ConnectLink> connect_link_of_state(const Sha256& state) = 0;

  virtual std::vector<NetworkRun> runs(std::size_t limit) = 0;  // newest first
  virtual std::optional<NetworkRun> run(RunKey key) = 0;
  virtual std::optional<NetworkRun> next_run() = 0;  // the oldest that waits or was interrupted
  virtual std::optional<NetworkRun> last_run(const SourceId& source, const ClinicId& clinic) = 0;

  // Practitioners who decide the clinic of an order that waits for it.
  virtual std::vector<PractitionerId> practitioners_without_clinic(const SourceId& source, std::size_t limit) = 0;
  // By the events of records after `after`, up to `through`, of orders that have a clinic. Clinics with none are left
  // out.
  virtual std::vector<ClinicActivity> activity(Sequence after, Sequence through) = 0;
  virtual std::vector<std::pair<SourceId, ClinicId>> connected_clinics() = 0;  // ordered
};

class NetworkWrites {
 public:
  virtual ~NetworkWrites() = default;
  virtual void save_use(const DocumentUse& use) = 0;  // adds or replaces it
  // Those that were told missing are tried at once, and those that were given up, or wait for a consent, for as long as
  // if they came now. The filter's state does not matter.
  virtual Retried retry_missing(const MissingFilter& filter, Timestamp now) = 0;
  virtual void add_document(const DocumentRow& document) = 0;                      // nothing, if it is there already
  virtual void note_told_missing(OrderKey order, const ToldMissing& missing) = 0;  // nothing, if it is noted already

  virtual AuthorizationKey add_authorization(const Authorization& authorization) = 0;
  virtual void save_authorization(const Authorization& authorization) = 0;
  virtual void add_connect_link(const ConnectLink& link) = 0;
  virtual void save_connect_link(const ConnectLink& link) = 0;
  virtual void drop_connect_links(Timestamp expired_before) = 0;

  // Of one clinic's runs that have ended the newest kRunsKept stay.
  virtual RunKey add_run(const NetworkRun& run) = 0;
  virtual void save_run(const NetworkRun& run) = 0;
};

}  // namespace resultsync::store
