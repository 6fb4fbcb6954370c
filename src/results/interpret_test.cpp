#include "results/interpret.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/encoding.hpp"
#include "results/json.hpp"
#include "results/testing.hpp"

namespace resultsync::results {
namespace {

using testing::interpret_text;
using testing::message_of;
using testing::report_of;
using testing::results_of;

TEST(Interpret, the_telephones_of_2_7_and_the_collectors_comment_are_read) {
  std::string phone = "PID|1||PAT-2^^^NORTH^MR||Example^Bea||19900101|F";
  phone.append(32, '|').append("^PRN^CP^^1^555^5550101");  // PID-40
  std::string order = "OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000||||||||BLD^Blood";
  order.append(10, '|').append("F").append(14, '|').append("C1^Hemolyzed at the draw^L");  // OBR-39
  const Interpretation result = interpret_text(message_of({phone, order, "OBX|1|ST|A^a^L||x||||||F"}));
  ASSERT_EQ(result.patients.size(), 2U);
  EXPECT_EQ(result.patients[1].telecoms.at(0).number, "+1 555 5550101");
  EXPECT_EQ(result.reports.at(0).specimens.at(0).notes.at(0).text, "Hemolyzed at the draw");
}

// Labs give status, unit, flag, time and laboratory with the first line of a text, with the last, or with each.
TEST(Interpret, a_line_that_says_nothing_of_the_rest_goes_on_with_the_text) {
  const Report first_says = report_of({"OBX|1|TX|1^a^L||one|mg|1-2|H|||F|||20240430080000|||M1^Method^L",
                                       "OBX|2|TX|1^a^L||two", "OBX|3|FT|1^a^L||three"});
  ASSERT_EQ(first_says.observations.size(), 1U);
  EXPECT_EQ(first_says.observations[0].values[0].text, "one\ntwo\nthree");
  EXPECT_EQ(first_says.observations[0].status_code, "F");

  const Report last_says =
      report_of({"OBX|1|TX|1^a^L||one", "OBX|2|TX|1^a^L||two|mg|1-2|H|||F|||20240430080000||||||||||North Lab"});
  ASSERT_EQ(last_says.observations.size(), 1U);
  const Observation& whole = last_says.observations[0];
  EXPECT_EQ(whole.values[0].text, "one\ntwo");
  EXPECT_EQ(whole.status->status, Status::final);
  EXPECT_EQ(whole.unit->text(), "mg");
  EXPECT_EQ(whole.ranges.text, "1-2");
  EXPECT_EQ(whole.flags.at(0).code, "H");
  EXPECT_EQ(whole.observed.text, "20240430080000");
  EXPECT_EQ(whole.segments.size(), 2U);
  EXPECT_EQ(report_of({"OBX|1|TX|1^a^L||one||||||P", "OBX|2|TX|1^a^L||two||||||F"}).observations.size(), 2U);
}

// HL7 v2.7 and later name them in segments of their own.
TEST(Interpret, who_takes_part_is_read_from_prt) {
  const Interpretation result = results_of(
      {"PRT|1|AD||OP^Ordering^HL70912|1234567893^Orderer^Otto",  //
       "OBX|1|NM|1^a^L||5||||||F",
       "PRT|2|AD||PO^Performing^HL70912||||North Lab^D^^^^CLIA&2.16.840.1.113883.4.7&ISO^XX^^^05D0000000||||||1 Main "
       "St^^Town^NY^10001",
       "PRT|3|AD||POMD^Director^HL70912|77^Director^Dana", "PRT|4|AD||RO^Observer^HL70912|78^Observer^Olga",
       "PRT|5|AD||EQUIP^Equipment^HL70912||||||ANALYZER-1^LAB", "PRT|6|AD||XYZ^Other^HL70912|79^Nobody^Ned"});
  const Report& report = result.reports.at(0);
  EXPECT_EQ(report.orderers.at(0).name.family, "Orderer");
  const Making& made = *report.observations.at(0).made;
  EXPECT_EQ(made.performer.name, "North Lab");
  EXPECT_EQ(made.performer.identifier.id, "05D0000000");
  EXPECT_EQ(made.performer.address.city, "Town");
  EXPECT_EQ(made.performer.director.name.family, "Director");
  EXPECT_EQ(made.observers.at(0).name.family, "Observer");
  EXPECT_EQ(made.devices.at(0).id, "ANALYZER-1");
  ASSERT_EQ(result.account.unused.size(), 1U);
  EXPECT_EQ(result.account.unused[0].reason, "not_interpreted");
}

// Base64 of a PDF, cut at `cuts`, each piece an OBX; `sub_ids` gives each its OBX-4.
std::string pdf_in_pieces(std::string_view pdf, std::initializer_list<std::size_t> cuts, bool sub_ids) {
  const std::string base64 = encode_base64(pdf);
  std::string lines;
  std::size_t from = 0, number = 0;
  const auto piece = [&](std::size_t to) {
    const std::string nth = std::to_string(++number);
    lines += "OBX|" + nth + "|ED|PDF^Report^L|" + (sub_ids ? nth : "1") + "|LAB^application^pdf^Base64^" +
             base64.substr(from, to - from) + "||||||F\r";
    from = to;
  };
  for (const std::size_t cut : cuts) piece(cut);
  piece(base64.size());
  return lines;
}

TEST(Interpret, a_pdf_in_pieces_is_one_document) {
  const std::string pdf = "%PDF-1.4\n" + std::string(200, 'x') + "\n%%EOF\n";
  for (const bool sub_ids : {false, true}) {
    for (const auto cuts : {std::initializer_list<std::size_t>{100, 200}, {101, 203}, {102}, {40, 80, 120, 160}}) {
      const Interpretation result = results_of({pdf_in_pieces(pdf, cuts, sub_ids)});
      ASSERT_EQ(result.documents.size(), 1U) << cuts.size();
      EXPECT_EQ(result.documents[0].bytes(), pdf);
      EXPECT_EQ(result.documents[0].media_type(), "application/pdf");
      const auto& all = result.reports.at(0).observations;
      ASSERT_EQ(all.size(), cuts.size() + 1) << "one Observation an OBX";
      for (const Observation& one : all) {
        ASSERT_NE(one.values.at(0).as<Attachment>(), nullptr);
        EXPECT_EQ(one.values[0].as<Attachment>()->document, result.documents[0].digest());
        EXPECT_EQ(one.values[0].as<Attachment>()->size, pdf.size());
        EXPECT_TRUE(testing::has_problem(one, "file_in_pieces"));
        EXPECT_FALSE(testing::has_problem(one, "base64_broken"));
      }
    }
  }
}

TEST(Interpret, pdfs_that_are_whole_or_have_no_end_stay_as_they_were_sent) {
  const std::string pdf = "%PDF-1.4\n" + std::string(200, 'x') + "\n%%EOF\n";
  const std::string other = "%PDF-1.5\n" + std::string(200, 'y') + "\n%%EOF\n";
  EXPECT_EQ(results_of({pdf_in_pieces(pdf, {}, false) + pdf_in_pieces(other, {}, false)}).documents.size(), 2U);
  const std::string endless = pdf.substr(0, 120);
  const Interpretation cut = results_of({pdf_in_pieces(endless, {80}, false), pdf_in_pieces(pdf, {}, false)});
  EXPECT_EQ(cut.documents.size(), 3U) << "the last begins anew";
  EXPECT_EQ(results_of({pdf_in_pieces(endless, {80}, false)}).documents.size(), 2U);
}

TEST(Interpret, a_message_type_in_small_letters_is_the_same_type) {
  EXPECT_EQ(interpret_text("MSH|^~\\&|||||||oru^r01|1|P|2.5.1\rOBR|1\rOBX|1|NM|1^a^L||5||||||F\r").account.observations,
            1U);
}

TEST(Interpret, what_a_sender_says_of_the_patient_in_two_fields_stands_once) {
  const Interpretation result =
      interpret_text("MSH|^~\\&|||||||ORU^R01|1|P|2.3\rPID|1|7|7||A^B|||||||5551234|5551234\r");
  EXPECT_EQ(result.patients.at(0).identifiers.size(), 1U);
  EXPECT_EQ(result.patients.at(0).telecoms.size(), 1U);
}

// Neighbours that were made alike share what they say of it; who was made otherwise says so.
TEST(Interpret, what_neighbours_share_is_that_of_each) {
  const Report report = report_of({"OBX|1|NM|A^a^L||1|mg/dL|||||F||||LAB1^One^L||M1^Method^L",
                                   "OBX|2|NM|B^b^L||2|mg/dL|||||F||||LAB1^One^L||M1^Method^L",
                                   "OBX|3|NM|C^c^L||3|g/L|||||F||||LAB1^One^L||M2^Other^L",
                                   "OBX|4|TX|D^d^L||text||||||F|of a line\nthat is broken|||LAB1^One^L||M2^Other^L",
                                   "OBX|5|NM|E^e^L||5||||||F", "OBX|6|NM|F^f^L||6||||||F||||LAB2^Two^L"});
  const auto& all = report.observations;
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(&*all[0].made, &*all[1].made);
  EXPECT_EQ(&*all[0].unit, &*all[1].unit);
  EXPECT_EQ(all[1].made->methods.at(0).display(), "Method");
  EXPECT_EQ(all[2].made->methods.at(0).display(), "Other");
  EXPECT_EQ(all[2].unit->text(), "g/L");
  EXPECT_TRUE(all[3].made->producer.empty()) << "behind the line break there are no fields";
  EXPECT_EQ(all[4].made, Shared<Making>());
  EXPECT_TRUE(all[4].unit->text().empty());
  EXPECT_EQ(all[5].made->producer.display(), "Two");
}

TEST(Interpret, an_order_becomes_a_report) {
  const Interpretation result = interpret_text(
      message_of({"ORC|RE|P-1^APP|F-1^LAB|G-1||||||||1234^Example^Orla^^^Dr.^^^NPI&2.16.840.1.113883.4.6&ISO",
                  "NTE|1|L|about the order",
                  "OBR|1|||24323-8^Panel^LN|||20240430080000|20240430080500|||||fasting|20240430100000||||||||"
                  "20240501110000||CH|F",
                  "NTE|1|L|about the report",
                  "OBX|1|NM|2823-3^Potassium^LN^K^Potassium^L||4.1|mmol/"
                  "L^^UCUM|3.5-5.0|N|||F|||20240430080000-0500||||ANALYZER^^1.2.3^ISO|"
                  "20240430113000||||North Lab^D^^^^CLIA&2.16.840.1.113883.4.7&ISO^XX^^^05D0000000|1 Main "
                  "St^^Town^NY^10001|77^Director^Dana",
                  "NTE|1|L|about the result", "NTE|2|L|in two parts",
                  "SPM|1|S-1&APP^S-2&LAB||119297000^Blood^SCT|||||||||||||20240430080000^20240430080100|20240430100000",
                  "NTE|1|L|about the specimen"}));
  ASSERT_EQ(result.reports.size(), 1U);
  const Report& report = result.reports[0];
  EXPECT_EQ(report.placer.id, "P-1");
  EXPECT_EQ(report.filler.id, "F-1");
  EXPECT_EQ(report.group.id, "G-1");
  EXPECT_EQ(report.orderers.at(0).name.display(), "Dr. Orla Example");
  EXPECT_EQ(report.orderers[0].identifiers.at(0).authority_id, "2.16.840.1.113883.4.6");
  EXPECT_EQ(report.status->status, Status::final);
  EXPECT_EQ(report.issued.iso(report.zone), "2024-05-01T11:00:00-05:00");
  EXPECT_EQ(report.issued.iso(), "2024-05-01T11:00:00");
  ASSERT_EQ(report.notes.size(), 2U);
  EXPECT_EQ(report.notes[0].text, "about the order");
  ASSERT_EQ(report.observations.size(), 1U);
  const Observation& potassium = report.observations[0];
  EXPECT_EQ(potassium.notes.size(), 2U);
  EXPECT_EQ(potassium.code.codings.size(), 2U);
  EXPECT_EQ(potassium.made->performer.identifier.id, "05D0000000");
  EXPECT_EQ(potassium.made->performer.director.name.family, "Director");
  EXPECT_EQ(potassium.made->devices.at(0).id, "ANALYZER");
  EXPECT_EQ(report.performer.name, "North Lab");
  ASSERT_EQ(report.specimens.size(), 1U);
  EXPECT_EQ(report.specimens[0].filler.id, "S-2");
  EXPECT_EQ(report.specimens[0].notes.at(0).text, "about the specimen");
  EXPECT_EQ(potassium.specimen, 0U);
  EXPECT_EQ(result.patients.at(0).names.at(0).family, "Example");
  EXPECT_TRUE(result.account.balanced());
  EXPECT_TRUE(result.account.unused.empty());
}

TEST(Interpret, a_text_over_many_obx_is_one_observation) {
  const Interpretation result =
      results_of({"OBX|1|TX|11502-2^Report^LN|1|one||||||F", "OBX|2|TX|11502-2^Report^LN|1|||||||F",
                  "OBX|3|TX|11502-2^Report^LN|1|three||||||F", "OBX|4|TX|11502-2^Report^LN|2|other||||||F",
                  "OBX|5|TX|11502-2^Report^LN|1|changed||||||C"});
  const Report& report = result.reports.at(0);
  ASSERT_EQ(report.observations.size(), 3U);
  EXPECT_EQ(report.observations[0].values.at(0).text, "one\n\nthree");
  EXPECT_EQ(report.observations[0].segments.size(), 3U);
  EXPECT_EQ(report.observations[2].status->status, Status::corrected);
  EXPECT_EQ(result.account.obx_in, 5U);
  EXPECT_EQ(result.account.observations, 5U);
}

TEST(Interpret, a_status_with_its_name_is_that_status) {
  const Observation named = testing::observation_of("OBX|1|NM|1^a^L||5||||||F^Final");
  EXPECT_EQ(named.status->status, Status::final);
  EXPECT_EQ(named.status_code, "F^Final");
  EXPECT_EQ(testing::observation_of("OBX|1|NM|1^a^L||5||||||F~C").status->status, Status::unknown);
}

TEST(Interpret, lines_after_a_whole_obx_go_on_with_its_text_or_are_a_note_to_it) {
  const Report report = report_of({"OBX|1|FT|1^a^L||first||||||F", "second | line", "third",
                                   "OBX|2|NM|2^b^L||5|mg/dL|||||F", "haemolysed", "OBX|3|TX|3^c^L||one", "two||||||F"});
  ASSERT_EQ(report.observations.size(), 3U);
  const Observation& text = report.observations[0];
  EXPECT_EQ(text.values.at(0).text, "first\nsecond | line\nthird");
  EXPECT_EQ(text.status->status, Status::final) << "the lines are no part of OBX-11";
  EXPECT_TRUE(testing::has_problem(text, "text_after_segment"));
  const Observation& number = report.observations[1];
  EXPECT_EQ(number.values.at(0).text, "5");
  EXPECT_EQ(number.status->status, Status::final);
  ASSERT_EQ(number.notes.size(), 1U);
  EXPECT_EQ(number.notes[0].text, "haemolysed");
  EXPECT_EQ(report.observations[2].values.at(0).text, "one\ntwo");
  EXPECT_EQ(report.observations[2].status->status, Status::final);
  EXPECT_FALSE(testing::has_problem(report.observations[2], "text_after_segment"));
}

// Whoever counts the lines that begin with "OBX|" comes to the same number.
TEST(Interpret, obx_in_counts_what_begins_with_obx_right_after_a_line_end) {
  const Interpretation result =
      results_of({"OBX|1|NM|1^a^L||1||||||F", "  OBX|2|NM|2^b^L||2||||||F", "obx|3|NM|3^c^L||3||||||F", "OBX", "OBX|"});
  EXPECT_EQ(result.reports.at(0).observations.size(), 3U) << "all three are read";
  EXPECT_EQ(result.account.obx_in, 2U);
  EXPECT_EQ(result.account.observations, 1U);
  ASSERT_EQ(result.account.explained.size(), 1U);
  EXPECT_EQ(result.account.explained[0].reason, "says_nothing");
  EXPECT_TRUE(result.account.balanced());
}

TEST(Interpret, numbers_and_texts_of_two_orders_are_never_joined) {
  EXPECT_EQ(report_of({"OBX|1|NM|1^a^L||1||||||F", "OBX|2|NM|1^a^L||2||||||F"}).observations.size(), 2U);
  const Interpretation result =
      results_of({"OBX|1|TX|1^a^L||one||||||F", "OBR|2|P-2|F-2|9^Other^L", "OBX|1|TX|1^a^L||two||||||F"});
  ASSERT_EQ(result.reports.size(), 2U);
  EXPECT_EQ(result.reports[1].observations.at(0).values.at(0).text, "two");
}

TEST(Interpret, susceptibilities_find_their_organism) {
  const Interpretation result = interpret_text(message_of(
      {"OBR|1|P-1|F-1|630-4^Urine culture^LN", "OBX|1|CWE|634-6^Bacteria^LN|1|112283007^E. coli^SCT||||||F",
       "OBX|2|CWE|634-6^Bacteria^LN|2|9875009^Proteus^SCT||||||F", "OBX|3|ST|564-5^Colony count^LN|2.1|>100000||||||F",
       "OBR|2|P-1|F-2|29576-6^Susceptibility^LN||||||||||||||||||||||634-6&Bacteria&LN^2^Proteus|||P-1^F-1",
       "OBX|1|SN|18864-9^Ampicillin^LN||<=^2|ug/mL|||R|||F"}));
  ASSERT_EQ(result.reports.size(), 2U);
  const ParentLink& link = result.reports[1].parent;
  EXPECT_EQ(link.filler.id, "F-1");
  EXPECT_EQ(link.value, "Proteus");
  EXPECT_EQ(link.report, 0U);
  EXPECT_EQ(link.in_report, 1U);
  EXPECT_EQ(result.reports[0].observations.at(2).parent, 1U);
  EXPECT_EQ(result.reports[0].observations.at(1).parent, kNone);
}

TEST(Interpret, obx_of_patient_and_specimen_are_told_apart) {
  std::string text = message_of({"OBX|1|NM|30525-0^Age^LN||44|a|||||F", "PV1|1|O", "OBR|1|P|F|1^t^L",
                                 "OBX|1|NM|2^b^L||1||||||F", "SPM|1|^S-1||BLD", "OBX|1|ST|3^color^L||red||||||F"});
  const Interpretation result = interpret_text(text);
  EXPECT_EQ(result.patient_observations.size(), 1U);
  ASSERT_EQ(result.reports.at(0).observations.size(), 2U);
  EXPECT_EQ(result.reports[0].observations[1].about, Observation::About::specimen);
  EXPECT_EQ(result.reports[0].observations[1].specimen, 0U);
  EXPECT_EQ(result.account.observations, 3U);
  ASSERT_EQ(result.account.unused.size(), 1U);
  EXPECT_EQ(result.account.unused[0].segment, "PV1");
}

TEST(Interpret, what_is_not_used_is_listed_with_a_reason) {
  const Interpretation result =
      results_of({"OBX|1|NM|||||||||", "ZPS|1|x", "DG1|1", "QQQ|1", "OBX|2|NM|1^a^L||5||||||F"});
  EXPECT_EQ(result.account.obx_in, 2U);
  EXPECT_EQ(result.account.observations, 1U);
  ASSERT_EQ(result.account.explained.size(), 1U);
  EXPECT_EQ(result.account.explained[0].reason, "says_nothing");
  EXPECT_EQ(result.account.explained[0].index, 3U);
  ASSERT_EQ(result.account.unused.size(), 3U);
  EXPECT_EQ(result.account.unused[0].reason, "local_segment");
  EXPECT_EQ(result.account.unused[1].reason, "not_interpreted");
  EXPECT_EQ(result.account.unused[2].reason, "unknown_segment");
}

TEST(Interpret, obx_of_other_messages_are_explained) {
  const Interpretation result = interpret_text("MSH|^~\\&|||||||ADT^A01|1|P|2.5\rPID|1\rOBX|1|NM|1^Weight^L||70|kg\r");
  EXPECT_TRUE(result.reports.empty());
  ASSERT_EQ(result.account.explained.size(), 1U);
  EXPECT_EQ(result.account.explained[0].reason, "not_a_result_message");
}

TEST(Interpret, a_message_without_a_header_or_orders_gives_results_too) {
  const Interpretation result = interpret_text("OBX|1|NM|1^a^L||5||||||F\rNTE|1||note\r");
  ASSERT_EQ(result.reports.size(), 1U);
  EXPECT_EQ(result.reports[0].segment, kNone);
  EXPECT_EQ(result.reports[0].observations.at(0).notes.size(), 1U);
  EXPECT_TRUE(result.account.balanced());
}

TEST(Interpret, lines_outside_every_message_are_in_the_account) {
  const hl7::Reading reading = hl7::read("MSH$^~\\&$$$$$$$ORU^R01\rOBX$1$NM$1$$5\rBTS$1\rOBX|1|NM|1||5\rnothing\r");
  ASSERT_EQ(reading.messages().size(), 1U);
  Account account = interpret(reading.messages().front()).account;
  add_outside(reading, account);
  EXPECT_EQ(account.obx_in, 2U);
  EXPECT_EQ(account.explained.at(0).reason, "outside_message");
  EXPECT_TRUE(account.balanced());
}

TEST(Interpret, json_is_well_formed_and_holds_no_bytes) {
  JsonWriter json;
  write_json(json, results_of({"OBX|1|ED|PDF||^AP^PDF^Base64^" + encode_base64("%PDF-secret") + "||||||F",
                               "OBX|2|NM|1^a^L||.5|mg/dl|M: 1-2; F: 3-4|L|||F"}));
  EXPECT_NE(json.text().find("\"number\":0.5"), std::string::npos);
  EXPECT_EQ(json.text().find("secret"), std::string::npos);
}

// Lines that begin with OBX and the field separator, counted without the reader.
std::size_t obx_lines(std::string_view bytes) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < bytes.size();) {
    if (bytes.substr(at).starts_with("OBX|")) ++count;
    at = bytes.find_first_of("\r\n", at);
    at = at == std::string_view::npos ? bytes.size() : at + 1;
  }
  return count;
}

RC_GTEST_PROP(InterpretProperty, every_obx_of_a_damaged_message_is_accounted_for, ()) {
  static constexpr std::string_view kLines[] = {"PID|1||7",
                                                "ORC|RE|1|2",
                                                "OBR|1|P|F|1^t^L|||||||||||||||||||||F",
                                                "OBX|1|TX|1^a^L||text||||||F",
                                                "OBX|1|NM|1^a^L|1|5|mg/dl|1-2|H|||F",
                                                "OBX|",
                                                "OBX",
                                                "OBX|||||||||||",
                                                "NTE|1||n~m",
                                                "SPM|1|a^b",
                                                "PV1|1",
                                                "TXA|1",
                                                "ZZZ|1",
                                                "no segment",
                                                "OBX|1|ED|1||^AP^PDF^Base64^JVBE",
                                                "MSH|^~\\&|||||||ORU^R01",
                                                ""};
  static constexpr std::string_view kTypes[] = {"ORU^R01", "OUL^R22", "ADT^A01", "", "ORU^R30"};
  std::string bytes =
      "MSH|^~\\&|||||||" + std::string(kTypes[*rc::gen::inRange<std::size_t>(0, std::size(kTypes))]) + "|1|P|2.5.1\r";
  for (const int line :
       *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, static_cast<int>(std::size(kLines))))) {
    bytes.append(kLines[line]).append(line % 3 == 0 ? "\n" : "\r");
  }
  const hl7::Reading reading = hl7::read(bytes);
  Account total;
  for (const hl7::Message& message : reading.messages()) {
    const Interpretation result = interpret(message);
    RC_ASSERT(result.account.balanced());
    std::size_t in_observations = 0;
    for (const Report& report : result.reports) {
      for (const Observation& observation : report.observations) in_observations += observation.segments.size();
    }
    RC_ASSERT(in_observations + result.patient_observations.size() == result.account.observations);
    total.obx_in += result.account.obx_in;
  }
  add_outside(reading, total);
  RC_ASSERT(total.obx_in == obx_lines(bytes));
}

RC_GTEST_PROP(InterpretProperty, any_bytes_give_an_interpretation, (const std::string& bytes)) {
  const hl7::Reading reading = hl7::read("MSH|^~\\&|||||||ORU^R01\rOBX|1|" + bytes);
  for (const hl7::Message& message : reading.messages()) {
    const Interpretation result = interpret(message);
    RC_ASSERT(result.account.balanced());
    JsonWriter json;
    write_json(json, result);
    RC_ASSERT(is_utf8(json.text()));
  }
}

}  // namespace
}  // namespace resultsync::results
