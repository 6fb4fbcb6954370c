// Files by descriptor, with every error an Error. Blocks; a File is used by one thread at a time unless a function says
// otherwise.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace resultsync::runtime {

class File {
 public:
  File() = default;
  explicit File(int descriptor, std::string path) : descriptor_(descriptor), path_(std::move(path)) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)), path_(std::move(other.path_)) {}
  File& operator=(File&& other) noexcept;
  ~File();

  // Errors carry the errno's text as their cause; codes: `not_found`, `permission_denied`, `exists`, `disk_full`,
  // `io_error`.
  static Result<File> open_read(const std::string& path);
  static Result<File> open_read_write(const std::string& path);
  static Result<File> create_new(const std::string& path, unsigned mode = 0600);  // fails with `exists`

  Result<void> write_at(std::uint64_t offset, std::string_view bytes) const;  // all of it, or an error
  // Up to `count` bytes; fewer only at the end of the file. Safe from several threads.
  Result<std::string> read_at(std::uint64_t offset, std::size_t count) const;
  // Has the kernel fetch these bytes into its cache, so that a later read_at() need not wait for the disk; does not
  // wait itself. Safe from several threads.
  void fetch_ahead(std::uint64_t offset, std::size_t count) const;
  [[nodiscard]] Result<std::uint64_t> size() const;
  // fdatasync(2). After an error the state of the file on disk is unknown: never call it again, stop instead.
  Result<void> sync_data() const;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
  std::string path_;
};

// An Error from errno: "cannot <doing> <path>", with the cause.
Error file_error(int error_number, std::string_view doing, const std::string& path);

Result<std::string> read_file(const std::string& path, std::size_t bytes_max = 64 * 1024 * 1024);  // `too_large` beyond
// Creates `path` with exactly these bytes so that after a crash it is there whole or not at all; replaces what was
// there.
Result<void> write_file_durably(const std::string& path, std::string_view bytes, unsigned mode = 0600);
Result<void> make_directories(const std::string& path, unsigned mode = 0700);  // parents too; fine if it is there
Result<void> sync_directory(const std::string& path);                      // makes creations and renames in it durable
Result<std::vector<std::string>> list_directory(const std::string& path);  // names, sorted
Result<std::uint64_t> free_bytes(const std::string& path);  // what an ordinary user may still write there

// Holds an exclusive lock on `<directory>/lock` for as long as it lives, so that two processes never write one data
// directory. Errors: `locked` names the process that holds it.
class DirectoryLock {
 public:
  static Result<DirectoryLock> take(const std::string& directory);

 private:
  explicit DirectoryLock(File file) : file_(std::move(file)) {}
  File file_;
};

}  // namespace resultsync::runtime
