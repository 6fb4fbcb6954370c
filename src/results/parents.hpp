// Microbiology and reflex tests: an order that names the result which it was made of (OBR-26, OBR-29).
#pragma once

#include <vector>

#include "results/report.hpp"

namespace resultsync::results {

// Fills ParentLink::report and in_report of each report from the others: a child names its parent by the order's
// numbers, and in it the result by code and sub-id. Without numbers it is the report just before, if that has the
// result.
void link_parents(std::vector<Report>& reports);

}  // namespace resultsync::results
