// The event log: the truth of which everything else is a view. It keeps what was received, durably and in order, and
// knows nothing of its meaning (I1, I3).
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "base/sequence.hpp"
#include "base/timestamp.hpp"

namespace resultsync::store {

using resultsync::Sequence;

struct KeptHeader {
  std::string name;
  std::string value;
  bool operator==(const KeptHeader&) const = default;
};

// One receipt: a request whose signature was right, as it arrived.
struct Record {
  SourceId source;
  Timestamp received_at;
  bool stale = false;               // rightly signed, but its timestamp is outside the tolerance
  std::vector<KeptHeader> headers;  // those that matter: the signature, its timestamp and id, the content type
  Sha256 body_sha256;
  std::string body;       // the raw bytes; empty where same_body_as is set
  Sequence same_body_as;  // the committed record that holds the identical body, if this one refers to it; else 0
  bool operator==(const Record&) const = default;
};

struct StoredRecord {
  Sequence sequence;
  Record record;
};

struct ReadLimits {
  std::size_t records_max = 2048;
  std::size_t body_bytes_max = 8 * 1024 * 1024;  // the first record is given whatever its size
};

class EventLog {
 public:
  // Told the sequence once the record is durable, or why it is not. Called on the log's own thread, in the order of the
  // sequences; must not block. A log with several writers gives records their sequence after their commit: it tells the
  // record's name, which at() and `same_body_as` take in place of a sequence.
  using Committed = std::move_only_function<void(Result<Sequence>)>;

  virtual ~EventLog() = default;

  // Hands a record over; returns at once. Whatever waits is made durable together (group commit), then each `committed`
  // is called. Errors (before anything was written): `overloaded` (the queue is full), `disk_low`, `stopped`. Error
  // `store_failed`: a write or sync failed; whether the record will be found after a restart is open (I5 forbids
  // answering 2xx), and the log takes nothing more. `unavailable`: the database behind it cannot be used just now; the
  // same is open, and the log goes on when it can. Thread-safe.
  virtual void append(Record record, Committed committed) = 0;

  // Up to the limits of committed records after `after`, in order; empty at the end. Thread-safe.
  // Errors: `corrupt_record`, `missing_segment`, `erased`, `io_error`.
  [[nodiscard]] virtual Result<std::vector<StoredRecord>> read(Sequence after, ReadLimits limits) const = 0;

  // One committed record; where it refers to another one's body, that body is filled in. Errors: `not_found`, and those
  // of read().
  [[nodiscard]] virtual Result<StoredRecord> at(Sequence sequence) const = 0;

  // Some of these records (each asked for once), in any order, where asking for them together is cheaper than one by
  // one, else none: as many as have no more than `bytes_max` of bodies in all. Of each of the others at() says what it
  // is with it.
  // Thread-safe.
  [[nodiscard]] virtual std::vector<StoredRecord> some_of(std::span<const Sequence> records,
                                                          std::size_t bytes_max) const = 0;

  // The last committed record. Thread-safe.
  [[nodiscard]] virtual Sequence end() const = 0;

  // Names this log for ever: views remember which log they are views of.
  [[nodiscard]] virtual std::string id() const = 0;

  // `listener` is called on the log's own thread when end() has grown; must not block. Set it before the first append.
  // An append that it covers may not have been told yet: who puts records in order need not be who wrote them.
  virtual void on_commit(std::function<void(Sequence)> listener) = 0;

  // Takes nothing more, commits what waits, and ends the log's threads. Again: nothing. Not from a callback.
  virtual void close() {}
};

}  // namespace resultsync::store
