#include "orders/history.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <map>

#include "orders/decode.hpp"
#include "tests/support/event_body.hpp"

namespace resultsync::orders {
namespace {

using test::EventBody;

// Applies bodies one after another and keeps what each of them gave notice of.
class Story {
 public:
  Change tell(const EventBody& body) {
    const std::string text = body.text();
    return apply(history_, decode_event(text, sha256(text)), Sequence{++record_});
  }
  [[nodiscard]] const OrderHistory& history() const { return history_; }
  [[nodiscard]] int current(const char* test) const { return history_.test(OrderedTestId(test))->current(); }

 private:
  OrderHistory history_;
  std::uint64_t record_ = 0;
};

EventBody at_minute(int minute, const std::string& hl7) {
  return EventBody("evt_" + std::to_string(minute))
      .at("2026-01-01T10:0" + std::to_string(minute) + ":00Z")
      .test("t1", hl7);
}

TEST(History, a_first_event_without_results_is_one_order_notice) {
  Story story;
  const auto change = story.tell(at_minute(1, ""));
  ASSERT_EQ(change.notices.size(), 1U);
  EXPECT_EQ(change.notices[0].kind, Notice::Kind::kOrder);
  EXPECT_EQ(story.current("t1"), 0);
}

TEST(History, a_result_and_its_correction_are_versions_one_and_two) {
  Story story;
  story.tell(at_minute(1, ""));
  const auto first = story.tell(at_minute(2, "A"));
  const auto second = story.tell(at_minute(3, "B"));
  ASSERT_EQ(first.notices.size(), 1U);
  EXPECT_EQ(first.notices[0].version, 1);
  EXPECT_EQ(first.notices[0].previous_version, 0);
  ASSERT_EQ(second.notices.size(), 1U);
  EXPECT_EQ(second.notices[0].version, 2);
  EXPECT_EQ(second.notices[0].previous_version, 1);
  EXPECT_EQ(second.notices[0].previous, Sequence{2});
  EXPECT_TRUE(second.notices[0].current);
}

TEST(History, equal_content_gives_nothing_and_a_return_names_the_old_version_again) {
  Story story;
  story.tell(at_minute(1, "A"));
  EXPECT_TRUE(story.tell(at_minute(2, "A")).notices.empty());
  story.tell(at_minute(3, "B"));
  const auto back = story.tell(at_minute(4, "A"));
  ASSERT_EQ(back.notices.size(), 1U);
  EXPECT_EQ(back.notices[0].version, 1);
  EXPECT_TRUE(back.notices[0].current);
  EXPECT_TRUE(back.new_versions.empty());
}

TEST(History, a_late_older_event_does_not_regress_what_is_current) {
  Story story;
  story.tell(at_minute(3, "B"));
  const auto late = story.tell(at_minute(2, "A"));
  ASSERT_EQ(late.notices.size(), 1U);
  EXPECT_EQ(late.notices[0].version, 2) << "numbers are given in the order of arrival";
  EXPECT_EQ(late.notices[0].current_version, 1);
  EXPECT_FALSE(late.notices[0].current);
  EXPECT_EQ(story.current("t1"), 1);
}

TEST(History, a_late_event_with_known_content_gives_no_notice) {
  Story story;
  story.tell(at_minute(1, "A"));
  story.tell(at_minute(3, "B"));
  EXPECT_TRUE(story.tell(at_minute(2, "A")).notices.empty());
}

TEST(History, a_withdrawn_result_is_a_version_of_its_own) {
  Story story;
  story.tell(at_minute(1, "A"));
  const auto withdrawn = story.tell(at_minute(2, ""));
  ASSERT_EQ(withdrawn.notices.size(), 1U);
  EXPECT_EQ(withdrawn.notices[0].version, 2);
  EXPECT_EQ(story.current("t1"), 2);
}

TEST(History, a_late_result_turns_an_older_no_result_into_a_withdrawal) {
  Story story;
  story.tell(at_minute(2, ""));
  const auto late = story.tell(at_minute(1, "A"));
  ASSERT_EQ(late.notices.size(), 2U);
  EXPECT_EQ(late.notices[0].version, 1);
  EXPECT_FALSE(late.notices[0].current);
  EXPECT_EQ(late.notices[1].version, 2);
  EXPECT_TRUE(late.notices[1].current);
  EXPECT_EQ(late.notices[1].record, Sequence{1}) << "it is the first event that shows the withdrawal";
  EXPECT_EQ(late.notices[1].previous, Sequence{2});
}

TEST(History, a_change_of_the_order_alone_is_one_order_notice_and_none_where_nothing_changed) {
  Story story;
  story.tell(at_minute(1, "A"));
  EXPECT_TRUE(story.tell(at_minute(2, "A")).notices.empty());
  const auto completed = story.tell(at_minute(3, "A").status("Completed"));
  ASSERT_EQ(completed.notices.size(), 1U);
  EXPECT_EQ(completed.notices[0].kind, Notice::Kind::kOrder);
  EXPECT_TRUE(completed.notices[0].current);
}

TEST(History, each_test_of_an_order_has_its_own_versions) {
  Story story;
  const auto both = story.tell(EventBody("evt_1").test("t1", "A").test("t2", "X"));
  EXPECT_EQ(both.notices.size(), 2U);
  const auto one = story.tell(EventBody("evt_2").at("2026-01-01T11:00:00Z").test("t1", "A").test("t2", "Y"));
  ASSERT_EQ(one.notices.size(), 1U);
  EXPECT_EQ(one.notices[0].test.text(), "t2");
}

TEST(History, events_of_the_same_moment_are_ordered_by_their_id) {
  Story story;
  story.tell(EventBody("evt_b").test("t1", "B"));
  EXPECT_FALSE(story.tell(EventBody("evt_a").test("t1", "A")).notices.at(0).current);
  EXPECT_TRUE(story.tell(EventBody("evt_c").test("t1", "C")).notices.at(0).current);
}

// What S1 speaks of: everything but version numbers and records.
std::string what_is_known(const OrderHistory& history) {
  std::string text;
  for (const auto& point : history.points) text += point.key.id.text() + " " + point.state.hex() + "\n";
  for (const auto& test : history.tests) {
    text += test.id.text() + ":";
    for (const auto& point : test.points) text += " " + point.key.id.text() + "=" + point.content.hex();
    std::vector<std::string> contents;
    for (const auto& version : test.versions) contents.push_back(version.content.hex());
    std::ranges::sort(contents);
    for (const auto& content : contents) text += " " + content;
    const int current = test.current();
    text += current == 0 ? " none\n"
                         : " current " + test.versions[static_cast<std::size_t>(current - 1)].content.hex() + "\n";
  }
  return text;
}

std::vector<EventBody> some_events() {
  const auto count = *rc::gen::inRange(1, 12);
  std::vector<EventBody> events;
  for (int i = 0; i < count; ++i) {
    EventBody body("evt_" + std::to_string(i));
    body.at("2026-01-01T10:00:0" + std::to_string(*rc::gen::inRange(0, 4)) + "Z");
    body.status(*rc::gen::element<std::string>("In Progress", "Completed"));
    for (const char* test : {"t1", "t2"}) {
      if (*rc::gen::arbitrary<bool>()) body.test(test, *rc::gen::element<std::string>("", "A", "B", "C"));
    }
    events.push_back(body);
  }
  return events;
}

RC_GTEST_PROP(History, any_order_of_arrival_gives_the_same_history, ()) {
  const auto events = some_events();
  std::vector<std::size_t> places(events.size());
  for (std::size_t i = 0; i < places.size(); ++i) places[i] = i;
  for (std::size_t i = places.size(); i > 1; --i)
    std::swap(places[i - 1], places[*rc::gen::inRange<std::size_t>(0, i)]);
  Story straight;
  Story shuffled;
  for (const auto& event : events) straight.tell(event);
  for (const std::size_t place : places) shuffled.tell(events[place]);
  RC_ASSERT(what_is_known(straight.history()) == what_is_known(shuffled.history()));
}

RC_GTEST_PROP(History, the_notices_lead_to_what_is_current, ()) {
  Story story;
  std::map<std::string, int> shown;
  for (const auto& event : some_events()) {
    const auto change = story.tell(event);
    std::map<std::string, int> per_test;
    for (const auto& notice : change.notices) {
      RC_ASSERT(++per_test[notice.test.text() + "/" + std::to_string(notice.record.value)] == 1);
      if (notice.kind == Notice::Kind::kResult) shown[notice.test.text()] = notice.current_version;
    }
    for (const auto& test : story.history().tests) RC_ASSERT(shown[test.id.text()] == test.current());
  }
}

// Whoever was told of a first result needs no history to be told so again.
RC_GTEST_PROP(ContentsBefore, are_none_for_who_was_compared_with_nothing, ()) {
  Story story;
  std::vector<Notice> told;
  for (const auto& event : some_events()) {
    const auto change = story.tell(event);
    std::ranges::copy(change.notices, std::back_inserter(told));
  }
  for (const Notice& notice : told) {
    if (notice.kind != Notice::Kind::kResult) continue;
    const TestHistory& test = *story.history().test(notice.test);
    const auto before = contents_before(test, notice.record, std::max(notice.record, notice.previous));
    RC_ASSERT(before.empty() == (notice.previous.value == 0));
  }
}

TEST(ContentsBefore, are_one_for_each_run_in_s2_order_without_its_own) {
  Story story;
  story.tell(at_minute(1, ""));
  story.tell(at_minute(2, "A"));
  story.tell(at_minute(3, "A"));
  story.tell(at_minute(4, "B"));
  story.tell(at_minute(6, "C"));
  story.tell(at_minute(7, "C"));
  story.tell(at_minute(5, ""));  // record 7, between B and C
  const TestHistory& test = story.history().tests[0];
  using Records = std::vector<Sequence>;
  EXPECT_EQ(contents_before(test, Sequence{5}, Sequence{5}), (Records{Sequence{2}, Sequence{4}}));
  EXPECT_EQ(contents_before(test, Sequence{5}, Sequence{7}), (Records{Sequence{2}, Sequence{4}, Sequence{7}}))
      << "a withdrawal is a content";
  EXPECT_EQ(contents_before(test, Sequence{6}, Sequence{6}), (Records{Sequence{2}, Sequence{4}}));
  EXPECT_TRUE(contents_before(test, Sequence{2}, Sequence{7}).empty());
  EXPECT_TRUE(contents_before(test, Sequence{99}, Sequence{99}).empty());
}

TEST(ContentsBefore, are_the_newest_of_very_many) {
  TestHistory test;
  for (std::uint64_t record = 1; record <= kContentsBeforeMax + 2; ++record)
    test.points.push_back({{}, Sequence{record}, sha256(std::to_string(record)), true});
  const auto all = contents_before(test, Sequence{kContentsBeforeMax + 1}, Sequence{1000});
  EXPECT_EQ(all.size(), kContentsBeforeMax);
  EXPECT_EQ(all.front(), Sequence{1});
  EXPECT_EQ(contents_before(test, Sequence{kContentsBeforeMax + 2}, Sequence{1000}).front(), Sequence{2});
}

}  // namespace
}  // namespace resultsync::orders
