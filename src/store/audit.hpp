// The audit log (P5): who read, changed or exported what, when, why, from where, and how it ended. Rows form a chain:
// each holds the SHA-256 of itself and of the hash before it, so that a row which was changed, taken out or put
// elsewhere breaks the chain at its place; signed checkpoints of the chain's end show what was cut off behind. Ids
// only, no health data.
//
// A store of its own with a writer of its own (decision 0032): whoever shows something waits for this log and for
// nothing else. So a row and what it tells of are never one transaction. The rule is: append `begun`, do it, append how
// it ended, with the same request id. What was interrupted in between is a `begun` without an end.
//
//   hash(n) = SHA-256(hex(hash(n-1)) "\n" canonical(row n)), and hash(0) is 32 zero bytes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "base/timestamp.hpp"
#include "store/unavailable.hpp"

namespace resultsync::store {

struct AuditRow {
  std::int64_t seq = 0;  // 1, 2, 3 … given by append()
  Timestamp at;
  std::string actor;                 // "admin", a key's id, "user:NAME", "cli:NAME", "sync"
  std::string action;                // "GET /v1/orders/{id}", "cli log cat"
  std::vector<std::string> objects;  // "order=ord_1", "practitioner=anna"
  std::string purpose;               // a code of the caller's, from X-Purpose; may be empty
  std::string peer;                  // an address without its port; may be empty
  std::string outcome;               // "200", "404 unknown_order", "begun"
  std::string request_id;            // may be empty
  Sha256 hash;                       // given by append()
};

// The row as one line of JSON without its hash: what is hashed, and what an export shows. Two equal rows give equal
// bytes.
std::string canonical(const AuditRow& row);
Sha256 chained(const Sha256& previous, const AuditRow& row);

// A signed statement that the chain had this hash at `seq`.
struct AuditCheckpoint {
  std::int64_t seq = 0;
  Timestamp at;
  Sha256 hash;
  std::string public_key;  // Ed25519, 32 bytes
  std::string signature;   // of statement_of(), 64 bytes
};
// What is signed: "resultsync audit checkpoint v1", seq, hash and time, a line each.
std::string statement_of(const AuditCheckpoint& checkpoint);
// One line of JSON, to be kept elsewhere, and back. Error: `bad_checkpoint` (not such a line).
std::string line_of(const AuditCheckpoint& checkpoint);
Result<AuditCheckpoint> parse_checkpoint(std::string_view line);

struct AuditFilter {
  std::string actor;  // empty: anybody
  std::optional<Timestamp> since;
};
struct AuditHead {
  std::int64_t seq = 0;
  Sha256 hash;
};

// A consistent look at the log, with sticky errors: after one, reads give nothing. Used by one thread at a time.
class AuditSnapshot {
 public:
  virtual ~AuditSnapshot() = default;
  [[nodiscard]] virtual Result<void> status() const = 0;
  virtual AuditHead head() = 0;
  virtual std::vector<AuditRow> after(std::int64_t seq, std::size_t limit) = 0;  // oldest first
  // Newest first, with numbers below `before` (0: from the newest).
  virtual std::vector<AuditRow> before(const AuditFilter& filter, std::int64_t before, std::size_t limit) = 0;
  virtual std::vector<AuditCheckpoint> checkpoints_after(std::int64_t seq, std::size_t limit) = 0;
  virtual std::optional<AuditCheckpoint> last_checkpoint() = 0;
  // When this actor's newest row was written.
  virtual std::optional<Timestamp> last_of(const std::string& actor) = 0;
};

// Thread-safe.
class AuditLog {
 public:
  virtual ~AuditLog() = default;
  // Gives the rows their numbers and hashes, and makes them durable before it returns: one commit for all of them.
  // Waits for other appends, in the order of the callers, and never for the views. Error: none of the rows may be taken
  // for written. kUnavailable: whether they are is open, and they may be appended again; any other: the caller stops
  // the process (fail-stop).
  virtual Result<void> append(std::span<const AuditRow> rows) = 0;
  Result<void> append(const AuditRow& row) { return append({&row, 1}); }
  // The same errors.
  virtual Result<void> add_checkpoint(const AuditCheckpoint& checkpoint) = 0;
  virtual std::unique_ptr<AuditSnapshot> snapshot() = 0;
};

}  // namespace resultsync::store
