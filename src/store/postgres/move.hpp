// Moving an embedded store (segment files and SQLite) into PostgreSQL. The source is only read, so going back is going
// on with it. Frames are copied byte for byte: a segment becomes a stream, and every record keeps its sequence.
//
// Resumable: what is there already is recognised and passed over (records) or copied again (a table). Until it is
// complete, the database says so, and no server starts on it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "runtime/keys.hpp"
#include "store/postgres/database.hpp"

namespace resultsync::store::postgres {

struct MoveProgress {
  std::string what;  // "log", or a table
  std::uint64_t done = 0;
  std::uint64_t all = 0;  // 0: not known
};

struct MovedPart {
  std::string what;
  std::uint64_t rows = 0;  // on both sides, equal in content
};
struct MoveReport {
  std::vector<MovedPart> parts;
};

// `data_dir` must not be in use (the caller holds its lock). Every part is read back and compared, by count and by the
// sum of its rows' SHA-256. Errors: `conflict` (the database holds another store), `wrong_master_key`, `corrupt_record`
// (the source is damaged), `not_equal` (what was read back differs), and those of either engine.
Result<MoveReport> move_embedded(const std::string& data_dir, const runtime::MasterKey& master,
                                 const ConnectOptions& to, const std::function<void(const MoveProgress&)>& progress);

}  // namespace resultsync::store::postgres
