#include "runtime/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/encoding.hpp"
#include "runtime/random.hpp"

namespace resultsync::runtime {
namespace {

std::string_view code_of(int error_number) {
  switch (error_number) {
    case ENOENT:
      return "not_found";
    case EACCES:
    case EPERM:
    case EROFS:
      return "permission_denied";
    case EEXIST:
      return "exists";
    case ENOSPC:
    case EDQUOT:
      return "disk_full";
    default:
      return "io_error";
  }
}

Result<File> open_file(const std::string& path, int flags, unsigned mode) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  if (descriptor < 0) return std::unexpected(file_error(errno, "open", path));
  return File(descriptor, path);
}

}  // namespace

Error file_error(int error_number, std::string_view doing, const std::string& path) {
  return Error{code_of(error_number), fmt::format("cannot {} {}", doing, path), std::strerror(error_number)};
}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = std::exchange(other.descriptor_, -1);
    path_ = std::move(other.path_);
  }
  return *this;
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<File> File::open_read(const std::string& path) {
  return open_file(path, O_RDONLY, 0);
}
Result<File> File::open_read_write(const std::string& path) {
  return open_file(path, O_RDWR, 0);
}
Result<File> File::create_new(const std::string& path, unsigned mode) {
  return open_file(path, O_RDWR | O_CREAT | O_EXCL, mode);
}

Result<void> File::write_at(std::uint64_t offset, std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(file_error(errno, "write to", path_));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return {};
}

Result<std::string> File::read_at(std::uint64_t offset, std::size_t count) const {
  std::string bytes(count, '\0');
  std::size_t filled = 0;
  while (filled < count) {
    const ssize_t got =
        ::pread(descriptor_, bytes.data() + filled, count - filled, static_cast<off_t>(offset + filled));
    if (got < 0) {
      if (errno == EINTR) continue;
      return std::unexpected(file_error(errno, "read", path_));
    }
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

void File::fetch_ahead(std::uint64_t offset, std::size_t count) const {
  // Where it cannot be done, reading is as quick as it is.
  static_cast<void>(
      ::posix_fadvise(descriptor_, static_cast<off_t>(offset), static_cast<off_t>(count), POSIX_FADV_WILLNEED));
}

Result<std::uint64_t> File::size() const {
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return std::unexpected(file_error(errno, "look at", path_));
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> File::sync_data() const {
  if (::fdatasync(descriptor_) != 0) return std::unexpected(file_error(errno, "make durable", path_));
  return {};
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  auto file = File::open_read(path);
  if (!file) return forward_error(std::move(file));
  std::string content;
  constexpr std::size_t kChunk = 64 * 1024;
  while (content.size() <= bytes_max) {
    auto chunk = file->read_at(content.size(), kChunk);
    if (!chunk) return forward_error(std::move(chunk));
    if (chunk->empty()) return content;
    content += *chunk;
  }
  return fail("too_large", fmt::format("{} is larger than {} bytes", path, bytes_max));
}

Result<void> write_file_durably(const std::string& path, std::string_view bytes, unsigned mode) {
  const std::string directory = std::filesystem::path(path).parent_path().string();
  const std::string draft = path + ".new-" + encode_hex(random_bytes(4));
  auto file = File::create_new(draft, mode);
  if (!file) return forward_error(std::move(file));
  if (auto written = file->write_at(0, bytes); !written) return written;
  if (auto synced = file->sync_data(); !synced) return synced;
  if (::rename(draft.c_str(), path.c_str()) != 0) return std::unexpected(file_error(errno, "put in place", path));
  return sync_directory(directory.empty() ? "." : directory);
}

Result<void> make_directories(const std::string& path, unsigned mode) {
  std::string so_far;
  for (const auto& part : std::filesystem::path(path)) {
    so_far = (std::filesystem::path(so_far) / part).string();
    if (::mkdir(so_far.c_str(), mode) == 0 || errno == EEXIST) continue;
    return std::unexpected(file_error(errno, "create the directory", so_far));
  }
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return std::unexpected(file_error(errno, "look at", path));
  if (!S_ISDIR(status.st_mode)) return fail("not_a_directory", fmt::format("{} is not a directory", path));
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return std::unexpected(file_error(errno, "open the directory", path));
  const File directory(descriptor, path);
  if (::fsync(descriptor) != 0) return std::unexpected(file_error(errno, "make durable the directory", path));
  return {};
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  std::vector<std::string> names;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator(path, error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return std::unexpected(file_error(error.value(), "list", path));
  std::ranges::sort(names);
  return names;
}

Result<std::uint64_t> free_bytes(const std::string& path) {
  struct statvfs status{};
  if (::statvfs(path.c_str(), &status) != 0) return std::unexpected(file_error(errno, "ask for free space at", path));
  return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
}

Result<DirectoryLock> DirectoryLock::take(const std::string& directory) {
  const std::string path = (std::filesystem::path(directory) / "lock").string();
  auto file = open_file(path, O_RDWR | O_CREAT, 0600);
  if (!file) return forward_error(std::move(file));
  if (::flock(file->descriptor(), LOCK_EX | LOCK_NB) != 0) {
    const auto holder = file->read_at(0, 32);
    return fail("locked",
                fmt::format("{} is in use by process {}", directory, holder && !holder->empty() ? *holder : "?"),
                "stop that server first, or give this one another data_dir");
  }
  if (::ftruncate(file->descriptor(), 0) != 0) return std::unexpected(file_error(errno, "write to", path));
  if (auto noted = file->write_at(0, std::to_string(::getpid())); !noted) return forward_error(std::move(noted));
  return DirectoryLock(std::move(*file));
}

}  // namespace resultsync::runtime
