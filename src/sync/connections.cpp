#include "sync/connections.hpp"

#include <algorithm>

#include "orders/decode.hpp"
#include "store/network.hpp"
#include "sync/apply.hpp"
#include "sync/issue.hpp"

namespace resultsync::sync {
namespace {

// Events that were held back because they name another clinic than the one the order was given to: an operator has
// spoken now.
Result<std::size_t> release(store::ViewsTransaction& transaction, const store::EventLog& log,
                            const ApplyOptions& options, store::OrderRecord& order, Timestamp now) {
  std::size_t items = 0;
  for (const auto& held : transaction.read().waiting_of(order.row.key)) {
    if (held.reason != orders::Unmatched::kClinicChanged) continue;
    const auto stored = log.at(held.record);
    if (!stored) return std::unexpected(stored.error());
    const std::string body = in_common_form(options.common_form, stored->record);
    const auto uses = transaction.read().network().uses_of(held.record);
    const orders::Event event = orders::decode_event(body, held.body, store::facts_of(uses));
    items +=
        merge_event(transaction, order, {held.source, event, held.record, body, held.received_at}, options, now).items;
    note_missing(transaction, order, event, uses);
    transaction.set_outcome(held.record, store::Outcome::kWaiting, orders::Unmatched::kNobodyConnected);
  }
  return items;
}

}  // namespace

Result<Connected> connect(store::Views& views, const ConnectRequest& request, Timestamp now) {
  const auto transaction = views.begin();
  auto connected = connect(*transaction, request, now);
  if (!connected) return connected;
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  return connected;
}

Result<Connected> connect(store::ViewsTransaction& transaction, const ConnectRequest& request, Timestamp now) {
  auto& read = transaction.read();
  if (!read.may_connect(request.practitioner, request.source, request.clinic, request.reach)) {
    if (auto status = read.status(); !status) return forward_error(std::move(status));
    return fail("not_found", "there is no such clinic within the reach");
  }
  auto practitioner = read.practitioner(request.practitioner, store::kEverything);
  if (!practitioner) {
    practitioner.emplace();
    practitioner->key = transaction.add_practitioner(request.practitioner);
  }
  const auto same = std::ranges::find_if(practitioner->connections, [&](const store::ConnectionRow& connection) {
    return connection.source == request.source && connection.clinic == request.clinic;
  });
  Connected result;
  if (same != practitioner->connections.end()) {
    result.connection = *same;
    if (same->vendor_practitioner == request.vendor_practitioner || request.vendor_practitioner.empty()) return result;
    transaction.set_vendor_practitioner(same->key, request.vendor_practitioner);
    result.connection.vendor_practitioner = request.vendor_practitioner;
  } else {
    result.created = true;
    result.connection = {
        {}, practitioner->key, request.practitioner, request.source, request.clinic, request.vendor_practitioner, now};
    result.connection.key = transaction.add_connection(result.connection);
    store::Backfill job;
    job.connection = result.connection.key;
    job.through = read.last_entry();
    job.orders_total = read.count_orders_of_clinic(request.source, request.clinic);
    job.finished = job.orders_total == 0;
    transaction.save_backfill(job);
  }
  // The connection says where the practitioner works: orders that name no clinic may find theirs by it.
  if (!request.vendor_practitioner.empty() &&
      transaction.learn_clinic(request.source, {request.vendor_practitioner, request.clinic},
                               store::Witness::kConnection)) {
    for (const auto key : read.orders_without_clinic(request.source, request.vendor_practitioner)) {
      if (auto order = read.order(key)) settle_and_issue(transaction, *order, {}, now);
    }
  }
  return result;
}

Result<std::size_t> disconnect(store::Views& views, const DisconnectRequest& request, Timestamp now) {
  const auto transaction = views.begin();
  const auto practitioner = transaction->read().practitioner(request.practitioner, request.reach);
  std::size_t ended = 0;
  for (const auto& connection : practitioner ? practitioner->connections : std::vector<store::ConnectionRow>{}) {
    if (request.source && connection.source != *request.source) continue;
    if (request.clinic && connection.clinic != *request.clinic) continue;
    transaction->end_connection(connection.key, now);
    ++ended;
  }
  if (auto status = transaction->read().status(); !status) return forward_error(std::move(status));
  if (ended == 0) return fail("not_found", "no such practitioner is connected");
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  return ended;
}

Result<Matched> match(store::Views& views, const store::EventLog& log, const SourceId& source, const EventId& event_id,
                      const ClinicId& clinic, Timestamp now, const ApplyOptions& options) {
  const auto transaction = views.begin();
  auto& read = transaction->read();
  const auto event = read.event(source, event_id);
  if (!event) return fail("not_found", "there is no such event");
  auto order = read.order(event->order_key);
  if (event->outcome != store::Outcome::kWaiting || !order) {
    return fail("not_waiting", "the event is not waiting for a clinic", std::string(name_of(event->outcome)));
  }
  if (order->row.clinic != clinic)
    order->row.delivered_at = {};  // parked again, for the practitioners of the new clinic
  order->row.clinic = clinic;
  order->row.by_operator = true;
  // What was held back is merged below, whatever clinic it names: a rebuild must not hold it back either.
  order->row.settled_at = orders::newest_record(order->history);
  for (const auto& waiting : read.waiting_of(order->row.key))
    order->row.settled_at = std::max(order->row.settled_at, waiting.record);
  auto released = release(*transaction, log, options, *order, now);
  if (!released) return forward_error(std::move(released));
  Matched matched{order->row.id, clinic, *released, false};
  matched.items += settle_and_issue(*transaction, *order, {}, now).items;
  matched.nobody_connected = read.connections(source, clinic).empty();
  for (const auto& waiting : read.waiting_of(order->row.key)) {
    if (!matched.nobody_connected)
      transaction->set_outcome(waiting.record, store::Outcome::kSynced, orders::Unmatched::kNone);
  }
  if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  return matched;
}

}  // namespace resultsync::sync
