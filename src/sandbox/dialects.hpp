// A laboratory's report as HL7 v2 ORU^R01, as its laboratory writes it (catalogue.hpp, Dialect). PURE.
//
// Each message is one that src/results accounts for to the last OBX. What differs between laboratories: the version,
// whose codes and units, time zones, the character set, how a correction is marked, how text and documents are carried.
#pragma once

#include <string>
#include <string_view>

#include "sandbox/report.hpp"

namespace resultsync::sandbox {

// The bytes of the message, in the laboratory's character set; segments end with CR. `pdf` is the printed report, which
// laboratories of Dialect::kEmbedding put into the message; others do not look at it.
std::string write_hl7(const LabReport& report, std::string_view pdf);

// Whether write_hl7() of this report looks at the PDF.
bool embeds_pdf(const LabReport& report);

}  // namespace resultsync::sandbox
