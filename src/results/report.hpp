// What a message says, in the words of the field: Reports (one for each OBR), their Observations and Specimens, of
// Patients. Everything is a copy: it stays good after the message is gone. `segment` is the index of the segment in the
// message that a thing was read from.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/code.hpp"
#include "results/flag.hpp"
#include "results/moment.hpp"
#include "results/range.hpp"
#include "results/shared.hpp"
#include "results/status.hpp"
#include "results/unit.hpp"
#include "results/value.hpp"

namespace resultsync::results {

inline constexpr std::uint32_t kNone = 0xffffffff;  // no segment, no index

// What could not be read as the standard means it. Holds no health data.
struct Problem {
  std::string_view code;  // stable: "not_a_number"; README.md lists them
  std::uint32_t segment = kNone;
  std::uint32_t field = 0;  // number of the field
  bool operator==(const Problem&) const = default;
};

struct Note {
  std::uint32_t segment = kNone;  // of the NTE
  std::string text;               // NTE-3, repetitions on lines of their own
  std::string source;             // NTE-2: "L" the lab, "P" the orderer
  Codes type;                     // NTE-4
  bool operator==(const Note& other) const { return text == other.text; }
};

struct PersonName {
  std::string family, given, middle, suffix, prefix, degree;
  std::string type;                           // "L" legal
  [[nodiscard]] std::string display() const;  // "Dr. Ann B Example MD"
  bool operator==(const PersonName&) const = default;
};

struct Address {
  std::string line, other_line, city, state, postal_code, country, type;
  [[nodiscard]] bool empty() const;
  bool operator==(const Address&) const = default;
};

struct Telecom {
  std::string number;  // XTN.1, or made of XTN.5-8
  std::string email;   // XTN.4
  std::string use, equipment;
  bool operator==(const Telecom&) const = default;
};

struct Person {  // XCN: an ordering provider, an observer
  std::vector<Identifier> identifiers;
  PersonName name;
  [[nodiscard]] bool empty() const { return identifiers.empty() && name == PersonName{}; }
  bool operator==(const Person&) const = default;
};

struct Organization {  // XON with its XAD and director: a performing laboratory
  std::string name;
  Identifier identifier;  // CLIA number and the like: XON.10, else XON.3
  Address address;
  Person director;
  [[nodiscard]] bool empty() const { return name.empty() && identifier.empty(); }
  bool operator==(const Organization&) const = default;
};

struct Patient {
  std::uint32_t segment = kNone;        // PID
  std::vector<Identifier> identifiers;  // PID-3, then PID-2, PID-4
  std::vector<PersonName> names;        // PID-5
  Moment born;                          // PID-7
  std::string sex;                      // PID-8 as sent
  std::vector<Address> addresses;       // PID-11
  std::vector<Telecom> telecoms;        // PID-13, PID-14
  std::vector<Note> notes;
  std::vector<std::uint32_t> segments;  // every segment that these were read from
};

struct Specimen {
  std::uint32_t segment = kNone;          // SPM; the OBR where the specimen is OBR-15
  Identifier placer, filler;              // SPM-2.1, SPM-2.2
  Identifier accession;                   // SPM-30
  Codes type;                             // SPM-4, OBR-15.1
  std::vector<Codes> modifiers;           // SPM-5, SPM-6
  Codes method;                           // SPM-7
  Codes site;                             // SPM-8, OBR-15.4
  std::string amount;                     // SPM-12
  std::vector<std::string> descriptions;  // SPM-14
  Period collected;                       // SPM-17; else OBR-7, OBR-8
  Moment received;                        // SPM-18; else OBR-14
  std::vector<Codes> reject_reasons;      // SPM-21
  std::vector<Codes> conditions;          // SPM-24
  std::vector<Note> notes;
};

struct Making {                     // how and by whom an observation was made
  Codes producer;                   // OBX-15
  std::vector<Person> observers;    // OBX-16
  std::vector<Codes> methods;       // OBX-17
  std::vector<Identifier> devices;  // OBX-18
  Organization performer;           // OBX-23, 24, 25
  bool operator==(const Making&) const = default;
};

struct Observation {
  // What it is said about (hl7::PlacedObservation::Role).
  enum class About : std::uint8_t { order, specimen, patient, document };

  Few<std::uint32_t, 2> segments;  // the OBX, and those that continue its text; never empty
  About about = About::order;
  std::string set_id;                   // OBX-1
  std::string value_type;               // OBX-2 as sent
  Codes code;                           // OBX-3
  std::string sub_id;                   // OBX-4
  Few<Value> values;                    // OBX-5; several if it repeats
  bool value_deleted = false;           // OBX-5 is HL7's null: what was sent before is to be deleted
  Shared<Unit> unit;                    // OBX-6
  ReferenceRanges ranges;               // OBX-7
  Few<Flag> flags;                      // OBX-8 as the lab sent them
  Assessment assessment;                // computed from value, unit and range
  std::string status_code;              // OBX-11 as sent
  const StatusRow* status = nullptr;    // never null once read
  Moment observed;                      // OBX-14
  Moment analyzed;                      // OBX-19
  Shared<Making> made;                  // OBX-15 to 18, OBX-23 to 25
  Codes site;                           // OBX-20
  std::vector<Identifier> identifiers;  // OBX-21
  std::vector<Note> notes;
  std::vector<Problem> problems;
  std::uint32_t specimen = kNone;  // index in Report::specimens
  std::uint32_t parent = kNone;    // index in the same list: OBX-4 "1.2" is a child of "1"
};

// Where an OBR says that it is the child of a result (OBR-26, OBR-29): a culture's organism and its susceptibilities.
struct ParentLink {
  Codes observation;                // OBR-26.1
  std::string sub_id;               // OBR-26.2
  std::string value;                // OBR-26.3: the organism's name
  Identifier placer, filler;        // OBR-29.1, OBR-29.2
  std::uint32_t report = kNone;     // index in Interpretation::reports, where it is in the same message
  std::uint32_t in_report = kNone;  // index in that report's observations

  [[nodiscard]] bool empty() const { return observation.empty() && placer.empty() && filler.empty(); }
};

struct Report {
  std::uint32_t segment = kNone;  // OBR; kNone where results stand without one
  std::uint32_t orc = kNone;
  std::uint32_t patient = kNone;     // index in Interpretation::patients
  std::optional<int> zone;           // of MSH-7, in minutes: that of every time here that has none (HL7 v2.5.1 §2.A.22)
  std::string set_id;                // OBR-1
  Identifier placer;                 // OBR-2, else ORC-2
  Identifier filler;                 // OBR-3, else ORC-3
  Identifier group;                  // ORC-4
  Identifier accession;              // SPM-30, else the filler number, by which most labs file
  Codes test;                        // OBR-4
  std::vector<Codes> reasons;        // OBR-31
  std::string clinical_information;  // OBR-13
  Moment collected_from, collected_to;  // OBR-7, OBR-8
  Moment received;                      // OBR-14
  Moment issued;                        // OBR-22
  Moment requested;                     // ORC-9, else OBR-6
  std::string category;                 // OBR-24
  std::string status_code;              // OBR-25 as sent
  const StatusRow* status = nullptr;    // never null once read
  std::vector<Person> orderers;         // OBR-16, else ORC-12
  std::vector<Person> copies_to;        // OBR-28
  std::vector<Person> interpreters;     // OBR-32
  Organization performer;               // of the first observation that names one
  ParentLink parent;
  std::vector<Specimen> specimens;
  std::vector<Observation> observations;
  std::vector<Note> notes;  // after the ORC and the OBR
  std::vector<Problem> problems;
};

std::string_view about_name(Observation::About about);

}  // namespace resultsync::results
