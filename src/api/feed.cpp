// /v1/feed: what a practitioner is told, item after item, without a gap (D5).
#include "api/cursor.hpp"
#include "api/feed_page.hpp"
#include "api/service.hpp"

namespace resultsync::api {
namespace {

// A page ends after the item that goes beyond this: results may be large (P3).
constexpr std::size_t kPageBytesMax = 8 * 1024 * 1024;

struct FeedQuestion {
  AppPractitionerId practitioner;
  std::optional<std::string> after;     // a cursor …
  std::optional<std::string> consumer;  // … or whose committed place it is
  std::size_t limit = 0;
  std::chrono::seconds wait{0};
};

struct Found {
  FeedPage page;
  std::int64_t after = 0;
  std::int64_t last_position = 0;  // of the practitioner
};

Checked<FeedQuestion> read_question(const Parameters& parameters) {
  FeedQuestion question;
  auto practitioner = parameters.required_text("practitioner");
  if (!practitioner) return std::unexpected(practitioner.error());
  const auto limit = parameters.whole_number("limit", kLimit);
  if (!limit) return std::unexpected(limit.error());
  const auto wait = parameters.whole_number("wait", kWaitSeconds);
  if (!wait) return std::unexpected(wait.error());
  question.after = parameters.text("after");
  if (question.after && !parse_feed_cursor(*question.after)) return std::unexpected(bad_cursor());
  question.consumer = parameters.text("consumer");
  if (question.after && question.consumer) {
    return std::unexpected(bad_parameter("after", "may not stand beside consumer, which has a place of its own"));
  }
  question.practitioner = AppPractitionerId(std::move(*practitioner));
  question.limit = static_cast<std::size_t>(*limit);
  question.wait = std::chrono::seconds(*wait);
  return question;
}

Checked<Found> load_page(const ApiContext& context, const FeedQuestion& question, store::Reach reach) {
  const auto snapshot = context.views.snapshot();
  const auto practitioner = connected_practitioner(*snapshot, question.practitioner, reach);
  if (!practitioner) return std::unexpected(practitioner.error());

  std::int64_t after = 0;
  if (question.after || question.consumer) {
    const auto position = question.after ? position_in(*snapshot, *practitioner, *question.after)
                                         : committed_position(*snapshot, *practitioner, *question.consumer);
    if (!position) return std::unexpected(position.error());
    after = *position;
  }
  FeedPage page = FeedPage::load(*snapshot, *practitioner, after, question.limit, reach);
  if (const auto ok = snapshot->status(); !ok) return std::unexpected(store_failed(ok.error()));
  return Found{std::move(page), after, practitioner->last_position};
}

http::Response page_response(const ApiContext& context, const Found& found) {
  Bodies bodies(context.log);
  found.page.look_ahead(bodies);
  const auto& rows = found.page.rows();
  std::int64_t next = found.after;
  JsonWriter json;
  json.begin_object().key("items").begin_array();
  for (std::size_t i = 0; i < rows.size() && json.text().size() <= kPageBytesMax; ++i) {
    found.page.write_item(json, i, bodies);
    next = rows[i].position;
  }
  json.end_array().member("next", found.page.cursor_after(next)).end_object();
  return json_response(200, json);
}

}  // namespace

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

Reply get_feed(Service& service, const Call& call) {
  const auto question = read_question(call.parameters);
  if (!question) return question.error();
  const std::uint64_t generation = service.feed_generation();
  const auto found = load_page(service.context, *question, call.caller.reach);
  if (!found) return found.error();
  for (const store::FeedRow& row : found->page.rows()) call.objects.add("orders", row.order.text());
  if (!found->page.rows().empty() || question->wait.count() == 0) return page_response(service.context, *found);
  return Wait{question->practitioner, found->last_position, generation, question->wait,
              page_response(service.context, *found)};
}

}  // namespace resultsync::api
