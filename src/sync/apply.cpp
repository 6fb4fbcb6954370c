#include "sync/apply.hpp"

#include <algorithm>

#include "orders/decode.hpp"
#include "store/network.hpp"
#include "sync/documents.hpp"

namespace resultsync::sync {
namespace {

using orders::Flag;
using orders::Unmatched;

bool carries_results(const ApplyOptions& options, const SourceId& source, const std::string& type) {
  const auto types = options.result_types.find(source);
  if (types == options.result_types.end()) return type == "order.new_result";
  return std::ranges::any_of(types->second, [&](const std::string& one) { return one == type || one == "*"; });
}

store::Outcome outcome_without_results(const ApplyOptions& options, const SourceId& source, const std::string& type) {
  const auto types = options.other_types.find(source);
  const bool is_named =
      types != options.other_types.end() && std::ranges::find(types->second, type) != types->second.end();
  return is_named ? store::Outcome::kNoResults : store::Outcome::kUnknownType;
}

// A further receipt of an event that is known (I2): of the same body, or of another one under the same id, which is
// kept in quarantine.
void add_receipt(store::ViewsTransaction& transaction, const store::EventRow& event,
                 const store::StoredRecord& stored) {
  const bool same = event.body == stored.record.body_sha256;
  transaction.add_receipt({stored.sequence, event.record, stored.record.received_at,
                           same ? store::ReceiptKind::kDuplicate : store::ReceiptKind::kConflict,
                           stored.record.body_sha256, stored.record.stale});
  if (same || event.flags.has(Flag::kConflict)) return;
  orders::Flags flags = event.flags;
  flags.set(Flag::kConflict);
  transaction.set_flags(event.record, flags);
}

store::EventRow event_row(const orders::Event& event, const store::StoredRecord& stored) {
  store::EventRow row;
  row.record = stored.sequence;
  row.source = stored.record.source;
  row.id = event.key.id;
  row.type = event.type;
  row.created_at = event.key.created_at;
  row.received_at = stored.record.received_at;
  row.body = stored.record.body_sha256;
  row.flags = event.flags;
  if (event.order) row.order = event.order->id;
  return row;
}

// `body` is the record's, or that of the one it refers to; `facts`: what is known of the documents behind its links.
Reading read_body(const store::Record& record, std::string_view body, const orders::LinkedDocuments& facts,
                  const ApplyOptions& options) {
  Reading reading;
  const bool translate = options.common_form && !is_reconciled(record);
  if (translate) {
    reading.translated = options.common_form(record, body);
    body = reading.translated;
  }
  reading.event = orders::decode_event(body, record.body_sha256, facts);
  if (record.stale) reading.event.flags.set(Flag::kStale);
  if (is_reconciled(record)) reading.event.flags.set(Flag::kReconciled);
  return reading;
}

// Orders without a clinic that the new fact about their practitioner may give one.
std::size_t match_again(store::ViewsTransaction& transaction, const SourceId& source,
                        const PractitionerId& practitioner, Timestamp now) {
  std::size_t items = 0;
  for (const store::OrderKey key : transaction.read().orders_without_clinic(source, practitioner)) {
    if (auto order = transaction.read().order(key)) items += settle_and_issue(transaction, *order, {}, now).items;
  }
  return items;
}

std::size_t apply_new_event(store::ViewsTransaction& transaction, const orders::Event& event, std::string_view body,
                            store::EventRow row, const ApplyOptions& options, Timestamp now) {
  std::vector<PractitionerId> learned;
  for (const auto& fact : event.practitioners) {
    if (transaction.learn_clinic(row.source, fact, store::Witness::kEvent)) learned.push_back(fact.practitioner);
  }
  std::size_t items = 0;
  const bool unreadable = event.flags.has(Flag::kNotJson) || event.flags.has(Flag::kNotAnEvent);
  const bool known_type = carries_results(options, row.source, event.type);
  if (unreadable || !known_type || !event.order) {
    row.outcome = unreadable || known_type ? store::Outcome::kUnreadable
                                           : outcome_without_results(options, row.source, event.type);
    transaction.add_event(row);
  } else {
    auto order = transaction.read().order(row.source, event.order->id).value_or(store::OrderRecord{});
    if (!order.row.key) {
      order.row.key = store::OrderKey{static_cast<std::int64_t>(row.record.value)};
      order.row.source = row.source;
      order.row.id = event.order->id;
      if (!options.issue) transaction.read().fill_facts(order);
    }
    row.order_key = order.row.key;
    // While a rebuild reads what came before the clinic was settled, it is not settled yet.
    const bool settled = order.row.settled_at != Sequence{} && order.row.settled_at < row.record;
    const orders::SettledClinic clinic{settled ? order.row.clinic : ClinicId{}, order.row.by_operator};
    row.outcome = store::Outcome::kWaiting;
    if (orders::contradicts(clinic, event.order->clinic)) {
      row.reason = Unmatched::kClinicChanged;
      transaction.add_event(row);
    } else {
      const Settled merged =
          merge_event(transaction, order, {row.source, event, row.record, body, row.received_at}, options, now);
      items += merged.items;
      row.reason = order.row.clinic.empty() ? order.row.reason
                   : merged.connected       ? Unmatched::kNone
                                            : Unmatched::kNobodyConnected;
      row.outcome = merged.connected ? store::Outcome::kSynced : store::Outcome::kWaiting;
      transaction.add_event(row);
    }
    if (options.issue) note_links(transaction, row, body);
    if (options.issue && options.thin.contains(row.source) && !row.flags.has(Flag::kReconciled))
      note_order_to_read(transaction, row);
  }
  for (const auto& practitioner : learned) items += match_again(transaction, row.source, practitioner, now);
  return items;
}

}  // namespace

bool is_reconciled(const store::Record& record) {
  return std::ranges::any_of(record.headers, [](const store::KeptHeader& header) {
    return header.name == kOriginHeader && header.value == kReconciled;
  });
}

std::optional<Reading> read_record(const store::Record& record, const ApplyOptions& options) {
  if (record.same_body_as != Sequence{}) return std::nullopt;
  return read_body(record, record.body, {}, options);
}

Result<std::size_t> apply_record(store::ViewsTransaction& transaction, const store::EventLog& log,
                                 const store::StoredRecord& stored, const ApplyOptions& options, Timestamp now,
                                 const Reading* reading) {
  const store::Record& record = stored.record;
  std::string referred_body;
  std::string_view body = record.body;
  if (record.same_body_as != Sequence{}) {
    if (const auto event = transaction.read().event_of_record(record.same_body_as)) {
      add_receipt(transaction, *event, stored);
      return 0;
    }
    auto referred = log.at(record.same_body_as);
    if (!referred) return forward_error(std::move(referred));
    referred_body = std::move(referred->record.body);
    body = referred_body;
  }
  Reading own;
  if (reading == nullptr) {
    // Only a rebuild knows of documents here: they are facts, found by a link of an event that was applied before.
    const auto facts = options.issue ? orders::LinkedDocuments{}
                                     : store::facts_of(transaction.read().network().uses_of(stored.sequence));
    own = read_body(record, body, facts, options);
    reading = &own;
  }
  if (!reading->translated.empty()) body = reading->translated;
  const orders::Event& event = reading->event;
  if (const auto known = transaction.read().event(record.source, event.key.id)) {
    add_receipt(transaction, *known, stored);
    return 0;
  }
  return apply_new_event(transaction, event, body, event_row(event, stored), options, now);
}

Settled merge_event(store::ViewsTransaction& transaction, store::OrderRecord& order, const MergeInput& input,
                    const ApplyOptions& options, Timestamp now) {
  const orders::Change change = orders::apply(order.history, input.event, input.record);
  order.row.updated_at = std::max(order.row.updated_at, input.received_at);
  Settled settled;
  if (options.issue) {
    settled = tell_change(transaction, order, input.event.key, change, now);
  } else {
    transaction.add_to_history(order, input.event.key, change);
    settled = settle_and_issue(transaction, order, {}, now);
  }
  options.index.add(transaction, {order, change, input.record, input.body, input.received_at, options.issue});
  return settled;
}

Settled tell_change(store::ViewsTransaction& transaction, store::OrderRecord& order, const orders::EventKey& key,
                    const orders::Change& change, Timestamp now) {
  transaction.add_to_history(order, key, change);
  std::vector<store::Entry> fresh;
  for (const auto& notice : change.notices) {
    store::Entry entry{{}, order.row.key, notice};
    entry.key = transaction.add_entry(entry);
    fresh.push_back(std::move(entry));
  }
  return settle_and_issue(transaction, order, fresh, now);
}

void note_missing(store::ViewsTransaction& transaction, const store::OrderRecord& order, const orders::Event& event,
                  const std::vector<store::DocumentUse>& uses) {
  for (const store::DocumentUse& use : uses) {
    if (use.state != orders::LinkedDocument::State::kMissing || !use.is_content) continue;
    const orders::TestHistory* known = order.history.test(use.test);
    const auto test = std::ranges::find(event.order->tests, use.test, &orders::OrderedTest::id);
    if (known == nullptr || test == event.order->tests.end() || test->pending) continue;
    const int version = known->number_of(test->content);
    if (version != 0)
      transaction.network().note_told_missing(order.row.key, {use.test, version, use.member, use.reason});
  }
}

}  // namespace resultsync::sync
