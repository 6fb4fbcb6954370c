// Messages for tests, written line by line.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "hl7/reader.hpp"
#include "results/interpret.hpp"

namespace resultsync::results::testing {

inline std::string message_of(std::initializer_list<std::string_view> lines) {
  std::string text = "MSH|^~\\&|LAB|NORTH|APP|CLINIC|20240501120000-0500||ORU^R01^ORU_R01|1|P|2.5.1\r";
  text += "PID|1||PAT-1^^^NORTH^MR||Example^Ada||19800115|F\r";
  for (const std::string_view line : lines) text.append(line).append("\r");
  return text;
}

inline Interpretation interpret_text(std::string bytes) {
  const hl7::Reading reading = hl7::read(std::move(bytes));
  return interpret(reading.messages().front());
}

// A message with one order and these lines after its OBR.
inline Interpretation results_of(std::initializer_list<std::string_view> lines) {
  std::string text = message_of({"OBR|1|P-1|F-1|24323-8^Panel^LN|||20240430080000|||||||||||||||20240501110000|||F"});
  for (const std::string_view line : lines) text.append(line).append("\r");
  return interpret_text(std::move(text));
}

inline Report report_of(std::initializer_list<std::string_view> lines) {
  return results_of(lines).reports.at(0);
}

inline Observation observation_of(std::string_view obx) {
  return report_of({obx}).observations.at(0);
}

// Of type and value alone.
inline Observation value_of(std::string_view type, std::string_view value) {
  return observation_of("OBX|1|" + std::string(type) + "|1-8^Thing^LN||" + std::string(value) + "||||||F");
}

inline bool has_problem(const Observation& observation, std::string_view code) {
  for (const Problem& problem : observation.problems) {
    if (problem.code == code) return true;
  }
  return false;
}

}  // namespace resultsync::results::testing
