#include "hl7/groups.hpp"

#include <gtest/gtest.h>

#include "hl7/reader.hpp"

namespace resultsync::hl7 {
namespace {

using Role = PlacedObservation::Role;

// "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)))" of a message with these segments, without its
// MSH.
struct Grouped {
  Reading reading;
  Tree tree;
  std::string text;
};

std::string shape(const Tree& tree, std::uint32_t index) {
  std::string text;
  for (std::uint32_t child = tree.nodes[index].first_child; child != kNoNode; child = tree.nodes[child].next) {
    const Node& node = tree.nodes[child];
    if (node.name == "MSH") continue;
    if (!text.empty()) text += ' ';
    text += node.name;
    if (node.is_group()) text += '(' + shape(tree, child) + ')';
  }
  return text;
}

Grouped grouped(std::string_view segments, std::string_view version = "2.5.1", std::string_view type = "ORU^R01") {
  std::string bytes = "MSH|^~\\&|LAB||||||" + std::string(type) + "|1|P|" + std::string(version) + "\r";
  std::size_t at = 0;
  while (at < segments.size()) {
    const std::size_t end = std::min(segments.find(' ', at), segments.size());
    bytes.append(segments.substr(at, end - at)).append("|1\r");
    at = end + 1;
  }
  Grouped result{read(bytes), {}, {}};
  result.tree = group(result.reading.messages()[0]);
  result.text = shape(result.tree, 0);
  return result;
}

bool noted(const Grouped& g, std::string_view code) {
  for (const Diagnostic& d : g.tree.diagnostics.list()) {
    if (d.code() == code) return true;
  }
  return false;
}

TEST(Groups, a_whole_report) {
  const Grouped g = grouped("SFT PID PD1 NTE NK1 PV1 PV2 ORC OBR NTE TQ1 TQ2 CTD OBX NTE OBX FT1 CTI SPM OBX DSC");
  EXPECT_EQ(g.text,
            "SFT PATIENT_RESULT(PATIENT(PID PD1 NTE NK1 VISIT(PV1 PV2)) ORDER_OBSERVATION(ORC OBR NTE TIMING_QTY(TQ1 "
            "TQ2) CTD "
            "OBSERVATION(OBX NTE) OBSERVATION(OBX) FT1 CTI SPECIMEN(SPM OBX))) DSC");
  EXPECT_TRUE(g.tree.diagnostics.list().empty());
  ASSERT_EQ(g.tree.observations.size(), 3U);
  EXPECT_EQ(g.tree.observations[0].role, Role::result);
  EXPECT_EQ(g.tree.observations[2].role, Role::specimen);
  EXPECT_EQ(g.reading.messages()[0].segment(g.tree.observations[2].spm).name(), "SPM");
}

TEST(Groups, orders_and_patients_repeat) {
  EXPECT_EQ(
      grouped("PID ORC OBR OBX ORC OBR OBX OBR OBX PID OBR OBX").text,
      "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(ORC OBR OBSERVATION(OBX)) ORDER_OBSERVATION(ORC OBR "
      "OBSERVATION(OBX)) "
      "ORDER_OBSERVATION(OBR OBSERVATION(OBX))) PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR OBSERVATION(OBX)))");
}

TEST(Groups, results_after_the_specimen_are_results) {
  const Grouped g = grouped("PID OBR SPM OBX OBX OBR OBX SPM OBX");
  EXPECT_EQ(g.text,
            "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR SPECIMEN(SPM OBX OBX)) "
            "ORDER_OBSERVATION(OBR OBSERVATION(OBX) SPECIMEN(SPM OBX)))");
  EXPECT_EQ(g.tree.observations[0].role, Role::result);
  EXPECT_EQ(g.tree.observations[1].role, Role::result);
  EXPECT_EQ(g.tree.observations[3].role, Role::specimen);
  EXPECT_EQ(g.tree.observations[0].obr, 2U);
  EXPECT_TRUE(noted(g, "results_after_specimen"));
}

TEST(Groups, versions_without_specimen_groups_put_results_under_the_order) {
  EXPECT_EQ(grouped("PID OBR SPM OBX", "2.3").text,
            "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBR SPECIMEN(SPM) OBSERVATION(OBX)))");
}

TEST(Groups, what_is_missing_is_bridged) {
  const Grouped no_pid = grouped("OBR OBX");
  EXPECT_EQ(no_pid.text, "PATIENT_RESULT(ORDER_OBSERVATION(OBR OBSERVATION(OBX)))");
  EXPECT_TRUE(noted(no_pid, "patient_missing"));
  const Grouped no_obr = grouped("PID PV1 OBX NTE SPM SPM");
  EXPECT_EQ(
      no_obr.text,
      "PATIENT_RESULT(PATIENT(PID VISIT(PV1)) ORDER_OBSERVATION(OBSERVATION(OBX NTE) SPECIMEN(SPM) SPECIMEN(SPM)))");
  EXPECT_TRUE(noted(no_obr, "order_missing"));
  EXPECT_EQ(no_obr.tree.observations[0].role, Role::result);
  EXPECT_EQ(grouped("PID ORC").text, "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(ORC))");
  EXPECT_EQ(grouped("PID ORC OBX ORC OBR").text,
            "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(ORC OBSERVATION(OBX)) ORDER_OBSERVATION(ORC OBR))");
  EXPECT_EQ(grouped("PID OBX").text, "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(OBSERVATION(OBX)))");
  EXPECT_EQ(grouped("").text, "");
}

TEST(Groups, observations_of_the_patient) {
  const Grouped newer = grouped("PID OBX PRT PV1 ORC OBR OBX", "2.7");
  EXPECT_EQ(newer.text,
            "PATIENT_RESULT(PATIENT(PID PATIENT_OBSERVATION(OBX PRT) VISIT(PV1)) ORDER_OBSERVATION(ORC OBR "
            "OBSERVATION(OBX)))");
  EXPECT_EQ(newer.tree.observations[0].role, Role::patient);
  EXPECT_TRUE(newer.tree.diagnostics.list().empty());
  const Grouped older = grouped("PID OBX PV1 OBR", "2.5.1");
  EXPECT_EQ(older.text, "PATIENT_RESULT(PATIENT(PID PATIENT_OBSERVATION(OBX) VISIT(PV1)) ORDER_OBSERVATION(OBR))");
  EXPECT_TRUE(noted(older, "segment_out_of_order"));
  EXPECT_EQ(grouped("PID OBX OBR OBX", "2.8").tree.observations[0].role, Role::patient);
  EXPECT_EQ(grouped("PID OBX OBR OBX", "2.5.1").tree.observations[0].role, Role::result);
  EXPECT_EQ(grouped("PID OBX", "2.8").tree.observations[0].role, Role::result)
      << "there is nothing else that it could be";
}

TEST(Groups, the_newest_structure) {
  const Grouped g = grouped("PID ORC PRT OBX PRT TXA OBR OBX SPM OBX PRT", "2.8.2");
  EXPECT_EQ(g.text,
            "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(COMMON_ORDER(ORC PRT ORDER_DOCUMENT(OBX PRT TXA)) OBR "
            "OBSERVATION(OBX) "
            "SPECIMEN(SPM SPECIMEN_OBSERVATION(OBX PRT))))");
  EXPECT_EQ(g.tree.observations[0].role, Role::document);
}

TEST(Groups, notes_belong_to_the_segment_before_them) {
  EXPECT_EQ(grouped("NTE PID NTE ORC NTE OBR NTE OBX NTE SPM NTE ZZZ NTE").text,
            "NTE PATIENT_RESULT(PATIENT(PID NTE) ORDER_OBSERVATION(ORC NTE OBR NTE OBSERVATION(OBX NTE) SPECIMEN(SPM "
            "NTE ZZZ NTE)))");
}

TEST(Groups, segments_out_of_order_find_their_place) {
  const Grouped g = grouped("PID OBR OBX PV1 NK1 OBX");
  EXPECT_EQ(g.text,
            "PATIENT_RESULT(PATIENT(PID VISIT(PV1) NK1) ORDER_OBSERVATION(OBR OBSERVATION(OBX) OBSERVATION(OBX)))");
  EXPECT_TRUE(noted(g, "segment_out_of_order"));
}

TEST(Groups, a_specimen_before_its_order_joins_it) {
  EXPECT_EQ(grouped("PID SPM ORC OBR").text, "PATIENT_RESULT(PATIENT(PID) ORDER_OBSERVATION(SPECIMEN(SPM) ORC OBR))");
}

TEST(Groups, other_messages_are_flat_and_whole) {
  for (const char* type : {"ORU^R30", "ORU^W01", "ADT^A01"}) {
    const Grouped g = grouped("PID OBX PV1 ORC OBR OBX", "2.5.1", type);
    EXPECT_EQ(g.text, "PID OBX PV1 ORC OBR OBX");
    EXPECT_FALSE(g.tree.grouped);
    EXPECT_TRUE(noted(g, "structure_not_grouped"));
    EXPECT_EQ(g.tree.observations.size(), 2U);
    EXPECT_EQ(g.tree.observations[1].obr, 5U);
  }
  EXPECT_TRUE(noted(grouped("PID OBR OBX", "2.5.1", ""), "message_type_missing"));
  EXPECT_TRUE(grouped("PID OBR OBX", "2.5.1", "ORU_R01").tree.grouped);
}

}  // namespace
}  // namespace resultsync::hl7
