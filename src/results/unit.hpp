// Units: what the lab sent (OBX-6), and the UCUM unit that it is, where that is certain.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "results/code.hpp"

namespace resultsync::results {

struct Unit {
  enum class Standing : std::uint8_t {
    absent,
    ucum,        // the text sent is a valid UCUM unit
    normalised,  // it is a common spelling that can only mean `ucum`: "µmol/l" is umol/L, "IU/mL" is [IU]/mL
    unknown,     // no UCUM unit, or one that means something else than labs mean by it ("K/uL" are kelvins)
  };
  Codes sent;
  Standing standing = Standing::absent;
  std::string ucum;  // empty unless ucum or normalised

  [[nodiscard]] std::string_view text() const;  // as the lab wrote it, for people: the code, else the text
  bool operator==(const Unit&) const = default;
};

Unit read_unit(const hl7::Field& obx_6);
Unit read_unit(std::string_view text);  // of a text alone, as in "<0.50 IU/mL"

// True if `text` is a term of UCUM (case sensitive), with the units that laboratories use; it parses §§4-14 of the
// specification.
bool is_ucum(std::string_view text);

}  // namespace resultsync::results
