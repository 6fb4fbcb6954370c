#include "vendors/common_form.hpp"

#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "orders/decode.hpp"
#include "orders/json_body.hpp"
#include "vendors/network.hpp"

namespace resultsync::vendors {
namespace {

using orders::Flag;

Source generic() {
  Source source;
  source.id = SourceId("newlab");
  source.vendor = "generic";
  source.pointers = {.type = "/type",
                     .time = "/timestamp",
                     .clinic = "/data/location/id",
                     .practitioner = "/data/provider",
                     .patient = "/data/patient",
                     .order = "/data/requisition_number",
                     .status = "/data/state",
                     .tests = "/data/panels",
                     .test = "/id",
                     .lab_test = "/code",
                     .received = "/reported",
                     .hl7 = "/files/hl7",
                     .pdf = "/files/pdf",
                     .requisition = "/files/req"};
  return source;
}

constexpr std::string_view kBody = R"({"type":"report.ready","timestamp":"2026-03-01T10:00:00Z","data":{
  "requisition_number":4711,"state":"final","provider":"p1","patient":"pt1","location":{"id":"c1"},
  "panels":[{"id":"t1","code":"CBC","reported":1772359200,"files":{"hl7":"MSH|^~\\&|LAB","pdf":"https://files.example.com/a?s=1"}},
            {"id":"t2","code":"TSH","files":{}}]}})";

orders::Event decoded(const Source& source, std::string_view body, std::string_view message_id = "msg_1") {
  return orders::decode_event(in_common_form(source, message_id, body), sha256(body));
}

TEST(CommonForm, a_generic_body_is_read_by_its_pointers) {
  const orders::Event event = decoded(generic(), kBody);
  EXPECT_EQ(event.key.id.text(), "msg_1");
  EXPECT_EQ(event.type, "report.ready");
  EXPECT_EQ(format_timestamp(event.key.created_at), "2026-03-01T10:00:00Z");
  ASSERT_TRUE(event.order);
  EXPECT_EQ(event.order->id.text(), "4711");
  EXPECT_EQ(event.order->clinic.text(), "c1");
  EXPECT_EQ(event.order->practitioner.text(), "p1");
  EXPECT_EQ(event.order->patient.text(), "pt1");
  EXPECT_EQ(event.order->status, "final");
  ASSERT_EQ(event.order->tests.size(), 2U);
  EXPECT_EQ(event.order->tests[0].lab_test.text(), "CBC");
  EXPECT_TRUE(event.order->tests[0].has_content);
  EXPECT_TRUE(event.order->tests[0].pending) << "its PDF is a link, to be fetched";
  EXPECT_FALSE(event.order->tests[1].has_content);
  EXPECT_TRUE(event.flags.names().empty());
  const std::string form = in_common_form(generic(), "msg_1", kBody);
  EXPECT_EQ(orders::attribute_of(form, OrderedTestId("t1"), "results_hl7"), "MSH|^~\\&|LAB");
  EXPECT_EQ(orders::attribute_of(form, OrderedTestId("t1"), "date_results_received_from_lab"), "2026-03-01T10:00:00Z")
      << "a number is seconds since 1970";
  EXPECT_EQ(orders::links_of(form).size(), 1U);
}

TEST(CommonForm, the_whole_body_can_be_the_one_ordered_test) {
  Source source = generic();
  source.pointers = {.id = "/event", .order = "/order", .tests = "", .pdf = "/pdf"};
  const orders::Event event = decoded(source, R"({"event":"e9","order":"o1","pdf":"JVBERi0xLjQK"})");
  EXPECT_EQ(event.key.id.text(), "e9");
  ASSERT_EQ(event.order->tests.size(), 1U);
  EXPECT_EQ(event.order->tests[0].id.text(), "o1");
  EXPECT_TRUE(event.order->tests[0].has_content);
}

TEST(CommonForm, a_listed_test_without_an_id_is_left_out_since_its_place_is_no_name) {
  const orders::Event event = decoded(
      generic(), R"({"type":"t","data":{"requisition_number":"o","panels":[{"files":{"hl7":"MSH|"}},{"id":"t2"}]}})");
  ASSERT_EQ(event.order->tests.size(), 1U);
  EXPECT_EQ(event.order->tests[0].id.text(), "t2");
}

TEST(CommonForm, escapes_and_places_in_lists_are_those_of_rfc_6901) {
  Source source = generic();
  source.pointers = {.order = "/a~1b/0/m~0n"};
  EXPECT_EQ(decoded(source, R"({"a/b":[{"m~n":"o1"}]})").order->id.text(), "o1");
  source.pointers.order = "/1/id";
  EXPECT_EQ(decoded(source, R"([{"type":"x"},{"id":"o2"}])").order->id.text(), "o2");
}

TEST(CommonForm, every_body_gives_an_event_and_what_is_missing_is_flagged) {
  for (const std::string_view body :
       {"", "no json", "null", "7", "\"text\"", "[]", "{}", R"({"data":7})", R"({"data":{"requisition_number":{}}})",
        R"({"data":{"requisition_number":"","panels":"x"}})", R"({"data":{"requisition_number":[1]}})",
        R"({"type":{},"timestamp":[],"data":{"location":{"id":false}}})"}) {
    const orders::Event event = decoded(generic(), body);
    EXPECT_FALSE(event.order) << body;
    EXPECT_TRUE(event.flags.has(Flag::kNoOrder)) << body;
    EXPECT_TRUE(event.flags.has(Flag::kNoTime)) << body;
  }
  EXPECT_TRUE(decoded(generic(), "no json").flags.has(Flag::kNotJson));
  EXPECT_TRUE(decoded(generic(), "{}").flags.has(Flag::kNotAnEvent));
  const orders::Event deep = decoded(generic(), R"({"type":"t","data":{"requisition_number":"o","state":{"a":1},
      "patient":")" + std::string(300, 'p') + R"(","panels":{"id":null,"files":[]}}})");
  EXPECT_EQ(deep.order->status, "") << "an object is no word";
  EXPECT_TRUE(deep.order->patient.empty()) << "too long for an id";
  EXPECT_EQ(deep.order->tests.at(0).id.text(), "o");
}

TEST(CommonForm, times_are_text_or_seconds_or_milliseconds) {
  const auto at = [](const std::string& time) {
    const auto event =
        decoded(generic(), R"({"type":"t","timestamp":)" + time + R"(,"data":{"requisition_number":"o"}})");
    return event.flags.has(Flag::kNoTime) ? std::string("none") : format_timestamp(event.key.created_at);
  };
  EXPECT_EQ(at("1772359200"), "2026-03-01T10:00:00Z");
  EXPECT_EQ(at("1772359200123"), "2026-03-01T10:00:00.123000Z");
  EXPECT_EQ(at("\"2026-03-01T10:00:00+02:00\""), "2026-03-01T08:00:00Z");
  for (const char* wrong : {"-5", "1e400", "1.5", "\"yesterday\"", "9223372036854775807", "-9223372036854775808", "{}"})
    EXPECT_EQ(at(wrong), "none") << wrong;
}

TEST(CommonForm, without_a_pointer_and_a_signed_id_the_bodys_digest_is_the_events_id) {
  const orders::Event event = decoded(generic(), kBody, "");
  EXPECT_EQ(event.key.id.text(), sha256(kBody).hex());
  EXPECT_TRUE(event.flags.has(Flag::kNoId));
}

TEST(CommonForm, a_network_that_speaks_it_already_is_left_as_it_is) {
  Source rupa;
  EXPECT_EQ(in_common_form(rupa, "", "any bytes \xff"), "any bytes \xff");
}

TEST(CommonForm, a_clinic_beside_data_counts_only_where_no_practitioner_names_one) {
  const auto clinic = [](const std::string& included) {
    const std::string body =
        R"({"id":"e","type":"t","clinic_id":"c_envelope","data":{"object":{"id":"o","relationships":
        {"patients_practitioner":{"data":{"id":"p"}}}},"included":[)" +
        included + "]}}";
    return orders::decode_event(body, sha256(body)).order->clinic.text();
  };
  EXPECT_EQ(clinic(""), "c_envelope");
  EXPECT_EQ(clinic(R"({"type":"practitioner","id":"p","relationships":{"clinic":{"data":{"id":"c_own"}}}})"), "c_own");
}

TEST(Pointers, what_is_no_pointer_is_told_with_what_was_meant) {
  const auto cure = [](std::string_view text) {
    const auto checked = check_pointer(text);
    return checked ? std::string("fine") : checked.error().cause;
  };
  EXPECT_EQ(cure(""), "fine");
  EXPECT_EQ(cure("/data/order~1id/0"), "fine");
  EXPECT_EQ(cure("data.order.id"), "did you mean \"/data/order/id\"?");
  EXPECT_EQ(cure("$.data.tests[0]['id']"), "did you mean \"/data/tests/0/id\"?");
  EXPECT_EQ(cure("#/data/id"), "did you mean \"/data/id\"?");
  EXPECT_FALSE(check_pointer("/a~2"));
  EXPECT_FALSE(check_pointer("/a~"));
  EXPECT_FALSE(check_pointer("/" + std::string(512, 'a')));
}

TEST(Pointers, what_each_finds_is_explained_without_showing_a_link) {
  const auto findings = explain_pointers(generic(), kBody);
  const auto found = [&](std::string_view name, std::string_view place) {
    for (const auto& one : findings) {
      if (one.name == name && one.place == place) return one.found;
    }
    return std::string("(not listed)");
  };
  EXPECT_EQ(found("pointer_order", ""), "4711");
  EXPECT_EQ(found("pointer_tests", ""), "a list of 2");
  EXPECT_EQ(found("pointer_pdf", "1"), "a link");
  EXPECT_EQ(found("pointer_hl7", "1"), "application/hl7-v2, 12 bytes");
  EXPECT_EQ(found("pointer_hl7", "2"), "");
  EXPECT_EQ(found("pointer_id", ""), "(not listed)") << "it is not set";
}

}  // namespace
}  // namespace resultsync::vendors
