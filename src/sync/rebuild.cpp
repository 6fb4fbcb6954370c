#include "sync/rebuild.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/digest.hpp"

namespace resultsync::sync {
namespace {

constexpr std::size_t kDifferencesShown = 20;

// Which records the live views show: all up to where their slot is.
class Shown {
 public:
  Shown(std::vector<store::SlotProgress> slots, std::vector<store::Dispatch> dispatches)
      : slots_(std::move(slots)), dispatches_(std::move(dispatches)) {}

  [[nodiscard]] Sequence most() const { return std::ranges::max(slots_, {}, &store::SlotProgress::applied).applied; }
  [[nodiscard]] Sequence least() const { return std::ranges::min(slots_, {}, &store::SlotProgress::applied).applied; }
  // Between the two, every record was given a slot.
  [[nodiscard]] bool shows(Sequence record) const {
    if (record <= least()) return true;
    const auto dispatch = std::ranges::find_if(
        dispatches_, [&](const store::Dispatch& one) { return one.first <= record && record <= one.last(); });
    if (dispatch == dispatches_.end()) return false;
    const store::Slot slot = dispatch->slots[record.value - dispatch->first.value];
    const auto found = std::ranges::find(slots_, slot, &store::SlotProgress::slot);
    return found != slots_.end() && record <= found->applied;
  }

 private:
  const std::vector<store::SlotProgress> slots_;
  const std::vector<store::Dispatch> dispatches_;
};

Result<void> apply_all(const store::EventLog& log, store::Views& scratch, const Shown& shown, ApplyOptions options,
                       const std::function<void(Sequence, Sequence)>& progress) {
  options.issue = false;
  const Sequence through = shown.most();
  Sequence done;
  while (done < through) {
    auto records = log.read(done, {2048, 32 * 1024 * 1024});
    if (!records) return forward_error(std::move(records));
    if (records->empty()) return fail("log_too_short", "the event log ends before the views do");
    const auto transaction = scratch.begin();
    for (const auto& record : *records) {
      if (record.sequence > through) break;
      done = record.sequence;
      if (!shown.shows(record.sequence)) continue;
      auto applied = apply_record(*transaction, log, record, options, record.record.received_at);
      if (!applied) return forward_error(std::move(applied));
    }
    transaction->set_applied(done);
    if (auto committed = transaction->commit(); !committed) return committed;
    if (progress) progress(done, through);
  }
  return {};
}

// Compares two multisets of lines in bounded memory: lines fall into buckets by their digest, and a bucket is compared
// by the sum of its digests. Where sums differ, a second look collects the lines of those buckets alone.
class Comparison {
 public:
  enum class Side { kLive, kRebuilt };

  void add(Side side, std::string_view line) {
    const auto [bucket, digest] = place_of(line);
    sums_[bucket] += side == Side::kLive ? digest : -digest;
    ++lines_;
  }
  [[nodiscard]] bool equal() const {
    return std::ranges::all_of(sums_, [](std::uint64_t sum) { return sum == 0; });
  }
  [[nodiscard]] std::uint64_t lines() const { return lines_; }

  // The second look.
  void look_again(Side side, std::string_view line) {
    if (sums_[place_of(line).first] == 0) return;
    balance_[std::string(line)] += side == Side::kLive ? 1 : -1;
  }
  void report(RebuildReport& report) const {
    for (const auto& [line, balance] : balance_) {
      if (balance == 0) continue;
      ++report.differences;
      if (report.first_differences.size() < kDifferencesShown)
        report.first_differences.push_back((balance > 0 ? "- " : "+ ") + line);
    }
  }

 private:
  static std::pair<std::size_t, std::uint64_t> place_of(std::string_view line) {
    const Sha256 digest = sha256(line);
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    std::memcpy(&first, digest.bytes.data(), sizeof first);
    std::memcpy(&second, digest.bytes.data() + sizeof first, sizeof second);
    return {first % kBuckets, second};
  }

  static constexpr std::size_t kBuckets = 1 << 16;
  std::vector<std::uint64_t> sums_ = std::vector<std::uint64_t>(kBuckets);
  std::map<std::string, std::int64_t> balance_;
  std::uint64_t lines_ = 0;
};

void for_each_line(store::ViewsSnapshot& views, const std::function<void(std::string_view)>& visit) {
  views.dump([&](std::string_view line) {
    visit(line);
    return true;
  });
}

}  // namespace

Result<RebuildReport> verify_rebuild(const store::EventLog& log, store::Views& live, store::Views& scratch,
                                     const ApplyOptions& options,
                                     const std::function<void(Sequence done, Sequence all)>& progress) {
  RebuildReport report;
  const auto shown = live.snapshot();
  const Shown records(shown->progress(), shown->dispatches());
  report.through = records.least();
  {
    const auto transaction = scratch.begin();
    transaction->copy_facts(*shown);
    if (auto committed = transaction->commit(); !committed) return forward_error(std::move(committed));
  }
  if (auto applied = apply_all(log, scratch, records, options, progress); !applied)
    return forward_error(std::move(applied));

  using Side = Comparison::Side;
  Comparison comparison;
  const auto rebuilt = scratch.snapshot();
  for_each_line(*shown, [&](std::string_view line) { comparison.add(Side::kLive, line); });
  for_each_line(*rebuilt, [&](std::string_view line) { comparison.add(Side::kRebuilt, line); });
  report.lines = comparison.lines() / 2;
  if (!comparison.equal()) {
    for_each_line(*shown, [&](std::string_view line) { comparison.look_again(Side::kLive, line); });
    for_each_line(*rebuilt, [&](std::string_view line) { comparison.look_again(Side::kRebuilt, line); });
    comparison.report(report);
  }
  if (auto status = shown->status(); !status) return forward_error(std::move(status));
  if (auto status = rebuilt->status(); !status) return forward_error(std::move(status));
  return report;
}

}  // namespace resultsync::sync
