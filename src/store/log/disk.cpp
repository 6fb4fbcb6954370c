#include "store/log/disk.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace resultsync::store::log {

Result<runtime::File> Disk::create(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT)
    return std::unexpected(runtime::file_error(errno, "remove", path));
  return runtime::File::create_new(path);
}

Result<void> Disk::write(const runtime::File& file, std::uint64_t offset, std::string_view bytes) {
  return file.write_at(offset, bytes);
}

Result<void> Disk::sync(const runtime::File& file) {
  return file.sync_data();
}

Result<void> Disk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) return {};
  return std::unexpected(runtime::file_error(errno, "put in place", to));
}

Result<void> Disk::sync_directory(const std::string& path) {
  return runtime::sync_directory(path);
}

Result<std::uint64_t> Disk::free_bytes(const std::string& path) {
  return runtime::free_bytes(path);
}

}  // namespace resultsync::store::log
