// Messages that real collections lack, from bytes to FHIR: functional-medicine panels with real ranges, a PDF of ten
// megabytes, a culture with susceptibilities, corrections one analyte at a time, 8859-1, long text reports.
#include <gtest/gtest.h>
#include <simdjson.h>
#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <string>
#include <vector>

#include "base/encoding.hpp"
#include "fhir/fhir.hpp"
#include "hl7/reader.hpp"
#include "results/known_result.hpp"
#include "results/testing.hpp"
#include "results/versions.hpp"

namespace resultsync::fhir {
namespace {

using results::Assessment;
using results::testing::interpret_text;
using results::testing::message_of;

Context context() {
  Context context;
  context.id_prefix = "own";
  return context;
}

// The Observations, by the text of their code.
std::map<std::string, simdjson::dom::element> observations(const Resources& resources, simdjson::dom::parser& parser,
                                                           std::string& all) {
  all = "[";
  for (const Resource& resource : resources) {
    if (resource.type != Type::observation) continue;
    all += all.size() > 1 ? "," : "";
    all += resource.json;
  }
  all += "]";
  std::map<std::string, simdjson::dom::element> found;
  for (const simdjson::dom::element one : parser.parse(all).get_array())
    found[std::string(std::string_view(one.at_pointer("/code/text")))] = one;
  return found;
}

TEST(OwnMessages, a_functional_panel_has_its_ranges_read_and_its_flags_beside_ours) {
  struct Row {
    const char *name, *value, *unit, *range, *flag;
    Assessment::Place place;
    Assessment::Agreement agreement;
  };
  using enum Assessment::Place;
  using enum Assessment::Agreement;
  const std::vector<Row> rows{
      {"Vitamin D", "28", "ng/mL", "30-100", "L", below, agrees},
      {"Ferritin", "412", "ng/mL", "30 - 400", "H", above, agrees},
      {"Potassium", "6.8", "mmol/L", "3.5-5.1", "HH", above, agrees},
      {"Glucose", "41", "mg/dL", "70-99", "LL", below, agrees},
      {"hs-CRP", "3.0", "mg/L", "<3.0", "H", above, agrees},
      {"HDL", "40", "mg/dL", ">40", "", below, not_flagged},
      {"eGFR", "60", "mL/min/{1.73_m2}", ">=60", "", within, agrees},
      {"LDL", "99", "mg/dL", "<=99", "H", within, disagrees},
      {"TSH", "<0.01", "m[IU]/L", "0.45-4.50", "L", below, agrees},
      {"Hemoglobin", "13.1", "g/dL", "M: 13.5-17.5; F: 12.0-15.5", "N", within, agrees},
      {"Homocysteine", "9", "umol/L", "Optimal <7; High >10", "", unknown, not_compared},
  };
  std::string text = message_of({"OBR|1|P-1|F-1|1^Panel^L|||20240430080000"});
  for (const Row& row : rows) {
    text += std::string("OBX|1|NM|") + row.name + "^" + row.name + "^L||" + row.value + "|" + row.unit + "|" +
            row.range + "|" + row.flag + "|||F\r";
  }
  const results::Interpretation result = interpret_text(text);
  const auto& all = result.reports.at(0).observations;
  ASSERT_EQ(all.size(), rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(all[i].assessment.place, rows[i].place) << rows[i].name;
    EXPECT_EQ(all[i].assessment.agreement, rows[i].agreement) << rows[i].name;
    EXPECT_EQ(all[i].ranges.text, rows[i].range) << "the text is always kept";
    EXPECT_FALSE(all[i].unit->ucum.empty()) << rows[i].unit;
  }
}

double processor_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec) + static_cast<double>(used.ru_utime.tv_usec) / 1e6;
}

TEST(OwnMessages, a_pdf_of_ten_megabytes_is_a_document_in_bounded_time_and_memory) {
  constexpr std::size_t kBytes = 10'000'000;
  std::string pdf = "%PDF-1.7\n";
  while (pdf.size() < kBytes) pdf += static_cast<char>((pdf.size() * 2654435761U) >> 24U);
  const std::string message =
      message_of({"OBR|1|P-1|F-1|1^Panel^L", "OBX|1|NM|2^a^L||5||||||F",
                  "OBX|2|ED|PDF^Report^L||LAB^application^pdf^Base64^" + encode_base64(pdf) + "||||||F"});
  const double began = processor_seconds();
  rusage before{};
  getrusage(RUSAGE_SELF, &before);
  const results::Interpretation result = interpret_text(message);
  const Resources resources = convert(result, context());
  rusage after{};
  getrusage(RUSAGE_SELF, &after);
  ASSERT_EQ(result.documents.size(), 1U);
  EXPECT_EQ(result.documents[0].digest(), sha256(pdf));
  EXPECT_EQ(result.account.observations, 2U);
  for (const Resource& resource : resources) EXPECT_LT(resource.json.size(), 10'000U) << "bytes are named, not copied";
  EXPECT_LT(processor_seconds() - began, 10) << "also under the sanitizers";
  const auto grown_kb = after.ru_maxrss - before.ru_maxrss;
  EXPECT_LT(grown_kb, 12 * static_cast<long>(kBytes) / 1024) << "a few copies on the way, never one more for each step";
}

TEST(OwnMessages, a_culture_has_its_organisms_and_each_organism_its_susceptibilities) {
  const results::Interpretation result = interpret_text(message_of(
      {"ORC|RE|P-1|F-1",
       "OBR|1|P-1|F-1|630-4^Urine culture^LN|||20240430080000||||G|||20240430|^^^|||||||20240502||MB|F",
       "OBX|1|CWE|634-6^Organism 1^LN|1|112283007^Escherichia coli^SCT||||||F",
       "OBX|2|SN|564-5^Colony count 1^LN|1.1|>^100000|[CFU]/mL|||||F",
       "OBX|3|CWE|634-7^Organism 2^LN|2|9875009^Proteus^SCT||||||F", "NTE|1|L|Mixed growth",
       "OBR|2|P-1|F-2|29576-6^Susceptibility 1^LN|||20240430080000||||G|||||||||||20240502||MB|F|634-6&Organism "
       "1&LN^1^Escherichia coli|||P-1^F-1",
       "OBX|1|NM|18864-9^Ampicillin^LN||32|ug/mL||R|||F", "OBX|2|SN|18906-8^Ciprofloxacin^LN||<=^0.25|ug/mL||S|||F",
       "OBR|3|P-1|F-3|29576-6^Susceptibility 2^LN|||20240430080000||||G|||||||||||20240502||MB|F|634-7&Organism "
       "2&LN^2^Proteus|||P-1^F-1",
       "OBX|1|NM|18865-6^Ampicillin 2^LN||2|ug/mL||S|||F"}));
  ASSERT_EQ(result.reports.size(), 3U);
  const Resources resources = convert(result, context());
  simdjson::dom::parser parser;
  std::string json;
  const auto found = observations(resources, parser, json);
  const auto members = [&](const char* name) {
    simdjson::dom::array list;
    return found.at(name).at_pointer("/hasMember").get(list) == simdjson::SUCCESS ? list.size() : 0U;
  };
  EXPECT_EQ(members("Organism 1"), 3U) << "the colony count (OBX-4 1.1), and two susceptibilities (OBR-26)";
  EXPECT_EQ(members("Organism 2"), 1U);
  EXPECT_EQ(std::string_view(found.at("Ampicillin").at_pointer("/interpretation/0/coding/0/code")), "R");
  EXPECT_EQ(std::string_view(found.at("Ciprofloxacin").at_pointer("/valueQuantity/comparator")), "<=");
}

TEST(OwnMessages, preliminary_final_and_corrected_keep_the_ids_of_their_analytes) {
  const auto file = [](const std::string& status, const std::string& potassium) {
    return message_of({"OBR|1|P-1|F-1|24323-8^Panel^LN||||||||||||||||||20240501||CH|" + status,
                       "OBX|1|NM|2823-3^Potassium^LN||" + potassium + "|mmol/L|3.5-5.1||||" + status});
  };
  results::KnownResult known;
  std::vector<std::string> ids;
  for (const auto& [status, value] :
       std::map<int, std::pair<const char*, const char*>>{{1, {"P", "6.6"}}, {2, {"F", "6.6"}}, {3, {"C", "4.6"}}} |
           std::views::values) {
    known.take(results::read_result_file(file(status, value)));
    ASSERT_NE(known.content(), nullptr);
    for (const Resource& resource : convert(*known.content(), context())) {
      if (resource.type == Type::observation) ids.emplace_back(resource.id);
    }
  }
  ASSERT_EQ(ids.size(), 3U);
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(ids[1], ids[2]);
  EXPECT_EQ(known.content()->reports.at(0).observations.at(0).status->status, results::Status::corrected);
}

TEST(OwnMessages, the_micro_sign_of_8859_1_is_a_micro_sign_and_its_unit_ucum) {
  std::string text =
      "MSH|^~\\&|LAB|NORTH|||20240501||ORU^R01^ORU_R01|1|P|2.5.1||||||8859/1\rOBR|1|P|F|1^t^L\r"
      "OBX|1|NM|14682-9^Creatinine^LN||88|\xb5mol/l|60-110|N|||F\r"
      "OBX|2|NM|1^Zinc \xfc"
      "ber^L||\\XB5\\|\\XB5\\g/dL|||||F\r";
  const results::Interpretation result = interpret_text(text);
  const auto& all = result.reports.at(0).observations;
  EXPECT_EQ(all.at(0).unit->text(), "µmol/l");
  EXPECT_EQ(all.at(0).unit->ucum, "umol/L");
  EXPECT_EQ(all.at(1).code.display(), "Zinc über");
  EXPECT_EQ(all.at(1).unit->ucum, "ug/dL");
}

// DUTCH and stool reports: hundreds of lines that labs align with spaces, and formatted text.
TEST(OwnMessages, a_long_text_report_is_one_text_in_order_with_its_spaces) {
  std::string text = message_of({"OBR|1|P-1|F-1|1^Stool analysis^L|||20240430||||||||||||||||||F"});
  std::string expected;
  constexpr int kLines = 400;
  for (int line = 1; line <= kLines; ++line) {
    const std::string words =
        "  Analyte " + std::to_string(line) + "      " + std::to_string(line * 7 % 100) + "   (0 - 50)";
    text += "OBX|" + std::to_string(line) + "|TX|11502-2^Report^LN|1|" + words + "||||||F\r";
    expected += (line > 1 ? "\n" : "") + words;
  }
  text +=
      "OBX|401|FT|DUTCH^Interpretation^L||Cortisol:\\.br\\\\.in+4\\free 3.2 \\T\\ total 9.1~Dr. "
      "\\H\\Example\\N\\||||||F\r";
  const results::Interpretation result = interpret_text(text);
  const auto& all = result.reports.at(0).observations;
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].values.at(0).text, expected);
  EXPECT_EQ(all[0].segments.size(), static_cast<std::size_t>(kLines));
  EXPECT_EQ(all[1].values.at(0).text, "Cortisol:\n    free 3.2 & total 9.1\nDr. Example");
  EXPECT_EQ(result.account.observations, static_cast<std::size_t>(kLines + 1));
}

}  // namespace
}  // namespace resultsync::fhir
