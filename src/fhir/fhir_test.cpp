#include "fhir/fhir.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <ctime>
#include <map>

#include "base/encoding.hpp"
#include "fhir/ids.hpp"
#include "results/testing.hpp"

namespace resultsync::fhir {
namespace {

namespace dom = simdjson::dom;
using results::testing::interpret_text;
using results::testing::message_of;
using results::testing::results_of;

constexpr std::string_view kOrder =
    "OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000|||||||||||||||20240501110000||LAB|F";

Context context() {
  Context context;
  context.id_prefix = "test-1";
  context.source = "rupa";
  return context;
}

template <class T>
bool has(std::span<const T> all, const T& one) {
  return std::ranges::find(all, one) != all.end();
}

// Resources with their JSON parsed, to be looked into by pointer.
class Converted {
 public:
  explicit Converted(const results::Interpretation& message, const Context& with = context())
      : resources(convert(message, with)) {}

  [[nodiscard]] std::vector<const Resource*> of(Type type) const {
    std::vector<const Resource*> found;
    for (const Resource& resource : resources) {
      if (resource.type == type) found.push_back(&resource);
    }
    return found;
  }
  [[nodiscard]] const Resource& only(Type type) const {
    const auto found = of(type);
    EXPECT_EQ(found.size(), 1U) << type_name(type);
    return *found.at(0);
  }
  // A string as it is, everything else as JSON; "" if there is nothing at `pointer`.
  [[nodiscard]] static std::string at(const Resource& resource, std::string_view pointer) {
    dom::parser parser;
    dom::element root;
    const simdjson::padded_string json(resource.json);
    EXPECT_EQ(parser.parse(json).get(root), simdjson::SUCCESS) << resource.json;
    dom::element found;
    if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return "";
    if (found.is_string()) return std::string(found.get_string().value());
    return simdjson::minify(found);
  }
  [[nodiscard]] std::string observation(std::string_view pointer) const { return at(only(Type::observation), pointer); }

  Resources resources;
};

Converted converted(std::initializer_list<std::string> obx) {
  std::string text = message_of({kOrder});
  for (const std::string& line : obx) text.append(line).append("\r");
  return Converted(interpret_text(text));
}

Converted value(std::string_view type, std::string_view text, std::string_view unit = "") {
  const std::string obx =
      "OBX|1|" + std::string(type) + "|1-8^Thing^LN||" + std::string(text) + "|" + std::string(unit) + "|||||F";
  return converted({obx});
}

// ---- ids

TEST(FhirIds, a_prefix_is_taken_as_it_is_or_made_from_a_name) {
  EXPECT_EQ(id_prefix_of("ot-1.A"), "ot-1.A");
  EXPECT_TRUE(is_id_prefix(std::string(kIdPrefixBytesMax, 'a')));
  EXPECT_FALSE(is_id_prefix(std::string(kIdPrefixBytesMax + 1, 'a')));
  EXPECT_FALSE(is_id_prefix(""));
  EXPECT_FALSE(is_id_prefix("a/b"));
  for (const std::string& name : {std::string(200, 'x'), std::string(), std::string("a b"), std::string("\xff")}) {
    EXPECT_TRUE(is_id_prefix(id_prefix_of(name))) << name;
  }
  EXPECT_NE(id_prefix_of("a b"), id_prefix_of("a/b"));
}

TEST(FhirIds, every_id_begins_with_its_prefix_and_is_no_longer_than_fhir_allows) {
  Context with = context();
  with.id_prefix = std::string(kIdPrefixBytesMax, 'p');
  const Converted all(results_of({"OBX|1|NM|2823-3^Potassium^LN||6.6|mmol/L|3.5-5.2|HH|||F"}), with);
  EXPECT_GE(all.resources.size(), 4U);
  for (const Resource& resource : all.resources) {
    EXPECT_EQ(prefix_of(resource.id), with.id_prefix);
    EXPECT_LE(resource.id.size(), 64U);
  }
  EXPECT_EQ(prefix_of("no-dot"), "");
}

TEST(FhirIds, an_analyte_keeps_its_id_when_others_come_before_it_and_its_value_changes) {
  const Converted before = converted({"OBX|1|NM|2823-3^Potassium^LN||6.6|mmol/L|||||P"});
  const Converted after =
      converted({"OBX|1|NM|2951-2^Sodium^LN||140|mmol/L|||||F", "OBX|2|NM|2823-3^Potassium^LN||4.6|mmol/L|||||C"});
  const Resource* potassium = after.of(Type::observation).at(1);
  EXPECT_EQ(before.only(Type::observation).id, potassium->id);
  EXPECT_EQ(before.only(Type::diagnostic_report).id, after.only(Type::diagnostic_report).id);
  EXPECT_NE(after.of(Type::observation).at(0)->id, potassium->id);
}

// Quadratic work on so many would take minutes.
TEST(FhirIds, a_name_that_comes_again_and_again_costs_no_more_than_others) {
  std::string text = message_of({});
  for (int i = 0; i < 40'000; ++i) text += "OBR|1|P|F|X^Y^L\rOBX|1|NM|1^a^L||5||||||F\r";
  const results::Interpretation message = interpret_text(std::move(text));
  const std::clock_t start = std::clock();  // of the processor: others may be busy
  const Resources resources = convert(message, context());
  EXPECT_LT((std::clock() - start) / CLOCKS_PER_SEC, 60);
  EXPECT_GE(resources.size(), 3U * 40'000);
}

TEST(FhirIds, the_same_analyte_twice_and_the_same_report_twice_are_told_apart) {
  std::string text = message_of(
      {kOrder, "OBX|1|NM|1-8^A^LN||1|||||F", "OBX|2|NM|1-8^A^LN||2|||||F", kOrder, "OBX|1|NM|1-8^A^LN||3|||||F"});
  const Converted all(interpret_text(text));
  std::vector<std::string_view> ids;
  for (const Resource& resource : all.resources) ids.push_back(resource.id);
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
  EXPECT_EQ(all.of(Type::observation).size(), 3U);
  EXPECT_EQ(all.of(Type::diagnostic_report).size(), 2U);
}

RC_GTEST_PROP(FhirIds, names_that_differ_in_where_one_ends_have_other_hashes,
              (const std::string& a, const std::string& b)) {
  RC_PRE(!b.empty());
  RC_PRE(!(a + b).contains('\xff'));  // texts are UTF-8, which has no such byte
  RC_ASSERT(NameHash().add(a).add(b).value() != NameHash().add(a + b).add("").value());
}

// ---- facts for searches

TEST(FhirFacts, say_what_the_json_says) {
  Context with = context();
  with.ordered_test_id = "OT-1";
  with.patient_id_prefix = "patient-7";
  const Converted all(
      interpret_text(
          message_of({"OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000-0500|||||||||||||||20240501110000-0500||CH|F",
                      "OBX|1|NM|2823-3^Potassium^LN^K^Kalium^L||6.6|mmol/L|3.5-5.2|HH|||F"})),
      with);
  const Resource& patient = all.only(Type::patient);
  EXPECT_EQ(patient.id, "patient-7.patient");
  EXPECT_EQ(patient.patient, patient.id);
  const Resource& observation = all.only(Type::observation);
  EXPECT_EQ(observation.patient, patient.id);
  EXPECT_EQ(observation.status, "final");
  ASSERT_EQ(observation.codes.size(), 2U);
  EXPECT_EQ(observation.codes[0], (Token{"http://loinc.org", "2823-3"}));
  EXPECT_EQ(observation.codes[1], (Token{"urn:resultsync:code-system:NORTH:L", "K"}));
  EXPECT_EQ(observation.categories[0].code, "laboratory");
  EXPECT_EQ(format_timestamp(observation.date->from), "2024-04-30T13:00:00Z");
  EXPECT_EQ(format_timestamp(observation.date->to), "2024-04-30T13:00:01Z");
  EXPECT_EQ(format_timestamp(*observation.issued), "2024-05-01T16:00:00Z");
  const Resource& report = all.only(Type::diagnostic_report);
  EXPECT_EQ(report.categories.size(), 2U);  // CH, and LAB
  EXPECT_TRUE(has(report.identifiers, Token{"urn:resultsync:rupa:ordered-test", "OT-1"}));
  EXPECT_TRUE(has(report.identifiers, Token{"", "F-1"}));
  EXPECT_TRUE(has(report.references, Reference{"result", Type::observation, observation.id}));
  EXPECT_TRUE(has(report.references, Reference{"based-on", Type::service_request, all.only(Type::service_request).id}));
}

TEST(FhirFacts, the_networks_patient_is_the_one_of_the_message_if_there_is_one) {
  Context with = context();
  with.patient_id = "pat_9";
  with.patient_id_prefix = "patient-9";
  const std::string result = "OBR|1|P|F|1^A^LN\rOBX|1|NM|1-8^A^LN||4||||||F\r";
  const std::string header = "MSH|^~\\&|LAB|NORTH|||20240501||ORU^R01|1|P|2.5.1\r";
  const Token network{"urn:resultsync:rupa:patient", "pat_9"};
  // Results before the PID, without any, and with two of them.
  const Converted late(interpret_text(header + result + "PID|1||A\r"), with);
  EXPECT_EQ(late.only(Type::patient).id, "patient-9.patient");
  EXPECT_TRUE(has(late.only(Type::patient).identifiers, network));
  EXPECT_EQ(late.only(Type::observation).patient, "patient-9.patient");
  const Converted none(interpret_text(header + result), with);
  EXPECT_EQ(none.only(Type::observation).patient, "patient-9.patient");
  const Converted two(interpret_text(header + "PID|1||A\r" + result + "PID|2||B\r" + result), with);
  for (const Resource* patient : two.of(Type::patient)) EXPECT_FALSE(has(patient->identifiers, network));
  EXPECT_EQ(two.of(Type::patient).size(), 2U);
}

TEST(FhirFacts, every_reference_is_to_a_resource_of_the_same_conversion) {
  const Converted all =
      converted({"OBX|1|NM|1-8^A^LN|1|1|mg/dL|||||F|||20240101|X^Lab^L|1^Doe^Jo|||||||Lab^L|1 Road|2^Head^Ann",
                 "OBX|2|ED|2-8^B^LN|1.1|^application^pdf^Base64^JVBERi0=||||||F", "SPM|1|S1^S2||SER^Serum^L"});
  std::size_t checked = 0;
  for (const Resource& resource : all.resources) {
    for (const Reference& reference : resource.references) {
      EXPECT_NE(all.resources.find(reference.type, reference.id), nullptr) << reference.parameter;
      ++checked;
    }
  }
  EXPECT_GT(checked, 10U);
  EXPECT_EQ(all.resources.find(Type::observation, "no-such"), nullptr);
}

// ---- values

TEST(FhirValue, numbers_keep_their_digits_and_units_are_coded_only_when_they_are_ucum) {
  EXPECT_EQ(value("NM", "5.0", "mmol/L").observation("/valueQuantity/code"), "mmol/L");
  EXPECT_NE(std::string(value("NM", "5.0", "mmol/L").only(Type::observation).json).find(R"("value":5.0,)"),
            std::string::npos);
  const Converted odd = value("NM", "7.1", "K/uL");
  EXPECT_EQ(odd.observation("/valueQuantity/unit"), "K/uL");
  EXPECT_EQ(odd.observation("/valueQuantity/system"), "") << "K/uL would be kelvins";
  EXPECT_EQ(value("NM", "<0.2", "mg/L").observation("/valueQuantity/comparator"), "<");
}

TEST(FhirPerformer, the_producer_stands_beside_the_laboratory_where_it_is_another) {
  const auto names = [](const Converted& all) {
    std::vector<std::string> names;
    for (const Resource* one : all.of(Type::organization)) names.push_back(Converted::at(*one, "/name"));
    std::ranges::sort(names);
    return names;
  };
  const auto with = [](std::string producer) {
    return converted({"OBX|1|NM|A^a^L||1||||||F||||" + producer + "||||||||North Lab^^^^^^XX^^^05D0000000"});
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names(with("05D0000000^North Laboratory^CLIA")), (Names{"NORTH", "North Lab"})) << "the same number";
  EXPECT_EQ(names(with("NL^North Lab^L")), (Names{"NORTH", "North Lab"})) << "the same name";
  EXPECT_EQ(names(with("ICU^Bedside device^L")), (Names{"Bedside device", "NORTH", "North Lab"}));
  EXPECT_EQ(names(with("")), (Names{"NORTH", "North Lab"}));
}

// What several resources say in the same words is copied, with the facts that belong to it and no others.
TEST(FhirFacts, belong_to_each_resource_that_says_them) {
  const Converted all = converted({"OBX|1|NM|A^a^L||1|mg/dL|2-3||||F|||20240430090000-0500|LAB^One^L",
                                   "OBX|2|NM|B^b^L||2|mg/dL|>1||||F|||20240430100000-0500|LAB^One^L",
                                   "OBX|3|NM|C^c^L||3|g/L|<4 mg/dL||||F||||LAB^One^L"});
  const auto observations = all.of(Type::observation);
  ASSERT_EQ(observations.size(), 3U);
  EXPECT_EQ(Converted::at(*observations[1], "/effectiveDateTime"), "2024-04-30T10:00:00-05:00");
  EXPECT_NE(observations[0]->date, observations[1]->date);
  EXPECT_EQ(Converted::at(*observations[1], "/referenceRange/0/low/code"), "mg/dL");
  EXPECT_EQ(Converted::at(*observations[2], "/valueQuantity/code"), "g/L");
  EXPECT_EQ(Converted::at(*observations[2], "/referenceRange/0/high/code"), "mg/dL");
  const Resource& report = all.only(Type::diagnostic_report);
  const Resource& request = all.only(Type::service_request);
  EXPECT_EQ(Converted::at(report, "/identifier"), Converted::at(request, "/identifier"));
  EXPECT_EQ(Converted::at(report, "/code"), Converted::at(request, "/code"));
  ASSERT_EQ(report.identifiers.size(), 2U);
  ASSERT_EQ(request.identifiers.size(), 2U);
  EXPECT_EQ(report.identifiers[1], request.identifiers[1]);
  EXPECT_EQ(report.codes[0], (Token{"http://loinc.org", "24323-8"}));
  EXPECT_EQ(request.codes[0], report.codes[0]);
}

TEST(FhirValue, each_type_has_its_own_form) {
  EXPECT_EQ(value("SN", "^1^:^128").observation("/valueRatio/denominator/value"), "128");
  EXPECT_EQ(value("SN", "^10^-^20").observation("/valueRange/high/value"), "20");
  EXPECT_EQ(value("SN", "<>^5").observation("/valueString"), "<>5");
  EXPECT_EQ(value("NR", "9^1").observation("/valueRange"), "") << "FHIR R4 rng-2: low is not above high";
  EXPECT_EQ(value("DR", "20240101^20240201").observation("/valuePeriod/end"), "2024-02-01");
  EXPECT_EQ(value("DR", "20240201^20240101").observation("/valuePeriod"), "") << "FHIR R4 per-1";
  EXPECT_EQ(value("DR", "20240201^20240101").observation("/valueString"), "2024-02-01/2024-01-01");
  EXPECT_EQ(value("CWE", "N^Negative^L").observation("/valueCodeableConcept/coding/0/display"), "Negative");
  EXPECT_EQ(value("DT", "20240420").observation("/valueDateTime"), "2024-04-20");
  EXPECT_EQ(value("TM", "103000").observation("/valueTime"), "10:30:00");
  EXPECT_EQ(value("ST", "a~b").observation("/valueString"), "a\nb");
}

TEST(FhirValue, several_coded_values_are_components_without_a_value_of_their_own) {
  const Converted all = value("CE", "A^One^L~B^Two^L");
  EXPECT_EQ(all.observation("/component/1/valueCodeableConcept/text"), "Two");
  EXPECT_EQ(all.observation("/component/1/code/coding/0/code"), "1-8");
  EXPECT_EQ(all.observation("/dataAbsentReason"), "");
  EXPECT_EQ(all.only(Type::observation).codes.size(), 1U);
}

TEST(FhirValue, nothing_sent_has_a_reason) {
  EXPECT_EQ(converted({"OBX|1|NM|1-8^A^LN|||||||X"}).observation("/status"), "unknown");
  EXPECT_EQ(converted({"OBX|1|NM|1-8^A^LN||||||||N"}).observation("/dataAbsentReason/coding/0/code"), "not-asked");
  EXPECT_EQ(converted({"OBX|1|NM|1-8^A^LN||||||||F"}).observation("/dataAbsentReason/coding/0/code"), "unknown");
  const Converted cancelled = converted({"OBX|1|NM|1-8^A^LN||||||||X"});
  EXPECT_EQ(cancelled.observation("/dataAbsentReason/coding/0/code"), "error");
  EXPECT_EQ(cancelled.observation("/_status/extension/0/valueCodeableConcept/coding/0/code"), "X");
}

TEST(FhirValue, texts_are_made_safe) {
  EXPECT_EQ(value("ST", "a\\X1B\\b\"c\\E\\d").observation("/valueString"),
            "a\xEF\xBF\xBD"
            "b\"c\\d");
  EXPECT_EQ(value("ST", "12\xC2\xA0mg").observation("/valueString"), "12 mg") << "FHIR R4 string: [ \\r\\n\\t\\S]+";
  EXPECT_EQ(value("ST", " \xC2\xA0 ").observation("/valueString"), "") << "blank is no string";
  EXPECT_EQ(converted({"OBX|1|ST|  A   B ^Text^L||x||||||F"}).observation("/code/coding/0/code"), "A B");
}

TEST(FhirValue, a_text_longer_than_a_string_may_be_goes_on_in_the_notes) {
  const std::string text(1'048'576 + 10, 'x');
  const Converted all = value("TX", text);
  EXPECT_EQ(all.observation("/valueString").size(), 1'048'576U);
  EXPECT_EQ(all.observation("/note/0/text"), "xxxxxxxxxx");
}

// ---- times

TEST(FhirTime, without_a_zone_only_the_date_is_a_datetime_and_the_rest_stands_beside_it) {
  const std::string message =
      "MSH|^~\\&|LAB|NORTH|||20240501120000||ORU^R01|1|P|2.5.1\rPID|1||1\rOBR|1|P|F|1^A^LN|||20240430080000||||||||||||"
      "|||202405011100|||F\r"
      "OBX|1|NM|1-8^A^LN||1||||||F|||20240430083000\rOBX|2|NM|1-9^A^LN||1||||||F|||2024043008-0500\r";
  const Converted all(interpret_text(message));
  const Resource& first = *all.of(Type::observation).at(0);
  EXPECT_EQ(Converted::at(first, "/effectiveDateTime"), "2024-04-30");
  EXPECT_EQ(Converted::at(first, "/_effectiveDateTime/extension/0/valueString"), "2024-04-30T08:30:00");
  EXPECT_EQ(Converted::at(first, "/issued"), "") << "an instant has a zone";
  EXPECT_EQ(format_timestamp(first.date->to), "2024-05-01T00:00:00Z");
  EXPECT_EQ(Converted::at(*all.of(Type::observation).at(1), "/effectiveDateTime"), "2024-04-30") << "an hour alone";
  EXPECT_TRUE(all.of(Type::provenance).empty()) << "nobody says when";
}

TEST(FhirTime, the_zone_of_the_header_speaks_for_the_message) {
  const Converted all = converted({"OBX|1|NM|1-8^A^LN||1||||||F|||202404300830"});
  EXPECT_EQ(all.observation("/effectiveDateTime"), "2024-04-30T08:30:00-05:00");
  EXPECT_EQ(all.observation("/issued"), "2024-05-01T11:00:00-05:00");
}

// ---- ranges and flags

TEST(FhirRange, bounds_are_given_as_they_are_meant) {
  const auto range = [](std::string_view text, std::string_view pointer) {
    const std::string obx = "OBX|1|NM|1-8^A^LN||5|mg/dL|" + std::string(text) + "||||F";
    return converted({obx}).observation("/referenceRange/0" + std::string(pointer));
  };
  EXPECT_EQ(range("3.5-5.0", "/low/value"), "3.5");
  EXPECT_EQ(range("3.5-5.0", "/high/code"), "mg/dL");
  EXPECT_EQ(range("3.5-5.0", "/low/extension"), "") << "both ends belong to it";
  EXPECT_EQ(range(">5", "/low/value"), "5");
  EXPECT_EQ(range(">5", "/high"), "");
  EXPECT_EQ(range(">5", "/low/extension/0/valueBoolean"), "true");
  EXPECT_EQ(range(">=5", "/low/extension"), "");
  EXPECT_EQ(range("Negative", "/text"), "Negative");
  EXPECT_EQ(range("Negative", "/low"), "");
}

TEST(FhirRange, lines_say_for_whom_they_are) {
  const Converted all = converted({"OBX|1|NM|718-7^Hb^LN||13|g/dL|M: 13-17; F: 12-16||||F"});
  EXPECT_EQ(all.observation("/referenceRange/1/appliesTo/0/coding/0/code"), "female");
  EXPECT_EQ(all.observation("/referenceRange/1/low/value"), "12");
  const Converted ages = converted({"OBX|1|NM|1-8^A^LN||13|g/dL|Adult: 1-5; 0-12 months: 2-6||||F"});
  EXPECT_EQ(ages.observation("/referenceRange/0/age/low/value"), "18");
  EXPECT_EQ(ages.observation("/referenceRange/1/age/high/code"), "mo");
  EXPECT_EQ(ages.observation("/referenceRange/1/text").empty(), false);
}

TEST(FhirFlag, the_labs_and_ours_are_kept_apart) {
  const Converted all = converted({"OBX|1|NM|2823-3^Potassium^LN||6.6|mmol/L|3.5-5.2|L~odd|||F"});
  EXPECT_EQ(all.observation("/interpretation/0/coding/0/code"), "L");
  EXPECT_EQ(all.observation("/interpretation/1/coding/0/code"), "odd");
  EXPECT_EQ(all.observation("/interpretation/1/coding/0/system"), "");
  EXPECT_EQ(all.observation("/interpretation/2"), "");
  EXPECT_EQ(all.observation("/extension/0/url"), "urn:resultsync:extension:computed-assessment");
  EXPECT_EQ(all.observation("/extension/0/extension/0/valueCode"), "above");
  EXPECT_EQ(all.observation("/extension/0/extension/1/valueCode"), "disagrees");
}

// ---- structure

TEST(FhirCode, codings_keep_the_order_of_obx_3_and_an_alternate_alone_is_a_code) {
  const Converted both = converted({"OBX|1|NM|K^Kalium^L^2823-3^Potassium^LN||1||||||F"});
  EXPECT_EQ(both.observation("/code/coding/0/code"), "K");
  EXPECT_EQ(both.observation("/code/coding/1/system"), "http://loinc.org");
  EXPECT_EQ(converted({"OBX|1|NM|^^^K^Kalium^L||1||||||F"}).observation("/code/coding/0/code"), "K");
  EXPECT_EQ(converted({"OBX|1|NM|K^Kalium^UCUM^2823-3^^LN||1||||||F"}).observation("/code/coding/0/system"),
            "http://unitsofmeasure.org");
  EXPECT_EQ(converted({"OBX|1|NM|HIV^x^UCUM||1||||||F"}).observation("/code/coding/0/system"),
            "urn:resultsync:code-system:NORTH:UCUM");
  const Converted none = converted({"OBX|1|NM|||1||||||F"});
  EXPECT_EQ(none.observation("/code/coding/0/code"), "unknown");
  EXPECT_TRUE(none.only(Type::observation).codes.empty());
}

TEST(FhirPanel, members_are_those_of_the_sub_id_and_of_the_child_order) {
  const Converted all(interpret_text(
      message_of({"OBR|1|P-1|F-1|600-7^Culture^LN|||20240430080000|||||||||||||||20240501110000||MB|F",
                  "OBX|1|CWE|600-7^Organism^LN|1|S^Staph^L||||||F", "OBX|2|ST|664-3^Gram^LN|1.1|cocci||||||F",
                  "OBR|2|P-1|F-2|29576-6^Susceptibility^LN|||20240430080000|||||||||||||||20240501110000||MB|F|600-7&"
                  "Organism&LN^1|||P-1^F-1",
                  "OBX|1|SN|18862-3^Ampicillin^LN||>^8|ug/mL||R|||F"})));
  const auto observations = all.of(Type::observation);
  ASSERT_EQ(observations.size(), 3U);
  const Resource& organism = *observations[0];
  EXPECT_EQ(Converted::at(organism, "/hasMember/0/reference"), "Observation/" + std::string(observations[1]->id));
  EXPECT_EQ(Converted::at(organism, "/hasMember/1/reference"), "Observation/" + std::string(observations[2]->id));
  EXPECT_TRUE(has(organism.references, Reference{"has-member", Type::observation, observations[2]->id}));
  const auto requests = all.of(Type::service_request);
  EXPECT_EQ(Converted::at(*requests[1], "/basedOn/0/reference"), "ServiceRequest/" + std::string(requests[0]->id));
}

TEST(FhirDocument, bytes_are_named_and_only_inlined_when_asked_for) {
  const std::string message = message_of({kOrder, "OBX|1|ED|PDF^Report^L||LAB^application^pdf^Base64^JVBERi0=||||||F"});
  const Converted named(interpret_text(message));
  const Resource& document = named.only(Type::document_reference);
  EXPECT_EQ(Converted::at(document, "/content/0/attachment/contentType"), "application/pdf");
  EXPECT_EQ(Converted::at(document, "/content/0/attachment/size"), "5");
  EXPECT_EQ(Converted::at(document, "/content/0/attachment/hash"), "6GUZUCson6BgvpmHylP3m4FZU4s=");
  EXPECT_EQ(Converted::at(document, "/content/0/attachment/title"), "Report.pdf");
  EXPECT_EQ(Converted::at(document, "/content/0/attachment/data"), "");
  EXPECT_TRUE(Converted::at(document, "/content/0/attachment/url").starts_with("ni:///sha-256;"));
  EXPECT_EQ(Converted::at(named.only(Type::observation), "/derivedFrom/0/reference"),
            "DocumentReference/" + std::string(document.id));
  EXPECT_EQ(Converted::at(named.only(Type::diagnostic_report), "/presentedForm/0/contentType"), "application/pdf");

  Context with = context();
  with.inline_documents = true;
  EXPECT_EQ(Converted::at(Converted(interpret_text(message), with).only(Type::document_reference),
                          "/content/0/attachment/data"),
            "JVBERi0=");
  with = context();
  with.document_url_base = "https://api.example.com/documents/";
  EXPECT_TRUE(Converted::at(Converted(interpret_text(message), with).only(Type::document_reference),
                            "/content/0/attachment/url")
                  .starts_with("https://api.example.com/documents/"));
}

TEST(FhirProfile, us_core_is_claimed_only_where_it_holds) {
  const auto profile = [](const Converted& all) { return all.observation("/meta/profile/0"); };
  EXPECT_TRUE(
      profile(converted({"OBX|1|NM|2823-3^Potassium^LN||4|mmol/L|||||F"})).ends_with("us-core-observation-lab"));
  EXPECT_EQ(profile(converted({"OBX|1|NM|K^Potassium^L||4|mmol/L|||||F"})), "") << "no LOINC";
  const std::string nameless =
      "MSH|^~\\&|LAB|NORTH|||20240501120000-0500||ORU^R01|1|P|2.5.1\rPID|1||1||||F\rOBR|1|P|F|1^A^LN\rOBX|1|NM|2823-3^"
      "P^LN||4||||||F\r";
  EXPECT_EQ(profile(Converted(interpret_text(nameless))), "") << "the patient has no name";
}

TEST(FhirDocument, a_file_is_a_value_that_fhir_has_no_place_for) {
  const Converted all = converted({"OBX|1|ED|2823-3^P^LN||^application^pdf^Base64^JVBERi0=||||||F"});
  EXPECT_EQ(all.observation("/dataAbsentReason/coding/0/code"), "unsupported");
  EXPECT_NE(all.observation("/derivedFrom/0/reference"), "");
}

TEST(FhirDocument, a_file_in_pieces_is_presented_once) {
  const std::string base64 = encode_base64("%PDF-1.4\n" + std::string(200, 'x') + "\n%%EOF\n");
  const Converted all = converted({"OBX|1|ED|P^Report^L|1|^application^pdf^Base64^" + base64.substr(0, 99) + "||||||F",
                                   "OBX|2|ED|P^Report^L|2|^application^pdf^Base64^" + base64.substr(99) + "||||||F"});
  EXPECT_EQ(all.of(Type::observation).size(), 2U);
  EXPECT_EQ(all.of(Type::document_reference).size(), 1U);
  const Resource& report = all.only(Type::diagnostic_report);
  EXPECT_EQ(Converted::at(report, "/presentedForm/0/contentType"), "application/pdf");
  EXPECT_EQ(Converted::at(report, "/presentedForm/1"), "");
}

TEST(FhirMeta, a_version_id_changes_with_what_is_said_and_not_otherwise) {
  Context with = context();
  with.version = 3;
  const auto version_of = [&](std::string_view obx, std::string_view updated) {
    with.last_updated = updated;
    return std::string(Converted(results_of({obx}), with).only(Type::observation).version);
  };
  const std::string first = version_of("OBX|1|ST|1-8^A^LN||x||||||F", "2024-05-01T12:00:00Z");
  EXPECT_TRUE(first.starts_with("3-")) << first;
  EXPECT_EQ(version_of("OBX|1|ST|1-8^A^LN||x||||||F", "2024-05-02T12:00:00Z"), first);
  EXPECT_NE(version_of("OBX|1|ST|1-8^A^LN||y||||||F", "2024-05-01T12:00:00Z"), first);
}

TEST(FhirMeta, holds_version_and_time_when_the_caller_knows_them) {
  Context with = context();
  with.version = 3;
  with.last_updated = "2024-05-01T12:00:00Z";
  const Converted all(results_of({"OBX|1|ST|1-8^A^LN||x||||||F"}), with);
  EXPECT_TRUE(all.observation("/meta/versionId").starts_with("3-"));
  EXPECT_EQ(all.observation("/meta/lastUpdated"), "2024-05-01T12:00:00Z");
}

// ---- the whole

TEST(FhirCollection, is_one_bundle_whose_references_resolve_against_its_full_urls) {
  const Converted all = converted({"OBX|1|NM|2823-3^Potassium^LN||4|mmol/L|||||F"});
  std::string bundle = "before";
  write_collection(all.resources, "https://fhir.example.com", bundle);
  ASSERT_TRUE(bundle.starts_with("before{"));
  dom::parser parser;
  dom::element root;
  const simdjson::padded_string json(std::string_view(bundle).substr(6));
  ASSERT_EQ(parser.parse(json).get(root), simdjson::SUCCESS);
  EXPECT_EQ(root["type"].get_string().value(), "collection");
  EXPECT_EQ(root["timestamp"].get_string().value(), "2024-05-01T12:00:00-05:00");
  std::size_t entries = 0;
  for (const dom::element entry : root["entry"].get_array().value()) {
    const Resource& resource = all.resources.all()[entries++];
    EXPECT_EQ(entry["fullUrl"].get_string().value(),
              "https://fhir.example.com/" + std::string(type_name(resource.type)) + "/" + std::string(resource.id));
    EXPECT_EQ(simdjson::minify(entry["resource"].value()), resource.json);
  }
  EXPECT_EQ(entries, all.resources.size());
}

TEST(FhirCollection, is_json_whatever_the_base_and_the_context_hold) {
  Context with = context();
  with.id_prefix = "\"";
  with.source = with.order_id = with.patient_id = with.clinic_id = with.last_updated = with.document_url_base =
      "a\"\\b";
  const Converted all(results_of({"OBX|1|ED|A^A^L||^a^b^Base64^JVBERi0=||||||F"}), with);
  std::string bundle;
  write_collection(all.resources, "https://\"x", bundle);
  dom::parser parser;
  const simdjson::padded_string json(bundle);
  EXPECT_EQ(parser.parse(json).error(), simdjson::SUCCESS) << bundle;
}

TEST(FhirCollection, of_a_message_without_results_is_a_bundle_without_entries) {
  const Converted none(interpret_text("MSH|^~\\&|A|B|||20240501||ADT^A01|1|P|2.5.1\rPID|1||1\r"));
  std::string bundle;
  write_collection(none.resources, kNoServer, bundle);
  EXPECT_EQ(
      bundle,
      R"({"resourceType":"Bundle","identifier":{"system":"urn:resultsync:message:B:A","value":"1"},"type":"collection"})");
}

TEST(FhirResources, stay_good_where_they_are_moved) {
  Converted all = converted({"OBX|1|ST|1-8^A^LN||x||||||F"});
  const std::string before(all.only(Type::observation).json);
  const Resources moved = std::move(all.resources);
  EXPECT_EQ(std::ranges::find(moved, Type::observation, &Resource::type)->json, before);
}

TEST(FhirResources, the_same_message_gives_the_same_bytes) {
  const results::Interpretation message =
      results_of({"OBX|1|NM|1-8^A^LN|1|1|mg|1-2|H|||F", "OBX|2|CWE|1-9^B^LN|1.1|A^B^L||||||F"});
  std::string first, second;
  write_collection(convert(message, context()), kNoServer, first);
  write_collection(convert(message, context()), kNoServer, second);
  EXPECT_EQ(first, second);
}

TEST(FhirTypes, have_names_both_ways) {
  for (std::size_t i = 0; i < kTypes; ++i) EXPECT_EQ(find_type(type_name(static_cast<Type>(i))), static_cast<Type>(i));
  EXPECT_FALSE(find_type("Basic"));
}

}  // namespace
}  // namespace resultsync::fhir
