// The one error of a store that is not fatal: the database behind it cannot be used just now, or wants the transaction
// tried again, or did not say whether a commit happened. Whoever answers requests answers 503; whoever works in the
// background reads how far things are, and goes on from there. The embedded store never gives it.
#pragma once

#include <string_view>

namespace resultsync::store {

inline constexpr std::string_view kUnavailable = "unavailable";

}  // namespace resultsync::store
