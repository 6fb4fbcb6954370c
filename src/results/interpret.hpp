// Reads a message into what it means. PURE and total: every message gives an Interpretation, in time linear in its size
// but for a sort; whatever could not be understood is in the account or among the problems.
//
//   const hl7::Reading reading = hl7::read(std::move(bytes));
//   for (const hl7::Message& message : reading.messages()) {
//     const results::Interpretation result = results::interpret(message);
//     for (const results::Report& report : result.reports) …
//   }
#pragma once

#include <string>
#include <vector>

#include "hl7/groups.hpp"
#include "hl7/message.hpp"
#include "results/account.hpp"
#include "results/document.hpp"
#include "results/report.hpp"

namespace resultsync::results {

struct Header {  // MSH
  std::string sending_application, sending_facility;
  std::string type, control_id, version;  // "ORU^R01"
  std::string processing;                 // "P" production, "T" training, "D" debugging
  Moment sent;                            // MSH-7; its zone speaks for times without one
};

struct Interpretation {
  Header header;
  std::vector<Patient> patients;
  std::vector<Report> reports;  // in the order of the message
  // Observations about a patient outside every order (`About::patient`), with the index of the patient or kNone.
  struct OfPatient {
    std::uint32_t patient = kNone;
    Observation observation;
  };
  std::vector<OfPatient> patient_observations;
  std::vector<Document> documents;  // each content once
  Account account;

  [[nodiscard]] const Document* find(const Sha256& digest) const;
};

// ORU and OUL of any event, and messages without a type, are read as results. The OBX of other messages are explained
// as `not_a_result_message`: in an order they are answers to questions at order entry.
Interpretation interpret(const hl7::Message& message, const hl7::Tree& tree);
Interpretation interpret(const hl7::Message& message);

}  // namespace resultsync::results
