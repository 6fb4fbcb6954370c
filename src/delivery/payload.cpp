#include "delivery/payload.hpp"

#include <fmt/format.h>

#include "base/encoding.hpp"
#include "base/json_writer.hpp"
#include "store/results.hpp"

namespace resultsync::delivery {
namespace {

// Where the API shows the order as it is now; relative to the API's address. It names no person (P4: it ends up in
// access logs).
std::string link_to(const store::FeedRow& item) {
  return fmt::format("/v1/orders/{}?source={}", percent_encoded(item.order.text()),
                     percent_encoded(item.connection.source.text()));
}

void write_item(JsonWriter& json, const store::DueDelivery& due, store::PayloadForm form, ItemReader& reader) {
  const store::FeedRow& item = *due.item;
  const auto& notice = item.entry.notice;
  json.begin_object()
      .member("cursor", reader.cursor(item))
      .member("practitioner_id", item.connection.app_practitioner.text())
      .member("source", item.connection.source.text())
      .member("clinic_id", item.connection.clinic.text())
      .member("event_id", due.event.text())
      .member("order_id", item.order.text());
  if (notice.kind == orders::Notice::Kind::kResult) {
    json.member("ordered_test_id", notice.test.text())
        .member("version", notice.version)
        .member("current_version", notice.current_version)
        .key("previous_version");
    notice.previous_version == 0 ? json.null() : json.number(notice.previous_version);
    json.member("result_link", store::link_to_version(item.connection.source, item.order, notice.test, notice.version));
  }
  json.member("current", item.current)
      .member("backfill", item.backfill)
      .member("superseded", due.superseded)
      .member("replay", due.row.replay)
      .member("link", link_to(item));
  if (form == store::PayloadForm::kFull) json.key("item").raw(reader.full(item));
  json.end_object();
}

}  // namespace

std::string payload_of(const store::DueDelivery& due, store::PayloadForm form, ItemReader& reader) {
  JsonWriter json;
  json.begin_object().member("type", due.row.type);
  json.member("timestamp", format_timestamp(due.item ? due.item->issued_at : due.row.created_at)).key("data");
  if (due.item) {
    write_item(json, due, form, reader);
  } else {
    json.raw(due.row.note);
  }
  json.end_object();
  return json.take();
}

}  // namespace resultsync::delivery
