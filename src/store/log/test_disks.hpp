// Disks for tests: quick ones that never sync, failing ones, and one that forgets at a power cut what was not synced.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "store/log/disk.hpp"

namespace resultsync::store::log {

// For tests in which no power cut happens.
class QuickDisk : public Disk {
 public:
  Result<void> sync(const runtime::File&) override { return {}; }
  Result<void> sync_directory(const std::string&) override { return {}; }
};

// Asks a rule before each call: an error instead of doing it, or after it was done (as when the kernel's write-back
// fails).
class FailingDisk : public QuickDisk {
 public:
  using Rule = std::function<Result<void>(const std::string& call, const std::string& path)>;
  void set_rule(Rule rule) {
    const std::lock_guard lock(mutex_);
    rule_ = std::move(rule);
  }
  Result<runtime::File> create(const std::string& path) override {
    if (auto allowed = ask("create", path); !allowed) return forward_error(std::move(allowed));
    return Disk::create(path);
  }
  Result<void> write(const runtime::File& file, std::uint64_t offset, std::string_view bytes) override {
    if (auto allowed = ask("write", file.path()); !allowed) return allowed;
    return Disk::write(file, offset, bytes);
  }
  Result<void> sync(const runtime::File& file) override { return ask("sync", file.path()); }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (auto allowed = ask("rename", to); !allowed) return allowed;
    return Disk::rename(from, to);
  }
  Result<void> sync_directory(const std::string& path) override { return ask("sync_directory", path); }
  Result<std::uint64_t> free_bytes(const std::string& path) override {
    if (auto allowed = ask("free_bytes", path); !allowed) return std::uint64_t{0};
    return std::uint64_t{1} << 40U;
  }

 private:
  Result<void> ask(const std::string& call, const std::string& path) {
    const std::lock_guard lock(mutex_);
    return rule_ ? rule_(call, path) : Result<void>();
  }
  std::mutex mutex_;
  Rule rule_;
};

// After `calls_until_cut` calls the power is gone: nothing more happens, every call fails. forget() then undoes a
// random choice of the 512-byte sectors and renames that were not synced, as a disk with a volatile cache may.
class PowerCutDisk : public Disk {
 public:
  PowerCutDisk(std::uint32_t seed, int calls_until_cut) : random_(seed), calls_left_(calls_until_cut) {}

  Result<runtime::File> create(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (gone()) return fail("io_error", "power cut");
    return Disk::create(path);
  }
  Result<void> write(const runtime::File& file, std::uint64_t offset, std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    if (calls_left_ == 1 && !bytes.empty()) {  // the last call happens in part
      bytes = bytes.substr(0, random_() % bytes.size());
    }
    if (gone()) return fail("io_error", "power cut");
    auto before = file.read_at(offset, bytes.size());
    before->resize(bytes.size(), '\0');
    unsynced_[inode_of(file)].push_back({offset, std::move(*before)});
    auto written = Disk::write(file, offset, bytes);
    return calls_left_ == 0 ? Result<void>(fail("io_error", "power cut")) : written;
  }
  Result<void> sync(const runtime::File& file) override {
    const std::lock_guard lock(mutex_);
    if (gone() || calls_left_ == 0) return fail("io_error", "power cut");  // cut before it could do anything
    unsynced_.erase(inode_of(file));
    return {};
  }
  Result<void> rename(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (gone()) return fail("io_error", "power cut");
    const std::string kept = to + ".kept";
    [[maybe_unused]] const int linked = ::link(to.c_str(), kept.c_str());  // fails where nothing stands there yet
    renames_.push_back({from, to, kept});
    return Disk::rename(from, to);
  }
  Result<void> sync_directory(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (gone() || calls_left_ == 0) return fail("io_error", "power cut");
    for (const auto& rename : renames_) ::unlink(rename.kept.c_str());
    renames_.clear();
    static_cast<void>(path);
    return {};
  }

  [[nodiscard]] bool was_cut() const {
    const std::lock_guard lock(mutex_);
    return calls_left_ <= 0;
  }

  // The log must be gone by now.
  void forget(const std::string& directory) {
    for (auto rename = renames_.rbegin(); rename != renames_.rend(); ++rename) {
      if (random_() % 2 == 0) {
        ::rename(rename->to.c_str(), rename->from.c_str());
        ::rename(rename->kept.c_str(), rename->to.c_str());
      }
      ::unlink(rename->kept.c_str());
    }
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      auto file = runtime::File::open_read_write(entry.path().string());
      const auto lost = unsynced_.find(inode_of(*file));
      if (lost != unsynced_.end()) undo_some(*file, lost->second);
    }
  }

 private:
  struct Write {
    std::uint64_t offset;
    std::string before;
  };
  struct Rename {
    std::string from, to, kept;
  };

  bool gone() {
    if (calls_left_ <= 0) return true;
    --calls_left_;
    return false;
  }
  static ino_t inode_of(const runtime::File& file) {
    struct stat status{};
    ::fstat(file.descriptor(), &status);
    return status.st_ino;
  }
  // A sector that is lost is as it was before the first of the writes that are lost.
  void undo_some(const runtime::File& file, const std::vector<Write>& writes) {
    constexpr std::uint64_t kSector = 512;
    std::map<std::uint64_t, bool> lost;
    const bool everything = random_() % 4 == 0;
    for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
      for (std::uint64_t at = 0; at < write->before.size();) {
        const std::uint64_t place = write->offset + at;
        const std::uint64_t count = std::min<std::uint64_t>(kSector - place % kSector, write->before.size() - at);
        const auto [sector, fresh] = lost.try_emplace(place / kSector, everything || random_() % 2 == 0);
        if (sector->second) {
          static_cast<void>(file.write_at(
              place,
              std::string_view(write->before).substr(static_cast<std::size_t>(at), static_cast<std::size_t>(count))));
        }
        at += count;
      }
    }
  }

  mutable std::mutex mutex_;
  std::mt19937 random_;
  int calls_left_;
  std::map<ino_t, std::vector<Write>> unsynced_;
  std::vector<Rename> renames_;
};

}  // namespace resultsync::store::log
