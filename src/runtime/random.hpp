// Random bytes that nobody can foresee, from the operating system.
#pragma once

#include <string>

namespace resultsync::runtime {

// `count` bytes of getrandom(2). Thread-safe. Stops the process if the system has none to give: nothing safe could
// follow.
std::string random_bytes(std::size_t count);

}  // namespace resultsync::runtime
