// What the functions of the routes work with.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "api/api.hpp"
#include "api/kept_totals.hpp"
#include "api/problem.hpp"
#include "api/route.hpp"
#include "api/stream.hpp"
#include "base/json_writer.hpp"
#include "base/timestamp.hpp"
#include "runtime/vault.hpp"
#include "store/deliveries.hpp"

namespace resultsync::api {

struct Service {
  const ApiContext& context;
  std::chrono::steady_clock::time_point started;
  Streams& streams;
  KeptTotals& totals;
  const runtime::Vault& notes;                     // what practitioners write about results is sealed with it
  std::function<std::uint64_t()> feed_generation;  // before a look at a feed that may end in a Wait
  std::function<void()> keys_changed;              // API keys changed: from now on they are what they are
  // Gives a stream what it asks before it shows anything: the audit log, and whether its key is still good.
  std::function<void(const Call&, StreamQuestion&)> watch_stream;
  std::function<void()> changed;  // connections or matches changed: feeds and backfills may have work
};

// The event log as it arrived, for those who ask for raw bytes and those who decide by them.
inline const store::EventLog& received_log(const ApiContext& context) {
  return context.received == nullptr ? context.log : *context.received;
}

http::Response json_response(int status, JsonWriter& json);
http::Response no_content();  // 204

// The ETag of an answer with this body.
std::string etag_of(std::string_view body);
// If-Match: whether a change may be made to what has this ETag now (RFC 9110 §13.1.1). Problem: 412
// `precondition_failed`.
std::optional<Problem> unless_matching(const Call& call, std::string_view etag);

// A member that is null where there is nothing to say: an empty id, an unknown time.
void id_member(JsonWriter& json, std::string_view name, const std::string& id);
void time_member(JsonWriter& json, std::string_view name, Timestamp time);

// The source named by a parameter or member, or else the only or default one. The Problem names those that there are.
Checked<SourceId> chosen_source(const ApiContext& context, const std::optional<std::string>& named);
MemberError unknown_source(const ApiContext& context);
// A parameter `source` that narrows; nothing if it is absent.
Checked<std::optional<SourceId>> source_filter(const ApiContext& context, const Parameters& parameters);

// A job as it begins (202), or what it would do (200).
http::Response job_reply(const store::Job& job, bool dry_run);

// The practitioner, if one within the reach is connected under this id. Problem: 404 `unknown_practitioner`.
Checked<store::PractitionerRow> connected_practitioner(store::ViewsSnapshot& snapshot, const AppPractitionerId& id,
                                                       store::Reach reach);

// The position that a cursor of this practitioner's feed names. Problems: 400 `bad_cursor`, 410 `cursor_gone` (D5).
Checked<std::int64_t> position_in(store::ViewsSnapshot& snapshot, const store::PractitionerRow& practitioner,
                                  std::string_view cursor);
Problem cursor_gone();
// What a consumer of the feed has committed. Problem: 404 `unknown_consumer`.
Checked<std::int64_t> committed_position(store::ViewsSnapshot& snapshot, const store::PractitionerRow& practitioner,
                                         const std::string& consumer);

// The event of this id, of `source` where one is given. Problems: 404 `unknown_event`, 409 `ambiguous_id` with the
// sources.
Checked<store::EventRow> named_event(store::ViewsSnapshot& snapshot, const std::string& id,
                                     const std::optional<SourceId>& source, store::Reach reach);

// Why the network's API did not give what was asked of it: 409 `no_api`, `needs_consent`; 422 `network_refused`; 502
// `network_unavailable`.
Problem network_problem(const Error& error);

// Routes, by the file they are in.
Reply put_practitioner(Service& service, const Call& call);
Reply get_practitioner(Service& service, const Call& call);
Reply delete_practitioner(Service& service, const Call& call);
Reply list_practitioners(Service& service, const Call& call);
Reply get_feed(Service& service, const Call& call);
Reply get_stream(Service& service, const Call& call);
Reply put_consumer(Service& service, const Call& call);
Reply get_consumer(Service& service, const Call& call);
Reply list_consumers(Service& service, const Call& call);
Reply delete_consumer(Service& service, const Call& call);
Reply commit_consumer(Service& service, const Call& call);
Reply acknowledge(Service& service, const Call& call);
Reply list_unacknowledged(Service& service, const Call& call);
Reply list_events(Service& service, const Call& call);
Reply get_event(Service& service, const Call& call);
Reply get_event_body(Service& service, const Call& call);
Reply list_orders(Service& service, const Call& call);
Reply get_order(Service& service, const Call& call);
Reply list_results(Service& service, const Call& call);
Reply get_result(Service& service, const Call& call);
Reply get_result_version(Service& service, const Call& call);
Reply post_review(Service& service, const Call& call);
Reply list_reviews(Service& service, const Call& call);
Reply acknowledge_critical(Service& service, const Call& call);
Reply list_critical(Service& service, const Call& call);
Reply list_patient_observations(Service& service, const Call& call);
Reply get_patient(Service& service, const Call& call);
Reply get_document(Service& service, const Call& call);
Reply list_missing_documents(Service& service, const Call& call);
Reply retry_documents(Service& service, const Call& call);
Reply fhir_metadata(Service& service, const Call& call);
Reply fhir_search(Service& service, const Call& call);
Reply fhir_post_search(Service& service, const Call& call);
Reply fhir_read(Service& service, const Call& call);
Reply list_unmatched(Service& service, const Call& call);
Reply match_unmatched(Service& service, const Call& call);
Reply create_key(Service& service, const Call& call);
Reply list_keys(Service& service, const Call& call);
Reply get_key(Service& service, const Call& call);
Reply revoke_key(Service& service, const Call& call);
Reply rotate_key(Service& service, const Call& call);
Reply list_audit(Service& service, const Call& call);
Reply get_checkpoint(Service& service, const Call& call);
Reply create_endpoint(Service& service, const Call& call);
Reply list_endpoints(Service& service, const Call& call);
Reply get_endpoint(Service& service, const Call& call);
Reply change_endpoint(Service& service, const Call& call);
Reply delete_endpoint(Service& service, const Call& call);
Reply rotate_endpoint_secret(Service& service, const Call& call);
Reply test_endpoint(Service& service, const Call& call);
Reply pause_endpoint(Service& service, const Call& call);
Reply resume_endpoint(Service& service, const Call& call);
Reply disable_endpoint(Service& service, const Call& call);
Reply replay_feed(Service& service, const Call& call);
Reply list_deliveries(Service& service, const Call& call);
Reply get_delivery(Service& service, const Call& call);
Reply retry_delivery(Service& service, const Call& call);
Reply retry_deliveries(Service& service, const Call& call);
Reply list_jobs(Service& service, const Call& call);
Reply get_job(Service& service, const Call& call);
Reply cancel_job(Service& service, const Call& call);
Reply get_status(Service& service, const Call& call);
Reply livez(Service& service, const Call& call);
Reply readyz(Service& service, const Call& call);
Reply get_metrics(Service& service, const Call& call);
Reply get_openapi(Service& service, const Call& call);
Reply post_connect_link(Service& service, const Call& call);
Reply post_reconciliation(Service& service, const Call& call);
Reply list_reconciliations(Service& service, const Call& call);
Reply get_reconciliation(Service& service, const Call& call);
Reply post_order_intent(Service& service, const Call& call);
Reply get_network(Service& service, const Call& call);

// Into an open object: the consent that a connection rests on, and the last reading of its clinic's orders; null where
// there is none.
void write_consent(JsonWriter& json, store::ViewsSnapshot& snapshot, const store::ConnectionRow& connection);
// Ends the practitioner's consents with their connections. Problem: the store's.
std::optional<Problem> end_consents(Service& service, const AppPractitionerId& practitioner,
                                    const std::optional<SourceId>& source);

}  // namespace resultsync::api
