// One feed item as a line for a person: who, what, which version; ids only, never health data.
#pragma once

#include <string>

#include "cli/json_document.hpp"
#include "cli/terminal.hpp"

namespace resultsync::cli {

std::string feed_line(const Terminal& terminal, JsonValue item);

}  // namespace resultsync::cli
