// /v1/feed: what a practitioner is told, item after item, without a gap (D5).
#include <algorithm>
#include <map>

#include "api/cursor.hpp"
#include "api/feed_item.hpp"
#include "api/service.hpp"

namespace resultsync::api {
namespace {

// A page ends after the item that goes beyond this: results may be large (P3).
constexpr std::size_t kPageBytesMax = 8 * 1024 * 1024;

struct FeedQuestion {
  AppPractitionerId practitioner;
  std::optional<FeedCursor> after;
  std::size_t limit = 0;
  std::chrono::seconds wait{0};
};

struct FeedPage {
  std::string epoch;
  std::int64_t last_position = 0;  // of the practitioner
  std::int64_t after = 0;
  std::vector<store::FeedRow> rows;
  std::map<Sequence, store::EventRow> events;
  std::map<std::int64_t, std::vector<Sequence>> before;  // by position: what each result is laid against
};

Checked<FeedQuestion> read_question(const Parameters& parameters) {
  FeedQuestion question;
  auto practitioner = parameters.required_text("practitioner");
  if (!practitioner) return std::unexpected(practitioner.error());
  const auto limit = parameters.whole_number("limit", kLimit);
  if (!limit) return std::unexpected(limit.error());
  const auto wait = parameters.whole_number("wait", kWaitSeconds);
  if (!wait) return std::unexpected(wait.error());
  if (const auto after = parameters.text("after")) {
    question.after = parse_feed_cursor(*after);
    if (!question.after) return std::unexpected(bad_cursor());
  }
  question.practitioner = AppPractitionerId(std::move(*practitioner));
  question.limit = static_cast<std::size_t>(*limit);
  question.wait = std::chrono::seconds(*wait);
  return question;
}

// D5: a cursor that is no place in this feed is told so, never answered with silence.
Problem cursor_gone() {
  return {.status = 410,
          .code = "cursor_gone",
          .title =
              "The cursor is not a place in this feed: it is another practitioner's, or from before the store was "
              "restored.",
          .restart =
              "Read this practitioner's feed from the start, without `after`, and pass by the items that are known "
              "already: "
              "the same source, event_id and ordered_test_id."};
}

Checked<FeedPage> load_page(const ApiContext& context, const FeedQuestion& question, store::Reach reach) {
  const auto snapshot = context.views.snapshot();
  const auto practitioner = connected_practitioner(*snapshot, question.practitioner, reach);
  if (!practitioner) return std::unexpected(practitioner.error());

  FeedPage page;
  page.epoch = snapshot->feed_epoch();
  page.last_position = practitioner->last_position;
  if (question.after) {
    const bool is_here =
        question.after->is_of(page.epoch, question.practitioner) && question.after->position <= page.last_position;
    if (!is_here) return std::unexpected(cursor_gone());
    page.after = question.after->position;
  }
  page.rows = snapshot->feed(practitioner->key, page.after, question.limit, reach);
  for (const store::FeedRow& row : page.rows) {
    if (page.events.contains(row.entry.notice.record)) continue;
    if (auto event = snapshot->event_of_record(row.entry.notice.record))
      page.events.emplace(row.entry.notice.record, std::move(*event));
  }
  KnownOrders orders;
  for (const store::FeedRow& row : page.rows) page.before[row.position] = contents_before(*snapshot, row, orders);
  if (const auto ok = snapshot->status(); !ok) return std::unexpected(store_failed(ok.error()));
  return page;
}

http::Response page_response(const ApiContext& context, const FeedQuestion& question, FeedPage page) {
  Bodies bodies(context.log);
  std::string next = format(feed_cursor(page.epoch, question.practitioner, page.after));
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (store::FeedRow& row : page.rows) {
    next = format(feed_cursor(page.epoch, question.practitioner, row.position));
    const store::EventRow& event = page.events[row.entry.notice.record];
    std::vector<Sequence> before = std::move(page.before[row.position]);
    write_feed_item(json, {std::move(row), event, next, std::move(before)}, question.practitioner, bodies);
    if (json.text().size() > kPageBytesMax) break;
  }
  json.end_array().member("next", next).end_object();
  return json_response(200, json);
}

}  // namespace

Reply get_feed(Service& service, const Call& call) {
  const auto question = read_question(call.parameters);
  if (!question) return question.error();
  const std::uint64_t generation = service.feed_generation();
  auto page = load_page(service.context, *question, call.caller.reach);
  if (!page) return page.error();
  if (!page->rows.empty() || question->wait.count() == 0)
    return page_response(service.context, *question, std::move(*page));
  const std::int64_t seen = page->last_position;
  return Wait{question->practitioner, seen, generation, question->wait,
              page_response(service.context, *question, std::move(*page))};
}

}  // namespace resultsync::api
