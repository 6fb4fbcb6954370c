// The line: the one order in which the records of all streams stand, and in which they are applied. A record gets its
// place in it, its Sequence, after its commit: whoever places takes a lock, looks which numbers of each stream have no
// place yet, and appends them as runs. So sequences are given in commit order, without gaps, and never change; a reader
// of the line can skip none (decision 0028).
//
//   stream 7: 1 2 3 4     stream 8: 1 2
//   runs:  first 1, stream 7, numbers 1–3 │ first 4, stream 8, 1–2 │ first 6, stream 7, 4–4
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/sequence.hpp"
#include "base/timestamp.hpp"
#include "store/postgres/database.hpp"
#include "store/postgres/record_name.hpp"

namespace resultsync::store::postgres {

struct Run {
  std::int64_t first = 0;  // the sequence of its first record
  std::int64_t count = 0;
  std::int64_t period = 0;
  std::int64_t stream = 0;
  std::int64_t first_number = 0;
};

// Places what is committed and has no place yet; one transaction. The last sequence of the line.
Result<Sequence> place(Database& database);

// The queries below are for a connection in any state; errors stay on it.
Sequence last_of_line(Database& database);
// The runs from the one that holds `from` on, in order; at most `limit`.
std::vector<Run> runs_from(Database& database, Sequence from, std::int64_t limit);
std::optional<Sequence> sequence_of(Database& database, RecordName name);  // nothing while it has no place

// Those of blocks have rows that hold several records. A program from before them (format 1 of the log) passes such a
// stream by, whatever it does with open and ended ones; so nothing can go wrong when one that was stopped wakes up.
enum class StreamState : std::int64_t {
  kOpen = 0,
  kEnded = 1,   // the fence: nothing more can be appended
  kPlaced = 2,  // ended, and all of it has its place
  kOpenOfBlocks = 3,
  kEndedOfBlocks = 4,
  kPlacedOfBlocks = 5
};
inline bool is_open(StreamState state) {
  return state == StreamState::kOpen || state == StreamState::kOpenOfBlocks;
}

// A stream as the line knows it.
struct StreamLine {
  std::int64_t stream = 0;
  std::string owner;  // the process that appends to it, or did
  Timestamp begun_at;
  StreamState state = StreamState::kOpen;
  Sequence first;  // of its first record that has a place; 0 for none
  std::int64_t records = 0;
};
std::vector<StreamLine> streams(Database& database);  // the oldest first

// Ends the open streams of processes that are not alive any more, so that they can append nothing when they wake up;
// never one of `own`'s.
void end_abandoned_streams(Database& database, const std::string& own);
// Says that `own` is alive, for as long as `for_ms`, by the server's clock.
void say_alive(Database& database, const std::string& own, std::int64_t for_ms);
// Every process that is alive reads blocks: none is from before them. No older one can start any more (`newer_format`).
bool all_read_blocks(Database& database);

// The month that a moment is in, counted from year 0: the partition of its records.
std::int64_t period_of(std::int64_t microseconds);
// Makes sure that there are partitions for this month and the next. Own transaction.
Result<void> make_partitions(Database& database, std::int64_t period);

}  // namespace resultsync::store::postgres
