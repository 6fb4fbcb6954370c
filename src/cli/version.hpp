// Which resultsync this is.
#pragma once

#include <string_view>

namespace resultsync::cli {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace resultsync::cli
