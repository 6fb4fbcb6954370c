#include "orders/decode.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "tests/support/event_body.hpp"

namespace resultsync::orders {
namespace {

using test::EventBody;

Event decode(const std::string& body) {
  return decode_event(body, sha256(body));
}

TEST(Decode, reads_the_order_its_tests_and_the_clinic_of_the_patients_practitioner) {
  const Event event =
      decode(EventBody("evt_1").order("ord_1").by("pra_1", "cli_1").test("ordts_b", "B").test("ordts_a").text());
  ASSERT_TRUE(event.order.has_value());
  EXPECT_EQ(event.key.id.text(), "evt_1");
  EXPECT_EQ(event.order->clinic.text(), "cli_1");
  EXPECT_EQ(event.order->patient.text(), "pat_1");
  ASSERT_EQ(event.order->tests.size(), 2U);
  EXPECT_EQ(event.order->tests[0].id.text(), "ordts_a");
  EXPECT_FALSE(event.order->tests[0].has_content);
  EXPECT_TRUE(event.order->tests[1].has_content);
  EXPECT_EQ(event.flags.bits(), 0U);
}

TEST(Decode, takes_included_beside_data_and_ids_as_numbers) {
  const Event event =
      decode(R"({"included":[{"type":"practitioner","id":7,"relationships":{"clinic":{"data":{"id":8}}}}],
      "data":{"object":{"id":5,"type":"order","relationships":{"patients_practitioner":{"data":{"id":7}},"patient":{"data":null}}}},
      "type":"order.new_result","id":12345678901,"created_at":"2026-01-01T00:00:00Z","extra":[1,{"a":null}]})");
  ASSERT_TRUE(event.order.has_value());
  EXPECT_EQ(event.key.id.text(), "12345678901");
  EXPECT_EQ(event.order->id.text(), "5");
  EXPECT_EQ(event.order->practitioner.text(), "7");
  EXPECT_EQ(event.order->clinic.text(), "8");
  EXPECT_TRUE(event.order->patient.empty());
}

TEST(Decode, an_event_without_included_or_with_null_relationships_still_shows_its_order) {
  const Event event = decode(R"({"id":"evt_1","type":"order.new_result","created_at":"2026-01-01T00:00:00Z",
      "data":{"object":{"id":"ord_1","type":"order","relationships":{"patients_practitioner":null,"ordered_tests":null}},"included":null}})");
  ASSERT_TRUE(event.order.has_value());
  EXPECT_TRUE(event.flags.has(Flag::kNoPractitioner));
  EXPECT_TRUE(event.flags.has(Flag::kNoClinic));
}

TEST(Decode, whatever_the_bytes_are_there_is_an_event_with_an_id) {
  for (const std::string& body : {std::string(), std::string("null"), std::string("[]"), std::string("{"),
                                  std::string("\0\xff", 2), std::string("{\"id\":\"\"}"), std::string("{\"id\":{}}"),
                                  std::string(2'000, '['), "{\"id\":\"" + std::string(300, 'x') + "\"}"}) {
    const Event event = decode(body);
    EXPECT_EQ(event.key.id.text(), sha256(body).hex()) << body;
    EXPECT_FALSE(event.order.has_value()) << body;
    EXPECT_TRUE(event.flags.has(Flag::kNoId)) << body;
  }
}

TEST(Decode, a_missing_or_bad_time_sorts_first_and_is_flagged) {
  const Event bad = decode(EventBody("evt_1").at("yesterday").text());
  EXPECT_TRUE(bad.flags.has(Flag::kNoTime));
  EXPECT_LT(bad.key, decode(EventBody("evt_0").at("0001-01-01T00:00:00Z").text()).key);
  EXPECT_TRUE(decode(EventBody("evt_1").at("2026-01-01T00:00:00").text()).flags.has(Flag::kTimeWithoutZone));
}

TEST(Decode, ill_formed_utf8_is_repaired_and_flagged_not_refused) {
  const Event event = decode(
      "{\"id\":\"evt_1\",\"type\":\"order.new_result\",\"data\":{\"object\":{\"id\":\"ord_1\",\"attributes\":{\"note\":"
      "\"5 \xb5mol\"}}}}");
  EXPECT_TRUE(event.order.has_value());
  EXPECT_TRUE(event.flags.has(Flag::kRepairedText));
}

TEST(Decode, content_is_equal_whatever_the_order_of_members_white_space_or_escapes) {
  const auto content = [](const std::string& attributes) {
    return decode(R"({"id":"e","data":{"object":{"id":"o"},"included":[{"type":"ordered_test","id":"t","attributes":)" +
                  attributes + "}]}}")
        .order->tests.at(0)
        .content;
  };
  const auto reference =
      content(R"({"results_hl7":"MSH|µ","results_pdf":null,"date_results_received_from_lab":"2026-01-01"})");
  EXPECT_EQ(content(R"({ "date_results_received_from_lab" : "2026-01-01", "results_hl7":"MSH|\u00b5" })"), reference);
  EXPECT_EQ(
      content(
          R"({"results_hl7":"MSH|µ","requisition":"another","results_pdf":"","date_results_received_from_lab":"2026-01-01"})"),
      reference)
      << "the requisition is no result, and empty text says nothing";
  EXPECT_NE(content(R"({"results_hl7":"MSH|u","date_results_received_from_lab":"2026-01-01"})"), reference);
}

TEST(Decode, a_test_that_the_order_does_not_list_is_not_applied_but_flagged) {
  const Event event =
      decode(R"({"id":"e","type":"order.new_result","data":{"object":{"id":"o","relationships":{"ordered_tests":
      {"data":[{"id":"mine"}]}}},"included":[{"type":"ordered_test","id":"foreign","attributes":{"results_hl7":"x"}}]}})");
  EXPECT_TRUE(event.order->tests.empty());
  EXPECT_TRUE(event.flags.has(Flag::kForeignTest));
}

TEST(Decode, two_clinics_for_one_practitioner_are_no_clinic) {
  const Event event =
      decode(R"({"id":"e","data":{"object":{"id":"o","relationships":{"patients_practitioner":{"data":{"id":"p"}}}},
      "included":[{"type":"practitioner","id":"p","relationships":{"clinic":{"data":{"id":"c1"}}}},
                  {"type":"practitioner","id":"p","relationships":{"clinic":{"data":{"id":"c2"}}}}]}})");
  EXPECT_TRUE(event.order->clinic.empty());
}

TEST(Decode, shows_the_resources_and_what_changed_between_two_bodies) {
  const std::string first = EventBody("evt_1").test("t1", "A").text();
  const std::string second = EventBody("evt_2").status("Completed").test("t1", "B").text();
  EXPECT_NE(resources_of(second, OrderedTestId("t1")).ordered_test.find("\"results_hl7\":\"B\""), std::string::npos);
  EXPECT_EQ(resources_of(second, OrderedTestId("none")).ordered_test, "null");
  const std::vector<MemberChange> changed{{"results_hl7", "\"A\"", "\"B\""}};
  EXPECT_EQ(content_changes(first, second, OrderedTestId("t1")), changed);
  const std::vector<MemberChange> status{{"status", "\"In Progress\"", "\"Completed\""}};
  EXPECT_EQ(order_changes(first, second), status);
}

RC_GTEST_PROP(Decode, is_total, (const std::string& bytes)) {
  decode(bytes);
}

RC_GTEST_PROP(Decode, is_total_over_damaged_events, ()) {
  std::string body = EventBody("evt_1").test("t1", "A").text();
  const auto at = *rc::gen::inRange<std::size_t>(0, body.size());
  body[at] = *rc::gen::arbitrary<char>();
  body.resize(*rc::gen::inRange<std::size_t>(0, body.size() + 1));
  decode(body);
}

}  // namespace
}  // namespace resultsync::orders
