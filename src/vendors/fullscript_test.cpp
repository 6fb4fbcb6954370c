#include "vendors/fullscript.hpp"

#include <gtest/gtest.h>

#include "base/digest.hpp"
#include "orders/decode.hpp"

namespace resultsync::vendors {
namespace {

const std::string kBare =
    R"({"id":"6c1d","type":"lab_order.updated","created_at":"2026-03-01T10:00:00.123Z","clinic_id":"c-1","data":{"lab_order":
       {"id":"lo-1","practitioner_id":"p-1","patient_id":"pt-1","first_name":"Ada","last_name":"Invented","email":"ada@example.com","status":"results_received"}}})";

orders::Event decoded(const std::string& body) {
  return orders::decode_event(fullscript_event(body), sha256(body));
}

TEST(Fullscript, an_event_reads_the_same_in_each_of_its_three_forms) {
  for (const std::string& body :
       {kBare, "{\"event\":" + kBare + "}", "{\"event_payload\":{\"event\":" + kBare + "}}"}) {
    const orders::Event event = decoded(body);
    EXPECT_EQ(event.key.id.text(), "6c1d");
    EXPECT_EQ(event.type, "lab_order.updated");
    ASSERT_TRUE(event.order);
    EXPECT_EQ(event.order->id.text(), "lo-1");
    EXPECT_EQ(event.order->clinic.text(), "c-1") << "the envelope names it";
    EXPECT_EQ(event.order->practitioner.text(), "p-1");
    EXPECT_EQ(event.order->patient.text(), "pt-1");
    EXPECT_EQ(event.order->status, "partial_results") << "the older name of the same state";
    EXPECT_TRUE(event.order->tests.empty());
    EXPECT_TRUE(event.practitioners.empty()) << "a practitioner may work in several clinics";
  }
  EXPECT_EQ(fullscript_event(kBare).find("Invented"), std::string::npos)
      << "a name is not needed to give it to its clinic";
}

TEST(Fullscript, other_and_odd_bodies_are_events_without_an_order) {
  const orders::Event placed = decoded(R"({"event":{"id":"e","type":"order.placed","created_at":"2026-03-01T10:00:00Z",
      "clinic_id":"c","data":{"id":"o-1","line_items":[]}}})");
  EXPECT_EQ(placed.type, "order.placed");
  EXPECT_FALSE(placed.order) << "an order of a shop is no lab order";
  for (const char* body :
       {"", "{}", "[]", "7", R"({"event":7})", R"({"event_payload":[]})", R"({"event":{"data":{"lab_order":[]}}})",
        R"({"event":{"data":{"lab_order":{"id":{}}}}})", R"({"event_payload":{"event":null}})"}) {
    EXPECT_FALSE(decoded(body).order) << body;
  }
}

TEST(Fullscript, each_result_of_an_order_is_an_ordered_test) {
  const orders::JsonBody answer(R"({"order":{"id":"lo-1","state":"partial_results","created_at":"2026-03-01T09:00:00Z",
      "patient":{"id":"pt-1"},"practitioner_id":"p-1","tests":[{"id":"t1"},{"id":"t2"}],
      "results":[{"id":"r1","pdf_url":"https://files.example.com/r1?sig=1"},{"id":"r2","pdf_url":null},{"pdf_url":"https://x.example.com"}],
      "latest_aggregated_result":{"id":"a1","pdf_url":"https://files.example.com/a1"}}})");
  const orders::JsonBody read(fullscript_orders(answer));
  ASSERT_TRUE(read.root());
  EXPECT_EQ(std::string_view(read.root()->at_pointer("/data/0/id")), "lo-1");
  EXPECT_EQ(std::string_view(read.root()->at_pointer("/data/0/attributes/status")), "partial_results");
  EXPECT_EQ(std::string_view(read.root()->at_pointer("/data/0/attributes/date_submitted")), "2026-03-01T09:00:00Z");
  EXPECT_EQ(std::string_view(read.root()->at_pointer("/data/0/relationships/patient/data/id")), "pt-1");
  EXPECT_EQ(simdjson::dom::array(read.root()->at_pointer("/included")).size(), 2U)
      << "one without an id cannot be told apart";
  EXPECT_EQ(std::string_view(read.root()->at_pointer("/included/0/attributes/results_pdf")),
            "https://files.example.com/r1?sig=1");
  EXPECT_TRUE(read.root()->at_pointer("/included/1/attributes/results_pdf").error()) << "not there yet";
}

TEST(Fullscript, where_no_result_is_listed_the_aggregated_one_stands_for_the_order) {
  const orders::JsonBody answer(
      R"({"order":{"id":"lo-1","state":"results_ready","results":[],"latest_aggregated_result":{"artifact_id":"a","pdf_url":"https://f.example.com/a"}}})");
  const orders::JsonBody read(fullscript_orders(answer));
  EXPECT_EQ(std::string_view(read.root()->at_pointer("/included/0/id")), "lo-1");
}

TEST(Fullscript, every_answer_gives_a_document) {
  for (const char* text :
       {"", "7", "[]", "{}", R"({"orders":{}})", R"({"order":[]})", R"({"orders":[7,null,{"id":[]}]})"}) {
    const orders::JsonBody read(fullscript_orders(orders::JsonBody(text)));
    ASSERT_TRUE(read.root()) << text;
    EXPECT_EQ(simdjson::dom::array(read.root()->at_pointer("/data")).size(), 0U) << text;
  }
  const orders::JsonBody list(R"({"orders":[{"id":"a"},{"id":"b"}],"meta":{"next_page":2,"total_count":7}})");
  const orders::JsonBody read(fullscript_orders(list));
  EXPECT_EQ(simdjson::dom::array(read.root()->at_pointer("/data")).size(), 2U);
  EXPECT_EQ(std::int64_t(read.root()->at_pointer("/meta/next_page")), 2);
}

}  // namespace
}  // namespace resultsync::vendors
