#include "store/audit_verify.hpp"

#include <fmt/format.h>

#include <map>
#include <unordered_set>

#include "runtime/signing.hpp"

namespace resultsync::store {
namespace {

constexpr std::size_t kRowsAtOnce = 1'000;

// Checkpoints by the row that they speak of.
using Stated = std::multimap<std::int64_t, AuditCheckpoint>;

void add_stated(Stated& stated, AuditReport& report, const AuditCheckpoint& checkpoint, std::string_view public_key) {
  ++report.checkpoints;
  if (!public_key.empty() && checkpoint.public_key != public_key) {
    report.faults.push_back({checkpoint.seq, "a checkpoint was signed by another key than this store's"});
  } else if (!runtime::is_signed(checkpoint.public_key, statement_of(checkpoint), checkpoint.signature)) {
    report.faults.push_back({checkpoint.seq, "a checkpoint's signature is wrong"});
  } else {
    stated.emplace(checkpoint.seq, checkpoint);
  }
}

// The chain has come to `head`: what was stated of this place must hold.
bool holds(const Stated& stated, const AuditHead& head, AuditReport& report) {
  const auto [first, last] = stated.equal_range(head.seq);
  for (auto one = first; one != last; ++one) {
    if (one->second.hash == head.hash) continue;
    report.faults.push_back(
        {head.seq, "the chain is another one than the checkpoint signed: rows up to here were rewritten"});
    return false;
  }
  return true;
}

}  // namespace

Result<AuditReport> verify_audit(AuditSnapshot& snapshot, std::span<const AuditCheckpoint> kept,
                                 std::string_view public_key) {
  AuditReport report;
  Stated stated;
  for (const AuditCheckpoint& checkpoint : kept) add_stated(stated, report, checkpoint, public_key);
  for (std::int64_t after = 0;;) {
    const auto own = snapshot.checkpoints_after(after, kRowsAtOnce);
    if (own.empty()) break;
    for (const AuditCheckpoint& checkpoint : own) add_stated(stated, report, checkpoint, public_key);
    after = own.back().seq;
  }

  AuditHead head;
  std::unordered_set<std::string> begun;  // by request id; as many as are done at a time, and what was interrupted
  for (bool more = true; more;) {
    const auto rows = snapshot.after(head.seq, kRowsAtOnce);
    more = !rows.empty();
    for (const AuditRow& row : rows) {
      if (row.seq != head.seq + 1) {
        report.faults.push_back(
            {head.seq + 1, fmt::format("row {} is gone: row {} follows row {}", head.seq + 1, row.seq, head.seq)});
        more = false;
        break;
      }
      if (chained(head.hash, row) != row.hash) {
        report.faults.push_back(
            {row.seq,
             fmt::format("row {} is not what was written: it was changed, or what stands before it", row.seq)});
        more = false;
        break;
      }
      head = {row.seq, row.hash};
      ++report.rows;
      if (row.outcome == "begun" && !row.request_id.empty()) {
        begun.insert(row.request_id);
      } else {
        begun.erase(row.request_id);
      }
      if (!holds(stated, head, report)) more = false;
      if (!more) break;
    }
  }
  report.head = head;
  report.unfinished = static_cast<std::int64_t>(begun.size());
  if (report.sound()) {
    const AuditHead said = snapshot.head();
    if (said.seq != head.seq || (said.seq != 0 && said.hash != head.hash))
      report.faults.push_back(
          {head.seq + 1,
           fmt::format("the chain ends at row {}, and should end at row {}: its end was cut off", head.seq, said.seq)});
    if (!stated.empty() && stated.rbegin()->first > head.seq)
      report.faults.push_back(
          {head.seq + 1,
           fmt::format("a checkpoint was signed at row {}, and the chain ends at row {}: its end was cut off",
                       stated.rbegin()->first, head.seq)});
  }
  if (auto status = snapshot.status(); !status) return forward_error(std::move(status));
  return report;
}

}  // namespace resultsync::store
