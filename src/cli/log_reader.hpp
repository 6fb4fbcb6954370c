// The event log of a data directory, to be read only: beside a running server, or without one. Takes no lock and
// changes nothing.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/keys.hpp"
#include "store/event_log.hpp"

namespace resultsync::cli {

class LogReader final : public store::EventLog {
 public:
  // Errors: `not_found`, `permission_denied`, those of the master key and of store::log::list_segments().
  static Result<std::unique_ptr<LogReader>> open(const std::string& data_dir);

  void append(store::Record record, Committed committed) override;  // answers `read_only`
  [[nodiscard]] Result<std::vector<store::StoredRecord>> read(Sequence after, store::ReadLimits limits) const override;
  [[nodiscard]] Result<store::StoredRecord> at(Sequence sequence) const override;
  [[nodiscard]] std::vector<store::StoredRecord> some_of(std::span<const Sequence>, std::size_t) const override {
    return {};
  }
  [[nodiscard]] Sequence end() const override { return end_; }  // when it was opened
  [[nodiscard]] std::string id() const override { return id_; }
  void on_commit(std::function<void(Sequence)>) override {}

  [[nodiscard]] const runtime::MasterKey& master() const { return master_; }

 private:
  LogReader(std::string data_dir, runtime::MasterKey master)
      : data_dir_(std::move(data_dir)), master_(std::move(master)) {}
  [[nodiscard]] Result<void> read_ahead(Sequence from) const;

  const std::string data_dir_;
  const runtime::MasterKey master_;
  std::string id_;
  Sequence end_;

  // Records are read in long runs, because finding one means walking its segment.
  mutable std::mutex mutex_;
  mutable std::vector<store::StoredRecord> ahead_;  // guarded by mutex_; in order, without gaps
};

}  // namespace resultsync::cli
