// What the log asks of the disk, behind an interface so that a test can make it fail, fill up, or forget what was not
// synced.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "runtime/file.hpp"

namespace resultsync::store::log {

class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<runtime::File> create(const std::string& path);  // replaces a file of that name
  virtual Result<void> write(const runtime::File& file, std::uint64_t offset, std::string_view bytes);
  virtual Result<void> sync(const runtime::File& file);  // after an error never again: see File::sync_data()
  virtual Result<void> rename(const std::string& from, const std::string& to);
  virtual Result<void> sync_directory(const std::string& path);
  virtual Result<std::uint64_t> free_bytes(const std::string& path);
};

}  // namespace resultsync::store::log
