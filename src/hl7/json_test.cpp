#include "hl7/json.hpp"

#include <gtest/gtest.h>

namespace resultsync::hl7 {
namespace {

std::string segment_json(const std::string& segment) {
  const Reading reading = read("MSH|^~\\&|LAB\r" + segment + "\r");
  JsonWriter json;
  write_json(reading.messages()[0].segment(1), json);
  return json.take();
}

TEST(Json, depth_tells_repetitions_components_and_subcomponents_apart) {
  EXPECT_EQ(
      segment_json("PID|1||A^^^M&1.2^MR~B|\"\"|x&y|"),
      R"({"name":"PID","index":1,"fields":[["1"],[],[["A","","",["M","1.2"],"MR"],"B"],[null],[[["x","y"]]],[]]})");
  EXPECT_EQ(segment_json("NTE|1||a\\T\\b\\.br\\c"), R"({"name":"NTE","index":1,"fields":[["1"],[],["a&b\nc"]]})");
  EXPECT_EQ(segment_json("garbage \"x\""), R"({"name":null,"index":1,"text":"garbage \"x\""})");
}

TEST(Json, a_message) {
  const Reading reading = read("MSH|^~\\&|LAB||||||ORU^R01|7|P|2.5.1\rPID|1\rOBX|1|ST|||\\Q\\\r");
  JsonWriter json;
  write_json(reading.messages()[0], json);
  EXPECT_EQ(
      json.text(),
      R"({"type":"ORU^R01","structure":"ORU_R01","control_id":"7","version":"2.5.1",)"
      R"("delimiters":{"field":"|","component":"^","repetition":"~","escape":"\\","subcomponent":"&","truncation":""},)"
      R"("character_set":{"declared":null,"read_as":"ASCII"},"offset":0,)"
      R"("tree":{"name":"ORU_R01","children":[{"name":"MSH","index":0,"fields":[["|"],["^~\\&"],["LAB"],[],[],[],[],[],[["ORU","R01"]],["7"],["P"],["2.5.1"]]},)"
      R"({"name":"PATIENT_RESULT","children":[{"name":"PATIENT","children":[{"name":"PID","index":1,"fields":[["1"]]}]},)"
      R"({"name":"ORDER_OBSERVATION","children":[{"name":"OBSERVATION","children":[{"name":"OBX","index":2,"fields":[["1"],["ST"],[],[],["\\Q\\"]]}]}]}]}]},)"
      R"("diagnostics":[{"code":"escape_unknown","severity":"warning","segment":2,"offset":53,"message":"an escape sequence is not known; it is kept as text"},)"
      R"({"code":"order_missing","severity":"warning","segment":2,"offset":42,"message":"results stand without an OBR before them"}]})");
}

}  // namespace
}  // namespace resultsync::hl7
