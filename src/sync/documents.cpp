#include "sync/documents.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "orders/decode.hpp"
#include "store/document_bytes.hpp"
#include "sync/issue.hpp"

namespace resultsync::sync {
namespace {

using State = orders::LinkedDocument::State;

// Larger texts are named by their digest, like any other file: a page of the feed shows many items.
constexpr std::size_t kInlineBytesMax = std::size_t{8} * 1024 * 1024;

std::string shown(const store::DocumentUse& use, const Unsealed& unsealed) {
  if (use.state == State::kPending) return "document:pending";
  if (use.state == State::kMissing) return "document:missing";
  std::string name = "document:sha256:" + use.document.hex();
  if (!use.is_content) return name;
  auto bytes = unsealed(use.document);
  if (!bytes || bytes->size() > kInlineBytesMax) return name;
  const auto type = orders::sniff_media_type(*bytes);
  if (type != "application/hl7-v2" && type != "text/plain") return name;
  // HL7 in another character set than UTF-8 stands in base64, as networks send it.
  return is_utf8(*bytes) ? std::move(*bytes) : encode_base64(*bytes);
}

}  // namespace

void note_links(store::ViewsTransaction& transaction, const store::EventRow& event, std::string_view body) {
  for (const orders::Link& link : orders::links_of(body)) {
    store::DocumentUse use;
    use.record = event.record;
    use.test = link.test;
    use.member = link.member;
    use.source = event.source;
    use.order = event.order_key;
    use.link = sha256(link.url);
    use.is_content = link.is_content;
    use.received_at = event.received_at;
    use.next_try_at = event.received_at;
    transaction.note_use(use);
  }
}

void note_order_to_read(store::ViewsTransaction& transaction, const store::EventRow& event) {
  store::DocumentUse use;
  use.record = event.record;
  use.member = kWholeOrder;
  use.source = event.source;
  use.order = event.order_key;
  use.link = sha256("order " + event.order.text());  // one reading serves all events that came before it
  use.is_content = false;
  use.received_at = event.received_at;
  use.next_try_at = event.received_at;
  transaction.note_use(use);
}

Result<std::size_t> documents_settled(store::ViewsTransaction& transaction, const store::EventLog& log, Sequence record,
                                      const ApplyOptions& options, Timestamp now) {
  auto& read = transaction.read();
  const auto row = read.event_of_record(record);
  if (!row || !row->order_key) return 0;
  auto order = read.order(row->order_key);
  const bool merged =
      order && std::ranges::any_of(order->history.points, [&](const auto& point) { return point.record == record; });
  if (!merged) return 0;  // it waits for an operator (`clinic_changed`), who will merge it with all that is known then
  auto stored = log.at(record);
  if (!stored) return forward_error(std::move(stored));
  const std::string body = in_common_form(options.common_form, stored->record);
  const auto uses = read.network().uses_of(record);
  const orders::Event event = orders::decode_event(body, row->body, store::facts_of(uses));
  if (!event.order) return 0;

  const orders::Change change = orders::complete(order->history, event, record);
  if (change.notices.empty() && change.new_versions.empty()) {
    transaction.add_to_history(*order, event.key, change);
    return 0;
  }
  order->row.updated_at = std::max(order->row.updated_at, now);
  note_missing(transaction, *order, event, uses);
  const std::size_t items = tell_change(transaction, *order, event.key, change, now).items;
  options.index.add(transaction, {*order, change, record, body, now});
  return items;
}

std::string with_documents_of(std::string_view body, const std::vector<store::DocumentUse>& uses,
                              const Unsealed& unsealed) {
  std::vector<orders::ShownDocument> documents;
  documents.reserve(uses.size());
  for (const store::DocumentUse& use : uses) documents.push_back({use.test, use.member, shown(use, unsealed)});
  return orders::with_documents(body, documents);
}

ReadableLog::ReadableLog(store::EventLog& log, store::Views& views, const runtime::Vault& documents,
                         CommonForm common_form)
    : log_(log), views_(views), documents_(documents), common_form_(std::move(common_form)) {}

Result<std::vector<store::StoredRecord>> ReadableLog::read(Sequence after, store::ReadLimits limits) const {
  auto records = log_.read(after, limits);
  if (!records) return records;
  for (store::StoredRecord& stored : *records) stored.record.body = readable(stored);
  return records;
}

Result<store::StoredRecord> ReadableLog::at(Sequence sequence) const {
  auto stored = log_.at(sequence);
  if (stored) stored->record.body = readable(*stored);
  return stored;
}

std::vector<store::StoredRecord> ReadableLog::some_of(std::span<const Sequence> records, std::size_t bytes_max) const {
  auto found = log_.some_of(records, bytes_max);
  for (store::StoredRecord& stored : found) stored.record.body = readable(stored);
  return found;
}

std::string ReadableLog::readable(const store::StoredRecord& stored) const {
  std::string body = in_common_form(common_form_, stored.record);
  if (orders::links_of(body).empty()) return body;
  const auto snapshot = views_.snapshot();
  // A receipt's body is shown with what the event's links led to.
  const auto event = snapshot->event_of_record(stored.sequence);
  const auto uses = snapshot->network().uses_of(event ? event->record : stored.sequence);
  return with_documents_of(body, uses, [&](const Sha256& name) -> std::optional<std::string> {
    const auto row = snapshot->network().document(name);
    if (!row) return std::nullopt;
    auto bytes = store::open_document(documents_, name, row->sealed);
    return bytes ? std::optional(std::move(*bytes)) : std::nullopt;
  });
}

}  // namespace resultsync::sync
