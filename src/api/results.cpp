// /v1/results: ordered tests that have a result, what is current of each, and each version for ever.
#include "api/results.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <map>
#include <ranges>
#include <set>

#include "api/cursor.hpp"
#include "api/feed_item.hpp"
#include "api/reviews.hpp"
#include "api/told.hpp"
#include "base/encoding.hpp"
#include "fhir/terms.hpp"
#include "orders/decode.hpp"
#include "results/json.hpp"
#include "results/known_result.hpp"
#include "results/remarkable.hpp"
#include "sync/index_results.hpp"

namespace resultsync::api {
namespace {

using results::FlagMeaning;
using results::ResultFile;

constexpr std::size_t kPageBytesMax = 8 * 1024 * 1024;
constexpr Sequence kNewestRecord{std::numeric_limits<std::int64_t>::max()};

std::string url_of(const store::ResultRow& row) {
  return "/v1/results/" + percent_encoded(row.test.text()) + "?source=" + percent_encoded(row.source.text()) +
         "&order=" + percent_encoded(row.order.text());
}

void write_row(JsonWriter& json, const store::ResultRow& row) {
  json.member("ordered_test_id", row.test.text())
      .member("source", row.source.text())
      .member("order_id", row.order.text());
  id_member(json, "patient_id", row.patient.text());
  id_member(json, "clinic_id", row.clinic.text());
  json.member("status", row.status).member("version", row.version);
  time_member(json, "changed_at", row.changed_at);
  json.member("url", url_of(row));
}

// What a list shows of a result, so that nobody has to open each to see which to open.
void write_summary(JsonWriter& json, const Body& body, const OrderedTestId& test, const results::PanicFlags& panic) {
  json.key("summary");
  if (!body.unavailable.empty()) {
    json.null();
    return;
  }
  const ResultFile file = read_file(body, test);
  json.begin_object().member("reading", results::form_name(file.form)).key("tests").begin_array();
  std::uint64_t observations = 0;
  std::uint64_t abnormal = 0;
  std::uint64_t critical = 0;
  std::uint64_t not_flagged = 0;
  for (const results::Report& report : file.content.reports) {
    json.string(report.test.display());
    for (const results::Observation& observation : report.observations) {
      if (!counts(observation)) continue;
      ++observations;
      const auto level = level_of(observation, panic, file.content.header.sending_facility);
      if (level == FlagMeaning::Level::abnormal) ++abnormal;
      if (level == FlagMeaning::Level::critical) ++critical;
      if (observation.assessment.agreement == results::Assessment::Agreement::not_flagged) ++not_flagged;
    }
  }
  json.end_array()
      .member("observations", observations)
      .member("abnormal", abnormal)
      .member("critical", critical)
      .member("outside_range_not_flagged", not_flagged)
      .member("documents", std::uint64_t{file.content.documents.size()})
      .end_object();
}

struct ResultsQuestion {
  store::ResultFilter filter;
  store::ResultPlace after;
  std::size_t limit = 0;
};

constexpr std::string_view kStatuses[] = {"registered", "partial",   "preliminary",      "final",   "amended",
                                          "corrected",  "cancelled", "entered-in-error", "unknown", "withdrawn"};

Checked<ResultsQuestion> read_question(const Service& service, const Parameters& parameters) {
  ResultsQuestion question;
  const auto updated_since = parameters.time("updated_since");
  if (!updated_since) return std::unexpected(updated_since.error());
  const auto limit = parameters.whole_number("limit", kLimit);
  if (!limit) return std::unexpected(limit.error());
  auto source = source_filter(service.context, parameters);
  if (!source) return std::unexpected(source.error());
  if (const auto cursor = parameters.text("after")) {
    const auto place = parse_result_cursor(*cursor);
    if (!place) return std::unexpected(bad_cursor());
    question.after = *place;
  }
  if (const auto status = parameters.text("status")) {
    if (std::ranges::find(kStatuses, *status) == std::end(kStatuses))
      return std::unexpected(bad_parameter("status", "is none of the statuses that a result can have"));
    question.filter.status = *status;
  }
  if (const auto reviewed = parameters.text("reviewed")) {
    if (*reviewed != "yes" && *reviewed != "no") return std::unexpected(bad_parameter("reviewed", "must be yes or no"));
    question.filter.reviewed = *reviewed == "yes";
  }
  for (const char* name : {"patient", "order"}) {
    const auto value = parameters.text(name);
    if (value && value->empty()) return std::unexpected(bad_parameter(name, "must not be empty"));
  }
  if (auto patient = parameters.text("patient")) question.filter.patient = PatientId(std::move(*patient));
  if (auto order = parameters.text("order")) question.filter.order = OrderId(std::move(*order));
  question.filter.updated_since = *updated_since;
  question.filter.source = std::move(*source);
  question.limit = static_cast<std::size_t>(*limit);
  return question;
}

std::vector<store::OrderKey> keys_of(const std::map<store::OrderKey, store::OrderRecord>& orders) {
  const auto keys = orders | std::views::keys;
  return {keys.begin(), keys.end()};
}

Problem unknown_result() {
  return not_found("unknown_result", "There is no result of an ordered test with this id, or it may not be seen.");
}

// One version with everything that it says, into an open object.
void write_version(JsonWriter& json, const VersionPlace& place, const OrderedTestId& test,
                   const std::optional<store::EventRow>& event, Bodies& bodies) {
  json.member("version", place.version).member("content_sha256", place.content.hex());
  json.key("previous_version");
  place.previous_version == 0 ? json.null() : json.number(place.previous_version);
  id_member(json, "event_id", event ? event->id.text() : std::string());
  time_member(json, "created_at", event ? event->created_at : orders::kNoTime);
  time_member(json, "received_at", event ? event->received_at : orders::kNoTime);
  const auto body = body_as_told(bodies.of(place.record), place.missing);
  json.key("ordered_test").raw(orders::resources_of(body->bytes, test).ordered_test);
  if (!body->unavailable.empty()) json.member("unavailable", body->unavailable);
  write_missing(json, place.missing);
  write_reading(json, test, *body, place.before, bodies);
}

// What stands after all contents so far, where that is more than the last one says: labs send a report in parts.
void write_known(JsonWriter& json, const VersionPlace& place, const OrderedTestId& test, Bodies& bodies) {
  json.key("known");
  const auto known = place.before.empty() ? std::nullopt : known_at(place, test, bodies);
  if (!known) {
    json.null();
    return;
  }
  json.begin_object().key("reports").begin_array();
  for (const results::Report& report : known->reports) results::write_json(json, report);
  json.end_array().key("documents").begin_array();
  for (const results::Document& document : known->documents) results::write_json(json, document);
  json.end_array().end_object();
}

// What a version is by itself: the status of its own content.
std::string_view status_of_version(const VersionPlace& place, const orders::TestHistory& test, Bodies& bodies) {
  const auto point = std::ranges::find(test.points, place.record, &orders::TestPoint::record);
  if (point != test.points.end() && !point->has_content) return sync::kWithdrawn;
  const auto body = body_as_told(bodies.of(place.record), place.missing);
  return body->unavailable.empty() ? sync::status_of(read_file(*body, test.id)) : "unknown";
}

}  // namespace

std::optional<int> version_number(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 1 || text.front() == '0')
    return std::nullopt;
  return number;
}

Checked<FoundResult> find_result(const Service& service, store::ViewsSnapshot& snapshot, const Call& call,
                                 const store::Sight& sight) {
  auto source = source_filter(service.context, call.parameters);
  if (!source) return std::unexpected(source.error());
  store::ResultFilter filter;
  filter.sight = sight;
  filter.test = OrderedTestId(call.path.front());
  filter.source = std::move(*source);
  if (auto order = call.parameters.text("order")) filter.order = OrderId(std::move(*order));
  constexpr std::size_t kSourcesMax = 100;
  auto rows = snapshot.results().changed(filter, {}, kSourcesMax);
  if (const auto ok = snapshot.status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (rows.empty()) return std::unexpected(unknown_result());
  if (rows.size() > 1) {
    Problem problem{.status = 409,
                    .code = "ambiguous_id",
                    .title = "More than one result has this id. Say which one with `source`, or `order`."};
    for (const auto& row : rows) {
      if (std::ranges::find(problem.sources, row.source) == problem.sources.end())
        problem.sources.push_back(row.source);
    }
    return std::unexpected(std::move(problem));
  }
  auto order = snapshot.order(rows.front().order_key);
  auto told_missing = snapshot.network().told_missing(rows.front().order_key);
  if (const auto ok = snapshot.status(); !ok) return std::unexpected(store_failed(ok.error()));
  if (!order || order->history.test(rows.front().test) == nullptr) return std::unexpected(unknown_result());
  return FoundResult{std::move(rows.front()), std::move(*order), std::move(told_missing)};
}

Problem unknown_version() {
  return not_found("unknown_version", "The ordered test has no result version of this number.");
}

Checked<store::Sight> sight_of(store::ViewsSnapshot& snapshot, const Call& call,
                               const std::optional<std::string>& practitioner) {
  store::Sight sight{call.caller.reach, {}};
  if (!practitioner) return sight;
  const auto row = connected_practitioner(snapshot, AppPractitionerId(*practitioner), call.caller.reach);
  if (!row) return std::unexpected(row.error());
  sight.practitioner = row->key;
  return sight;
}

namespace {

// The version as the point shows it.
VersionPlace place_at(const orders::TestHistory& test, const orders::Version& version,
                      std::vector<orders::TestPoint>::const_iterator point) {
  VersionPlace place;
  place.version = version.number;
  place.content = version.content;
  place.record = point->record;
  place.before = orders::contents_before(test, place.record, kNewestRecord);
  for (auto before = point; before != test.points.begin();) {
    --before;
    if (before->content == version.content || test.number_of(before->content) == 0) continue;
    place.previous_version = test.number_of(before->content);
    break;
  }
  return place;
}

}  // namespace

std::optional<VersionPlace> place_of(const orders::TestHistory& test, int version) {
  const auto named = std::ranges::find(test.versions, version, &orders::Version::number);
  if (named == test.versions.end()) return std::nullopt;
  const auto newest_first = test.points | std::views::reverse;
  const auto point = std::ranges::find(newest_first, named->content, &orders::TestPoint::content);
  if (point == newest_first.end()) return std::nullopt;
  return place_at(test, *named, std::prev(point.base()));
}

std::optional<VersionPlace> told_place_of(const orders::TestHistory& test, int version,
                                          const std::vector<store::ToldMissing>& told_missing) {
  auto missing = missing_of(told_missing, test.id, version);
  auto place = place_of(test, version);
  if (!place && !missing.empty()) {
    const auto named = std::ranges::find(test.versions, version, &orders::Version::number);
    if (named == test.versions.end()) return std::nullopt;
    const auto point = std::ranges::find(test.points, named->record, &orders::TestPoint::record);
    if (point != test.points.end()) place = place_at(test, *named, point);
  }
  if (place) place->missing = std::move(missing);
  return place;
}

std::map<store::OrderKey, store::OrderRecord> orders_of(store::ViewsSnapshot& snapshot,
                                                        std::span<const store::ResultRow> rows) {
  std::set<store::OrderKey> keys;
  for (const store::ResultRow& row : rows) keys.insert(row.order_key);
  return snapshot.orders(std::vector(keys.begin(), keys.end()));
}

std::optional<results::Interpretation> known_at(const VersionPlace& place, const OrderedTestId& test, Bodies& bodies) {
  results::KnownResult known;
  const auto take = [&](Sequence record) {
    const auto body = bodies.of(record);
    body->unavailable.empty() ? known.take(read_file(*body, test)) : known.take_unreadable();
  };
  for (const Sequence record : place.before) take(record);
  take(place.record);
  if (known.content() == nullptr) return std::nullopt;
  return *known.content();
}

results::ResultFile read_file(const Body& body, const OrderedTestId& test) {
  return results::read_result_file(orders::attribute_of(body.bytes, test, "results_hl7"));
}

Reply list_results(Service& service, const Call& call) {
  auto question = read_question(service, call.parameters);
  if (!question) return question.error();
  auto snapshot = service.context.views.snapshot();
  const auto sight = sight_of(*snapshot, call, call.parameters.text("practitioner"));
  if (!sight) return sight.error();
  question->filter.sight = *sight;
  const auto rows = snapshot->results().changed(question->filter, question->after, question->limit + 1);
  const std::span shown_rows(rows.data(), std::min(rows.size(), question->limit));
  const auto orders = orders_of(*snapshot, shown_rows);
  const auto said = snapshot->reviews().last_said(keys_of(orders));
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  snapshot.reset();

  std::map<store::TestKey, Sequence> records;
  std::vector<Sequence> all_records;
  for (const auto& row : shown_rows) {
    const auto order = orders.find(row.order_key);
    const auto* test = order != orders.end() ? order->second.history.test(row.test) : nullptr;
    if (test == nullptr || test->points.empty()) continue;
    all_records.push_back(records[row.key] = test->points.back().record);
  }
  Bodies bodies(service.context.log);
  bodies.look_ahead(all_records);
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  std::optional<store::ResultPlace> next;
  std::size_t shown = 0;
  for (const auto& row : shown_rows) {
    json.begin_object();
    write_row(json, row);
    write_judged(json, judged(said, {row.order_key, row.test}, row.review));
    write_summary(json, *bodies.of(records[row.key]), row.test,
                  sync::panic_flags_of(service.context.panic_flags, row.source));
    json.end_object();
    call.objects.add("orders", row.order.text());
    ++shown;
    if (shown < rows.size()) next = {row.changed_at, row.key};
    if (json.text().size() > kPageBytesMax) break;
  }
  if (shown == rows.size()) next.reset();
  json.end_array().key("next");
  next ? json.string(format_result_cursor(*next)) : json.null();
  json.end_object();
  return json_response(200, json);
}

Reply get_result(Service& service, const Call& call) {
  auto snapshot = service.context.views.snapshot();
  const auto sight = sight_of(*snapshot, call, call.parameters.text("practitioner"));
  if (!sight) return sight.error();
  const auto found = find_result(service, *snapshot, call, *sight);
  if (!found) return found.error();
  const orders::TestHistory& test = found->test();
  const auto current = told_place_of(test, test.current(), found->told_missing);
  if (!current) return unknown_result();
  struct Shown {
    VersionPlace place;
    std::optional<store::EventRow> first_seen;
    std::optional<store::SignatureRow> last_review;
  };
  std::vector<Shown> versions;
  for (const orders::Version& version : test.versions) {
    if (const auto place = told_place_of(test, version.number, found->told_missing))
      versions.push_back({*place, snapshot->event_of_record(version.record),
                          snapshot->reviews().last_signature_of(found->row.order_key, test.id, version.number)});
  }
  const auto event = snapshot->event_of_record(current->record);
  const auto said = snapshot->reviews().last_said(std::span(&found->row.order_key, 1));
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  snapshot.reset();

  Bodies bodies(service.context.log);
  JsonWriter json;
  json.begin_object();
  write_row(json, found->row);
  write_judged(json, judged(said, {found->row.order_key, found->row.test}, found->row.review));
  json.key("result").begin_object();
  write_version(json, *current, test.id, event, bodies);
  json.end_object();
  write_known(json, *current, test.id, bodies);
  json.key("versions").begin_array();
  for (const auto& [place, first_seen, last_review] : versions) {
    json.begin_object().member("version", place.version).member("content_sha256", place.content.hex());
    json.member("status", status_of_version(place, test, bodies));
    id_member(json, "first_seen_event_id", first_seen ? first_seen->id.text() : std::string());
    time_member(json, "first_received_at", first_seen ? first_seen->received_at : orders::kNoTime);
    write_last_review(json, last_review);
    json.member("current", place.version == current->version)
        .member("url", store::link_to_version(found->row.source, found->row.order, test.id, place.version))
        .end_object();
  }
  json.end_array().end_object();
  return json_response(200, json);
}

Reply get_result_version(Service& service, const Call& call) {
  auto snapshot = service.context.views.snapshot();
  const auto sight = sight_of(*snapshot, call, call.parameters.text("practitioner"));
  if (!sight) return sight.error();
  const auto found = find_result(service, *snapshot, call, *sight);
  if (!found) return found.error();
  const orders::TestHistory& test = found->test();
  const auto number = version_number(call.path[1]);
  const auto place = number ? told_place_of(test, *number, found->told_missing) : std::nullopt;
  if (!place) return unknown_version();
  const auto event = snapshot->event_of_record(place->record);
  if (const auto ok = snapshot->status(); !ok) return store_failed(ok.error());
  snapshot.reset();

  Bodies bodies(service.context.log);
  JsonWriter json;
  json.begin_object()
      .member("ordered_test_id", found->row.test.text())
      .member("source", found->row.source.text())
      .member("order_id", found->row.order.text())
      .member("status", status_of_version(*place, test, bodies));
  write_version(json, *place, test.id, event, bodies);
  json.end_object();
  return json_response(200, json);
}

}  // namespace resultsync::api
