// The group tree of a message: segments under PATIENT_RESULT, PATIENT, VISIT, ORDER_OBSERVATION, OBSERVATION, SPECIMEN
// …, for ORU^R01 of versions 2.1 to 2.8.2 (HL7 v2.5.1 §7.3.1). Messages of other types are kept flat, in their order.
//
// Grouping loses nothing: every segment of the message is in the tree exactly once, whatever the order in which it was
// sent. Where the structure has no place for a segment, it stands beside the segment before it, and a diagnostic says
// so. Notes (NTE) always belong to the segment before them.
//
// An OBX is placed as follows; observations() lists every one of them with what it belongs to:
//   after an OBR, or after an ORC that no OBR follows    OBSERVATION of that order
//   after an SPM, versions from 2.5 on                   the SPECIMEN group, as the standard has it. If the order has
//   no OBSERVATION of
//                                                        its own, these are its results all the same: Role::result
//   after an SPM, declared version before 2.5            OBSERVATION, because those versions know no SPECIMEN group
//   after a PID, with a PV1 or (2.7 on) an order to come PATIENT_OBSERVATION
//   after an ORC, with a TXA to come before the OBR      ORDER_DOCUMENT
//   anywhere else                                        OBSERVATION of an order without an OBR
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "hl7/message.hpp"

namespace resultsync::hl7 {

inline constexpr std::uint32_t kNoNode = 0xffffffff;

struct Node {
  std::string_view name;               // "PATIENT_RESULT" or "OBX"; empty for a line that is no segment
  std::uint32_t segment = kNoSegment;  // kNoSegment: a group
  std::uint32_t parent = kNoNode;
  std::uint32_t first_child = kNoNode;
  std::uint32_t last_child = kNoNode;
  std::uint32_t next = kNoNode;  // sibling

  [[nodiscard]] bool is_group() const { return segment == kNoSegment; }
};

struct PlacedObservation {
  enum class Role : std::uint8_t {
    result,    // of the order
    specimen,  // said of the specimen, beside the order's own results
    patient,   // said of the patient
    document,  // a document that belongs to the order
  };
  std::uint32_t segment = kNoSegment;
  Role role = Role::result;
  // The segments that it stands under; kNoSegment where there is none.
  std::uint32_t pid = kNoSegment, orc = kNoSegment, obr = kNoSegment, spm = kNoSegment;
  std::uint32_t order = kNoNode;  // its ORDER_OBSERVATION; kNoNode for a patient's, and in a flat tree
};

struct Tree {
  // nodes[0] is the message itself, named "ORU_R01", or "" if the message is kept flat.
  std::vector<Node> nodes;
  std::vector<PlacedObservation> observations;  // one for each OBX, in the order of the message
  Diagnostics diagnostics;
  bool grouped = false;

  // First child of `node` with that name, or kNoNode; and the next of its siblings with the same name.
  [[nodiscard]] std::uint32_t child(std::uint32_t node, std::string_view name) const;
  [[nodiscard]] std::uint32_t next_alike(std::uint32_t node) const;
};

// Names in the tree point into `message`, which must outlive it.
Tree group(const Message& message);

}  // namespace resultsync::hl7
