// /v1/feed/ack and /v1/feed/unacknowledged: what the application says it has taken over, and what it has not.
#include "api/acknowledgements.hpp"

#include <simdjson.h>

#include <algorithm>

#include "api/cursor.hpp"
#include "api/json_body.hpp"
#include "api/service.hpp"
#include "runtime/threads.hpp"
#include "store/readers.hpp"

namespace resultsync::api {
namespace {

constexpr std::size_t kItemsMax = 1000;  // of one acknowledgement
constexpr Parameters::Range kOlderThanSeconds{.least = 0, .most = 366LL * 24 * 3600, .usual = 0};
constexpr std::chrono::seconds kLookEvery{30};

struct Acknowledgement {
  std::string practitioner;
  std::optional<std::string> through;
  std::vector<std::string> items;
};

// {"practitioner": …, "through": cursor} or {"practitioner": …, "items": [cursor, …]}
Checked<Acknowledgement> read_acknowledgement(std::string_view body) {
  const simdjson::padded_string padded(body);
  simdjson::dom::parser parser;
  simdjson::dom::object members;
  if (parser.parse(padded).get_object().get(members) != simdjson::SUCCESS) {
    return std::unexpected(Problem{.status = 400, .code = "bad_json", .title = "The body must be a JSON object."});
  }
  Acknowledgement read;
  std::vector<MemberError> errors;
  const auto take_text = [&](const auto& member, std::optional<std::string>& into) {
    std::string_view text;
    if (member.value.get_string().get(text) != simdjson::SUCCESS || !unfit_as_id(text).empty()) {
      errors.push_back({std::string(member.key), "must be text of 1 to 255 bytes"});
    } else if (into) {
      errors.push_back({std::string(member.key), "is given twice"});
    } else {
      into = std::string(text);
    }
  };
  std::optional<std::string> practitioner;
  for (const auto& member : members) {
    if (errors.size() >= 20) break;
    if (member.key == "practitioner") {
      take_text(member, practitioner);
    } else if (member.key == "through") {
      take_text(member, read.through);
    } else if (member.key == "items") {
      simdjson::dom::array items;
      if (member.value.get_array().get(items) != simdjson::SUCCESS || !read.items.empty()) {
        errors.push_back({"items", "must be a list of cursors, once"});
        continue;
      }
      for (const auto item : items) {
        std::string_view text;
        if (item.get_string().get(text) != simdjson::SUCCESS || read.items.size() == kItemsMax) {
          errors.push_back({"items", "must be at most 1,000 cursors"});
          break;
        }
        read.items.emplace_back(text);
      }
    } else {
      errors.push_back(
          {std::string(member.key.substr(0, 64)), "is not known here; known are: practitioner, through, items"});
    }
  }
  if (!practitioner) errors.push_back({"practitioner", "is needed"});
  if (read.through.has_value() == !read.items.empty())
    errors.push_back({"through", "is needed, or items, and not both"});
  if (!errors.empty()) return std::unexpected(invalid_members(std::move(errors)));
  read.practitioner = std::move(*practitioner);
  return read;
}

void write_unacknowledged(JsonWriter& json, const store::UnacknowledgedRow& row, const std::string& epoch,
                          Timestamp now) {
  json.begin_object()
      .member("practitioner", row.practitioner.text())
      .member("cursor", format(feed_cursor(epoch, row.practitioner, row.position)))
      .member("type", row.is_result ? "result" : "order")
      .member("source", row.source.text())
      .member("order_id", row.order.text());
  if (row.is_result) json.member("ordered_test_id", row.test.text()).member("version", row.version);
  time_member(json, "issued_at", row.issued_at);
  json.member("age_seconds", std::max<std::int64_t>(0, (now.microseconds - row.issued_at.microseconds) / 1'000'000))
      .end_object();
}

}  // namespace

Reply acknowledge(Service& service, const Call& call) {
  const auto said = read_acknowledgement(call.body);
  if (!said) return said.error();
  const auto transaction = service.context.views.begin();
  auto& snapshot = transaction->read();
  const auto practitioner = connected_practitioner(snapshot, AppPractitionerId(said->practitioner), call.caller.reach);
  if (!practitioner) return practitioner.error();
  call.objects.add("practitioner", practitioner->app_practitioner.text());

  const Timestamp now = service.context.clock.now();
  if (said->through) {
    const auto position = position_in(snapshot, *practitioner, *said->through);
    if (!position) return position.error();
    transaction->readers().acknowledge_through(practitioner->key, *position, now);
  } else {
    std::vector<std::int64_t> positions;
    for (const std::string& cursor : said->items) {
      const auto position = position_in(snapshot, *practitioner, cursor);
      if (!position) return position.error();
      positions.push_back(*position);
    }
    transaction->readers().acknowledge(practitioner->key, positions, now);
  }
  const std::int64_t through = snapshot.readers().acknowledged_through(practitioner->key);
  JsonWriter json;
  json.begin_object()
      .member("practitioner", practitioner->app_practitioner.text())
      .member("acknowledged_through",
              format(feed_cursor(snapshot.feed_epoch(), practitioner->app_practitioner, through)))
      .end_object();
  if (const auto committed = transaction->commit(); !committed) return store_failed(committed.error());
  return json_response(200, json);
}

Reply list_unacknowledged(Service& service, const Call& call) {
  const auto limit = call.parameters.whole_number("limit", kLimit);
  if (!limit) return limit.error();
  const auto older_than = call.parameters.whole_number("older_than", kOlderThanSeconds);
  if (!older_than) return older_than.error();
  store::FeedPlace after;
  if (const auto text = call.parameters.text("after")) {
    const auto place = parse_unacknowledged_cursor(*text);
    if (!place) return bad_cursor();
    after = *place;
  }
  const auto snapshot = service.context.views.snapshot();
  const Timestamp now = service.context.clock.now();
  store::UnacknowledgedFilter filter{.practitioner = {},
                                     .issued_until = Timestamp{now.microseconds - *older_than * 1'000'000}};
  if (const auto id = call.parameters.text("practitioner")) {
    const auto practitioner = connected_practitioner(*snapshot, AppPractitionerId(*id), call.caller.reach);
    if (!practitioner) return practitioner.error();
    filter.practitioner = practitioner->key;
  }
  const auto rows =
      snapshot->readers().unacknowledged(filter, after, static_cast<std::size_t>(*limit), call.caller.reach);
  const std::string epoch = snapshot->feed_epoch();
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (const auto& row : rows) {
    call.objects.add("orders", row.order.text());
    write_unacknowledged(json, row, epoch, now);
  }
  json.end_array().key("next");
  if (rows.size() < static_cast<std::size_t>(*limit)) {
    json.null();
  } else {
    json.string(format_unacknowledged_cursor({rows.back().practitioner_key, rows.back().position}));
  }
  json.end_object();
  return json_response(200, json);
}

AcknowledgementGauges::AcknowledgementGauges(store::Views& views, const runtime::Clock& clock,
                                             runtime::Metrics& metrics)
    : views_(views),
      clock_(clock),
      items_(metrics.gauge("resultsync_feed_unacknowledged_items",
                           "Feed items that wait to be acknowledged, of practitioners for whom anything ever was.")),
      oldest_seconds_(metrics.gauge("resultsync_feed_unacknowledged_oldest_seconds", "Age of the oldest of them.")) {
  thread_ = runtime::start_thread("api-gauges", [this](const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      look_alone();
      stopping_.wait_for(lock, stop, kLookEvery, [] { return false; });
    }
  });
}

void AcknowledgementGauges::look() {
  const std::lock_guard lock(mutex_);
  look_alone();
}

void AcknowledgementGauges::look_alone() {
  const auto snapshot = views_.snapshot();
  const auto totals = snapshot->readers().unacknowledged_totals();
  if (!snapshot->status()) return;  // the gauges keep what they say; whoever reads the store is told
  items_.set(static_cast<double>(totals.items));
  const std::int64_t age =
      totals.oldest_issued_at ? clock_.now().microseconds - totals.oldest_issued_at->microseconds : 0;
  oldest_seconds_.set(static_cast<double>(age) / 1e6);
}

}  // namespace resultsync::api
