#include "api/feed_item.hpp"

#include <algorithm>

#include "api/service.hpp"
#include "api/told.hpp"
#include "base/digest.hpp"
#include "results/json.hpp"
#include "results/known_result.hpp"

namespace resultsync::api {
namespace {

using orders::Notice;
using Form = results::ResultFile::Form;

void write_side(JsonWriter& json, std::string_view name, const std::string& value) {
  json.key(name);
  if (value.size() <= kShownValueBytesMax) {
    json.raw(value);
    return;
  }
  json.begin_object().member("sha256", sha256(value).hex()).member("bytes", std::uint64_t{value.size()}).end_object();
}

// What differs from the event before, or null where one of the two bodies cannot be read.
void write_changes_of(JsonWriter& json, const FeedItem& item, const Body& body, Bodies& bodies) {
  const Notice& notice = item.row.entry.notice;
  json.key("changes");
  const auto before = notice.previous.value == 0
                          ? std::make_shared<const Body>()
                          : body_as_told(bodies.of(notice.previous),
                                         missing_of(item.told_missing, notice.test, notice.previous_version));
  if (!body.unavailable.empty() || !before->unavailable.empty()) {
    json.null();
    return;
  }
  write_changes(json, notice.kind == Notice::Kind::kResult
                          ? orders::content_changes(before->bytes, body.bytes, notice.test)
                          : orders::order_changes(before->bytes, body.bytes));
}

results::ResultFile file_of(const Body& body, const OrderedTestId& test) {
  return results::read_result_file(orders::attribute_of(body.bytes, test, "results_hl7"));
}

results::KnownResult known_after(std::span<const Sequence> records, const OrderedTestId& test, Bodies& bodies) {
  results::KnownResult known;
  for (const Sequence record : records) {
    const auto body = bodies.of(record);
    body->unavailable.empty() ? known.take(file_of(*body, test)) : known.take_unreadable();
  }
  return known;
}

void write_result(JsonWriter& json, const FeedItem& item, const std::string& ordered_test, const Body& body,
                  Bodies& bodies) {
  const Notice& notice = item.row.entry.notice;
  json.member("ordered_test_id", notice.test.text()).key("ordered_test").raw(ordered_test);
  json.key("result").begin_object().member("version", notice.version).member("current_version", notice.current_version);
  json.key("previous_version");
  notice.previous_version == 0 ? json.null() : json.number(notice.previous_version);
  json.member("link", store::link_to_version(item.event.source, item.row.order, notice.test, notice.version));
  write_reading(json, notice.test, body, item.before, bodies);
  json.end_object();
}

// The patient and the resources as they are in the event; null where its body cannot be read.
struct Shown {
  std::string patient;
  orders::Resources resources;
};
Shown shown_by(const Body& body, const store::EventRow& event, const OrderedTestId& test) {
  if (!body.unavailable.empty()) return {};
  const auto decoded = orders::decode_event(body.bytes, event.body);
  return {decoded.order ? decoded.order->patient.text() : std::string{}, orders::resources_of(body.bytes, test)};
}

}  // namespace

bool stands_after_contents(const store::FeedRow& row) {
  const Notice& notice = row.entry.notice;
  return notice.kind == Notice::Kind::kResult && notice.previous.value != 0;
}

// A notice is given when the later one of its two records is applied, so what had arrived by then is what it speaks of.
std::vector<Sequence> contents_before(const store::FeedRow& row, const orders::OrderHistory* history) {
  const Notice& notice = row.entry.notice;
  if (!stands_after_contents(row) || history == nullptr) return {};
  const orders::TestHistory* test = history->test(notice.test);
  if (test == nullptr) return {};
  return orders::contents_before(*test, notice.record, std::max(notice.record, notice.previous));
}

void write_reading(JsonWriter& json, const OrderedTestId& test, const Body& body, std::span<const Sequence> before,
                   Bodies& bodies) {
  if (!body.unavailable.empty()) {
    json.member("reading", "unavailable");
    return;
  }
  const results::ResultFile file = file_of(body, test);
  results::write_members(json, file);
  if (file.form != Form::hl7) return;
  json.key("diff");
  const results::KnownResult known = known_after(before, test, bodies);
  if (known.content() == nullptr) {
    json.null();
    return;
  }
  results::write_comparison(json, known.content()->reports, file.content.reports);
}

void write_feed_item(JsonWriter& json, const FeedItem& item, const AppPractitionerId& practitioner, Bodies& bodies) {
  const auto& [row, event, cursor, before, told_missing] = item;
  const Notice& notice = row.entry.notice;
  const bool is_result = notice.kind == Notice::Kind::kResult;
  const auto missing =
      is_result ? missing_of(told_missing, notice.test, notice.version) : std::vector<store::ToldMissing>{};
  const auto body = body_as_told(bodies.of(notice.record), missing);
  const Shown shown = shown_by(*body, event, is_result ? notice.test : OrderedTestId{});

  json.begin_object()
      .member("cursor", cursor)
      .member("type", orders::name_of(notice.kind))
      .member("event_id", event.id.text())
      .member("source", event.source.text())
      .member("current", row.current)
      .member("backfill", row.backfill);
  json.key("practitioner").begin_object().member("id", practitioner.text());
  id_member(json, "vendor_practitioner_id", row.connection.vendor_practitioner.text());
  json.end_object().member("clinic_id", row.connection.clinic.text());
  id_member(json, "patient_id", shown.patient);
  json.member("order_id", row.order.text());
  id_member(json, "order_intent", shown.resources.order_intent);
  json.key("order").raw(shown.resources.order);
  if (is_result) write_result(json, item, shown.resources.ordered_test, *body, bodies);
  write_missing(json, missing);
  write_changes_of(json, item, *body, bodies);
  time_member(json, "created_at", event.created_at);
  time_member(json, "received_at", event.received_at);
  time_member(json, "issued_at", row.issued_at);
  if (!body->unavailable.empty()) json.member("unavailable", body->unavailable);
  json.end_object();
}

void write_changes(JsonWriter& json, const std::vector<orders::MemberChange>& changes) {
  json.begin_array();
  for (const orders::MemberChange& change : changes) {
    json.begin_object().member("member", change.member);
    write_side(json, "from", change.from);
    write_side(json, "to", change.to);
    json.end_object();
  }
  json.end_array();
}

}  // namespace resultsync::api
