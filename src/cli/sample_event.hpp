// An event of the shape that the network's own page shows for order.new_result, with its ids; the people in it are
// invented.
#pragma once

#include <string_view>

namespace resultsync::cli {

inline constexpr std::string_view kSampleEventId = "evt_9b2m8O7";
inline constexpr std::string_view kSampleOrder = "ord_qNJ1nl1";
inline constexpr std::string_view kSampleClinic = "cli_Epqpo2g";
std::string_view sample_event();

}  // namespace resultsync::cli
