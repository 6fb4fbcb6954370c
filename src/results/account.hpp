// The account of a message (S7): every OBX is an Observation, or part of one, or listed with a reason; every other
// segment is used, or listed. An OBX after white space, or in small letters, is read like any other, and counted among
// the other segments: whoever counts the lines that begin with OBX comes to the same number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hl7/reader.hpp"

namespace resultsync::results {

struct Unused {
  std::string segment;      // "OBX", "SFT"; empty for a line that is no segment
  std::uint32_t index = 0;  // of the segment in the message; kNone for a line outside every message
  std::size_t offset = 0;   // of its line in the input
  std::string_view reason;  // stable; README.md lists them
};

struct Account {
  std::size_t obx_in = 0;         // segments that begin with OBX and the field separator right after a line end
  std::size_t observations = 0;   // those that are in Observations: OBX, not Observations
  std::vector<Unused> explained;  // the other OBX
  std::size_t segments_in = 0;    // segments that are no OBX, and lines that are no segment
  std::size_t segments_used = 0;
  std::vector<Unused> unused;  // the other segments

  [[nodiscard]] bool balanced() const {
    return obx_in == observations + explained.size() && segments_in == segments_used + unused.size();
  }
};

// Adds what stands outside every message to an account: an OBX line there is explained as `outside_message`.
void add_outside(const hl7::Reading& reading, Account& account);

}  // namespace resultsync::results
