#include "orders/documents.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "orders/decode.hpp"
#include "orders/history.hpp"
#include "tests/support/event_body.hpp"

namespace resultsync::orders {
namespace {

using State = LinkedDocument::State;
using test::EventBody;

constexpr const char* kHl7 = "MSH|^~\\&|LAB|X|Y|Z|2026||ORU^R01|1|P|2.5.1\rPID|1\r";

Event event_with(const std::string& result, const LinkedDocuments& documents = {}, const char* id = "evt_1",
                 const char* at = "2026-01-01T10:00:00Z") {
  const std::string body = EventBody(id).at(at).test("ordts_1", result).text();
  return decode_event(body, sha256(body), documents);
}
LinkedDocument known(State state, std::string_view bytes = {}) {
  return {OrderedTestId("ordts_1"), "results_hl7", state, sha256(bytes)};
}

TEST(Documents, a_link_and_the_same_bytes_as_text_or_base64_are_one_content) {
  const auto text = event_with(kHl7).order->tests.front();
  const auto base64 = event_with(encode_base64(kHl7)).order->tests.front();
  const auto data_url = event_with("data:text/plain;base64," + encode_base64(kHl7)).order->tests.front();
  const auto link = event_with("https://lab.example/a?sig=1", {known(State::kFetched, kHl7)}).order->tests.front();
  const auto other = event_with("https://lab.example/b?sig=2", {known(State::kFetched, kHl7)}).order->tests.front();
  EXPECT_EQ(text.content, base64.content);
  EXPECT_EQ(text.content, data_url.content);
  EXPECT_EQ(text.content, link.content) << "documents count by their bytes (S4)";
  EXPECT_EQ(link.content, other.content) << "never by an address";
  EXPECT_FALSE(link.pending);
}

TEST(Documents, what_is_not_fetched_yet_is_pending_and_what_cannot_be_had_is_one_content_of_its_own) {
  EXPECT_TRUE(event_with("https://lab.example/a").order->tests.front().pending);
  EXPECT_TRUE(event_with("https://lab.example/a", {known(State::kPending)}).order->tests.front().pending);
  const auto missing = event_with("https://lab.example/a", {known(State::kMissing)}).order->tests.front();
  const auto missing_too = event_with("https://lab.example/b", {known(State::kMissing)}).order->tests.front();
  EXPECT_FALSE(missing.pending);
  EXPECT_EQ(missing.content, missing_too.content);
  EXPECT_NE(missing.content, event_with(kHl7).order->tests.front().content);
}

TEST(Documents, the_state_of_the_order_does_not_change_with_the_address_of_a_requisition) {
  const auto with = [](const char* requisition) {
    std::string body = EventBody("evt_1").test("ordts_1").text();
    const std::string nothing = "\"requisition\":null";
    body.replace(body.find(nothing), nothing.size(), std::string("\"requisition\":") + requisition);
    return decode_event(body, sha256(body)).order->state;
  };
  EXPECT_EQ(with("\"https://lab.example/r?sig=1\""), with("\"https://lab.example/r?sig=2\""));
  EXPECT_NE(with("\"https://lab.example/r?sig=1\""), with("null"));
}

TEST(Documents, the_links_of_a_body_are_those_of_its_ordered_tests) {
  const auto links = links_of(EventBody("e").test("ordts_1", "https://lab.example/a").test("ordts_2", kHl7).text());
  ASSERT_EQ(links.size(), 1U);
  EXPECT_EQ(links.front().member, "results_hl7");
  EXPECT_EQ(links.front().url, "https://lab.example/a");
  EXPECT_TRUE(links.front().is_content);
  EXPECT_TRUE(links_of("not json http://").empty());
}

TEST(Documents, a_body_is_shown_without_its_links) {
  const std::string body = EventBody("e").test("ordts_1", "https://lab.example/secret").text();
  EXPECT_FALSE(with_documents(body, {}).contains("secret"));
  EXPECT_TRUE(with_documents(body, {}).contains("document:pending"));
  const auto shown = with_documents(body, {{OrderedTestId("ordts_1"), "results_hl7", kHl7}});
  EXPECT_EQ(decode_event(shown, {}).order->tests.front().content, event_with(kHl7).order->tests.front().content)
      << "HL7 that came by link reads like HL7 that was sent";
  EXPECT_EQ(with_documents("no json http", {}), "no json http");
  std::string escaped = body;
  escaped.replace(escaped.find("https:"), 6, "\\u0068ttps:");
  EXPECT_FALSE(with_documents(escaped, {}).contains("secret")) << "an escape hides nothing";
}

TEST(Documents, a_file_is_known_by_its_first_bytes_whatever_it_is_called) {
  EXPECT_EQ(sniff_media_type("%PDF-1.7 …"), "application/pdf");
  EXPECT_EQ(sniff_media_type(kHl7), "application/hl7-v2");
  EXPECT_EQ(sniff_media_type("\n <!DOCTYPE html><p>"), "text/html");
  EXPECT_EQ(sniff_media_type("plain"), "text/plain");
  EXPECT_EQ(sniff_media_type(std::string_view("\0\1", 2)), "application/octet-stream");
  EXPECT_EQ(bytes_of("TWFu"), "TWFu") << "a short word may be base64 by accident";
}

TEST(Documents, completing_an_event_gives_the_history_that_knowing_at_once_would_have_given) {
  const auto first = event_with(kHl7);
  const auto waits = event_with("https://lab.example/b", {}, "evt_2", "2026-01-02T10:00:00Z");
  const auto came =
      event_with("https://lab.example/b", {known(State::kFetched, "MSH|other")}, "evt_2", "2026-01-02T10:00:00Z");

  OrderHistory history;
  apply(history, first, {1});
  EXPECT_EQ(apply(history, waits, {2}).notices.size(), 0U);
  EXPECT_EQ(history.test(OrderedTestId("ordts_1"))->current(), 1) << "nothing is known of the second yet";
  const auto change = complete(history, came, {2});
  ASSERT_EQ(change.notices.size(), 1U);
  EXPECT_EQ(change.notices.front().version, 2);
  EXPECT_EQ(change.notices.front().previous_version, 1);
  EXPECT_TRUE(complete(history, came, {2}).notices.empty()) << "twice is once";

  OrderHistory at_once;
  apply(at_once, first, {1});
  apply(at_once, came, {2});
  EXPECT_EQ(at_once.test(OrderedTestId("ordts_1"))->points.size(),
            history.test(OrderedTestId("ordts_1"))->points.size());
  EXPECT_EQ(at_once.test(OrderedTestId("ordts_1"))->points.back().content,
            history.test(OrderedTestId("ordts_1"))->points.back().content);
}

TEST(Documents, a_document_that_comes_after_it_was_told_missing_is_told_also_where_it_is_an_old_one) {
  OrderHistory history;
  apply(history, event_with(kHl7), {1});
  const auto at = "2026-01-02T10:00:00Z";
  apply(history, event_with("https://lab.example/b", {known(State::kMissing)}, "evt_2", at), {2});
  EXPECT_EQ(history.test(OrderedTestId("ordts_1"))->current(), 2) << "told without the document";
  const auto change =
      complete(history, event_with("https://lab.example/b", {known(State::kFetched, kHl7)}, "evt_2", at), {2});
  ASSERT_EQ(change.notices.size(), 1U) << "people believe version 2 to be current";
  EXPECT_EQ(change.notices.front().version, 1);
  EXPECT_TRUE(change.notices.front().current);
}

}  // namespace
}  // namespace resultsync::orders
