// A laboratory's report, and the order's requisition, as PDF that a person would print: letterhead, patient block, a
// table with flags and reference ranges, what was corrected, page numbers. PURE: the same report gives the same bytes.
#pragma once

#include <string>

#include "sandbox/report.hpp"

namespace resultsync::sandbox {

std::string draw_report(const LabReport& report);

// What goes to the laboratory with the specimen. Only who, what and for whom count in `report`.
std::string draw_requisition(const LabReport& report);

}  // namespace resultsync::sandbox
