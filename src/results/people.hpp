// Names, numbers and addresses of people and places: the HL7 types CX, EI, XCN, XPN, XAD, XTN, XON and NDL.
#pragma once

#include <vector>

#include "hl7/message.hpp"
#include "results/report.hpp"

namespace resultsync::results {

Identifier read_ei(const hl7::Repetition& repetition);  // entity identifier
Identifier read_ei(const hl7::Component& component);    // one within a component: SPM-2.1, OBR-29.1
Identifier read_cx(const hl7::Repetition& repetition);  // extended composite id
PersonName read_xpn(const hl7::Repetition& repetition);
Address read_xad(const hl7::Repetition& repetition);
Telecom read_xtn(const hl7::Repetition& repetition);
Person read_xcn(const hl7::Repetition& repetition);  // also NDL, whose first component holds the whole name
Organization read_xon(const hl7::Repetition& repetition);

// Every valued repetition, read by one of the above.
template <class Read>
auto read_each(const hl7::Field& field, Read read) {
  std::vector<decltype(read(hl7::Repetition()))> all;
  for (const hl7::Repetition repetition : field.repetitions()) {
    if (repetition.valued()) all.push_back(read(repetition));
  }
  return all;
}

}  // namespace resultsync::results
