// Whether an audit log is what was written: recomputes the chain from its first row, and holds it against signed
// checkpoints. A row that was changed, added, taken out or put elsewhere breaks the chain at its place; rows that were
// cut off the end are missed by a checkpoint that was kept elsewhere.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "store/audit.hpp"

namespace resultsync::store {

struct AuditFault {
  std::int64_t seq = 0;  // where it shows first
  std::string what;      // a sentence
};
struct AuditReport {
  std::int64_t rows = 0;
  std::int64_t checkpoints = 0;  // that were held against the chain
  AuditHead head;                // as recomputed
  std::int64_t unfinished = 0;   // changes that were begun and have no end: interrupted, or still being done
  std::vector<AuditFault> faults;
  [[nodiscard]] bool sound() const { return faults.empty(); }
};

// `kept` are checkpoints from elsewhere. `public_key`, if it is not empty, is the only one that may have signed any.
// Stops at the first broken row: nothing behind it can be known. Error: those of the store.
Result<AuditReport> verify_audit(AuditSnapshot& snapshot, std::span<const AuditCheckpoint> kept,
                                 std::string_view public_key);

}  // namespace resultsync::store
