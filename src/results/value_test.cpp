#include "results/value.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "results/testing.hpp"

namespace resultsync::results {
namespace {

using testing::has_problem;
using testing::observation_of;
using testing::results_of;
using testing::value_of;

std::string number_of(const Observation& observation) {
  const auto* quantity = observation.values.size() == 1 ? observation.values[0].as<Quantity>() : nullptr;
  return quantity == nullptr ? "none" : std::string(comparator_sign(quantity->comparator)) + quantity->number.text;
}

TEST(Value, numbers_keep_their_digits) {
  EXPECT_EQ(number_of(value_of("NM", "5.00")), "5.00");
  EXPECT_EQ(number_of(value_of("NM", "-0.5")), "-0.5");
  EXPECT_EQ(number_of(value_of("NM", "12345678901234567890.123")), "12345678901234567890.123");
}

TEST(Value, numbers_that_json_would_refuse_are_rewritten) {
  EXPECT_EQ(number_of(value_of("NM", "007.50")), "7.50");
  EXPECT_EQ(number_of(value_of("NM", "+4")), "4");
  EXPECT_EQ(number_of(value_of("NM", ".5")), "0.5");
  EXPECT_EQ(number_of(value_of("NM", "5.")), "5");
  EXPECT_TRUE(has_problem(value_of("NM", "007"), "number_rewritten"));
  EXPECT_FALSE(has_problem(value_of("NM", "7"), "number_rewritten"));
}

TEST(Value, a_comparator_in_a_number_is_understood) {
  const Observation observation = value_of("NM", "<0.2");
  EXPECT_EQ(number_of(observation), "<0.2");
  EXPECT_TRUE(has_problem(observation, "comparator_in_number"));
  EXPECT_EQ(number_of(value_of("NM", ">= 100")), ">=100");
}

TEST(Value, a_comma_is_never_guessed) {
  for (const std::string_view text : {"1,5", "1,234", "1.234,5"}) {
    const Observation observation = value_of("NM", text);
    ASSERT_NE(observation.values.at(0).as<Text>(), nullptr) << text;
    EXPECT_EQ(observation.values[0].text, text);
    EXPECT_TRUE(has_problem(observation, "number_ambiguous")) << text;
  }
  EXPECT_EQ(number_of(value_of("NM", "1,234,567")), "1234567");
  EXPECT_EQ(number_of(value_of("NM", "12,345.60")), "12345.60");
}

TEST(Value, what_is_no_number_stays_as_text) {
  for (const std::string_view text : {"Negative", "5 mg", "1..2", "--1", "1e999", "NaN", "-"}) {
    const Observation observation = value_of("NM", text);
    EXPECT_EQ(observation.values.at(0).text, text);
    EXPECT_TRUE(has_problem(observation, "not_a_number")) << text;
  }
}

TEST(Value, structured_numerics_in_all_forms) {
  EXPECT_EQ(number_of(value_of("SN", "^182")), "182");
  EXPECT_EQ(number_of(value_of("SN", "<^5")), "<5");
  EXPECT_EQ(number_of(value_of("SN", ">=^2.50")), ">=2.50");
  EXPECT_EQ(number_of(value_of("SN", "=^7")), "7");
  EXPECT_EQ(number_of(value_of("SN", "<5")), "<5");
  EXPECT_EQ(number_of(value_of("SN", "182")), "182");

  const Observation range = value_of("SN", "^10^-^20");
  ASSERT_NE(range.values.at(0).as<QuantityRange>(), nullptr);
  EXPECT_EQ(range.values[0].as<QuantityRange>()->low->text, "10");
  EXPECT_EQ(range.values[0].as<QuantityRange>()->high->text, "20");

  const Observation titre = value_of("SN", ">^1^:^128");
  ASSERT_NE(titre.values.at(0).as<Ratio>(), nullptr);
  EXPECT_EQ(titre.values[0].as<Ratio>()->denominator.text, "128");
  EXPECT_EQ(titre.values[0].as<Ratio>()->comparator, Comparator::greater);
  EXPECT_EQ(titre.values[0].text, ">1:128");
  ASSERT_NE(value_of("SN", "^1^/^2").values.at(0).as<Ratio>(), nullptr);

  EXPECT_EQ(value_of("SN", "^2^+").values.at(0).text, "2+");
  EXPECT_NE(value_of("SN", "^2^+").values.at(0).as<Text>(), nullptr);
  EXPECT_EQ(value_of("SN", "<>^5").values.at(0).text, "<>5");
  EXPECT_TRUE(has_problem(value_of("SN", "^many"), "not_a_structured_number"));
  EXPECT_EQ(value_of("SN", "^many").values.at(0).text, "many");
}

TEST(Value, repetitions_are_several_values) {
  const Observation numbers = value_of("NM", "1~2~~3");
  ASSERT_EQ(numbers.values.size(), 3U);
  EXPECT_EQ(numbers.values[2].text, "3");
  EXPECT_EQ(value_of("CWE", "A^a^L~B^b^L").values.size(), 2U);
  EXPECT_EQ(value_of("ST", "one~two").values.size(), 2U);
}

TEST(Value, texts_of_labs_that_do_not_escape_are_put_together_again) {
  EXPECT_EQ(value_of("TX", "A & B ^ C ~ D").values.at(0).text, "A & B ^ C ~ D");
  EXPECT_EQ(value_of("FT", "up\\.br\\down ~5 mg").values.at(0).text, "up\ndown ~5 mg");
  EXPECT_EQ(value_of("TX", "line one~line two").values.at(0).text, "line one\nline two");
  EXPECT_EQ(value_of("ST", "10^3 & more").values.at(0).text, "10^3 & more");

  const Observation pushed = observation_of("OBX|1|TX|C^comment||see A|B or |C||||||P|||20240501");
  EXPECT_EQ(pushed.values.at(0).text, "see A|B or |C");
  EXPECT_EQ(pushed.status_code, "P");
  EXPECT_EQ(pushed.observed.text, "20240501");
  EXPECT_TRUE(has_problem(pushed, "separator_not_escaped"));
  EXPECT_FALSE(has_problem(observation_of("OBX|1|TX|C||text|mg|1-2|H|||F|||20240501"), "separator_not_escaped"));
}

TEST(Value, coded_values_keep_every_triplet) {
  const Observation observation = value_of("CWE", "260373001^Detected^SCT^DET^Det.^L^1^2^as written");
  const auto* codes = observation.values.at(0).as<Codes>();
  ASSERT_NE(codes, nullptr);
  ASSERT_EQ(codes->codings.size(), 2U);
  EXPECT_EQ(codes->codings[1].code, "DET");
  EXPECT_EQ(codes->codings[1].version, "2");
  EXPECT_EQ(codes->original_text, "as written");
  EXPECT_EQ(value_of("CE", "^Positive").values.at(0).text, "Positive");
  EXPECT_EQ(value_of("IS", "POS").values.at(0).text, "POS");
}

TEST(Value, a_code_with_only_alternates_is_a_code) {
  const Observation observation = observation_of("OBX|1|NM|^^^HGB^Hemoglobin^L||1||||||F");
  ASSERT_EQ(observation.code.codings.size(), 1U);
  EXPECT_EQ(observation.code.codings[0].code, "HGB");
  EXPECT_EQ(observation.code.codings[0].place, Coding::Place::alternate);
  EXPECT_EQ(observation.code.preferred()->system, "L");
}

TEST(Value, times_are_as_exact_as_they_were_sent) {
  const auto iso = [](std::string_view type, std::string_view text) { return value_of(type, text).values.at(0).text; };
  EXPECT_EQ(iso("DT", "202405"), "2024-05");
  EXPECT_EQ(iso("DTM", "20240501"), "2024-05-01");
  EXPECT_EQ(iso("TS", "20240501103045.1234+0530"), "2024-05-01T10:30:45.1234+05:30");
  EXPECT_EQ(iso("TS", "202405011030"), "2024-05-01T10:30:00");
  EXPECT_EQ(value_of("TM", "1030-0500").values.at(0).text, "10:30:00-05:00") << "FHIR has no time with a zone";
  EXPECT_EQ(iso("TM", "1030"), "10:30:00");
  for (const std::string_view broken : {"20240231", "2024-05-01", "yesterday", "20241301", "202405011"}) {
    EXPECT_TRUE(has_problem(value_of("DT", broken), "not_a_time")) << broken;
    EXPECT_EQ(iso("DT", broken), broken);
  }
  ASSERT_NE(value_of("DR", "20240501^20240503").values.at(0).as<Period>(), nullptr);
}

TEST(Value, the_other_types) {
  ASSERT_NE(value_of("NR", "1^2").values.at(0).as<QuantityRange>(), nullptr);
  EXPECT_EQ(value_of("VR", "1^2").values.at(0).text, "1-2");
  const Observation identifier = value_of("CX", "77^^^NORTH^MR");
  ASSERT_NE(identifier.values.at(0).as<Identifier>(), nullptr);
  EXPECT_EQ(identifier.values[0].as<Identifier>()->authority, "NORTH");
  const Observation samples = value_of("NA", "1^2^x");
  ASSERT_NE(samples.values.at(0).as<Samples>(), nullptr);
  EXPECT_EQ(samples.values[0].as<Samples>()->channels.at(0).size(), 3U);
  EXPECT_EQ(value_of("XPN", "Example^Ada").values.at(0).text, "Example^Ada");
  EXPECT_TRUE(has_problem(value_of("WHAT", "x"), "value_type_as_text"));
  EXPECT_TRUE(has_problem(value_of("", "x"), "value_type_missing"));
  EXPECT_EQ(value_of("", "x").values.at(0).text, "x");
  EXPECT_TRUE(value_of("NM", "").values.empty());
  EXPECT_TRUE(value_of("NM", "\"\"").value_deleted);
  EXPECT_TRUE(value_of("TX", "\"\"").value_deleted);
}

TEST(Value, an_embedded_pdf_is_a_document) {
  const std::string pdf = "%PDF-1.4 made for a test";
  const std::string base64 = encode_base64(pdf);
  for (const std::string& value : {"LAB^application^pdf^Base64^" + base64, "^AP^PDF^BASE64^" + base64,
                                   "^TEXT^^Base64^" + base64.substr(0, 8) + "\\.br\\" + base64.substr(8)}) {
    const Interpretation result = results_of({"OBX|1|ED|PDF^Report^L||" + value + "||||||F"});
    ASSERT_EQ(result.documents.size(), 1U) << value;
    EXPECT_EQ(result.documents[0].bytes(), pdf);
    EXPECT_EQ(result.documents[0].digest(), sha256(pdf));
    EXPECT_EQ(result.documents[0].media_type(), "application/pdf");
    const auto* attachment = result.reports[0].observations.at(0).values.at(0).as<Attachment>();
    ASSERT_NE(attachment, nullptr);
    EXPECT_EQ(attachment->size, pdf.size());
    EXPECT_EQ(result.find(*attachment->document), &result.documents[0]);
  }
}

TEST(Value, a_file_under_a_wrong_type_and_a_broken_one) {
  const Interpretation wrong = results_of({"OBX|1|TX|PDF||^AP^PDF^Base64^" + encode_base64("%PDF-") + "||||||F"});
  EXPECT_EQ(wrong.documents.size(), 1U);
  EXPECT_TRUE(has_problem(wrong.reports[0].observations[0], "value_type_differs"));
  const Interpretation broken = results_of({"OBX|1|ED|PDF||^AP^PDF^Base64^JVBE*Rg==||||||F"});
  EXPECT_TRUE(broken.documents.empty());
  EXPECT_TRUE(has_problem(broken.reports[0].observations[0], "base64_broken"));
  EXPECT_NE(broken.reports[0].observations[0].values.at(0).as<Attachment>(), nullptr);
  EXPECT_TRUE(broken.account.balanced());
}

TEST(Value, one_content_twice_is_one_document) {
  const std::string obx = "OBX|1|ED|PDF||^AP^PDF^Base64^" + encode_base64("%PDF-") + "||||||F";
  EXPECT_EQ(results_of({obx, obx}).documents.size(), 1U);
}

TEST(Value, a_pointer_is_never_fetched) {
  const Observation kept = value_of("RP", "https://files.example.com/1.pdf^LAB^AP^PDF");
  const auto* attachment = kept.values.at(0).as<Attachment>();
  ASSERT_NE(attachment, nullptr);
  EXPECT_EQ(attachment->location, "https://files.example.com/1.pdf");
  EXPECT_EQ(attachment->media_type, "application/pdf");
  EXPECT_FALSE(attachment->document);
}

TEST(Decimal, compares_exactly) {
  const auto order = [](std::string_view a, std::string_view b) { return compare(*read_decimal(a), *read_decimal(b)); };
  EXPECT_TRUE(order("5.0", "5") == 0);
  EXPECT_TRUE(order("-0", "0") == 0);
  EXPECT_TRUE(order("-2", "-1") < 0);
  EXPECT_TRUE(order("0.1", "0.09") > 0);
  EXPECT_TRUE(order("10", "9.99") > 0);
  EXPECT_TRUE(order("1e2", "100") == 0);
  EXPECT_TRUE(order("0.3", "0.30000000000000000001") < 0);
}

// "^^^" says no more than nothing at all.
TEST(Value, delimiters_alone_are_no_value) {
  for (const char* type : {"SN", "NM", "CE", "CWE", "ED", "NR", "TS"}) {
    EXPECT_TRUE(value_of(type, "^^^").values.empty()) << type;
    EXPECT_TRUE(value_of(type, "~").values.empty()) << type;
  }
  EXPECT_EQ(value_of("ST", "^").values.at(0).text, "^");
}

}  // namespace
}  // namespace resultsync::results
