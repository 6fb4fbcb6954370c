#include "runtime/random.hpp"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace resultsync::runtime {

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got = ::getrandom(bytes.data() + filled, count - filled, 0);
    if (got > 0) {
      filled += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      std::abort();
    }
  }
  return bytes;
}

}  // namespace resultsync::runtime
